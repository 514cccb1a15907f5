-- The inbox: conversations and their messages, and what follows from a message: a summary, an opt-out by words, an answer
-- to what was sent. inbox_message_comes_once refuses a message that comes twice before any of that happens.

create table public.whatsapp_conversations (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  session_id uuid not null,
  contact_id uuid,
  group_id uuid,
  lead_id uuid,
  last_message text constraint conversation_last_message_is_short check (length(last_message) <= 500),
  last_message_at timestamptz,
  last_inbound_at timestamptz,
  unread_count integer not null default 0 constraint conversation_unread_is_a_count check (unread_count >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, session_id, id),
  unique (session_id, contact_id),
  unique (session_id, group_id),
  foreign key (organization_id, session_id) references public.whatsapp_sessions (organization_id, id) on delete cascade,
  foreign key (organization_id, contact_id) references public.whatsapp_contacts (organization_id, id) on delete cascade,
  foreign key (organization_id, session_id, group_id)
  references public.whatsapp_groups (organization_id, session_id, id) on delete cascade,
  constraint conversation_is_with_one check (num_nonnulls(contact_id, group_id) = 1)
);
create index whatsapp_conversations_contact_idx on public.whatsapp_conversations (organization_id, contact_id);
create index whatsapp_conversations_group_idx
on public.whatsapp_conversations (organization_id, session_id, group_id);
create index whatsapp_conversations_list_idx
on public.whatsapp_conversations (organization_id, last_message_at desc nulls last, id);
create index whatsapp_conversations_unredacted_idx on public.whatsapp_conversations (organization_id, last_message_at)
where last_message is not null;
comment on table public.whatsapp_conversations is 'All that an account and a person or group wrote to each other.';
comment on column public.whatsapp_conversations.lead_id is 'The CRM''s own id of this person.';
comment on column public.whatsapp_conversations.last_inbound_at is
'When they last wrote. Within 24 hours of it the Cloud API takes messages without a template.';
comment on constraint whatsapp_conversations_pkey on public.whatsapp_conversations is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint conversation_is_with_one on public.whatsapp_conversations is
'A conversation is with one contact or with one group. Leave conversations to Herald: it makes them. (herald:herald-writes-it)';
comment on constraint conversation_last_message_is_short on public.whatsapp_conversations is
'The summary of the last message has up to 500 characters. Leave it out: Herald sets it. (herald:herald-writes-it)';
comment on constraint conversation_unread_is_a_count on public.whatsapp_conversations is
'A count can''t be below 0. Leave it out: Herald counts. (herald:count-negative)';
comment on constraint whatsapp_conversations_organization_id_session_id_id_key on public.whatsapp_conversations is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint whatsapp_conversations_session_id_contact_id_key on public.whatsapp_conversations is
'This account has the conversation already. Change that row instead. (herald:conversation-exists)';
comment on constraint whatsapp_conversations_session_id_group_id_key on public.whatsapp_conversations is
'This account has the conversation already. Change that row instead. (herald:conversation-exists)';
comment on constraint whatsapp_conversations_organization_id_contact_id_fkey on public.whatsapp_conversations is
'There is no such contact in the organisation. Choose one of its contacts, or add this one first. (herald:contact-unknown)';
comment on constraint whatsapp_conversations_organization_id_fkey on public.whatsapp_conversations is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
comment on constraint whatsapp_conversations_organization_id_session_id_fkey on public.whatsapp_conversations is
'There is no such WhatsApp account in the organisation. Choose one of its accounts. (herald:account-unknown)';
comment on constraint whatsapp_conversations_organization_id_session_id_group_id_fkey on public.whatsapp_conversations is
'The group is not one of the organisation or of this account. Refresh the account''s groups and choose again. (herald:group-unknown)';

alter table public.whatsapp_conversations enable row level security;
create policy whatsapp_conversations_select on public.whatsapp_conversations for select to authenticated
using (
  (
    organization_id in (select herald.my_organizations())
    and (session_id is null or session_id not in (select herald.my_hidden_sessions()))
  )
  or (select herald.is_super_admin())
);
create policy whatsapp_conversations_update on public.whatsapp_conversations for update to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_conversations from anon, authenticated, service_role;
grant select on public.whatsapp_conversations to authenticated;
grant update (lead_id, unread_count) on public.whatsapp_conversations to authenticated;
grant select, insert, update, delete on public.whatsapp_conversations to service_role;
create trigger touch before update on public.whatsapp_conversations for each row execute function herald.touch();
call herald.keep_identity('whatsapp_conversations', '{organization_id, session_id, contact_id, group_id}');
alter publication supabase_realtime add table public.whatsapp_conversations;

