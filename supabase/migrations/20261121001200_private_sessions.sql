-- Members see an account's groups, messages and conversations unless the organisation keeps its accounts private.

-- herald.my_hidden_sessions() → accounts that the caller, a member, may not see: private, and neither theirs nor assigned
-- to them. Mostly empty, so that policies ask for what is hidden instead of what is seen.
create function herald.my_hidden_sessions() returns setof uuid
language sql stable security definer set search_path = ''
as $$
  select s.id
  from public.workshop_automation_config as c
  join public.whatsapp_sessions as s on s.organization_id = c.organization_id
  where c.private_sessions
    and c.organization_id in (select herald.my_organizations())
    and c.organization_id not in (select herald.my_admin_organizations())
    and not (select herald.is_super_admin())
    and s.owner_id is distinct from (select auth.uid())
    and not exists (
      select 1 from public.whatsapp_session_users as u where u.session_id = s.id and u.user_id = (select auth.uid())
    )
$$;
revoke execute on function herald.my_hidden_sessions() from public;
grant execute on function herald.my_hidden_sessions() to authenticated, service_role;

do $$
declare
  item record;
begin
  for item in
    select * from (values
      ('whatsapp_groups', 'whatsapp_groups_select'),
      ('scheduled_whatsapp_messages', 'messages_select'),
      ('whatsapp_delivery_logs', 'whatsapp_delivery_logs_select'),
      ('whatsapp_conversations', 'whatsapp_conversations_select'),
      ('whatsapp_messages', 'whatsapp_messages_select'),
      ('whatsapp_campaign_sessions', 'whatsapp_campaign_sessions_select'),
      ('whatsapp_cloud_accounts', 'whatsapp_cloud_accounts_select'),
      ('whatsapp_alerts', 'whatsapp_alerts_select')
    ) as t (name, policy)
  loop
    execute format('drop policy %I on public.%I', item.policy, item.name);
    execute format(
      'create policy %I on public.%I for select to authenticated using ('
      || '(organization_id in (select herald.my_organizations())'
      || ' and (session_id is null or session_id not in (select herald.my_hidden_sessions())))'
      || ' or (select herald.is_super_admin()))',
      item.policy, item.name
    );
  end loop;
end
$$;

-- Who sees the group sees its members.
drop policy whatsapp_group_members_select on public.whatsapp_group_members;
create policy whatsapp_group_members_select on public.whatsapp_group_members for select to authenticated
using (exists (
  select 1 from public.whatsapp_groups as g where g.id = whatsapp_group_members.group_id
));

drop policy whatsapp_session_users_select on public.whatsapp_session_users;
create policy whatsapp_session_users_select on public.whatsapp_session_users for select to authenticated
using (
  user_id = (select auth.uid())
  or organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin())
);

-- What a member may see of a session: all but the keys to it.
drop view public.whatsapp_session_overview;
drop function herald.session_overview();
create function herald.session_overview()
returns table (
  id uuid, organization_id uuid, provider text, enabled boolean, owner_id uuid, phone_number text, display_name text,
  status text, desired_state text, connected_at timestamptz, last_connected_at timestamptz,
  last_disconnected_at timestamptz, last_active_at timestamptz, last_error text, paused_until timestamptz,
  pause_reason text, daily_limit integer, health_score smallint, health_reasons text[], warmup_started_at timestamptz
)
language sql stable security definer set search_path = ''
as $$
  select s.id, s.organization_id, s.provider, s.enabled, s.owner_id, s.phone_number, s.display_name,
    s.status, s.desired_state, s.connected_at, s.last_connected_at,
    s.last_disconnected_at, s.last_active_at, s.last_error, s.paused_until,
    s.pause_reason, s.daily_limit, s.health_score, s.health_reasons, s.warmup_started_at
  from public.whatsapp_sessions as s
  where (
      s.organization_id in (select herald.my_organizations())
      and s.id not in (select herald.my_hidden_sessions())
    )
    or (select herald.is_super_admin()) or coalesce((select auth.role()), '') <> 'authenticated'
$$;
revoke execute on function herald.session_overview() from public;
grant execute on function herald.session_overview() to authenticated, service_role;
create view public.whatsapp_session_overview with (security_invoker = true) as
select * from herald.session_overview();
comment on view public.whatsapp_session_overview is
'Sessions as members see them: without QR and pairing code, and without accounts that are private to others.';
revoke all on public.whatsapp_session_overview from anon, authenticated;
grant select on public.whatsapp_session_overview to authenticated, service_role;
