-- WhatsApp groups, the workshop that each is for, and who is in them. The worker that holds the account writes them.

-- == whatsapp_groups ==

create table public.whatsapp_groups (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  session_id uuid not null,
  group_jid text not null check (group_jid like '%@g.us'),
  group_name text not null default '',
  invite_link text,
  participant_count integer not null default 0 check (participant_count >= 0),
  is_admin boolean not null default false,
  announce_only boolean not null default false,
  is_active boolean not null default true,
  synced_at timestamptz,
  workshop_id uuid,
  region text constraint group_region_is_short check (length(region) <= 200),
  segments text[] not null default '{}' constraint group_segments_are_few check (herald.is_list(segments, 50, 100)),
  tags text[] not null default '{}' constraint group_tags_are_few check (herald.is_list(tags, 50, 100)),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (session_id, group_jid),
  unique (organization_id, session_id, id),
  unique (organization_id, id),
  foreign key (organization_id, session_id) references public.whatsapp_sessions (organization_id, id) on delete cascade,
  constraint whatsapp_groups_workshop_id_fkey foreign key (organization_id, workshop_id)
  references public.workshops (organization_id, id) on delete set null (workshop_id)
);
create index whatsapp_groups_workshop_idx on public.whatsapp_groups (organization_id, workshop_id);
comment on table public.whatsapp_groups is 'A WhatsApp group of an account, as last synchronised.';
comment on column public.whatsapp_groups.group_jid is 'WhatsApp''s id of the group: 120363…@g.us.';
comment on column public.whatsapp_groups.workshop_id is
'Derived: the current or next workshop that is linked to this group. Link by workshops.whatsapp_group_id.';
comment on column public.whatsapp_groups.segments is 'The CRM''s own.';
comment on column public.whatsapp_groups.tags is 'The CRM''s own.';
comment on constraint whatsapp_groups_pkey on public.whatsapp_groups is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint group_region_is_short on public.whatsapp_groups is
'The group''s region is too long. Shorten it to 200 characters. (herald:region-too-long)';
comment on constraint group_segments_are_few on public.whatsapp_groups is
'The group has too many segments, or one that is too long. Give a plain list of up to 50, of up to 100 characters each. (herald:labels-too-many)';
comment on constraint group_tags_are_few on public.whatsapp_groups is
'The group has too many tags, or one that is too long. Give a plain list of up to 50, of up to 100 characters each. (herald:labels-too-many)';
comment on constraint whatsapp_groups_group_jid_check on public.whatsapp_groups is
'This is no WhatsApp id of a group. A group''s id ends in @g.us; take it from whatsapp_groups. (herald:group-jid-invalid)';
comment on constraint whatsapp_groups_participant_count_check on public.whatsapp_groups is
'A count can''t be below 0. Leave it out: Herald counts. (herald:count-negative)';
comment on constraint whatsapp_groups_organization_id_id_key on public.whatsapp_groups is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint whatsapp_groups_organization_id_session_id_id_key on public.whatsapp_groups is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint whatsapp_groups_session_id_group_jid_key on public.whatsapp_groups is
'This account knows the group already. Change that row instead. (herald:group-exists)';
comment on constraint whatsapp_groups_organization_id_fkey on public.whatsapp_groups is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
comment on constraint whatsapp_groups_organization_id_session_id_fkey on public.whatsapp_groups is
'There is no such WhatsApp account in the organisation. Choose one of its accounts. (herald:account-unknown)';
comment on constraint whatsapp_groups_workshop_id_fkey on public.whatsapp_groups is
'There is no such workshop in the organisation. Choose one of its workshops. (herald:workshop-unknown)';

alter table public.whatsapp_groups enable row level security;
create policy whatsapp_groups_select on public.whatsapp_groups for select to authenticated
using (
  (
    organization_id in (select herald.my_organizations())
    and (session_id is null or session_id not in (select herald.my_hidden_sessions()))
  )
  or (select herald.is_super_admin())
);
create policy whatsapp_groups_update on public.whatsapp_groups for update to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_groups from anon, authenticated;
grant select on public.whatsapp_groups to authenticated;
grant update (region, segments, tags) on public.whatsapp_groups to authenticated;
grant select, insert, update, delete on public.whatsapp_groups to service_role;
create trigger touch before update on public.whatsapp_groups for each row execute function herald.touch();
call herald.keep_identity('whatsapp_groups', '{organization_id, session_id, group_jid}');
alter publication supabase_realtime add table public.whatsapp_groups;