create table public.whatsapp_messages (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  session_id uuid not null,
  conversation_id uuid not null,
  scheduled_message_id uuid references public.scheduled_whatsapp_messages (id) on delete set null,
  direction text not null constraint inbox_direction_is_known check (direction in ('inbound', 'outbound')),
  wa_message_id text not null,
  kind text not null default 'text' constraint inbox_kind_is_short check (length(kind) between 1 and 40),
  content text not null default '' constraint inbox_content_fits check (length(content) <= 65536),
  media_url text,
  media_kind text,
  quoted_message_id text,
  sender_contact_id uuid,
  sender text,
  status text not null default 'received'
  constraint inbox_status_is_known check (status in ('received', 'sent', 'delivered', 'read', 'failed')),
  sent_at timestamptz not null,
  redacted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint inbox_message_comes_once unique (session_id, conversation_id, direction, wa_message_id),
  foreign key (organization_id, session_id, conversation_id)
  references public.whatsapp_conversations (organization_id, session_id, id) on delete cascade,
  foreign key (organization_id, sender_contact_id) references public.whatsapp_contacts (organization_id, id)
  on delete set null (sender_contact_id)
);
create index whatsapp_messages_conversation_idx
on public.whatsapp_messages (organization_id, session_id, conversation_id, sent_at desc, id);
create index whatsapp_messages_sender_idx on public.whatsapp_messages (organization_id, sender_contact_id);
create index whatsapp_messages_scheduled_idx on public.whatsapp_messages (scheduled_message_id)
where scheduled_message_id is not null;
create index whatsapp_messages_unredacted_idx on public.whatsapp_messages (organization_id, sent_at)
where redacted_at is null;
comment on table public.whatsapp_messages is 'One message of a conversation. Herald writes them; an account''s own phone is outbound too.';
comment on column public.whatsapp_messages.wa_message_id is 'WhatsApp''s id of the message.';
comment on column public.whatsapp_messages.quoted_message_id is 'WhatsApp''s id of the message that this one answers.';
comment on column public.whatsapp_messages.sender is 'JID of who wrote it, where a group has many.';
comment on column public.whatsapp_messages.sent_at is 'As WhatsApp gives it.';
comment on column public.whatsapp_messages.redacted_at is 'When its text was removed, by retention or with its writer''s data.';
comment on constraint whatsapp_messages_pkey on public.whatsapp_messages is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint inbox_content_fits on public.whatsapp_messages is
'The text of the message is too long. Shorten it to 65,536 characters. (herald:message-too-long)';
comment on constraint inbox_direction_is_known on public.whatsapp_messages is
'A message is inbound or outbound. Leave the inbox to Herald: it writes it. (herald:herald-writes-it)';
comment on constraint inbox_kind_is_short on public.whatsapp_messages is
'A message''s kind has 1 to 40 characters. Leave the inbox to Herald: it writes it. (herald:herald-writes-it)';
comment on constraint inbox_status_is_known on public.whatsapp_messages is
'A message of the inbox is received, sent, delivered, read or failed. Leave the inbox to Herald: it writes it. (herald:herald-writes-it)';
comment on constraint inbox_message_comes_once on public.whatsapp_messages is
'This message is in the inbox already. Leave the inbox to Herald: it writes it. (herald:herald-writes-it)';
comment on constraint whatsapp_messages_organization_id_fkey on public.whatsapp_messages is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
comment on constraint whatsapp_messages_organization_id_sender_contact_id_fkey on public.whatsapp_messages is
'There is no such contact in the organisation. Choose one of its contacts, or add this one first. (herald:contact-unknown)';
comment on constraint whatsapp_messages_organization_id_session_id_conversation__fkey on public.whatsapp_messages is
'There is no such conversation of this account. Choose one of the account''s conversations. (herald:conversation-unknown)';
comment on constraint whatsapp_messages_scheduled_message_id_fkey on public.whatsapp_messages is
'There is no such message in the queue. Reload the messages and choose again. (herald:message-unknown)';

