-- What the worker's HTTP API asks: who calls and for which organisation, whether limits allow it, a message, figures for
-- Prometheus.

-- whatsapp_api_caller(organisation) → what the caller may act for, according to the CRM's adapter: super_admin,
-- organizations [{id, admin}], known: whether the named organisation exists (only super admins and service_role learn
-- it), and user: the identity with which the call arrived, so that the worker notices if something on the way removed a
-- user's token.
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

-- whatsapp_api_take(organisation, limit, wanted) → {"granted": how many requests may pass, "retry_after": seconds until
-- there is room}. A worker takes several at once, to avoid a call per request; what is granted counts as used.
create function public.whatsapp_api_take(p_organization uuid, p_limit integer, p_wanted integer) returns jsonb
language sql volatile security definer set search_path = ''
as $$
  select to_jsonb(t) from herald.take('api', p_organization, p_limit, p_wanted) as t
$$;
comment on function public.whatsapp_api_take(uuid, integer, integer) is
'For the worker''s API: counts requests of an organisation, as many of those wanted as its limit leaves room for.';
revoke execute on function public.whatsapp_api_take(uuid, integer, integer) from public, anon, authenticated;
grant execute on function public.whatsapp_api_take(uuid, integer, integer) to service_role;

-- whatsapp_api_due(organisation) → how many messages are due, of one organisation or (null) of all; 10,000 at most.
create function public.whatsapp_api_due(p_organization uuid default null) returns integer
language sql stable security definer set search_path = '' set jit = off
as $$
  select count(*)::integer from (
    select 1
    from public.whatsapp_sessions as s
    cross join lateral (
      select 1 from herald.due_messages as m where m.session_id = s.id limit 10000
    ) as due
    where p_organization is null or s.organization_id = p_organization
    limit 10000
  ) as found
$$;
comment on function public.whatsapp_api_due(uuid) is
'For the worker''s API: how many messages are due, of an organisation or of all; it counts to 10,000.';
revoke execute on function public.whatsapp_api_due(uuid) from public, anon, authenticated;
grant execute on function public.whatsapp_api_due(uuid) to service_role;

-- whatsapp_api_message(organisation, message) → the row as the caller may see it, with why_not_sent [{rule,
-- explanation, until}]; null: they can see no such message of the organisation. One call, for the worker's API. plpgsql
-- keeps its plan for the connection: row security takes longer to plan than to run.
create function public.whatsapp_api_message(p_organization uuid, p_message uuid) returns jsonb
language plpgsql stable set search_path = '' set jit = off
as $$
begin
  return (
    select to_jsonb(m) || jsonb_build_object('why_not_sent', coalesce((
      select jsonb_agg(to_jsonb(w)) from public.why_not_sent(m.id) as w
    ), '[]'))
    from public.scheduled_whatsapp_messages as m
    where m.id = p_message and m.organization_id = p_organization
  );
end
$$;
comment on function public.whatsapp_api_message(uuid, uuid) is
'For the worker''s API: a message of an organisation as the caller may see it, with why_not_sent, or null.';
revoke execute on function public.whatsapp_api_message(uuid, uuid) from public, anon;
grant execute on function public.whatsapp_api_message(uuid, uuid) to authenticated, service_role;

-- whatsapp_api_figures() → {"queue": {state: messages}, "accounts": {status: accounts}, "oldest": {"": seconds}} for
-- Prometheus. Nothing in it names an organisation.
create function public.whatsapp_api_figures() returns jsonb
language sql stable security definer set search_path = '' set jit = off
as $$
  select jsonb_build_object(
    'queue', jsonb_build_object(
      'pending', coalesce(sum(q.pending), 0), 'due', coalesce(sum(q.due), 0), 'sending', coalesce(sum(q.sending), 0),
      'stuck', coalesce(sum(q.stuck), 0), 'in_doubt', coalesce(sum(q.in_doubt), 0)
    ),
    'oldest', jsonb_build_object('', coalesce(extract(epoch from herald.clock()
      - min(greatest(q.oldest_due_at, herald.clock() - interval '10 years'))), 0)),
    'accounts', (
      select coalesce(jsonb_object_agg(s.status, s.many), '{}')
      from (select a.status, count(*) as many from public.whatsapp_sessions as a group by a.status) as s
    )
  )
  from herald.queue_overview() as q
$$;
comment on function public.whatsapp_api_figures() is
'For the worker''s metrics: open messages by state and accounts by status, over all organisations.';
revoke execute on function public.whatsapp_api_figures() from public, anon, authenticated;
grant execute on function public.whatsapp_api_figures() to service_role;
