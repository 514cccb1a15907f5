-- Alerts: what needs a person.

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
  acknowledged_at timestamptz
  constraint alert_acknowledged_at_is_a_date check (acknowledged_at at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
  acknowledged_by uuid,
  resolved_at timestamptz
  constraint alert_resolved_at_is_a_date check (resolved_at at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (organization_id, session_id) references public.whatsapp_sessions (organization_id, id) on delete cascade
);
create unique index whatsapp_alerts_open_key on public.whatsapp_alerts (organization_id, session_id, kind) nulls not distinct
where resolved_at is null;
comment on index public.whatsapp_alerts_open_key is
'There is an open alert of this kind for the account already. Leave alerts to Herald: it counts the open one up. (herald:herald-writes-it)';
create index whatsapp_alerts_session_idx on public.whatsapp_alerts (organization_id, session_id);
comment on table public.whatsapp_alerts is
'What needs a person: one open row per kind and account; raised again, it is counted up. organization_id null: the operator''s.';
comment on column public.whatsapp_alerts.details is 'Facts about the case, for a screen or a program.';
comment on column public.whatsapp_alerts.acknowledged_by is 'The user who has seen it.';
comment on constraint whatsapp_alerts_pkey on public.whatsapp_alerts is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint alert_acknowledged_at_is_a_date on public.whatsapp_alerts is
'"acknowledged_at" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
comment on constraint alert_resolved_at_is_a_date on public.whatsapp_alerts is
'"resolved_at" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
comment on constraint alert_details_are_an_object on public.whatsapp_alerts is
'The details of an alert are a JSON object. Leave alerts to Herald: it raises them. (herald:herald-writes-it)';
comment on constraint alert_kind_is_plain on public.whatsapp_alerts is
'An alert''s kind has up to 60 small letters, digits and hyphens. Leave alerts to Herald: it raises them. (herald:herald-writes-it)';
comment on constraint alert_says_what on public.whatsapp_alerts is
'An alert needs a message of up to 1,000 characters. Leave alerts to Herald: it raises them. (herald:herald-writes-it)';
comment on constraint alert_severity_is_known on public.whatsapp_alerts is
'An alert is info, warning or critical. Leave alerts to Herald: it raises them. (herald:herald-writes-it)';
comment on constraint whatsapp_alerts_organization_id_fkey on public.whatsapp_alerts is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
comment on constraint whatsapp_alerts_organization_id_session_id_fkey on public.whatsapp_alerts is
'There is no such WhatsApp account in the organisation. Choose one of its accounts. (herald:account-unknown)';

alter table public.whatsapp_alerts enable row level security;
create policy whatsapp_alerts_select on public.whatsapp_alerts for select to authenticated
using (
  (
    organization_id in (select herald.my_organizations())
    and (session_id is null or session_id not in (select herald.my_hidden_sessions()))
  )
  or (select herald.is_super_admin())
);
create policy whatsapp_alerts_update on public.whatsapp_alerts for update to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_alerts from anon, authenticated, service_role;
grant select on public.whatsapp_alerts to authenticated;
grant update (acknowledged_at, resolved_at) on public.whatsapp_alerts to authenticated;
grant select, insert, update, delete on public.whatsapp_alerts to service_role;
create trigger touch before update on public.whatsapp_alerts for each row execute function herald.touch();
call herald.keep_identity('whatsapp_alerts', '{organization_id, session_id, kind}');

-- herald.alert_acknowledged: the database says who acknowledged an alert, and when.
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

-- herald.raise_alert(organisation, session, kind, severity, message, details): opens an alert, or counts up the open one.
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

-- whatsapp_session_alert(run, session, epoch, kind, message, details): opens an alert of the account or counts up the
-- open one; without a message it resolves the open one. HR002 if another run holds the session.
create function public.whatsapp_session_alert(
  p_run uuid, p_session uuid, p_epoch bigint, p_kind text, p_message text default null, p_details jsonb default '{}'
) returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  organization uuid;
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  select s.organization_id into organization from public.whatsapp_sessions as s where s.id = p_session;
  if p_message is null then
    update public.whatsapp_alerts as a set resolved_at = herald.clock()
    where a.organization_id = organization and a.session_id = p_session and a.kind = p_kind and a.resolved_at is null;
  else
    perform herald.raise_alert(organization, p_session, p_kind, 'critical', p_message, p_details);
  end if;
end
$$;
comment on function public.whatsapp_session_alert(uuid, uuid, bigint, text, text, jsonb) is
'For the worker that holds the account: raise an alert, or resolve it.';
revoke execute on function public.whatsapp_session_alert(uuid, uuid, bigint, text, text, jsonb)
from public, anon, authenticated;
grant execute on function public.whatsapp_session_alert(uuid, uuid, bigint, text, text, jsonb) to service_role;
