-- Messages in doubt: after a crash nobody knows whether they were sent. Two things prove that one went out and settle it
-- as sent: a recipient's receipt, or the confirmation of the account's own phone (apply_receipts in receipts.sql). The
-- phone confirms each message that its account sends from elsewhere, so if it confirmed a later message and not this one,
-- this one was probably not sent. An organisation may have such messages sent again (in_doubt_policy own_phone,
-- settle_doubts below). By default a person decides: the phone may have been unable to read the message, and then it
-- would go out twice.

create table herald.own_phones (
  session_id uuid primary key references public.whatsapp_sessions (id) on delete cascade,
  confirmed_sent_at timestamptz not null,
  noted_at timestamptz not null
);
comment on table herald.own_phones is 'What an account''s own phone last confirmed.';
comment on column herald.own_phones.confirmed_sent_at is 'When the newest message that it confirmed was sent.';
comment on column herald.own_phones.noted_at is 'When we first knew of that.';

alter table herald.own_phones enable row level security;

-- herald.note_own_phones(receipts): stores what accounts' own phones confirm (receipts of kind sender).
create function herald.note_own_phones(p_receipts jsonb) returns void
language sql volatile set search_path = '' set jit = off
as $$
  insert into herald.own_phones as o (session_id, confirmed_sent_at, noted_at)
  select r.session_id, max(m.sent_at), herald.clock()
  from herald.matched_receipts(p_receipts) as r
  join public.scheduled_whatsapp_messages as m on m.id = r.message_id and m.sent_at is not null
  where r.kind = 'sender'
  group by r.session_id
  order by r.session_id
  on conflict (session_id) do update
  set confirmed_sent_at = excluded.confirmed_sent_at, noted_at = excluded.noted_at
  where o.confirmed_sent_at < excluded.confirmed_sent_at
$$;
revoke execute on function herald.note_own_phones(jsonb) from public;

-- herald.settle_doubts() → how many went back to the queue. Only where the organisation trusts its phones: a message that
-- has been in doubt for two minutes goes back if the phone confirmed one that was sent after the doubt arose, and has
-- had a minute to confirm this one too. A message without a known id stays while some confirmation might belong to it.
create function herald.settle_doubts() returns integer
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  moment timestamptz := herald.clock();
  many integer;
begin
  with unsent as (
    select m.id from herald.open_messages as d
    join public.scheduled_whatsapp_messages as m on m.id = d.message_id
    join public.workshop_automation_config as c
      on c.organization_id = m.organization_id and c.in_doubt_policy = 'own_phone'
    join herald.own_phones as o on o.session_id = m.session_id
    where d.status = 'in_doubt' and m.status = 'in_doubt' and m.updated_at < moment - interval '2 minutes'
      and o.confirmed_sent_at > m.updated_at and o.noted_at < moment - interval '1 minute'
      and (m.wa_message_id is not null or not exists (
        select 1 from herald.early_receipts as e
        where e.session_id = m.session_id and e.kind = 'sender' and e.received_at > m.updated_at - interval '1 hour'
      ))
    order by m.id
    limit 500
    for update of m skip locked
  ), requeued as (
    update public.scheduled_whatsapp_messages as m set status = 'pending'
    from unsent as u where m.id = u.id
    returning m.id, m.organization_id, m.session_id
  ), told as (
    insert into public.whatsapp_audit_logs (organization_id, session_id, event_type, event_data)
    select r.organization_id, r.session_id, 'message.doubt_settled',
      jsonb_build_object('message_id', r.id, 'evidence', 'own_phone', 'status', 'pending')
    from requeued as r
  )
  select count(*) into many from requeued;
  return many;
end
$$;
revoke execute on function herald.settle_doubts() from public;

-- herald.end_messages(messages, from, to, code, words) → how many went from status "from" to "to". If one can't be
-- changed, the others still are, and an alert tells the operator.
create function herald.end_messages(p_messages uuid[], p_from text, p_to text, p_code text, p_words text) returns integer
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  many integer := 0;
  message uuid;
  state text;
  stuck uuid[] := '{}';
