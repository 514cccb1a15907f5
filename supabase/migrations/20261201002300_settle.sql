-- The settle: the result of a send. For service_role only. claim.sql explains the planner settings.

-- whatsapp_settle(run, results) → ids of the messages that were settled. Idempotent by token: a claim that is gone
-- (settled before, or taken over) is left alone. Results: [{message_id, token, outcome:
-- accepted|rejected|unavailable|indeterminate, wa_message_id, at, code, reason, retry, retry_after (seconds)}]. What
-- was certainly not sent (unavailable) does not count against the limits.
create function public.whatsapp_settle(p_run uuid, p_results jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  moment timestamptz := herald.clock();
  settled jsonb;
  early jsonb;
  unsent herald.message_claims[];
begin
  with result as materialized (
    select * from jsonb_to_recordset(p_results) as x (
      message_id uuid, token uuid, outcome text, wa_message_id text, at timestamptz,
      code text, reason text, retry boolean, retry_after double precision
    )
  ), mine as (
    delete from herald.message_claims as c
    using result as r, herald.session_leases as l
    where c.message_id = r.message_id and c.token = r.token and c.run_id = p_run
      and l.session_id = c.session_id and l.run_id = c.run_id and l.epoch = c.epoch
    returning c as claim, r.*
  ), written as (
    update public.scheduled_whatsapp_messages as m set
      status = case
        when r.outcome = 'accepted' then 'sent'
        when r.outcome = 'indeterminate' then 'in_doubt'
        when r.outcome = 'unavailable' then 'pending'
        when coalesce(r.retry, false) and m.retry_count < m.max_retries then 'pending'
        else 'failed'
      end,
      wa_message_id = r.wa_message_id,
      sent_at = case when r.outcome = 'accepted' then coalesce(r.at, moment) end,
      retry_count = m.retry_count
        + case when r.outcome = 'rejected' and r.retry and m.retry_count < m.max_retries then 1 else 0 end,
      next_attempt_at = case
        when r.outcome = 'unavailable' then moment + make_interval(secs => coalesce(r.retry_after, 0))
        when r.outcome = 'rejected' and r.retry and m.retry_count < m.max_retries
          then herald.retry_at(m.retry_count)
      end,
      error_code = case when r.outcome <> 'accepted' then coalesce(r.code, r.outcome) end,
      error_message = case when r.outcome <> 'accepted' then r.reason end
    from mine as r where m.id = r.message_id and m.status = 'sending'
    returning m.session_id, m.wa_message_id
  ), active as (
    update public.whatsapp_sessions as s set last_active_at = moment
    where s.id in (select w.session_id from written as w where w.wa_message_id is not null)
      and (s.last_active_at is null or s.last_active_at < moment - interval '1 minute')
  ), waiting as (
    delete from herald.early_receipts as e using written as w
    where e.session_id = w.session_id and e.wa_message_id = w.wa_message_id
    returning e.session_id, e.wa_message_id, e.recipient, e.kind, e.at
  )
  select
    (select coalesce(jsonb_agg(c.message_id), '[]'::jsonb) from mine as c),
    (select jsonb_agg(to_jsonb(e)) from waiting as e),
    (select array_agg(c.claim) from mine as c where c.outcome = 'unavailable')
  into settled, early, unsent;
  if unsent is not null then
    perform herald.refund(unsent);
  end if;
  if early is not null then
    perform herald.apply_receipts(early);
  end if;
  return settled;
end
$$;
comment on function public.whatsapp_settle(uuid, jsonb) is
'Writes what came of sends. Idempotent by token. Returns the ids of the messages that it settled.';
revoke execute on function public.whatsapp_settle(uuid, jsonb) from public, anon, authenticated;
grant execute on function public.whatsapp_settle(uuid, jsonb) to service_role;

-- herald.pause_senders(run, results): a result with pause (seconds) pauses its whole account; one with new_chats_pause
-- holds back the account's messages to people it has no chat with. A longer pause that exists stays.
create function herald.pause_senders(p_run uuid, p_results jsonb) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  restricted record;
begin
  for restricted in
    select s.id, s.organization_id, herald.clock() + make_interval(secs => max(r.new_chats_pause)) as until
    from jsonb_to_recordset(p_results) as r (message_id uuid, token uuid, new_chats_pause double precision)
    join herald.message_claims as c on c.message_id = r.message_id and c.token = r.token and c.run_id = p_run
    join herald.session_leases as l on l.session_id = c.session_id and l.run_id = c.run_id and l.epoch = c.epoch
    join public.whatsapp_sessions as s on s.id = c.session_id
    where r.new_chats_pause > 0
    group by s.id, s.organization_id order by s.id
  loop
    update public.whatsapp_sessions as s set new_chats_after = restricted.until
    where s.id = restricted.id and (s.new_chats_after is null or s.new_chats_after < restricted.until);
    perform herald.raise_alert(restricted.organization_id, restricted.id, 'new-chats-restricted', 'warning',
      'WhatsApp does not let this account write to people it has no chat with. Such messages wait, Herald tries again by '
      'itself, and known chats go on. Send less to strangers, and let people write first.',
      jsonb_build_object('until', restricted.until));
  end loop;
  update public.whatsapp_sessions as s
  set paused_until = herald.clock() + make_interval(secs => r.pause),
    pause_reason = 'WhatsApp says that this account sends too fast; Herald has paused it.'
  from jsonb_to_recordset(p_results) as r (message_id uuid, token uuid, pause double precision)
  join herald.message_claims as c on c.message_id = r.message_id and c.token = r.token and c.run_id = p_run
  join herald.session_leases as l on l.session_id = c.session_id and l.run_id = c.run_id and l.epoch = c.epoch
  where s.id = c.session_id and r.pause > 0
    and (s.paused_until is null or s.paused_until < herald.clock() + make_interval(secs => r.pause));
end
$$;
revoke execute on function herald.pause_senders(uuid, jsonb) from public;

-- whatsapp_settle_and_claim: both in one round trip → {"settled": […], "claims": […], "next_due": seconds or null}.
-- If it claimed as many as asked for, next_due is 0: computing it would cost a tenth of the call. A result with pause or
-- new_chats_pause (seconds) pauses its account before anything is claimed (pause_senders).
create function public.whatsapp_settle_and_claim(p_run uuid, p_results jsonb, p_limit integer) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  settled jsonb := '[]';
  claims jsonb;
begin
  if jsonb_array_length(p_results) > 0 then
    if jsonb_path_exists(p_results, '$[*] ? (@.pause > 0 || @.new_chats_pause > 0)') then
      perform herald.pause_senders(p_run, p_results);
    end if;
    settled := public.whatsapp_settle(p_run, p_results);
  end if;
  claims := public.whatsapp_claim(p_run, p_limit);
  return jsonb_build_object('settled', settled, 'claims', claims, 'next_due',
    case when p_limit > 0 and jsonb_array_length(claims) >= p_limit then 0.001 else herald.next_due(p_run) end);
end
$$;
comment on function public.whatsapp_settle_and_claim(uuid, jsonb, integer) is
'Settles and claims in one round trip. Returns also in how many seconds the next message is due.';
revoke execute on function public.whatsapp_settle_and_claim(uuid, jsonb, integer) from public, anon, authenticated;
grant execute on function public.whatsapp_settle_and_claim(uuid, jsonb, integer) to service_role;

-- == when an exchange fails ==

-- herald.is_of_the_data(sqlstate) → is the content of a row the cause, so that the same rows would fail again? True for a
-- value out of range, a rule, a limit of Postgres, a broken page. False for memory, disk, locks, a shutdown.
create function herald.is_of_the_data(p_state text) returns boolean
language sql immutable set search_path = ''
as $$
  select left(p_state, 2) in ('22', '23', '42', '54', 'P0', 'XX')
$$;
revoke execute on function herald.is_of_the_data(text) from public;

-- herald.claim_broke(account, sqlstate): finds out why a claim for this account fails. A message that can't be read fails
-- with a reason. If the account itself is the cause, or the claim took too long (57014), or the cause is unknown, its
-- messages wait, because they may be fine: Herald looks again after a minute, and an alert tells the organisation.
create function herald.claim_broke(p_account uuid, p_state text) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  organization uuid := (select s.organization_id from public.whatsapp_sessions as s where s.id = p_account);
  candidate uuid;
  culprit uuid;
begin
  begin
    perform a.hold from herald.account_holds as a where a.session_id = p_account and herald.is_of_the_data(p_state);
    if found then
      for candidate in
        select m.message_id from herald.due_messages as m where m.session_id = p_account
        order by m.priority desc, m.scheduled_for, m.message_id
        limit (select k.first_look from herald.constants as k where k.only_row)
      loop
        begin
          perform h.hold, length(jsonb_build_array(m.message_content, m.media_url, m.payload ->> 'kind', m.template_id)::text)
          from public.scheduled_whatsapp_messages as m join herald.message_holds as h on h.id = m.id where m.id = candidate;
          update public.scheduled_whatsapp_messages as m set status = 'sending' where m.id = candidate and m.status = 'pending';
          raise sqlstate 'HR000'; -- only a trial
        exception
          when sqlstate 'HR000' then
            null;
          when others then
            culprit := candidate;
            exit;
        end;
      end loop;
    end if;
    update public.scheduled_whatsapp_messages as m
    set status = 'failed', error_code = 'unreadable',
      error_message = format('Herald can''t read this message (%s). Schedule it again with other contents.', p_state)
    where m.id = culprit and m.status = 'pending';
    if found then
      return;
    end if;
  exception when others then
    null; -- then the account is the cause
  end;
  update herald.session_leases as l set look_again_at = herald.clock() + interval '1 minute' where l.session_id = p_account;
  perform herald.raise_alert(
    organization, p_account, 'messages-unreadable', 'critical',
    format('Messages of this account wait, because the database fails at them (%s). Look at its settings, its organisation''s '
      'and its oldest messages; it is tried again each minute.', p_state),
    jsonb_build_object('sqlstate', p_state)
  );
end
$$;
revoke execute on function herald.claim_broke(uuid, text) from public;

-- herald.settle_apart(run, result) → the ids that were settled. If a result can't be written, what is certain is written
-- instead: an accepted message becomes in doubt, because no more can be recorded.
create function herald.settle_apart(p_run uuid, p_result jsonb) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  state text;
begin
  return public.whatsapp_settle(p_run, jsonb_build_array(p_result));
exception when others then
  get stacked diagnostics state = returned_sqlstate;
  if not herald.is_of_the_data(state) then
    raise;
  end if;
  begin
    return public.whatsapp_settle(p_run, jsonb_build_array(jsonb_build_object(
      'message_id', p_result -> 'message_id', 'token', p_result -> 'token', 'code', 'unwritable',
      'outcome', case p_result ->> 'outcome' when 'accepted' then 'indeterminate' else p_result ->> 'outcome' end,
      'reason', format('The database does not take what came of this message (%s).', state)
    )));
  exception when others then
    return '[]'::jsonb; -- its claim expires, and whatsapp_reap puts it in doubt
  end;
end
$$;
revoke execute on function herald.settle_apart(uuid, jsonb) from public;

-- whatsapp_settle_and_claim_apart: as whatsapp_settle_and_claim, but each result and each account separately, so that one
-- failure does not fail the others. For a worker whose last exchange failed; each costs a subtransaction. Once an account
-- was cancelled for taking too long, no timeout limits this call any more, so it ends, and the next call goes on.
create function public.whatsapp_settle_and_claim_apart(p_run uuid, p_results jsonb, p_limit integer) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  settled jsonb := '[]';
  claims jsonb := '[]';
  room bigint := (select k.largest_claim from herald.constants as k where k.only_row);
  result jsonb;
  account uuid;
  more jsonb;
  state text;
begin
  for result in select r from jsonb_array_elements(p_results) as r loop
    if jsonb_path_exists(result, '$ ? (@.pause > 0 || @.new_chats_pause > 0)') then
      perform herald.pause_senders(p_run, jsonb_build_array(result));
    end if;
    settled := settled || herald.settle_apart(p_run, result);
  end loop;
  foreach account in array coalesce(herald.accounts_to_serve(p_run, p_limit), '{}') loop
    exit when jsonb_array_length(claims) >= p_limit or room <= 0;
    begin
      more := herald.claim_from(p_limit - jsonb_array_length(claims), array[account]);
      claims := claims || more;
      room := room - length(more::text);
    exception when query_canceled or others then
      get stacked diagnostics state = returned_sqlstate;
      if state <> '57014' and not herald.is_of_the_data(state) then
        raise;
      end if;
      perform herald.claim_broke(account, state);
      exit when state = '57014';
    end;
  end loop;
  return jsonb_build_object('settled', settled, 'claims', claims, 'next_due', herald.next_due(p_run));
end
$$;
comment on function public.whatsapp_settle_and_claim_apart(uuid, jsonb, integer) is
'For a worker whose last exchange failed: settles and claims one by one, so that what fails fails alone and says why.';
revoke execute on function public.whatsapp_settle_and_claim_apart(uuid, jsonb, integer) from public, anon, authenticated;
grant execute on function public.whatsapp_settle_and_claim_apart(uuid, jsonb, integer) to service_role;
