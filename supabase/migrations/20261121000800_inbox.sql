-- The inbox: conversations and what was said in them.

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
comment on table public.whatsapp_conversations is 'All that an account and a person or group wrote to each other.';
comment on column public.whatsapp_conversations.last_inbound_at is
'When they last wrote. Within 24 hours of it the Cloud API takes messages without a template.';
comment on column public.whatsapp_conversations.lead_id is 'The CRM''s own id of this person.';
call herald.tenant_table('whatsapp_conversations');
drop policy whatsapp_conversations_insert on public.whatsapp_conversations;
drop policy whatsapp_conversations_delete on public.whatsapp_conversations;
grant update (lead_id, unread_count) on public.whatsapp_conversations to authenticated;

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
comment on table public.whatsapp_messages is 'One message of a conversation. Herald writes them; an account''s own phone is outbound too.';
comment on column public.whatsapp_messages.sender is 'JID of who wrote it, where a group has many.';
comment on column public.whatsapp_messages.sent_at is 'As WhatsApp tells it.';
call herald.tenant_table('whatsapp_messages');
drop policy whatsapp_messages_insert on public.whatsapp_messages;
drop policy whatsapp_messages_update on public.whatsapp_messages;
drop policy whatsapp_messages_delete on public.whatsapp_messages;
