-- THE queue: messages, who may change what, and the private claim under which one worker may send one.

create table public.scheduled_whatsapp_messages (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  session_id uuid not null,
  group_id uuid,
  recipient_phone text check (recipient_phone ~ '^\+[1-9][0-9]{6,14}$'),
  recipient_name text,
  workshop_id uuid,
  message_type text not null default 'custom' check (length(message_type) between 1 and 60),
  message_content text not null default '' check (length(message_content) <= 65536),
  media_url text,
  media_kind text check (media_kind in ('image')),
  priority smallint not null default 5 check (priority between 1 and 10),
  scheduled_for timestamptz not null default herald.clock(),
  expires_at timestamptz,
  status text not null default 'pending' check (
    status in ('pending', 'sending', 'sent', 'delivered', 'read', 'failed', 'cancelled', 'in_doubt')
  ),
  retry_count integer not null default 0 check (retry_count >= 0),
  max_retries integer not null default 3 check (max_retries between 0 and 20),
  next_attempt_at timestamptz,
  wa_message_id text,
  error_code text,
  error_message text,
  sent_at timestamptz,
  delivered_at timestamptz,
  read_at timestamptz,
  delivered_count integer not null default 0,
  read_count integer not null default 0,
  sent_by uuid default auth.uid(),
  idempotency_key text check (length(idempotency_key) between 1 and 200),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, idempotency_key),
  foreign key (organization_id, session_id) references public.whatsapp_sessions (organization_id, id),
  foreign key (organization_id, session_id, group_id)
  references public.whatsapp_groups (organization_id, session_id, id),
  foreign key (organization_id, workshop_id) references public.workshops (organization_id, id)
  on delete set null (workshop_id),
  constraint message_has_one_recipient check (num_nonnulls(group_id, recipient_phone) = 1),
  constraint message_has_content check (message_content <> '' or media_url is not null),
  constraint message_media_has_kind check ((media_url is null) = (media_kind is null)),
  constraint message_expires_after_its_time check (expires_at > scheduled_for),
  constraint message_sent_is_known
  check (status not in ('sent', 'delivered', 'read') or (sent_at is not null and wa_message_id is not null)),
  constraint message_delivered_has_time check (status <> 'delivered' or delivered_at is not null),
  constraint message_read_has_time check (status <> 'read' or read_at is not null),
  constraint message_failed_says_why check (status not in ('failed', 'in_doubt') or error_code is not null)
);
comment on table public.scheduled_whatsapp_messages is
'THE queue: one row a message and recipient. The CRM inserts, edits while pending, cancels and retries; Herald writes results.';
-- Open rows only: finished ones cost a claim nothing.
create index messages_pending_idx on public.scheduled_whatsapp_messages
(session_id, priority desc, scheduled_for, id) where status = 'pending';
create index messages_due_idx on public.scheduled_whatsapp_messages
(session_id, greatest(scheduled_for, next_attempt_at)) where status = 'pending';
create index messages_expiring_idx on public.scheduled_whatsapp_messages (expires_at)
where status = 'pending' and expires_at is not null;
create index messages_wa_id_idx on public.scheduled_whatsapp_messages (session_id, wa_message_id)
where wa_message_id is not null;
create index messages_list_idx on public.scheduled_whatsapp_messages (organization_id, scheduled_for desc, id);
create index messages_organization_session_group_idx
on public.scheduled_whatsapp_messages (organization_id, session_id, group_id);
create index messages_organization_workshop_idx on public.scheduled_whatsapp_messages (organization_id, workshop_id);
alter table public.scheduled_whatsapp_messages set (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0
);

-- == legal steps ==
create table herald.message_status_steps (
  old_status text not null,
  new_status text not null,
  by_person boolean not null,
  primary key (old_status, new_status)
);
comment on table herald.message_status_steps is
'Every legal step of a message; by_person: a CRM user may take it. worker/message.py has the same table.';
insert into herald.message_status_steps (old_status, new_status, by_person) values
('pending', 'sending', false), ('pending', 'cancelled', true), ('pending', 'failed', false),
('sending', 'sent', false), ('sending', 'failed', false), ('sending', 'pending', false),
('sending', 'in_doubt', false),
('in_doubt', 'sent', false), ('in_doubt', 'pending', true), ('in_doubt', 'failed', true),
('sent', 'delivered', false), ('sent', 'read', false), ('sent', 'failed', false),
('delivered', 'read', false),
('failed', 'pending', true);
alter table herald.message_status_steps enable row level security;

