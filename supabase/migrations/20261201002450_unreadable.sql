-- Messages that a phone received and can't read. A phone that can't decrypt a message asks for it again, and the library
-- answers from its process's memory: after a restart, after 256 later sends, or when the phone asked too often, it can't
-- answer. The engine reports that (docs/engine-protocol.md), and this file decides what follows.
-- A message to one person goes out again as a new one, at most twice, unless its time has passed or they have opted out;
-- then it fails with a reason. In a group, the member's delivery row and the message's unreadable_count show it, and
-- unreadable_policy may send it to the member directly.
-- Only the phone itself counts: a linked computer that can't read what the phone can read is no loss.

create table herald.unreadable_messages (
  message_id uuid not null references public.scheduled_whatsapp_messages (id) on delete cascade,
  recipient text not null,
  session_id uuid not null,
  wa_message_id text not null,
  due_at timestamptz not null,
  primary key (message_id, recipient)
);
create index unreadable_messages_due_at_idx on herald.unreadable_messages (due_at);
comment on table herald.unreadable_messages is
'Phones that asked for a message that they could not read, until it is clear whether they have it in the end.';
comment on column herald.unreadable_messages.recipient is 'JID without device.';
comment on column herald.unreadable_messages.wa_message_id is 'WhatsApp''s id of the send that they could not read.';
comment on column herald.unreadable_messages.due_at is 'If the phone has not confirmed the message by then, it can''t read it.';

alter table herald.unreadable_messages enable row level security;

-- herald.note_unreadable(receipts): records phones that ask. Kind unreadable: the library can't answer any more; a
-- confirmation may still arrive within ten seconds. Kind asks: the phone asked four times and got four answers; phones
-- don't ask a fifth time, so it must have confirmed within ten minutes.
create function herald.note_unreadable(p_receipts jsonb) returns void
language sql volatile set search_path = '' set jit = off
as $$
  insert into herald.unreadable_messages as u (message_id, recipient, session_id, wa_message_id, due_at)
  select distinct on (r.message_id, r.recipient) r.message_id, r.recipient, r.session_id, r.wa_message_id,
    herald.clock() + case r.kind when 'asks' then interval '10 minutes' else interval '10 seconds' end
  from herald.matched_receipts(p_receipts) as r
  where r.message_id is not null and r.kind in ('asks', 'unreadable')
  order by r.message_id, r.recipient, r.kind desc
  on conflict (message_id, recipient) do update
  set wa_message_id = excluded.wa_message_id, due_at = least(u.due_at, excluded.due_at)
$$;
revoke execute on function herald.note_unreadable(jsonb) from public;

-- herald.heard_late(receipts): a phone confirms, under an earlier id, a message that was about to go out again or had
-- failed as unreadable. The phone has it, so nothing is sent.
create function herald.heard_late(p_receipts jsonb) returns void
language sql volatile set search_path = '' set jit = off
as $$
  update public.scheduled_whatsapp_messages as m
  set status = 'sent', wa_message_id = r.wa_message_id, sent_at = coalesce(m.sent_at, r.at), next_attempt_at = null, error_code = null,
    error_message = null
  from (
    select distinct on (t.message_id) t.message_id, t.wa_message_id, t.at
    from herald.matched_receipts(p_receipts) as t
    where t.kind in ('delivered', 'read', 'played')
    order by t.message_id, t.at
  ) as r
  where m.id = r.message_id and m.error_code = 'wa-undecryptable' and m.status in ('pending', 'failed')
$$;
revoke execute on function herald.heard_late(jsonb) from public;