-- THE link between a workshop and its group; several workshops may share one.
alter table public.workshops add column if not exists whatsapp_group_id uuid;
alter table public.workshops add column if not exists automation_status jsonb;
alter table public.workshops add constraint workshops_whatsapp_group_id_fkey
foreign key (organization_id, whatsapp_group_id) references public.whatsapp_groups (organization_id, id)
on delete set null (whatsapp_group_id);
create index if not exists workshops_organization_group_idx on public.workshops (organization_id, whatsapp_group_id);
-- A CRM's own table keeps its own rules.
do $$
begin
  if obj_description('public.workshops'::regclass, 'pg_class') =
    'An event of the organisation, possibly with a WhatsApp group.' then
    alter table public.workshops add constraint workshop_automation_status_is_small
    check (herald.is_readable(automation_status, 65536));
    comment on constraint workshop_automation_status_is_small on public.workshops is
    'The workshop''s automation_status is too large. Shorten your own part of it to 65,536 characters in all; numbers may have 300 digits, and lists and objects 30 levels. (herald:status-too-large)';
  end if;
end
$$;
comment on column public.workshops.automation_status is
'What Herald has planned for this workshop, written for the CRM to show.';
comment on constraint workshops_pkey on public.workshops is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint workshops_whatsapp_group_id_fkey on public.workshops is
'The group is not one of the organisation or of this account. Refresh the account''s groups and choose again. (herald:group-unknown)';

-- == who is in a group ==

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
comment on table public.whatsapp_group_members is 'Who is in a group, as WhatsApp showed it at the last sync. Herald writes it.';
comment on constraint whatsapp_group_members_pkey on public.whatsapp_group_members is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint whatsapp_group_members_group_id_contact_id_key on public.whatsapp_group_members is
'This person is on the group''s list already. Leave the list to Herald: it reads it from WhatsApp. (herald:herald-writes-it)';
comment on constraint whatsapp_group_members_organization_id_contact_id_fkey on public.whatsapp_group_members is
'There is no such contact in the organisation. Choose one of its contacts, or add this one first. (herald:contact-unknown)';
comment on constraint whatsapp_group_members_organization_id_fkey on public.whatsapp_group_members is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
comment on constraint whatsapp_group_members_organization_id_group_id_fkey on public.whatsapp_group_members is
'The group is not one of the organisation or of this account. Refresh the account''s groups and choose again. (herald:group-unknown)';

alter table public.whatsapp_group_members enable row level security;
-- Who sees the group sees its members.
create policy whatsapp_group_members_select on public.whatsapp_group_members for select to authenticated
using (exists (
  select 1 from public.whatsapp_groups as g where g.id = whatsapp_group_members.group_id
));
revoke all on public.whatsapp_group_members from anon, authenticated, service_role;
grant select on public.whatsapp_group_members to authenticated;
grant select, insert, update, delete on public.whatsapp_group_members to service_role;
create trigger touch before update on public.whatsapp_group_members for each row execute function herald.touch();
call herald.keep_identity('whatsapp_group_members', '{organization_id, group_id, contact_id}');

-- == what the worker writes ==

-- whatsapp_groups_sync(run, session, epoch, groups) → how many groups. Groups that the account left become inactive.
create function public.whatsapp_groups_sync(p_run uuid, p_session uuid, p_epoch bigint, p_groups jsonb) returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  org uuid;
  many integer;
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  select s.organization_id into org from public.whatsapp_sessions as s where s.id = p_session;
  insert into public.whatsapp_groups as g
  (organization_id, session_id, group_jid, group_name, participant_count, is_admin, announce_only, invite_link, synced_at)
  select org, p_session, x.jid, coalesce(x.name, ''), coalesce(x.participants, 0), coalesce(x.is_admin, false),
    coalesce(x.announce_only, false), x.invite_link, herald.clock()
  from jsonb_to_recordset(p_groups)
    as x (jid text, name text, participants integer, is_admin boolean, announce_only boolean, invite_link text)
  on conflict (session_id, group_jid) do update
  set group_name = excluded.group_name, participant_count = excluded.participant_count,
    is_admin = excluded.is_admin, announce_only = excluded.announce_only,
    invite_link = coalesce(excluded.invite_link, g.invite_link), is_active = true, synced_at = excluded.synced_at;
  get diagnostics many = row_count;
  update public.whatsapp_groups as g set is_active = false, synced_at = herald.clock()
  where g.session_id = p_session and g.is_active
    and not exists (select 1 from jsonb_array_elements(p_groups) as e where e ->> 'jid' = g.group_jid);
  return many;
