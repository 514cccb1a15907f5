-- THE adapter: what Herald must know about the CRM, as a few functions. A CRM that keeps roles elsewhere (say, in a
-- user_roles table) edits the bodies here and nothing else.

create schema if not exists herald;
comment on schema herald is 'Private to Herald: never exposed through the API, never published.';
revoke all on schema herald from public;
grant usage on schema herald to authenticated, service_role;

-- herald.clock() → the one clock of every rule. Tests replace it to move time.
create function herald.clock() returns timestamptz
language sql stable set search_path = ''
as $$ select now() $$;

-- herald.is_super_admin() → may the caller see and do everything?
create function herald.is_super_admin() returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select 1 from public.profiles as p where p.id = (select auth.uid()) and p.role = 'super_admin'
  )
$$;

-- herald.my_organizations() → where the caller is anything at all.
create function herald.my_organizations() returns setof uuid
language sql stable security definer set search_path = ''
as $$
  select p.organization_id from public.profiles as p
  where p.id = (select auth.uid()) and p.organization_id is not null
$$;

-- herald.my_admin_organizations() → where the caller may write.
create function herald.my_admin_organizations() returns setof uuid
language sql stable security definer set search_path = ''
as $$
  select p.organization_id from public.profiles as p
  where p.id = (select auth.uid()) and p.organization_id is not null and p.role in ('owner', 'admin')
$$;

revoke execute on all functions in schema herald from public;
grant execute on function
  herald.clock(), herald.is_super_admin(), herald.my_organizations(), herald.my_admin_organizations()
to authenticated, service_role;

-- Policies for the baseline tables, where the CRM has none of its own.
do $$
begin
  if not exists (select 1 from pg_policies where schemaname = 'public' and tablename = 'organizations') then
    create policy organizations_select on public.organizations for select to authenticated
      using (id in (select herald.my_organizations()) or (select herald.is_super_admin()));
  end if;
  if not exists (select 1 from pg_policies where schemaname = 'public' and tablename = 'profiles') then
    create policy profiles_select on public.profiles for select to authenticated
      using (id = (select auth.uid()) or organization_id in (select herald.my_organizations())
             or (select herald.is_super_admin()));
  end if;
  if not exists (select 1 from pg_policies where schemaname = 'public' and tablename = 'workshops') then
    create policy workshops_select on public.workshops for select to authenticated
      using (organization_id in (select herald.my_organizations()) or (select herald.is_super_admin()));
    create policy workshops_insert on public.workshops for insert to authenticated
      with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
    create policy workshops_update on public.workshops for update to authenticated
      using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
      with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
    create policy workshops_delete on public.workshops for delete to authenticated
      using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
  end if;
end
$$;

-- herald.touch() keeps updated_at true.
create function herald.touch() returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.updated_at := herald.clock();
  return new;
end
$$;
revoke execute on function herald.touch() from public;
