-- Who may see a private account, what needs a person, who did what, and where an organisation wants to hear of it.

create table public.whatsapp_session_users (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  session_id uuid not null,
  user_id uuid not null references auth.users (id) on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (session_id, user_id),
  foreign key (organization_id, session_id) references public.whatsapp_sessions (organization_id, id) on delete cascade
);
create index whatsapp_session_users_session_idx on public.whatsapp_session_users (organization_id, session_id);
create index whatsapp_session_users_user_idx on public.whatsapp_session_users (user_id);
comment on table public.whatsapp_session_users is 'Members who may see an account where private_sessions is on.';
call herald.tenant_table('whatsapp_session_users');
grant delete on public.whatsapp_session_users to authenticated;
grant insert (organization_id, session_id, user_id) on public.whatsapp_session_users to authenticated;
drop policy whatsapp_session_users_update on public.whatsapp_session_users;

create table public.whatsapp_alerts (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid references public.organizations (id) on delete cascade,
  session_id uuid,
  kind text not null constraint alert_kind_is_plain check (kind ~ '^[a-z][a-z0-9-]{0,59}$'),
  severity text not null default 'warning'
  constraint alert_severity_is_known check (severity in ('info', 'warning', 'critical')),
  message text not null constraint alert_says_what check (length(message) between 1 and 1000),
  details jsonb not null default '{}' constraint alert_details_are_an_object check (jsonb_typeof(details) = 'object'),
  raised_count integer not null default 1,
  last_raised_at timestamptz not null default herald.clock(),
  acknowledged_at timestamptz,
  acknowledged_by uuid,
  resolved_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (organization_id, session_id) references public.whatsapp_sessions (organization_id, id) on delete cascade
);
create unique index whatsapp_alerts_open_key on public.whatsapp_alerts (organization_id, session_id, kind) nulls not distinct
where resolved_at is null;
create index whatsapp_alerts_session_idx on public.whatsapp_alerts (organization_id, session_id);
comment on table public.whatsapp_alerts is
'What needs a person: one open row a kind and account; raised again it counts. organization_id null: the operator''s.';
call herald.tenant_table('whatsapp_alerts');
drop policy whatsapp_alerts_insert on public.whatsapp_alerts;
drop policy whatsapp_alerts_delete on public.whatsapp_alerts;
grant update (acknowledged_at, resolved_at) on public.whatsapp_alerts to authenticated;

-- herald.alert_acknowledged: who and when are the database's to say.
create function herald.alert_acknowledged() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if (select auth.role()) = 'authenticated' then
    if new.acknowledged_at is distinct from old.acknowledged_at then
      new.acknowledged_at := case when new.acknowledged_at is not null then herald.clock() end;
      new.acknowledged_by := case when new.acknowledged_at is not null then (select auth.uid()) end;
    end if;
    if new.resolved_at is distinct from old.resolved_at then
      new.resolved_at := case when new.resolved_at is not null then herald.clock() end;
    end if;
  end if;
  return new;
end
$$;
revoke execute on function herald.alert_acknowledged() from public;
create trigger alert_acknowledged before update on public.whatsapp_alerts
for each row execute function herald.alert_acknowledged();

-- herald.raise_alert(organisation, session, kind, severity, message, details): a new open alert, or one more of it.
create function herald.raise_alert(
  p_organization uuid, p_session uuid, p_kind text, p_severity text, p_message text, p_details jsonb default '{}'
) returns void
language sql volatile set search_path = ''
as $$
  insert into public.whatsapp_alerts as a (organization_id, session_id, kind, severity, message, details)
  values (p_organization, p_session, p_kind, p_severity, p_message, p_details)
  on conflict (organization_id, session_id, kind) where resolved_at is null do update
  set raised_count = a.raised_count + 1, last_raised_at = herald.clock(), severity = excluded.severity,
    message = excluded.message, details = excluded.details
$$;
revoke execute on function herald.raise_alert(uuid, uuid, text, text, text, jsonb) from public;

create table public.whatsapp_audit_logs (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  actor_id uuid default auth.uid(),
  actor text not null default coalesce(auth.role(), current_user),
  event_type text not null constraint audit_event_type_is_plain check (event_type ~ '^[a-z][a-z0-9_.]{0,79}$'),
  session_id uuid,
  event_data jsonb not null default '{}' constraint audit_event_data_is_an_object check (jsonb_typeof(event_data) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index whatsapp_audit_logs_list_idx on public.whatsapp_audit_logs (organization_id, created_at desc, id);
comment on table public.whatsapp_audit_logs is 'Who did what. Append-only: nobody changes or removes a row, but retention.';
comment on column public.whatsapp_audit_logs.actor is 'The API role, or the database role, that did it; actor_id is the user.';
comment on column public.whatsapp_audit_logs.session_id is 'The account that it was about; kept after the account is gone.';
call herald.tenant_table('whatsapp_audit_logs');
drop policy whatsapp_audit_logs_select on public.whatsapp_audit_logs;
create policy whatsapp_audit_logs_select on public.whatsapp_audit_logs for select to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
drop policy whatsapp_audit_logs_insert on public.whatsapp_audit_logs;
drop policy whatsapp_audit_logs_update on public.whatsapp_audit_logs;
drop policy whatsapp_audit_logs_delete on public.whatsapp_audit_logs;
revoke update, delete on public.whatsapp_audit_logs from service_role;

create table public.whatsapp_webhook_endpoints (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  url text not null constraint endpoint_is_https check (url ~ '^https://[^/[:space:]]+' and length(url) <= 2000),
  description text constraint endpoint_description_is_short check (length(description) <= 500),
  events text[] not null default '{}',
  enabled boolean not null default true,
  failure_count integer not null default 0,
  last_delivery_at timestamptz,
  last_error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, url)
);
comment on table public.whatsapp_webhook_endpoints is 'URLs of the organisation that hear of its events.';
comment on column public.whatsapp_webhook_endpoints.events is 'Kinds of events; empty: all.';
call herald.tenant_table('whatsapp_webhook_endpoints');
drop policy whatsapp_webhook_endpoints_select on public.whatsapp_webhook_endpoints;
create policy whatsapp_webhook_endpoints_select on public.whatsapp_webhook_endpoints for select to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
grant delete on public.whatsapp_webhook_endpoints to authenticated;
grant insert (organization_id, url, description, events, enabled) on public.whatsapp_webhook_endpoints to authenticated;
grant update (url, description, events, enabled) on public.whatsapp_webhook_endpoints to authenticated;
