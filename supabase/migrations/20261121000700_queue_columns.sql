-- What a message, an account and a delivery may hold beyond the first version, and several in flight per account.

-- == whatsapp_sessions: health and warm-up ==
alter table public.whatsapp_sessions
add column health_score smallint not null default 100
constraint session_health_is_a_percentage check (health_score between 0 and 100),
add column health_reasons text[] not null default '{}',
add column warmup_started_at timestamptz,
add column warmup_days smallint not null default 14 constraint session_warmup_is_sensible check (warmup_days between 1 and 90);
comment on column public.whatsapp_sessions.health_score is 'Herald''s judgement. Below 60 the account sends half as much, below 30 a quarter.';
comment on column public.whatsapp_sessions.health_reasons is 'Why health_score is below 100, in words.';
comment on column public.whatsapp_sessions.warmup_started_at is
'While a young account warms up, its daily limit grows evenly from 20 to daily_limit within warmup_days. Null: no warm-up.';
grant insert (warmup_started_at, warmup_days) on public.whatsapp_sessions to authenticated;
grant update (warmup_started_at, warmup_days) on public.whatsapp_sessions to authenticated;

-- == whatsapp_groups: the workshop that it is for ==
alter table public.whatsapp_groups add column workshop_id uuid,
add constraint whatsapp_groups_workshop_id_fkey foreign key (organization_id, workshop_id)
references public.workshops (organization_id, id) on delete set null (workshop_id);
create index whatsapp_groups_workshop_idx on public.whatsapp_groups (organization_id, workshop_id);
comment on column public.whatsapp_groups.workshop_id is
'Derived: the current or next workshop that is linked to this group. Link by workshops.whatsapp_group_id.';

-- == scheduled_whatsapp_messages ==
alter table public.scheduled_whatsapp_messages
add column contact_id uuid,
add column campaign_id uuid,
add column template_id uuid references public.whatsapp_message_templates (id) on delete set null,
add column template_variables jsonb not null default '{}'
constraint message_template_variables_are_an_object check (jsonb_typeof(template_variables) = 'object'),
add column payload jsonb
constraint message_payload_names_its_kind
check (payload ->> 'kind' in ('location', 'contact', 'poll', 'reaction', 'edit', 'delete')),
add column quoted_message_id text constraint message_quotes_an_id check (length(quoted_message_id) between 1 and 200),
add column mentions text[] constraint message_mentions_are_few check (cardinality(mentions) between 1 and 1024),
add column responded_at timestamptz,
add column scheduled_day date generated always as ((scheduled_for at time zone 'UTC')::date) stored,
add constraint message_contact_fkey foreign key (organization_id, contact_id)
references public.whatsapp_contacts (organization_id, id) on delete cascade,
add constraint message_campaign_fkey foreign key (organization_id, campaign_id)
references public.whatsapp_campaigns (organization_id, id) on delete set null (campaign_id),
drop constraint message_has_one_recipient,
add constraint message_has_one_recipient check (num_nonnulls(group_id, contact_id, recipient_phone) = 1),
drop constraint message_has_content,
add constraint message_has_content check (message_content <> '' or media_url is not null or payload is not null),
drop constraint scheduled_whatsapp_messages_media_kind_check,
add constraint message_media_kind_is_known check (media_kind in ('image', 'video', 'document', 'audio', 'voice'));
create index messages_contact_idx on public.scheduled_whatsapp_messages (organization_id, contact_id)
where contact_id is not null;
create index messages_campaign_idx on public.scheduled_whatsapp_messages (organization_id, campaign_id)
where campaign_id is not null;
create index messages_template_pending_idx on public.scheduled_whatsapp_messages (template_id)
where status = 'pending' and template_id is not null;
create index messages_recipient_phone_idx on public.scheduled_whatsapp_messages (organization_id, recipient_phone)
where recipient_phone is not null;
create index messages_in_doubt_idx on public.scheduled_whatsapp_messages (organization_id) where status = 'in_doubt';
-- sent_at is in the predicate so that a query for one status can't take this index: right after a quiet hour, statistics
-- say that nothing is open, and a claim would read all open rows of everyone.
create index messages_open_idx on public.scheduled_whatsapp_messages (organization_id)
where sent_at is null and status in ('pending', 'sending');
-- A row without a group or workshop costs these nothing.
drop index public.messages_organization_session_group_idx, public.messages_organization_workshop_idx;
create index messages_organization_session_group_idx
on public.scheduled_whatsapp_messages (organization_id, session_id, group_id) where group_id is not null;
create index messages_organization_workshop_idx
on public.scheduled_whatsapp_messages (organization_id, workshop_id) where workshop_id is not null;
comment on column public.scheduled_whatsapp_messages.template_variables is
'Values for the template''s {{placeholders}}. While the message is pending, message_content follows template and values.';
comment on column public.scheduled_whatsapp_messages.payload is
'{"kind": "poll", …} for what is neither text nor media; the kind tells the other keys.';
comment on column public.scheduled_whatsapp_messages.quoted_message_id is 'WhatsApp''s id of the message that this one answers.';
comment on column public.scheduled_whatsapp_messages.mentions is 'JIDs to mention, or {all} for every member.';
comment on column public.scheduled_whatsapp_messages.responded_at is 'When the recipient first answered, within three days.';
comment on column public.scheduled_whatsapp_messages.scheduled_day is
'UTC day of scheduled_for. A column, because under row level security an index takes no condition on an expression.';
comment on column public.scheduled_whatsapp_messages.expires_at is 'From here on it is never sent: it fails as expired.';
comment on column public.scheduled_whatsapp_messages.next_attempt_at is 'Not before, after a failed attempt.';
comment on column public.scheduled_whatsapp_messages.idempotency_key is
'Unique in the organisation: the same message is not queued twice.';
grant insert (contact_id, campaign_id, template_id, template_variables, payload, quoted_message_id, mentions)
on public.scheduled_whatsapp_messages to authenticated;
grant update (template_variables) on public.scheduled_whatsapp_messages to authenticated;

-- == whatsapp_delivery_logs ==
alter table public.whatsapp_delivery_logs
add column session_id uuid,
add column sent_at timestamptz,
add column failed_at timestamptz,
add column error_code text,
add column error_message text,
add column pricing_category text;
update public.whatsapp_delivery_logs as d set session_id = m.session_id
from public.scheduled_whatsapp_messages as m where m.id = d.message_id;
alter table public.whatsapp_delivery_logs alter column session_id set not null;
comment on column public.whatsapp_delivery_logs.recipient is 'JID without device.';
comment on column public.whatsapp_delivery_logs.error_code is 'The provider''s code, where it says one.';

-- == several claims in flight: one slot each, web accounts have one ==
alter table herald.message_claims
add column slot smallint not null default 1 constraint claim_slot_is_small check (slot between 1 and 50),
add column claimed_at timestamptz not null default herald.clock();
drop index herald.message_claims_session_id_key;
-- The message's own key goes with the account's; a second one would be asked for every claim.
alter table herald.message_claims drop constraint message_claims_session_id_fkey;
create unique index message_claims_session_slot_key on herald.message_claims (session_id, slot);
comment on column herald.message_claims.slot is 'One message a slot of an account, also when two calls of a run cross.';

alter table herald.session_leases add column looked_at timestamptz not null default '-infinity',
add column look_again_at timestamptz not null default '-infinity';
comment on column herald.session_leases.looked_at is 'When a claim last looked at this account; who waited longest comes first.';
comment on column herald.session_leases.look_again_at is
'Not before: all that was due here was held back by a rule a moment ago.';