alter table public.whatsapp_messages enable row level security;
create policy whatsapp_messages_select on public.whatsapp_messages for select to authenticated
using (
  (
    organization_id in (select herald.my_organizations())
    and (session_id is null or session_id not in (select herald.my_hidden_sessions()))
  )
  or (select herald.is_super_admin())
);
revoke all on public.whatsapp_messages from anon, authenticated, service_role;
grant select on public.whatsapp_messages to authenticated;
grant select, insert, update, delete on public.whatsapp_messages to service_role;
create trigger touch before update on public.whatsapp_messages for each row execute function herald.touch();
call herald.keep_identity(
  'whatsapp_messages', '{organization_id, session_id, conversation_id, direction, wa_message_id}'
);
alter publication supabase_realtime add table public.whatsapp_messages;

-- herald.scheduled_theirs: an inbox message and the queue's row that it came from must have the same account.
create function herald.scheduled_theirs() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if not exists (
    select 1 from public.scheduled_whatsapp_messages as m
    where m.id = new.scheduled_message_id and m.organization_id = new.organization_id and m.session_id = new.session_id
  ) then
    raise exception 'There is no message of this account with this scheduled_message_id.' using errcode = '23503',
      hint = 'Choose a message that this account sent.', detail = 'herald:message-of-other-account';
  end if;
  return new;
end
$$;
revoke execute on function herald.scheduled_theirs() from public;
create trigger scheduled_theirs before insert or update of scheduled_message_id on public.whatsapp_messages
for each row when (new.scheduled_message_id is not null) execute function herald.scheduled_theirs();

-- herald.conversation(session, contact, group) → the conversation of this account with this person or group, made if it
-- is the first message. One of contact and group is given, both of the session's organisation.
create function herald.conversation(p_session uuid, p_contact uuid, p_group uuid) returns uuid
language plpgsql volatile set search_path = ''
as $$
declare
  answer uuid;
begin
  select v.id into answer from public.whatsapp_conversations as v
  where v.session_id = p_session and (v.contact_id = p_contact or v.group_id = p_group);
  if answer is null then
    insert into public.whatsapp_conversations (organization_id, session_id, contact_id, group_id, lead_id)
    select s.organization_id, s.id, p_contact, p_group, (
      select p.lead_id from public.whatsapp_contacts as p where p.organization_id = s.organization_id and p.id = p_contact
    )
    from public.whatsapp_sessions as s where s.id = p_session
    on conflict do nothing;
    -- Another call made the row first; a new statement sees it.
    select v.id into answer from public.whatsapp_conversations as v
    where v.session_id = p_session and (v.contact_id = p_contact or v.group_id = p_group);
  end if;
  return answer;
end
$$;
revoke execute on function herald.conversation(uuid, uuid, uuid) from public;

-- herald.inbox_message: forward only: an older message that arrives late changes no summary. A message in a group
-- addresses the group, so it opts nobody out and counts as no answer. An answer counts for the last message that the
-- person got from this account in the three days before, and for no earlier one.
create function herald.inbox_message() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
  inbound constant boolean := new.direction = 'inbound';
  person uuid;
  number text;
begin
  update public.whatsapp_conversations as v
  set last_message = case when v.last_message_at > new.sent_at then v.last_message
      else left(case when new.content = '' then '[' || new.kind || ']' else new.content end, 500) end,
    last_message_at = greatest(v.last_message_at, new.sent_at),
    last_inbound_at = case when inbound then greatest(v.last_inbound_at, new.sent_at) else v.last_inbound_at end,
    unread_count = v.unread_count + case when inbound then 1 else 0 end
  where v.organization_id = new.organization_id and v.id = new.conversation_id
  returning v.contact_id into person;
  if inbound and person is not null then
    if new.kind = 'text' then
      perform herald.opt_out_by_words(person, new.content, new.sent_at);
    end if;
    select p.phone into number from public.whatsapp_contacts as p where p.id = person;
    -- WhatsApp's times are whole seconds, so an answer may seem older than the message that it answers.
    update public.scheduled_whatsapp_messages as m set responded_at = new.sent_at
    where m.responded_at is null and m.id = (
      select q.id from public.scheduled_whatsapp_messages as q
      where q.organization_id = new.organization_id and q.session_id = new.session_id
        and (q.contact_id = person or q.recipient_phone = number)
        and q.status in ('sent', 'delivered', 'read')
        and q.sent_at >= new.sent_at - interval '3 days' and q.sent_at <= new.sent_at + interval '2 seconds'
      order by q.sent_at desc, q.id limit 1
    );
  end if;
  return null;
end
$$;
revoke execute on function herald.inbox_message() from public;
create trigger inbox_message after insert on public.whatsapp_messages
for each row execute function herald.inbox_message();
