-- THE queue, and two small private tables beside it: open messages, and WhatsApp's ids. The queue's own indexes cover
-- only columns that no step changes, so that a step writes one row and no index (a heap-only update). With ten million
-- finished rows, an index by status costs each step seven cold pages. message_steps.sql says who may change what.

create table public.scheduled_whatsapp_messages (
  -- Ordered by time (RFC 9562, version 7), so that the rows of one claim share a leaf of the index instead of one cold
  -- page each. A client may choose the id itself.
  id uuid primary key default encode(
    set_bit(set_bit(
      overlay(
        uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6
      ), 52, 1
    ), 53, 1), 'hex'
  )::uuid,
  organization_id uuid not null references public.organizations (id) on delete cascade,
  session_id uuid not null,
  group_id uuid,
  contact_id uuid,
  recipient_phone text check (recipient_phone ~ '^\+[1-9][0-9]{6,14}$'),
  recipient_name text constraint message_recipient_name_is_short check (length(recipient_name) <= 200),
  workshop_id uuid,
  campaign_id uuid,
  message_type text not null default 'custom' check (length(message_type) between 1 and 60),
  template_id uuid references public.whatsapp_message_templates (id) on delete set null,
  template_variables jsonb not null default '{}'
  constraint message_template_variables_are_an_object check (jsonb_typeof(template_variables) = 'object')
  constraint message_template_variables_are_small check (pg_column_size(template_variables) <= 300000),
  message_content text not null default '' check (length(message_content) <= 65536),
  media_url text constraint message_media_url_is_short check (
    octet_length(media_url) <= 4096 or octet_length(media_url) <= 1048576 and media_url ~* '^data:'
  ),
  media_kind text constraint message_media_kind_is_known
  check (media_kind in ('image', 'video', 'document', 'audio', 'voice')),
  payload jsonb constraint message_payload_names_its_kind
  check (payload ->> 'kind' in ('location', 'contact', 'poll', 'reaction', 'edit', 'delete'))
  constraint message_payload_is_small check (herald.is_readable(payload, 16384)),
  quoted_message_id text constraint message_quotes_an_id check (length(quoted_message_id) between 1 and 200),
  mentions text[] constraint message_mentions_are_few check (cardinality(mentions) between 1 and 1024)
  constraint message_mentions_are_short check (mentions is null or herald.is_list(mentions, 1024, 60)),
  priority smallint not null default 5 check (priority between 1 and 10),
  scheduled_for timestamptz not null default herald.clock(),
  scheduled_day date generated always as ((scheduled_for at time zone 'UTC')::date) stored,
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
  unreadable_count integer not null default 0,
  resent_count smallint not null default 0,
  responded_at timestamptz,
  sent_by uuid default auth.uid(),
  idempotency_key text check (length(idempotency_key) between 1 and 200),
  redacted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, idempotency_key),
  foreign key (organization_id, session_id) references public.whatsapp_sessions (organization_id, id),
  foreign key (organization_id, session_id, group_id)
  references public.whatsapp_groups (organization_id, session_id, id),
  constraint message_contact_fkey foreign key (organization_id, contact_id)
  references public.whatsapp_contacts (organization_id, id) on delete cascade,
  foreign key (organization_id, workshop_id) references public.workshops (organization_id, id)
  on delete set null (workshop_id),
  constraint message_campaign_fkey foreign key (organization_id, campaign_id)
  references public.whatsapp_campaigns (organization_id, id) on delete set null (campaign_id),
  constraint message_has_one_recipient check (
    num_nonnulls(group_id, contact_id, recipient_phone) = 1
    or (
      redacted_at is not null and num_nonnulls(group_id, contact_id, recipient_phone) = 0
      and status not in ('pending', 'sending')
    )
  ),
  constraint message_has_content check (message_content <> '' or media_url is not null or payload is not null),
  constraint message_media_has_kind check ((media_url is null) = (media_kind is null)),
  constraint message_scheduled_for_is_a_date
  check (scheduled_for at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
  constraint message_expires_at_is_a_date
  check (expires_at at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
  constraint message_expires_after_its_time check (expires_at > scheduled_for),
  constraint message_sent_is_known
  check (status not in ('sent', 'delivered', 'read') or (sent_at is not null and wa_message_id is not null)),
  constraint message_delivered_has_time check (status <> 'delivered' or delivered_at is not null),
  constraint message_read_has_time check (status <> 'read' or read_at is not null),
  constraint message_failed_says_why check (status not in ('failed', 'in_doubt') or error_code is not null)
) with (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
  fillfactor = 80 -- room on each page for the next step of a row
);
create index messages_list_idx on public.scheduled_whatsapp_messages (organization_id, scheduled_for desc, id);
create index messages_contact_idx on public.scheduled_whatsapp_messages (organization_id, contact_id)
where contact_id is not null;
create index messages_campaign_idx on public.scheduled_whatsapp_messages (organization_id, campaign_id)
where campaign_id is not null;
create index messages_recipient_phone_idx on public.scheduled_whatsapp_messages (organization_id, recipient_phone)
where recipient_phone is not null;
-- A row without a group or workshop is not in these two.
create index messages_organization_session_group_idx
on public.scheduled_whatsapp_messages (organization_id, session_id, group_id) where group_id is not null;
create index messages_organization_workshop_idx
on public.scheduled_whatsapp_messages (organization_id, workshop_id) where workshop_id is not null;
create index messages_day_idx on public.scheduled_whatsapp_messages (organization_id, scheduled_day);
create index messages_template_idx on public.scheduled_whatsapp_messages (template_id) where template_id is not null;
-- Retention finds an organisation's oldest texts without reading those that are redacted.
create index messages_unredacted_idx on public.scheduled_whatsapp_messages (organization_id, scheduled_for)
where redacted_at is null;
comment on table public.scheduled_whatsapp_messages is
'THE queue: one row per message and recipient. The CRM inserts, edits while pending, cancels and retries; Herald writes results.';
-- These rules check sizes in bytes only, because each step of a message checks them all; new_messages.sql reads the values.
comment on column public.scheduled_whatsapp_messages.template_variables is
'Values for the template''s {{placeholders}}. While the message is pending, message_content follows template and values.';
comment on column public.scheduled_whatsapp_messages.payload is
'{"kind": "poll", …} for what is neither text nor media; the kind tells the other keys.';
comment on column public.scheduled_whatsapp_messages.quoted_message_id is 'WhatsApp''s id of the message that this one answers.';
comment on column public.scheduled_whatsapp_messages.mentions is 'JIDs to mention, or {all} for every member.';
comment on column public.scheduled_whatsapp_messages.priority is '1 to 10; 10 goes first.';
comment on column public.scheduled_whatsapp_messages.scheduled_day is
'UTC day of scheduled_for. A column, because under row level security an index takes no condition on an expression.';
comment on column public.scheduled_whatsapp_messages.expires_at is 'From then on it is never sent: it fails as expired.';
comment on column public.scheduled_whatsapp_messages.max_retries is
'How often a refused send is retried before it fails.';
comment on column public.scheduled_whatsapp_messages.next_attempt_at is 'After a failed attempt: not sent before this.';
comment on column public.scheduled_whatsapp_messages.wa_message_id is 'WhatsApp''s id, once it was sent.';
comment on column public.scheduled_whatsapp_messages.unreadable_count is
'How many recipients have it and can''t read it: their phones could not decrypt it, and nobody can repeat it to them.';
comment on column public.scheduled_whatsapp_messages.resent_count is
'How often it went out again because the recipient''s phone could not read it; at most twice.';
comment on column public.scheduled_whatsapp_messages.responded_at is 'When the recipient first answered, within three days.';
comment on column public.scheduled_whatsapp_messages.sent_by is 'The user who scheduled it; null: a rule or a server.';
comment on column public.scheduled_whatsapp_messages.idempotency_key is
'Unique in the organisation: the same message is not queued twice.';
comment on column public.scheduled_whatsapp_messages.redacted_at is
'When its text was removed, by retention or with its recipient''s data; then it can''t be sent again.';
comment on constraint scheduled_whatsapp_messages_pkey on public.scheduled_whatsapp_messages is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint message_delivered_has_time on public.scheduled_whatsapp_messages is
'A message that is delivered needs the time when. Leave results to Herald: it writes them. (herald:herald-writes-it)';
comment on constraint message_expires_after_its_time on public.scheduled_whatsapp_messages is
'The message would expire before the time for which it is scheduled. Choose an expires_at after scheduled_for, or none. (herald:expires-too-early)';
comment on constraint message_scheduled_for_is_a_date on public.scheduled_whatsapp_messages is
'"scheduled_for" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
comment on constraint message_expires_at_is_a_date on public.scheduled_whatsapp_messages is
'"expires_at" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
comment on constraint message_media_url_is_short on public.scheduled_whatsapp_messages is
'The address of the file is too long. Give an address of up to 4,096 characters; a data: URI may have up to 1,048,576. (herald:media-url-too-long)';
comment on constraint message_mentions_are_short on public.scheduled_whatsapp_messages is
'A mention is too long, or not a plain list. Mention members by JIDs like 491701234567@s.whatsapp.net. (herald:mentions-invalid)';
comment on constraint message_payload_is_small on public.scheduled_whatsapp_messages is
'The payload is too large. Shorten it to 16,384 characters in all; numbers may have 300 digits, and lists and objects 30 levels. (herald:payload-too-large)';
comment on constraint message_recipient_name_is_short on public.scheduled_whatsapp_messages is
'The recipient''s name is too long. Shorten it to 200 characters. (herald:recipient-name-too-long)';
comment on constraint message_template_variables_are_small on public.scheduled_whatsapp_messages is
'The template''s values are too large. Shorten them to 65,536 characters in all; numbers may have 300 digits, and lists and objects 30 levels. (herald:variables-too-large)';
comment on constraint message_failed_says_why on public.scheduled_whatsapp_messages is
'A message that failed or is in doubt needs an error code. Leave results to Herald: it writes them. (herald:herald-writes-it)';
comment on constraint message_has_content on public.scheduled_whatsapp_messages is
'The message is empty. Write a text, name a template, or add a file or a payload. (herald:message-empty)';
comment on constraint message_has_one_recipient on public.scheduled_whatsapp_messages is
'A message goes to exactly one recipient. Set one of group_id, contact_id and recipient_phone, and leave the others out. (herald:one-recipient)';
comment on constraint message_media_has_kind on public.scheduled_whatsapp_messages is
'A file needs both its address and its kind. Set media_url together with media_kind: image, video, document, audio or voice. (herald:media-incomplete)';
comment on constraint message_media_kind_is_known on public.scheduled_whatsapp_messages is
'There is no such kind of file. Use image, video, document, audio or voice as media_kind. (herald:media-kind-unknown)';
comment on constraint message_mentions_are_few on public.scheduled_whatsapp_messages is
'The message mentions too many members, or an empty list of them. Mention 1 to 1,024 members, or leave mentions out. (herald:mentions-count)';
comment on constraint message_payload_names_its_kind on public.scheduled_whatsapp_messages is
'There is no such kind of payload. Use location, contact, poll, reaction, edit or delete. (herald:payload-kind-unknown)';
comment on constraint message_quotes_an_id on public.scheduled_whatsapp_messages is
'The id of the quoted message is empty or too long. Give the id that WhatsApp gave that message, of 1 to 200 characters. (herald:quoted-id-length)';
comment on constraint message_read_has_time on public.scheduled_whatsapp_messages is
'A message that was read needs the time when. Leave results to Herald: it writes them. (herald:herald-writes-it)';
comment on constraint message_sent_is_known on public.scheduled_whatsapp_messages is
'A message that was sent needs WhatsApp''s id and the time when. Leave results to Herald: it writes them. (herald:herald-writes-it)';
comment on constraint message_template_variables_are_an_object on public.scheduled_whatsapp_messages is
'The template''s values are no JSON object. Write them like {"name": "Asha"}. (herald:variables-no-object)';
comment on constraint scheduled_whatsapp_messages_idempotency_key_check on public.scheduled_whatsapp_messages is
'The idempotency key is empty or too long. Use 1 to 200 characters. (herald:idempotency-key-length)';
comment on constraint scheduled_whatsapp_messages_max_retries_check on public.scheduled_whatsapp_messages is
'The number of retries is out of range. Choose 0 to 20. (herald:max-retries)';
comment on constraint scheduled_whatsapp_messages_message_content_check on public.scheduled_whatsapp_messages is
'The text of the message is too long. Shorten it to 65,536 characters. (herald:message-too-long)';
comment on constraint scheduled_whatsapp_messages_message_type_check on public.scheduled_whatsapp_messages is
'The message''s type is empty or too long. Use 1 to 60 characters. (herald:message-type-length)';
comment on constraint scheduled_whatsapp_messages_priority_check on public.scheduled_whatsapp_messages is
'The priority is out of range. Choose a number from 1 to 10; 10 goes first. (herald:priority-out-of-range)';
comment on constraint scheduled_whatsapp_messages_recipient_phone_check on public.scheduled_whatsapp_messages is
'This is no phone number with country code. Write it like +491701234567: a plus sign, the country code, then digits only. (herald:phone-invalid)';
comment on constraint scheduled_whatsapp_messages_retry_count_check on public.scheduled_whatsapp_messages is
'A count can''t be below 0. Leave it out: Herald counts. (herald:count-negative)';
comment on constraint scheduled_whatsapp_messages_status_check on public.scheduled_whatsapp_messages is
'There is no such status of a message. Use pending or cancelled; Herald writes the others. (herald:message-status-unknown)';
comment on constraint scheduled_whatsapp_messages_organization_id_idempotency_key_key on public.scheduled_whatsapp_messages is
'This message is queued already: another row has the same idempotency key. Do nothing, or use a new key for a new message. (herald:queued-already)';
comment on constraint message_campaign_fkey on public.scheduled_whatsapp_messages is
'There is no such campaign in the organisation. Choose one of its campaigns, or make one first. (herald:campaign-unknown)';
comment on constraint message_contact_fkey on public.scheduled_whatsapp_messages is
'There is no such contact in the organisation. Choose one of its contacts, or add this one first. (herald:contact-unknown)';
comment on constraint scheduled_whatsapp_messages_organization_id_fkey on public.scheduled_whatsapp_messages is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
comment on constraint scheduled_whatsapp_messages_organization_id_session_id_fkey on public.scheduled_whatsapp_messages is
'There is no such WhatsApp account in the organisation. Choose one of its accounts. (herald:account-unknown)';
comment on constraint scheduled_whatsapp_messages_organization_id_session_id_gro_fkey on public.scheduled_whatsapp_messages is
'The group is not one of the organisation or of this account. Refresh the account''s groups and choose again. (herald:group-unknown)';
comment on constraint scheduled_whatsapp_messages_organization_id_workshop_id_fkey on public.scheduled_whatsapp_messages is
'There is no such workshop in the organisation. Choose one of its workshops. (herald:workshop-unknown)';
comment on constraint scheduled_whatsapp_messages_template_id_fkey on public.scheduled_whatsapp_messages is
'There is no template with this id for the organisation. Choose one of its own templates or one of the system''s. (herald:template-unknown)';

alter table public.scheduled_whatsapp_messages enable row level security;
create policy messages_select on public.scheduled_whatsapp_messages for select to authenticated
using (
  (
    organization_id in (select herald.my_organizations())
    and (session_id is null or session_id not in (select herald.my_hidden_sessions()))
  )
  or (select herald.is_super_admin())
);
create policy messages_insert on public.scheduled_whatsapp_messages for insert to authenticated
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy messages_update on public.scheduled_whatsapp_messages for update to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.scheduled_whatsapp_messages from anon, authenticated;
grant select on public.scheduled_whatsapp_messages to authenticated;
grant insert (
  organization_id, session_id, group_id, contact_id, recipient_phone, recipient_name, workshop_id, campaign_id,
  message_type, template_id, template_variables, message_content, media_url, media_kind, payload, quoted_message_id,
  mentions, priority, scheduled_for, expires_at, max_retries, idempotency_key
) on public.scheduled_whatsapp_messages to authenticated;
grant update (
  template_variables, message_content, media_url, media_kind, priority, scheduled_for, expires_at, status
) on public.scheduled_whatsapp_messages to authenticated;
grant select, insert, update, delete on public.scheduled_whatsapp_messages to service_role;
call herald.keep_identity(
  'scheduled_whatsapp_messages', '{organization_id, session_id, group_id}',
  '{contact_id, recipient_phone, campaign_id, workshop_id}'
);
alter publication supabase_realtime add table public.scheduled_whatsapp_messages;

-- == what is open ==

create table herald.open_messages (
  message_id uuid primary key,
  organization_id uuid not null,
  session_id uuid not null,
  status text not null constraint open_message_is_open check (status in ('pending', 'sending', 'in_doubt')),
  priority smallint not null,
  scheduled_for timestamptz not null,
  next_attempt_at timestamptz,
  due_at timestamptz not null generated always as (greatest(scheduled_for, next_attempt_at)) stored,
  expires_at timestamptz,
  group_id uuid,
  campaign_id uuid,
  message_type text not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
create index open_messages_pending_idx on herald.open_messages (session_id, priority desc, scheduled_for, message_id)
where status = 'pending';
create index open_messages_due_idx on herald.open_messages (session_id, due_at) where status = 'pending';
create index open_messages_expiring_idx on herald.open_messages (expires_at) where status = 'pending' and expires_at is not null;
create index open_messages_organization_idx on herald.open_messages (organization_id);
comment on table herald.open_messages is
'The messages that are pending, sending or in doubt, as far as the claim looks at them. Kept by triggers of the queue.';
comment on column herald.open_messages.priority is '1 to 10; 10 goes first.';
comment on column herald.open_messages.next_attempt_at is 'After a failed attempt: not sent before this.';
comment on column herald.open_messages.due_at is 'When it may go at the earliest: its time, or after a failed attempt the next one.';

alter table herald.open_messages enable row level security;

-- What is due: its time has come and it has not expired. The clock is a subquery, so that it is called once, not per row.
create view herald.due_messages as
select m.* from herald.open_messages as m
where m.status = 'pending' and m.due_at <= (select herald.clock())
  and (m.expires_at is null or m.expires_at > (select herald.clock()));
comment on view herald.due_messages is 'Messages whose time has come; holds.sql tells which rules hold some of them back.';

-- == WhatsApp's ids ==

create table herald.sent_ids (
  message_id uuid primary key,
  session_id uuid not null,
  wa_message_id text not null
);
-- A hash index, because these ids are random: for ten million, a B-tree has 900 MB of cold pages, this has 300.
create index sent_ids_wa_message_id_idx on herald.sent_ids using hash (wa_message_id);
comment on table herald.sent_ids is 'The WhatsApp id under which a message went out, for the receipts about it. Kept by triggers.';
comment on column herald.sent_ids.wa_message_id is 'WhatsApp''s id of the message.';

alter table herald.sent_ids enable row level security;

-- == triggers keep both ==

-- herald.keep_open(open, final): copies these messages as they are in the queue now. It reads them again, because a row
-- trigger may have changed a message since the statement trigger got it.
create function herald.keep_open(p_open uuid[], p_final uuid[]) returns void
language plpgsql volatile set search_path = '' set jit = off set enable_seqscan = off
as $$
begin
  if p_final is not null then
    delete from herald.open_messages as o
    where o.message_id = any(p_final) and not exists (
      select 1 from public.scheduled_whatsapp_messages as m
      where m.id = o.message_id and m.status in ('pending', 'sending', 'in_doubt')
    );
  end if;
  if p_open is not null then
    insert into herald.open_messages as o (
      message_id, organization_id, session_id, status, priority, scheduled_for, next_attempt_at, expires_at, group_id,
      campaign_id, message_type
    )
    select m.id, m.organization_id, m.session_id, m.status, m.priority, m.scheduled_for, m.next_attempt_at, m.expires_at,
      m.group_id, m.campaign_id, m.message_type
    from public.scheduled_whatsapp_messages as m
    where m.id = any(p_open) and m.status in ('pending', 'sending', 'in_doubt')
    on conflict (message_id) do update
    set status = excluded.status, priority = excluded.priority, scheduled_for = excluded.scheduled_for,
      next_attempt_at = excluded.next_attempt_at, expires_at = excluded.expires_at, campaign_id = excluded.campaign_id,
      message_type = excluded.message_type;
  end if;
end
$$;
revoke execute on function herald.keep_open(uuid[], uuid[]) from public;

-- Once per statement: a trigger per row would cost a bulk insert as much as the row.
create function herald.messages_arrived() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
begin
  perform herald.keep_open((
    select array_agg(n.id) from arrived as n where n.status in ('pending', 'sending', 'in_doubt')
  ), null);
  insert into herald.sent_ids (message_id, session_id, wa_message_id)
  select n.id, n.session_id, n.wa_message_id from arrived as n where n.wa_message_id is not null;
  return null;
end
$$;
revoke execute on function herald.messages_arrived() from public;
create trigger messages_arrived after insert on public.scheduled_whatsapp_messages
referencing new table as arrived for each statement execute function herald.messages_arrived();

-- herald.messages_moved: writes what a statement changed to both small tables.
create function herald.messages_moved() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
  open uuid[];
  final uuid[];
  renamed uuid[];
begin
  -- EXCEPT, not a join: the planner has no row estimate here and would choose a nested loop.
  select array_agg(d.id) filter (where d.status in ('pending', 'sending', 'in_doubt')),
    array_agg(d.id) filter (where d.status not in ('pending', 'sending', 'in_doubt'))
  into open, final
  from (
    select n.id, n.status, n.priority, n.scheduled_for, n.next_attempt_at, n.expires_at, n.campaign_id, n.message_type
    from after as n
    except all
    select o.id, o.status, o.priority, o.scheduled_for, o.next_attempt_at, o.expires_at, o.campaign_id, o.message_type
    from before as o
  ) as d;
  if open is not null or final is not null then
    perform herald.keep_open(open, final);
  end if;
  select array_agg(d.id) into renamed from (
    select n.id, n.wa_message_id from after as n
    except all
    select o.id, o.wa_message_id from before as o
  ) as d;
  if renamed is not null then
    insert into herald.sent_ids as s (message_id, session_id, wa_message_id)
    select m.id, m.session_id, m.wa_message_id from public.scheduled_whatsapp_messages as m
    where m.id = any(renamed) and m.wa_message_id is not null
    on conflict (message_id) do update set wa_message_id = excluded.wa_message_id;
    delete from herald.sent_ids as s using public.scheduled_whatsapp_messages as m
    where s.message_id = any(renamed) and m.id = s.message_id and m.wa_message_id is null;
  end if;
  return null;
end
$$;
revoke execute on function herald.messages_moved() from public;
create trigger messages_moved after update on public.scheduled_whatsapp_messages
referencing old table as before new table as after for each statement execute function herald.messages_moved();

-- herald.messages_gone: a deleted message leaves both small tables.
create function herald.messages_gone() returns trigger
language plpgsql security definer set search_path = '' set jit = off set enable_seqscan = off
as $$
begin
  delete from herald.open_messages as o using before as b where o.message_id = b.id;
  delete from herald.sent_ids as s using before as b where s.message_id = b.id;
  return null;
end
$$;
revoke execute on function herald.messages_gone() from public;
create trigger messages_gone after delete on public.scheduled_whatsapp_messages
referencing old table as before for each statement execute function herald.messages_gone();
