-- One group as WhatsApp shows it, with who is in it: contacts of the organisation, none of whom has thereby opted in.

-- herald.contact_of(organisation, phone, lid) → the contact with this number or LID, made if there is none. What is newly
-- known of them is added. If number and LID stand in two rows the one with the number counts; an opt-out of either is one
-- of both, for it is one person.
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
    -- In a race another call has made the row; a new statement sees it.
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

-- whatsapp_group_sync(run, session, epoch, group) → {"group_id", "members", "joined", "left"}. Writes one group: jid, and what
-- else is given of name, participants, is_admin, announce_only, invite_link. members, if given ([{"phone", "lid",
-- "is_admin"}], without the account itself), is all of them: each is a contact afterwards, who is gone has left.
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
  -- Two syncs of one organisation take turns: each writes many contacts, in orders of their own.
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

revoke execute on function herald.contact_of(uuid, text, text) from public;
revoke execute on function public.whatsapp_group_sync(uuid, uuid, bigint, jsonb) from public, anon, authenticated;
grant execute on function public.whatsapp_group_sync(uuid, uuid, bigint, jsonb) to service_role;
