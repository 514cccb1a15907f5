-- Messages in doubt, and what the account's own phone knows of them. A linked phone confirms each message that its account
-- sends from elsewhere. That it confirmed one is proof that it went out; that it confirmed a later one and not this is a
-- strong hint that it did not, which an organisation may decide to act on (in_doubt_policy own_phone). By default a person
-- decides: the phone may have been unable to read the message, and then it would go out twice.

create table herald.own_phones (
  session_id uuid primary key references public.whatsapp_sessions (id) on delete cascade,
  confirmed_sent_at timestamptz not null,
  noted_at timestamptz not null
);
comment on table herald.own_phones is 'What an account''s own phone last confirmed.';
comment on column herald.own_phones.confirmed_sent_at is 'When the newest message that it confirmed was sent.';
comment on column herald.own_phones.noted_at is 'When we first knew of that.';
alter table herald.own_phones enable row level security;

-- herald.note_own_phones(receipts): keeps what own phones (receipts of kind sender) say of our messages.
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

-- herald.settle_doubts() → how many went back to the queue. Where the organisation trusts its phones: a message that has
-- been in doubt for two minutes goes back if the phone confirmed one that was sent after the doubt arose, and has had a
-- minute to confirm this one too. One whose id nobody knows stays while there is a confirmation that might be its own.
create function herald.settle_doubts() returns integer
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  moment timestamptz := herald.clock();
  many integer;
begin
  with unsent as (
    select m.id from public.scheduled_whatsapp_messages as m
    join public.workshop_automation_config as c
      on c.organization_id = m.organization_id and c.in_doubt_policy = 'own_phone'
    join herald.own_phones as o on o.session_id = m.session_id
    where m.status = 'in_doubt' and m.updated_at < moment - interval '2 minutes'
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
revoke execute on function herald.note_own_phones(jsonb), herald.settle_doubts() from public;
