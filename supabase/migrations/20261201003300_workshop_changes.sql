-- What triggers the schedule: changes of workshops, settings, templates, messages and groups, each in the transaction
-- that makes the change.

-- == workshops ==

create function herald.workshop_changed() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
begin
  -- Herald ignores a workshop that is older than its installation until it is linked.
  if coalesce(current_setting('herald.syncing', true), '') <> new.id::text
    and (
      tg_op = 'INSERT' or new.whatsapp_group_id is not null
      or exists (select 1 from herald.workshop_links as l where l.workshop_id = new.id)
    ) then
    perform herald.sync_workshop(new.id, p_anyway => false);
  end if;
  return null;
end
$$;
revoke execute on function herald.workshop_changed() from public;
create trigger whatsapp_workshop_changed after insert or update on public.workshops
for each row execute function herald.workshop_changed();

create function herald.workshop_gone() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
  link herald.workshop_links;
begin
  if not exists (select 1 from public.organizations as o where o.id = old.organization_id) then
    return null;
  end if;
  -- workshop_id is cleared too: a message of this same transaction can't be written while it names a deleted workshop.
  update public.scheduled_whatsapp_messages as m
  set status = 'cancelled', error_code = 'withdrawn', error_message = 'Its workshop was deleted.', workshop_id = null
  where m.organization_id = old.organization_id and m.workshop_id = old.id and m.status = 'pending';
  update public.scheduled_whatsapp_messages as m
  set expires_at = greatest(herald.clock(), m.scheduled_for + interval '1 microsecond'), workshop_id = null
  where m.organization_id = old.organization_id and m.workshop_id = old.id and m.status in ('sending', 'in_doubt');
  delete from herald.workshop_links as l where l.workshop_id = old.id returning * into link;
  if link.group_id is not null then
    perform herald.refresh_groups(array[link.group_id]);
  end if;
  perform herald.tell_problem(old.id, old.organization_id, null, null);
  return null;
end
$$;
revoke execute on function herald.workshop_gone() from public;
-- Row triggers fire in the order of their names. "A_" comes before the foreign keys' "RI_", which would clear the
-- messages' workshop_id.
create trigger "A_whatsapp_workshop_gone" after delete on public.workshops
for each row execute function herald.workshop_gone();

create function herald.workshop_stays() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if exists (select 1 from herald.workshop_links as l where l.workshop_id = old.id) then
    raise exception 'A workshop can''t move to another organisation.'
      using errcode = '23514', hint = 'Make a new workshop there and delete this one.',
      detail = 'herald:workshop-moves';
  end if;
  return new;
end
$$;
revoke execute on function herald.workshop_stays() from public;
create trigger whatsapp_workshop_stays before update of organization_id on public.workshops
for each row when (new.organization_id is distinct from old.organization_id) execute function herald.workshop_stays();

-- == settings and templates ==

-- herald.sync_organization(organisation, linked only): syncs each of its workshops that can still have future messages:
-- the schedule reaches 30 days beyond the start, lateness 7 more.
create function herald.sync_organization(p_organization uuid, p_linked_only boolean) returns void
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  workshop uuid;
begin
  for workshop in
    select l.workshop_id from herald.workshop_links as l
    where l.organization_id = p_organization and (l.group_id is not null or not p_linked_only)
      and coalesce(l.starts_at, 'infinity') > herald.clock() - interval '45 days'
    order by l.workshop_id
  loop
    perform herald.sync_workshop(workshop);
  end loop;
end
$$;
revoke execute on function herald.sync_organization(uuid, boolean) from public;

create function herald.schedule_configured() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
begin
  if tg_op <> 'UPDATE' or (
    new.auto_schedule_messages, new.default_workshop_time, new.timezone, new.message_schedule
  ) is distinct from (
    old.auto_schedule_messages, old.default_workshop_time, old.timezone, old.message_schedule
  ) then
    perform herald.sync_organization(coalesce(new.organization_id, old.organization_id), false);
  end if;
  return null;
end
$$;
revoke execute on function herald.schedule_configured() from public;
create trigger whatsapp_schedule_configured after insert or update or delete on public.workshop_automation_config
for each row execute function herald.schedule_configured();

