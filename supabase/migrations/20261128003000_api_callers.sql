-- What the worker's HTTP API asks before it does anything: who calls, for which organisation, and is there room?

-- whatsapp_api_caller(organisation) → what the caller may act for, as the CRM's adapter has it: super_admin, organizations
-- [{id, admin}], known: whether the organisation that was named exists (told to super admins and service_role only); and
-- user: as whom the call arrived, so that the worker notices if something on the way took a user's token off.
create function public.whatsapp_api_caller(p_organization uuid default null) returns jsonb
language sql stable security definer set search_path = ''
as $$
  select jsonb_build_object(
    'user', (select auth.uid()),
    'super_admin', s.super_admin,
    'organizations', coalesce((
      select jsonb_agg(jsonb_build_object('id', m.id, 'admin', m.id in (select herald.my_admin_organizations())))
      from (select distinct o as id from herald.my_organizations() as o) as m
    ), '[]'),
    'known', case
      when s.super_admin or coalesce((select auth.role()), '') <> 'authenticated'
        then exists (select 1 from public.organizations as o where o.id = p_organization)
      else false
    end
  )
  from (select herald.is_super_admin() as super_admin) as s
$$;
comment on function public.whatsapp_api_caller(uuid) is
'For the worker''s API: the organisations that the caller may act for, and as what.';
revoke execute on function public.whatsapp_api_caller(uuid) from public, anon;
grant execute on function public.whatsapp_api_caller(uuid) to authenticated, service_role;

-- == limits ==
insert into herald.limit_windows (rule, span, width) values ('api', '1 minute', '5 seconds');

-- whatsapp_api_take(organisation, limit, wanted) → {"granted": how many requests may pass, "retry_after": seconds until
-- there is room}. A worker takes a few at a time, so that it need not ask for each request; what is granted is counted.
create function public.whatsapp_api_take(p_organization uuid, p_limit integer, p_wanted integer) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  granted integer;
begin
  perform pg_advisory_xact_lock(hashtextextended('api:' || p_organization, 0));
  granted := greatest(least(p_wanted, p_limit - herald.used('api', p_organization)), 0);
  if granted = 0 then
    return jsonb_build_object('granted', 0, 'retry_after', greatest(extract(epoch from
      coalesce(herald.room_at('api', p_organization, p_limit), herald.clock() + interval '1 minute') - herald.clock()
    ), 0.001));
  end if;
  insert into herald.send_counts as c (rule, subject, bucket, sent)
  values ('api', p_organization, herald.bucket('api', herald.clock()), granted)
  on conflict (rule, subject, bucket) do update set sent = c.sent + excluded.sent;
  return jsonb_build_object('granted', granted, 'retry_after', 0);
end
$$;
comment on function public.whatsapp_api_take(uuid, integer, integer) is
'For the worker''s API: counts requests of an organisation, as many of those wanted as its limit leaves room for.';
revoke execute on function public.whatsapp_api_take(uuid, integer, integer) from public, anon, authenticated;
grant execute on function public.whatsapp_api_take(uuid, integer, integer) to service_role;