begin
  begin
    update public.scheduled_whatsapp_messages as m
    set status = p_to, error_code = p_code, error_message = p_words
    where m.id = any(p_messages) and m.status = p_from;
    get diagnostics many = row_count;
    return many;
  exception when others then
    get stacked diagnostics state = returned_sqlstate;
    if not herald.is_of_the_data(state) then
      raise;
    end if;
  end;
  foreach message in array p_messages loop
    begin
      update public.scheduled_whatsapp_messages as m
      set status = p_to, error_code = p_code, error_message = p_words
      where m.id = message and m.status = p_from;
      many := many + found::integer;
    exception when others then
      stuck := stuck || message;
    end;
  end loop;
  if stuck <> '{}' then
    perform herald.raise_alert(null, null, 'messages-stuck', 'warning',
      format('%s messages can''t be changed (%s). The details name the first ones: delete them, or correct their rows.',
        cardinality(stuck), state),
      jsonb_build_object('messages', stuck[1:10], 'sqlstate', state));
  end if;
  return many;
end
$$;
revoke execute on function herald.end_messages(uuid[], text, text, text, text) from public;

-- whatsapp_reap() → {"expired": n, "in_doubt": n}. Fails what has expired; puts in doubt what a dead worker claimed and
-- no worker took over for ten minutes; applies receipts that crossed with their message's settle; sends again what phones
-- can't read; forgets receipts older than a day.
create function public.whatsapp_reap() returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  moment timestamptz := herald.clock();
  found_ones uuid[];
  expired integer;
  doubtful integer;
  crossed jsonb;
begin
  found_ones := array(
    select q.id from herald.open_messages as e join public.scheduled_whatsapp_messages as q on q.id = e.message_id
    where e.status = 'pending' and e.expires_at <= moment and q.status = 'pending' and q.expires_at <= moment
    limit 1000 for update of q skip locked
  );
  expired := herald.end_messages(
    found_ones, 'pending', 'failed', 'expired', 'Its time had passed before it could be sent.'
  );
  with left_alone as (
    delete from herald.message_claims as c using herald.session_leases as l
    where l.session_id = c.session_id and c.claimed_until < moment - interval '10 minutes'
      and (l.expires_at <= moment or l.epoch <> c.epoch)
    returning c.message_id
  )
  select array_agg(c.message_id) into found_ones from left_alone as c;
  doubtful := herald.end_messages(
    coalesce(found_ones, '{}'), 'sending', 'in_doubt', 'worker-lost',
    'The worker that was sending this is gone; it may or may not have gone out.'
  );
  begin
    with found as (
      delete from herald.early_receipts as e using (
        select i.session_id, i.wa_message_id, i.message_id from herald.sent_ids as i
        union all
        select i.session_id, i.wa_message_id, i.message_id from herald.earlier_ids as i
      ) as s, public.scheduled_whatsapp_messages as m
      where s.session_id = e.session_id and s.wa_message_id = e.wa_message_id
        and m.id = s.message_id and m.status <> 'sending'
      returning e.session_id, e.wa_message_id, e.recipient, e.kind, e.at
    )
    select jsonb_agg(to_jsonb(f)) into crossed from found as f;
    if crossed is not null then
      perform herald.apply_receipts(crossed);
    end if;
  exception when integrity_constraint_violation or data_exception or program_limit_exceeded then
    perform herald.raise_alert(null, null, 'housekeeping-failed', 'warning',
      'A regular database task failed; the details name it.', jsonb_build_object('receipts', sqlstate));
  end;
  begin
    perform herald.settle_unreadable();
  exception when integrity_constraint_violation or data_exception or program_limit_exceeded then
    perform herald.raise_alert(null, null, 'housekeeping-failed', 'warning',
      'A regular database task failed; the details name it.', jsonb_build_object('unreadable', sqlstate));
  end;
  delete from herald.early_receipts as e where e.received_at < moment - interval '1 day';
  return jsonb_build_object('expired', expired, 'in_doubt', doubtful);
end
$$;
comment on function public.whatsapp_reap() is
'Fails what is past its time, puts in doubt what a dead worker left for ten minutes, forgets old receipts. Returns the counts.';
revoke execute on function public.whatsapp_reap() from public, anon, authenticated;
grant execute on function public.whatsapp_reap() to service_role;
