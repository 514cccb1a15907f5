-- Who the caller is, for programs that speak for people: the proxy asks it with the user's own JWT.

-- whatsapp_access() → {"super_admin": bool, "organizations": [{"id": uuid, "role": "admin" | "member"}]}. admin is whoever may
-- write there (owners too), however the CRM's adapter tells them. Nobody's answer is empty.
create function public.whatsapp_access() returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object(
    'super_admin', (select herald.is_super_admin()),
    'organizations', coalesce((
      select jsonb_agg(jsonb_build_object('id', o.id, 'role', o.role) order by o.id)
      from (
        select m.id, case when m.id in (select herald.my_admin_organizations()) then 'admin' else 'member' end as role
        from (select distinct herald.my_organizations() as id) as m
      ) as o
    ), '[]'::jsonb)
  )
$$;
comment on function public.whatsapp_access() is
'For programs that speak for a person: whether they are super admin, and their role in each of their organisations.';
revoke execute on function public.whatsapp_access() from public, anon;
grant execute on function public.whatsapp_access() to authenticated, service_role;