-- Holds the legal steps for everyone, and for CRM users what they may change and when. A message that is tried again
-- starts over: nothing of its first try, receipts included, may count for the second.
create function herald.message_guard() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  person boolean := coalesce((select auth.role()), '') = 'authenticated';
begin
  if new.status <> old.status then
    if not exists (
      select 1 from herald.message_status_steps as s
      where s.old_status = old.status and s.new_status = new.status and (s.by_person or not person)
    ) then
      raise exception 'A message that is % can''t become %.', old.status, new.status
        using errcode = '23514', hint = 'Reload the message: its status has changed since you saw it.';
    end if;
    if old.status in ('failed', 'in_doubt') and new.status = 'pending' then
      new.error_code := null;
      new.error_message := null;
      new.next_attempt_at := null;
      new.retry_count := 0;
      new.wa_message_id := null;
      new.sent_at := null;
      new.delivered_at := null;
      new.read_at := null;
      new.delivered_count := 0;
      new.read_count := 0;
      delete from public.whatsapp_delivery_logs as d where d.message_id = old.id;
    end if;
    if person and new.status = 'failed' then
      new.error_code := 'settled-by-person';
      new.error_message := 'Marked as not sent by a person.';
    end if;
  end if;
  if person and old.status <> 'pending' and not (old.status in ('failed', 'in_doubt') and new.status = 'pending')
    and (new.message_content, new.scheduled_for, new.priority, new.media_url, new.media_kind, new.expires_at)
    is distinct from
    (old.message_content, old.scheduled_for, old.priority, old.media_url, old.media_kind, old.expires_at) then
    raise exception 'A message that is % can''t be edited any more.', old.status
      using errcode = '23514', hint = 'Only pending messages can be edited. Schedule a new one instead.';
  end if;
  new.updated_at := herald.clock();
  return new;
end
$$;
revoke execute on function herald.message_guard() from public;
create trigger message_guard before update on public.scheduled_whatsapp_messages
for each row execute function herald.message_guard();

-- An account's history is not thrown away by the way: its messages would go with it. An organisation that is deleted
-- takes all along.
create function herald.session_kept() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if exists (select 1 from public.organizations as o where o.id = old.organization_id)
    and exists (
      select 1 from public.scheduled_whatsapp_messages as m
      where m.organization_id = old.organization_id and m.session_id = old.id
    ) then
    raise exception 'This account has messages and can''t be deleted.'
      using errcode = '23503', hint = 'Log it out and disable it instead; its messages stay readable.';
  end if;
  return old;
end
$$;
revoke execute on function herald.session_kept() from public;
create trigger session_kept before delete on public.whatsapp_sessions
for each row execute function herald.session_kept();

-- == access ==
alter table public.scheduled_whatsapp_messages enable row level security;
create policy messages_select on public.scheduled_whatsapp_messages for select to authenticated
using (organization_id in (select herald.my_organizations()) or (select herald.is_super_admin()));
create policy messages_insert on public.scheduled_whatsapp_messages for insert to authenticated
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy messages_update on public.scheduled_whatsapp_messages for update to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.scheduled_whatsapp_messages from anon, authenticated;
grant select on public.scheduled_whatsapp_messages to authenticated;
grant insert (
  organization_id, session_id, group_id, recipient_phone, recipient_name, workshop_id, message_type,
  message_content, media_url, media_kind, priority, scheduled_for, expires_at, max_retries, idempotency_key
) on public.scheduled_whatsapp_messages to authenticated;
grant update (message_content, media_url, media_kind, priority, scheduled_for, expires_at, status)
on public.scheduled_whatsapp_messages to authenticated;
grant select, insert, update, delete on public.scheduled_whatsapp_messages to service_role;

-- == whatsapp_delivery_logs ==
create table public.whatsapp_delivery_logs (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  message_id uuid not null references public.scheduled_whatsapp_messages (id) on delete cascade,
  recipient text not null,
  delivered_at timestamptz,
  read_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (message_id, recipient)
);
create index whatsapp_delivery_logs_organization_id_idx on public.whatsapp_delivery_logs (organization_id);
comment on table public.whatsapp_delivery_logs is 'One row a message and recipient (JID without device): who has it, who read it.';
create trigger touch before update on public.whatsapp_delivery_logs for each row execute function herald.touch();
alter table public.whatsapp_delivery_logs enable row level security;
create policy whatsapp_delivery_logs_select on public.whatsapp_delivery_logs for select to authenticated
using (organization_id in (select herald.my_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_delivery_logs from anon, authenticated;
grant select on public.whatsapp_delivery_logs to authenticated;
grant select, insert, update, delete on public.whatsapp_delivery_logs to service_role;

-- == private: claims and receipts that came too early ==
create table herald.message_claims (
  message_id uuid primary key references public.scheduled_whatsapp_messages (id) on delete cascade,
  session_id uuid not null references public.whatsapp_sessions (id) on delete cascade,
  token uuid not null,
  former_token uuid,
  run_id uuid not null,
  epoch bigint not null,
  incarnation uuid not null,
  secret bytea not null check (length(secret) = 32),
  claimed_until timestamptz not null
);
-- One in flight per account, also when two calls of a run cross.
create unique index message_claims_session_id_key on herald.message_claims (session_id);
comment on table herald.message_claims is
'Messages that are being sent. token fences settles; secret and incarnation tell after a crash whether it left.';
comment on column herald.message_claims.former_token is
'Set when adopted from an earlier holder: the token under which it may have been sent. Looked up, never sent again.';
alter table herald.message_claims enable row level security;

create table herald.early_receipts (
  session_id uuid not null references public.whatsapp_sessions (id) on delete cascade,
  wa_message_id text not null,
  recipient text not null,
  kind text not null,
  at timestamptz not null,
  received_at timestamptz not null,
  primary key (session_id, wa_message_id, recipient, kind)
);
create index early_receipts_received_at_idx on herald.early_receipts (received_at);
comment on table herald.early_receipts is 'Receipts that came before their message was settled; forgotten after a day.';
alter table herald.early_receipts enable row level security;