create function herald.template_changed() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
  organization uuid;
begin
  for organization in
    select c.organization_id from public.workshop_automation_config as c
    where (
      tg_op = 'INSERT' and coalesce(new.organization_id, c.organization_id) = c.organization_id
      or tg_op = 'DELETE' and coalesce(old.organization_id, c.organization_id) = c.organization_id
      or tg_op = 'UPDATE'
      and c.organization_id
      in (coalesce(new.organization_id, c.organization_id), coalesce(old.organization_id, c.organization_id))
    ) and exists (
      select 1 from jsonb_each(c.message_schedule) as s
      where coalesce(s.value ->> 'template', s.key) in (new.name, old.name)
    )
    order by c.organization_id
  loop
    perform herald.sync_organization(organization, true);
  end loop;
  return null;
end
$$;
revoke execute on function herald.template_changed() from public;
create trigger whatsapp_template_made after insert or delete on public.whatsapp_message_templates
for each row execute function herald.template_changed();
create trigger whatsapp_template_changed after update on public.whatsapp_message_templates
for each row when (
  (new.organization_id, new.name, new.content, new.media_url, new.language, new.is_default, new.is_active)
  is distinct from
  (old.organization_id, old.name, old.content, old.media_url, old.language, old.is_default, old.is_active)
) execute function herald.template_changed();

-- == messages and groups ==

-- A message that comes back to the queue may have missed a change of its workshop while it was in flight. A settle must
-- not wait for a CRM's transaction: a workshop that is being changed is left to herald.refresh_group_workshops.
create function herald.workshop_message_returned() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
begin
  if coalesce(current_setting('herald.syncing', true), '') <> new.workshop_id::text
    and exists (select 1 from herald.workshop_messages as k where k.message_id = new.id and k.stale) then
    perform herald.sync_workshop(new.workshop_id, false);
  end if;
  return null;
end
$$;
revoke execute on function herald.workshop_message_returned() from public;
create trigger workshop_message_returned after update of status on public.scheduled_whatsapp_messages
for each row when (new.status = 'pending' and old.status <> 'pending' and new.workshop_id is not null)
execute function herald.workshop_message_returned();

create function herald.group_kept() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if exists (select 1 from public.organizations as o where o.id = old.organization_id)
    and exists (
      select 1 from public.scheduled_whatsapp_messages as m
      where m.organization_id = old.organization_id and m.session_id = old.session_id and m.group_id = old.id
    ) then
    raise exception 'This group has messages and can''t be deleted.'
      using errcode = '23503', hint = 'Set is_active to false instead; its messages stay readable.',
      detail = 'herald:group-has-messages';
  end if;
  return old;
end
$$;
revoke execute on function herald.group_kept() from public;
create trigger group_kept before delete on public.whatsapp_groups for each row execute function herald.group_kept();

-- herald.refresh_group_workshops() → how many groups got another workshop because time has passed. Part of housekeeping.
-- The choice changes when a linked workshop begins or ends, so it looks only at groups with one that began in the last
-- 30 days. Also brings up to date the messages that came back to the queue while their workshop was being changed.
create function herald.refresh_group_workshops() returns integer
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  many integer;
  workshop uuid;
begin
  for workshop in
    select distinct k.workshop_id from herald.workshop_messages as k
    join public.scheduled_whatsapp_messages as m on m.id = k.message_id and m.status = 'pending'
    where k.stale
  loop
    perform herald.sync_workshop(workshop, false);
  end loop;
  update public.whatsapp_groups as g set workshop_id = c.workshop_id
  from (
    select b.group_id, herald.group_workshop(b.group_id) as workshop_id
    from (
      select distinct l.group_id from herald.workshop_links as l
      where l.group_id is not null
        and l.starts_at > herald.clock() - interval '30 days' and l.starts_at <= herald.clock()
    ) as b
  ) as c
  where g.id = c.group_id and g.workshop_id is distinct from c.workshop_id;
  get diagnostics many = row_count;
  return many;
end
$$;
revoke execute on function herald.refresh_group_workshops() from public;
