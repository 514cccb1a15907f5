-- THE adapter: all that Herald must know of the CRM besides the ids of its organisations and workshops. If your CRM
-- keeps people, dates or attendees in other tables, edit the bodies here and no other file (docs/connect-a-crm.md).
-- Names, arguments and result columns stay. search_path is empty: name every table with its schema.
-- These bodies fit a fresh project. On a CRM without these columns they don't compile, so you can't forget to edit them.

-- == people: who the caller (auth.uid()) is; row policies ask these for every statement ==

-- herald.is_super_admin() → may the caller see and do everything?
create or replace function herald.is_super_admin() returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select 1 from public.profiles as p where p.id = (select auth.uid()) and p.role = 'super_admin'
  )
$$;

-- herald.my_organizations() → where the caller is anything at all.
create or replace function herald.my_organizations() returns setof uuid
language sql stable security definer set search_path = ''
as $$
  select p.organization_id from public.profiles as p
  where p.id = (select auth.uid()) and p.organization_id is not null
$$;

-- herald.my_admin_organizations() → where the caller may write.
create or replace function herald.my_admin_organizations() returns setof uuid
language sql stable security definer set search_path = ''
as $$
  select p.organization_id from public.profiles as p
  where p.id = (select auth.uid()) and p.organization_id is not null and p.role in ('owner', 'admin')
$$;

-- == workshops ==

-- herald.workshop_facts(workshop) → one row. starts_at is an instant; if it is null, or there is no row, the workshop
-- has no date or is cancelled, and nothing is sent for it. timezone: an IANA name; null takes the organisation's.
create or replace function herald.workshop_facts(p_workshop uuid)
returns table (workshop_id uuid, organization_id uuid, title text, starts_at timestamptz, timezone text)
language sql stable security definer set search_path = ''
as $$
  select w.id, w.organization_id, w.title, w.starts_at, w.timezone
  from public.workshops as w where w.id = p_workshop
$$;

-- herald.workshop_variables(workshop) → an object of values for {{placeholders}} in templates, in addition to those
-- that Herald provides.
create or replace function herald.workshop_variables(p_workshop uuid) returns jsonb
language sql stable security definer set search_path = ''
as $$ select '{}'::jsonb $$;

-- herald.workshop_attendees(workshop) → who gets messages about it. phone: E.164. attributes: an object; a task's
-- recipient_filter matches those that contain it (@>).
create or replace function herald.workshop_attendees(p_workshop uuid)
returns table (phone text, name text, attributes jsonb)
language sql stable security definer set search_path = ''
as $$
  select a.phone, a.name, a.attributes || jsonb_build_object('status', a.status)
  from public.workshop_attendees as a
  where a.workshop_id = p_workshop and a.status <> 'cancelled'
$$;

-- == not to be edited: users may call the functions that say who they are, only Herald's functions the rest ==
revoke execute on function
  herald.is_super_admin(), herald.my_organizations(), herald.my_admin_organizations(),
  herald.workshop_facts(uuid), herald.workshop_variables(uuid), herald.workshop_attendees(uuid)
from public;
grant execute on function
  herald.is_super_admin(), herald.my_organizations(), herald.my_admin_organizations()
to authenticated, service_role;