-- herald.resend_directly(message, member): queues a group's message for a member who can't read it, if the organisation
-- wants that, the member has opted in, and they have a chat with the account.
create function herald.resend_directly(m public.scheduled_whatsapp_messages, p_member text) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  insert into public.scheduled_whatsapp_messages (
    organization_id, session_id, contact_id, workshop_id, message_type, message_content, media_url, media_kind, priority,
    scheduled_for, expires_at, idempotency_key
  )
  select m.organization_id, m.session_id, p.id, m.workshop_id, m.message_type, m.message_content, m.media_url, m.media_kind,
    m.priority, herald.clock(), m.expires_at, format('unreadable:%s:%s', m.id, p.id)
  from public.whatsapp_contacts as p
  join public.workshop_automation_config as c
    on c.organization_id = p.organization_id and c.unreadable_policy = 'resend_direct'
  where p.organization_id = m.organization_id and '+' || p_member = p.phone || '@s.whatsapp.net'
    and p.opted_in_at is not null and p.opted_out_at is null
    and m.redacted_at is null and m.payload is null and (m.expires_at is null or m.expires_at > herald.clock())
    and herald.has_chat(m.session_id, p.id, p.phone)
  on conflict (organization_id, idempotency_key) do nothing;
end
$$;
revoke execute on function herald.resend_directly(public.scheduled_whatsapp_messages, text) from public;

-- herald.settle_unreadable() → how many messages it handled: those whose time to confirm is over.
create function herald.settle_unreadable() returns integer
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  moment timestamptz := herald.clock();
  asked herald.unreadable_messages;
  m public.scheduled_whatsapp_messages;
  refused text;
  many integer := 0;
begin
  for asked in
    select u.* from herald.unreadable_messages as u where u.due_at <= moment
    order by u.message_id limit 500 for update skip locked
  loop
    many := many + 1;
    delete from herald.unreadable_messages as u where u.message_id = asked.message_id and u.recipient = asked.recipient;
    select q.* into m from public.scheduled_whatsapp_messages as q where q.id = asked.message_id for no key update;
    continue when m.status not in ('sent', 'delivered', 'read') or m.wa_message_id <> asked.wa_message_id
      or exists (
        select 1 from public.whatsapp_delivery_logs as d
        where d.message_id = m.id and d.delivered_at is not null and (m.group_id is null or d.recipient = asked.recipient)
      );
    insert into public.whatsapp_delivery_logs as d
    (organization_id, session_id, message_id, recipient, sent_at, unreadable_at)
    values (m.organization_id, m.session_id, m.id, asked.recipient, m.sent_at, moment)
    on conflict (message_id, recipient) do update set unreadable_at = coalesce(d.unreadable_at, excluded.unreadable_at);
    if m.group_id is not null then
      update public.scheduled_whatsapp_messages as q set unreadable_count = (
        select count(*) from public.whatsapp_delivery_logs as d
        where d.message_id = m.id and d.unreadable_at is not null and d.delivered_at is null
      )
      where q.id = m.id;
      perform herald.resend_directly(m, asked.recipient);
      continue;
    end if;
    refused := case
      when m.resent_count >= 2 then 'The recipient''s phone can''t read this message. It was sent three times.'
      when m.expires_at <= moment then 'The recipient''s phone could not read this message, and its time has passed.'
      when m.redacted_at is not null then 'The recipient''s phone could not read this message, and its text is no longer kept.'
      else herald.suppression(m.organization_id, m.contact_id, m.recipient_phone)
    end;
    if refused is null then
      insert into herald.earlier_ids (session_id, wa_message_id, message_id)
      values (m.session_id, m.wa_message_id, m.id) on conflict do nothing;
    end if;
    update public.scheduled_whatsapp_messages as q
    set status = case when refused is null then 'pending' else 'failed' end,
      wa_message_id = case when refused is not null then m.wa_message_id end,
      sent_at = case when refused is not null then m.sent_at end,
      resent_count = m.resent_count + case when refused is null then 1 else 0 end,
      unreadable_count = case when refused is null then 0 else 1 end,
      error_code = 'wa-undecryptable',
      error_message = coalesce(refused, 'The recipient''s phone could not read this message. It is sent again.')
    where q.id = m.id;
    insert into public.whatsapp_audit_logs (organization_id, session_id, event_type, event_data)
    values (m.organization_id, m.session_id, 'message.unreadable', jsonb_build_object(
      'message_id', m.id, 'wa_message_id', m.wa_message_id, 'status', case when refused is null then 'pending' else 'failed' end
    ));
  end loop;
  return many;
end
$$;
revoke execute on function herald.settle_unreadable() from public;
