-- People: the organisation's contacts. consent.sql has the rules about their opt-in and opt-out.

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
  opted_in_at timestamptz
  constraint contact_opted_in_at_is_a_date check (opted_in_at at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
  opt_in_source text constraint contact_opt_in_source_is_short check (length(opt_in_source) <= 200),
  opted_out_at timestamptz
  constraint contact_opted_out_at_is_a_date check (opted_out_at at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
  opt_out_source text constraint contact_opt_out_source_is_short check (length(opt_out_source) <= 200),
  attributes jsonb not null default '{}'
  constraint contact_attributes_are_an_object check (jsonb_typeof(attributes) = 'object')
  constraint contact_attributes_are_small check (herald.is_readable(attributes, 16384)),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  unique (organization_id, phone),
  unique (organization_id, lid),
  unique (organization_id, jid),
  constraint contact_can_be_reached check (num_nonnulls(phone, lid, jid) > 0)
);
create index whatsapp_contacts_lead_id_idx on public.whatsapp_contacts (organization_id, lead_id) where lead_id is not null;
create index whatsapp_contacts_opted_out_idx on public.whatsapp_contacts (opted_out_at) where opted_out_at is not null;
comment on table public.whatsapp_contacts is 'A person whom the organisation writes to, with their consent.';
comment on column public.whatsapp_contacts.phone is 'E.164; may be unknown while WhatsApp hides it behind a LID.';
comment on column public.whatsapp_contacts.lid is 'WhatsApp''s id that hides the number: 123@lid.';
comment on column public.whatsapp_contacts.jid is 'WhatsApp''s id by number: 491701234567@s.whatsapp.net.';
comment on column public.whatsapp_contacts.lead_id is 'The CRM''s own id of this person.';
comment on column public.whatsapp_contacts.engagement_score is '0 to 100, the CRM''s judgement.';
comment on column public.whatsapp_contacts.opted_out_at is 'From then on nothing is sent to them. Only an admin takes it back.';
comment on column public.whatsapp_contacts.attributes is 'The CRM''s own facts about the person, for filters.';
comment on constraint whatsapp_contacts_pkey on public.whatsapp_contacts is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint contact_attributes_are_an_object on public.whatsapp_contacts is
'The attributes are no JSON object. Write them like {"city": "Lisbon"}. (herald:attributes-no-object)';
comment on constraint contact_attributes_are_small on public.whatsapp_contacts is
'The attributes are too large. Shorten them to 16,384 characters in all; numbers may have 300 digits, and lists and objects 30 levels. (herald:attributes-too-large)';
comment on constraint contact_opted_in_at_is_a_date on public.whatsapp_contacts is
'"opted_in_at" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
comment on constraint contact_opted_out_at_is_a_date on public.whatsapp_contacts is
'"opted_out_at" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
comment on constraint contact_can_be_reached on public.whatsapp_contacts is
'The contact has no phone number. Set phone (or the jid or lid by which WhatsApp knows the person). (herald:contact-unreachable)';
comment on constraint contact_engagement_is_a_percentage on public.whatsapp_contacts is
'The engagement is out of range. Choose a number from 0 to 100. (herald:engagement-out-of-range)';
comment on constraint contact_jid_is_one on public.whatsapp_contacts is
'This is no JID of a person. A JID is digits followed by @s.whatsapp.net. (herald:jid-invalid)';
comment on constraint contact_lid_is_one on public.whatsapp_contacts is
'This is no LID of a person. A LID is digits followed by @lid. (herald:lid-invalid)';
comment on constraint contact_name_is_short on public.whatsapp_contacts is
'The contact''s name is too long. Shorten it to 200 characters. (herald:contact-name-too-long)';
comment on constraint contact_opt_in_source_is_short on public.whatsapp_contacts is
'The source of the opt-in is too long. Shorten it to 200 characters. (herald:opt-in-source-too-long)';
comment on constraint contact_opt_out_source_is_short on public.whatsapp_contacts is
'The source of the opt-out is too long. Shorten it to 200 characters. (herald:opt-out-source-too-long)';
comment on constraint contact_persona_is_short on public.whatsapp_contacts is
'The persona is too long. Shorten it to 100 characters. (herald:persona-too-long)';
comment on constraint contact_phone_is_e164 on public.whatsapp_contacts is
'This is no phone number with country code. Write it like +491701234567: a plus sign, the country code, then digits only. (herald:phone-invalid)';
comment on constraint whatsapp_contacts_organization_id_id_key on public.whatsapp_contacts is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint whatsapp_contacts_organization_id_jid_key on public.whatsapp_contacts is
'There is a contact with this number or id already. Change that contact instead. (herald:contact-exists)';
comment on constraint whatsapp_contacts_organization_id_lid_key on public.whatsapp_contacts is
'There is a contact with this number or id already. Change that contact instead. (herald:contact-exists)';
comment on constraint whatsapp_contacts_organization_id_phone_key on public.whatsapp_contacts is
'There is a contact with this number or id already. Change that contact instead. (herald:contact-exists)';
comment on constraint whatsapp_contacts_organization_id_fkey on public.whatsapp_contacts is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';

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
call herald.keep_identity('whatsapp_contacts', '{organization_id}');

-- herald.contact_of(organisation, phone, lid) → the contact with this number or LID, made if there is none. Adds a
-- number or LID that was unknown. If number and LID are in two rows, the one with the number counts; an opt-out in
-- either row counts for both, because it is one person.
create function herald.contact_of(p_organization uuid, p_phone text, p_lid text) returns uuid
language plpgsql volatile set search_path = ''
as $$
declare
  address constant text := substr(p_phone, 2) || '@s.whatsapp.net';
  by_phone public.whatsapp_contacts;
  by_lid public.whatsapp_contacts;
  made uuid;
begin
  select * into by_phone from public.whatsapp_contacts as p
  where p.organization_id = p_organization and (p.phone = p_phone or p.jid = address)
  order by p.phone is null, p.created_at limit 1;
  select * into by_lid from public.whatsapp_contacts as p where p.organization_id = p_organization and p.lid = p_lid;
  if by_phone.id is null and by_lid.id is null then
    insert into public.whatsapp_contacts (organization_id, phone, lid, jid)
    values (p_organization, p_phone, p_lid, address)
    on conflict do nothing returning id into made;
    -- Another call made the row at the same moment; a new statement sees it.
    return coalesce(made, (
      select p.id from public.whatsapp_contacts as p
      where p.organization_id = p_organization and (p.phone = p_phone or p.lid = p_lid)
      order by p.phone is null limit 1
    ));
  elsif by_phone.id is null then
    update public.whatsapp_contacts as p set phone = coalesce(p.phone, p_phone), jid = coalesce(p.jid, address)
    where p.id = by_lid.id and p_phone is not null and (p.phone is null or p.jid is null);
    return by_lid.id;
  end if;
  update public.whatsapp_contacts as p
  set phone = coalesce(p.phone, p_phone), jid = coalesce(p.jid, address),
    lid = case when by_lid.id is null then coalesce(p.lid, p_lid) else p.lid end
  where p.id = by_phone.id
    and (p.phone is null or p.jid is null or p.lid is null and p_lid is not null and by_lid.id is null);
  if by_lid.id <> by_phone.id and (by_lid.opted_out_at is null) <> (by_phone.opted_out_at is null) then
    update public.whatsapp_contacts as p
    set opted_out_at = coalesce(by_lid.opted_out_at, by_phone.opted_out_at),
      opt_out_source = coalesce(by_lid.opt_out_source, by_phone.opt_out_source)
    where p.id in (by_lid.id, by_phone.id) and p.opted_out_at is null;
  end if;
  return by_phone.id;
end
$$;
revoke execute on function herald.contact_of(uuid, text, text) from public;
