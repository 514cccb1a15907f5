-- The settle: what came of a send. For service_role only. claim.sql says why planner settings are as they are.

-- whatsapp_settle(run, results) → ids of the messages that were settled. Idempotent by token: a claim that is gone
-- (settled before, or taken over) is left alone. Results: [{message_id, token, outcome:
-- accepted|rejected|unavailable|indeterminate, wa_message_id, at, code, reason, retry, retry_after (seconds)}]. What
-- was surely not sent (unavailable) does not count against the limits.
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

-- whatsapp_settle_and_claim: both in one round trip → {"settled": […], "claims": […], "next_due": seconds or null}.
-- When as many were claimed as asked for, next_due is at once: looking for it would cost a tenth of the call. A result
-- with pause (seconds) pauses its whole account before anything is claimed; a longer pause that is there stays.
create function public.whatsapp_settle_and_claim(p_run uuid, p_results jsonb, p_limit integer) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  settled jsonb := '[]';
  claims jsonb;
begin
  if jsonb_array_length(p_results) > 0 then
    if jsonb_path_exists(p_results, '$[*] ? (@.pause > 0)') then
      update public.whatsapp_sessions as s
      set paused_until = herald.clock() + make_interval(secs => r.pause),
        pause_reason = 'WhatsApp says that this account sends too fast; Herald has paused it.'
      from jsonb_to_recordset(p_results) as r (message_id uuid, token uuid, pause double precision)
      join herald.message_claims as c on c.message_id = r.message_id and c.token = r.token and c.run_id = p_run
      join herald.session_leases as l on l.session_id = c.session_id and l.run_id = c.run_id and l.epoch = c.epoch
      where s.id = c.session_id and r.pause > 0
        and (s.paused_until is null or s.paused_until < herald.clock() + make_interval(secs => r.pause));
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
