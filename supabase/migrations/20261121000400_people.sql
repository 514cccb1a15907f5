-- People: contacts with their consent, and who is in which group.

create table public.whatsapp_contacts (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  phone text constraint contact_phone_is_e164 check (phone ~ '^\+[1-9][0-9]{6,14}$'),
  lid text constraint contact_lid_is_one check (lid ~ '^[0-9]{1,20}@lid$'),
  jid text constraint contact_jid_is_one check (jid ~ '^[0-9]{1,20}@s\.whatsapp\.net$'),
  display_name text constraint contact_name_is_short check (length(display_name) <= 200),
  lead_id uuid,
  persona text constraint contact_persona_is_short check (length(persona) <= 100),
  engagement_score integer
  constraint contact_engagement_is_a_percentage check (engagement_score between 0 and 100),
  opted_in_at timestamptz,
  opt_in_source text constraint contact_opt_in_source_is_short check (length(opt_in_source) <= 200),
  opted_out_at timestamptz,
  opt_out_source text constraint contact_opt_out_source_is_short check (length(opt_out_source) <= 200),
  attributes jsonb not null default '{}'
  constraint contact_attributes_are_an_object check (jsonb_typeof(attributes) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  unique (organization_id, phone),
  unique (organization_id, lid),
  unique (organization_id, jid),
  constraint contact_can_be_reached check (num_nonnulls(phone, lid, jid) > 0)
);
create index whatsapp_contacts_lead_id_idx on public.whatsapp_contacts (organization_id, lead_id) where lead_id is not null;
comment on table public.whatsapp_contacts is 'A person whom the organisation writes to, with their consent.';
comment on column public.whatsapp_contacts.phone is 'E.164; may be unknown while WhatsApp hides it behind a LID.';
comment on column public.whatsapp_contacts.lead_id is 'The CRM''s own id of this person.';
comment on column public.whatsapp_contacts.opted_out_at is 'From here on nothing is sent to them; only the CRM takes it back.';
call herald.tenant_table('whatsapp_contacts');
grant delete on public.whatsapp_contacts to authenticated;
grant insert (
  organization_id, phone, lid, jid, display_name, lead_id, persona, engagement_score, opted_in_at, opt_in_source,
  opted_out_at, opt_out_source, attributes
) on public.whatsapp_contacts to authenticated;
grant update (
  phone, lid, jid, display_name, lead_id, persona, engagement_score, opted_in_at, opt_in_source,
  opted_out_at, opt_out_source, attributes
) on public.whatsapp_contacts to authenticated;

create table public.whatsapp_group_members (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  group_id uuid not null,
  contact_id uuid not null,
  is_admin boolean not null default false,
  joined_at timestamptz,
  left_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (group_id, contact_id),
  foreign key (organization_id, group_id) references public.whatsapp_groups (organization_id, id) on delete cascade,
  foreign key (organization_id, contact_id) references public.whatsapp_contacts (organization_id, id) on delete cascade
);
create index whatsapp_group_members_group_idx on public.whatsapp_group_members (organization_id, group_id);
create index whatsapp_group_members_contact_idx on public.whatsapp_group_members (organization_id, contact_id);
comment on table public.whatsapp_group_members is 'Who is in a group, as WhatsApp told at the last sync. Herald writes it.';
call herald.tenant_table('whatsapp_group_members');
drop policy whatsapp_group_members_insert on public.whatsapp_group_members;
drop policy whatsapp_group_members_update on public.whatsapp_group_members;
drop policy whatsapp_group_members_delete on public.whatsapp_group_members;

-- Opt-outs of people whose data was erased: a keyed hash of the number, so that the opt-out outlives it.
create table herald.forgotten_opt_outs (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  phone_hash bytea not null,
  opted_out_at timestamptz not null,
  primary key (organization_id, phone_hash)
);
comment on table herald.forgotten_opt_outs is
'HMAC-SHA256 of numbers that must not be written to any more although nothing else is known of them.';
alter table herald.forgotten_opt_outs enable row level security;