end
$$;
comment on function public.whatsapp_groups_sync(uuid, uuid, bigint, jsonb) is
'Stores all groups that the account is in; those that are gone become inactive. Returns how many there are.';
revoke execute on function public.whatsapp_groups_sync(uuid, uuid, bigint, jsonb) from public, anon, authenticated;
grant execute on function public.whatsapp_groups_sync(uuid, uuid, bigint, jsonb) to service_role;

-- whatsapp_group_sync(run, session, epoch, group) → {"group_id", "members", "joined", "left"}. Writes one group: jid,
-- and any of name, participants, is_admin, announce_only, invite_link. members ([{"phone", "lid", "is_admin"}], without
-- the account itself) is optional, but then complete: each becomes a contact, which is no opt-in, and whoever is missing
-- has left.
create function public.whatsapp_group_sync(p_run uuid, p_session uuid, p_epoch bigint, p_group jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  moment constant timestamptz := herald.clock();
  known record;
  member record;
  person uuid;
  people uuid[] := '{}';
  new_ones integer := 0;
  gone integer := 0;
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  insert into public.whatsapp_groups as g
  (organization_id, session_id, group_jid, group_name, participant_count, is_admin, announce_only, invite_link, synced_at)
  select s.organization_id, s.id, p_group ->> 'jid', coalesce(p_group ->> 'name', ''),
    coalesce((p_group ->> 'participants')::integer, 0), coalesce((p_group ->> 'is_admin')::boolean, false),
    coalesce((p_group ->> 'announce_only')::boolean, false), p_group ->> 'invite_link', moment
  from public.whatsapp_sessions as s where s.id = p_session
  on conflict (session_id, group_jid) do update
  set group_name = coalesce(p_group ->> 'name', g.group_name),
    participant_count = coalesce((p_group ->> 'participants')::integer, g.participant_count),
    is_admin = coalesce((p_group ->> 'is_admin')::boolean, g.is_admin),
    announce_only = coalesce((p_group ->> 'announce_only')::boolean, g.announce_only),
    invite_link = coalesce(p_group ->> 'invite_link', g.invite_link), is_active = true, synced_at = moment
  returning g.id, g.organization_id into known;
  if jsonb_typeof(p_group -> 'members') is distinct from 'array' then
    return jsonb_build_object('group_id', known.id);
  end if;
  -- Two syncs of one organisation take turns: each writes many contacts in its own order, so they could deadlock.
  perform pg_advisory_xact_lock(hashtextextended('contacts:' || known.organization_id, 0));
  for member in
    select m.phone, m.lid, coalesce(m.is_admin, false) as is_admin
    from jsonb_to_recordset(p_group -> 'members') as m (phone text, lid text, is_admin boolean)
    where num_nonnulls(m.phone, m.lid) > 0
  loop
    person := herald.contact_of(known.organization_id, member.phone, member.lid);
    if person is null or person = any(people) then
      continue;
    end if;
    people := people || person;
    perform 1 from public.whatsapp_group_members as b
    where b.group_id = known.id and b.contact_id = person and b.left_at is null;
    new_ones := new_ones + case when found then 0 else 1 end;
    insert into public.whatsapp_group_members as b (organization_id, group_id, contact_id, is_admin, joined_at)
    values (known.organization_id, known.id, person, member.is_admin, moment)
    on conflict (group_id, contact_id) do update
    set is_admin = excluded.is_admin, left_at = null,
      joined_at = case when b.left_at is null then b.joined_at else moment end
    where b.is_admin <> excluded.is_admin or b.left_at is not null;
  end loop;
  update public.whatsapp_group_members as b set left_at = moment, is_admin = false
  where b.group_id = known.id and b.left_at is null and b.contact_id <> all(people);
  get diagnostics gone = row_count;
  return jsonb_build_object(
    'group_id', known.id, 'members', cardinality(people), 'joined', new_ones, 'left', gone
  );
end
$$;
comment on function public.whatsapp_group_sync(uuid, uuid, bigint, jsonb) is
'Writes one group as WhatsApp shows it; with its members, contacts and who is in it.';
revoke execute on function public.whatsapp_group_sync(uuid, uuid, bigint, jsonb) from public, anon, authenticated;
grant execute on function public.whatsapp_group_sync(uuid, uuid, bigint, jsonb) to service_role;
