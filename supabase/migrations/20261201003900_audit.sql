-- The audit: who did what. One row per action of a person, and per event that matters whoever caused it. No texts; only
-- the last two digits of numbers and the host of URLs. The worker's routine (claims, settles, receipts, health) costs
-- only WHEN clauses that are false.

-- == append-only ==

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
comment on column public.whatsapp_audit_logs.actor_id is 'The user who did it; null: a server or a rule.';
comment on column public.whatsapp_audit_logs.actor is 'The API role, or the database role, that did it; actor_id is the user.';
comment on column public.whatsapp_audit_logs.session_id is 'The account that it was about; kept after the account is gone.';
comment on column public.whatsapp_audit_logs.event_data is 'What was done, without message bodies and secrets.';
comment on constraint whatsapp_audit_logs_pkey on public.whatsapp_audit_logs is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint audit_event_data_is_an_object on public.whatsapp_audit_logs is
'The data of an audit row are a JSON object. Leave the audit to Herald: it writes it. (herald:herald-writes-it)';
comment on constraint audit_event_type_is_plain on public.whatsapp_audit_logs is
'An audit event''s type is in small letters, like session.created. Leave the audit to Herald: it writes it. (herald:herald-writes-it)';
comment on constraint whatsapp_audit_logs_organization_id_fkey on public.whatsapp_audit_logs is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';

alter table public.whatsapp_audit_logs enable row level security;
create policy whatsapp_audit_logs_select on public.whatsapp_audit_logs for select to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_audit_logs from anon, authenticated, service_role;
grant select on public.whatsapp_audit_logs to authenticated;
grant select, insert on public.whatsapp_audit_logs to service_role;
create trigger touch before update on public.whatsapp_audit_logs for each row execute function herald.touch();

-- herald.audit_kept: nobody can change a row. A row can be removed once it is older than four times log_retention_days,
-- or with its organisation.
create function herald.audit_kept() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    if not exists (
      select 1 from public.organizations as o
      left join public.workshop_automation_config as c on c.organization_id = o.id
      where o.id = old.organization_id
        and old.created_at >= herald.clock() - make_interval(days => 4 * coalesce(c.log_retention_days, 90))
    ) then
      return old;
    end if;
  end if;
  raise exception 'The audit is append-only: its rows are neither changed nor removed.'
    using errcode = '42501', hint = 'Retention removes them after four times log_retention_days.',
    detail = 'herald:audit-append-only';
end
$$;
revoke execute on function herald.audit_kept() from public;
create trigger audit_kept before update or delete on public.whatsapp_audit_logs
for each row execute function herald.audit_kept();
create trigger audit_not_emptied before truncate on public.whatsapp_audit_logs
for each statement execute function herald.audit_kept();

-- == writing a row ==

-- herald.request() → {"request_id", "via"} of the current call; {} if there is none. request_id: the header
-- X-Request-Id, which the worker, the proxy or the CRM's client sends. via: on whose behalf the worker uses the secret
-- key (server, operator); trusted from the worker only.
create function herald.request() returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  headers json;
  id text;
begin
  headers := nullif(current_setting('request.headers', true), '')::json;
  id := headers ->> 'x-request-id';
  return jsonb_strip_nulls(jsonb_build_object(
    'request_id', case when id ~ '^[A-Za-z0-9._-]{8,64}$' then id end,
    'via', case
      when (select auth.role()) = 'service_role' and headers ->> 'x-herald-caller' in ('server', 'operator')
        then headers ->> 'x-herald-caller'
    end
  ));
exception when invalid_text_representation then
  return jsonb_build_object();
end
$$;
revoke execute on function herald.request() from public;

-- herald.audit(organisation, event, session, data): writes a row with the caller as actor. Writes nothing for an
-- organisation that is being deleted.
create function herald.audit(p_organization uuid, p_event text, p_session uuid, p_data jsonb) returns void
language sql volatile security definer set search_path = ''
as $$
  insert into public.whatsapp_audit_logs (organization_id, event_type, session_id, event_data)
  select o.id, p_event, p_session, jsonb_strip_nulls(p_data) || herald.request()
  from public.organizations as o where o.id = p_organization
$$;
revoke execute on function herald.audit(uuid, text, uuid, jsonb) from public;

-- herald.number_end(phone) → '…67'.
create function herald.number_end(p_phone text) returns text
language sql immutable set search_path = ''
as $$ select '…' || right(p_phone, 2) $$;
revoke execute on function herald.number_end(text) from public;

-- == accounts ==

create function herald.session_audited() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    perform herald.audit(new.organization_id, 'session.created', new.id, jsonb_build_object('provider', new.provider));
    return null;
  elsif tg_op = 'DELETE' then
    perform herald.audit(old.organization_id, 'session.deleted', old.id, jsonb_build_object(
      'provider', old.provider, 'phone', herald.number_end(old.phone_number)
    ));
    return null;
  end if;
  if new.desired_state <> old.desired_state then
    perform herald.audit(new.organization_id, 'session.wish_changed', new.id, jsonb_build_object(
      'from', old.desired_state, 'to', new.desired_state
    ));
  end if;
  if new.enabled <> old.enabled then
    perform herald.audit(
      new.organization_id, case when new.enabled then 'session.enabled' else 'session.disabled' end, new.id, '{}'
    );
  end if;
  if new.owner_id is distinct from old.owner_id then
    perform herald.audit(new.organization_id, 'session.owner_changed', new.id, jsonb_build_object(
      'from', old.owner_id, 'to', new.owner_id
    ));
  end if;
  if new.paused_until is distinct from old.paused_until then
    perform herald.audit(
      new.organization_id, case when new.paused_until is null then 'session.resumed' else 'session.paused' end, new.id,
      jsonb_build_object('until', new.paused_until)
    );
  end if;
  if (new.daily_limit, new.per_group_per_minute, new.min_gap_ms, new.warmup_days, new.warmup_started_at)
    is distinct from
    (old.daily_limit, old.per_group_per_minute, old.min_gap_ms, old.warmup_days, old.warmup_started_at) then
    perform herald.audit(new.organization_id, 'session.limits_changed', new.id, (
      select jsonb_object_agg(n.key, jsonb_build_object('from', to_jsonb(old) -> n.key, 'to', n.value))
      from jsonb_each(to_jsonb(new)) as n
      where n.key in ('daily_limit', 'per_group_per_minute', 'min_gap_ms', 'warmup_days', 'warmup_started_at')
        and n.value is distinct from to_jsonb(old) -> n.key
    ));
  end if;
  return null;
end
$$;
revoke execute on function herald.session_audited() from public;
create trigger session_audited after insert or delete on public.whatsapp_sessions
for each row execute function herald.session_audited();
create trigger session_change_audited after update on public.whatsapp_sessions
for each row when (
  new.desired_state <> old.desired_state or new.enabled <> old.enabled or new.owner_id is distinct from old.owner_id
  or new.paused_until is distinct from old.paused_until or new.daily_limit <> old.daily_limit
  or new.per_group_per_minute <> old.per_group_per_minute or new.min_gap_ms <> old.min_gap_ms
  or new.warmup_days <> old.warmup_days or new.warmup_started_at is distinct from old.warmup_started_at
) execute function herald.session_audited();

create function herald.session_user_audited() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    perform herald.audit(
      new.organization_id, 'session.user_added', new.session_id, jsonb_build_object('user_id', new.user_id)
    );
  else
    perform herald.audit(
      old.organization_id, 'session.user_removed', old.session_id, jsonb_build_object('user_id', old.user_id)
    );
  end if;
  return null;
end
$$;
revoke execute on function herald.session_user_audited() from public;
create trigger session_user_audited after insert or delete on public.whatsapp_session_users
for each row execute function herald.session_user_audited();

-- == settings, endpoints, campaigns ==

create function herald.config_audited() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform herald.audit(new.organization_id, 'config.changed', null, (
    select jsonb_build_object('keys', jsonb_agg(n.key order by n.key))
    from jsonb_each(to_jsonb(new)) as n
    where n.key <> 'updated_at' and n.value is distinct from to_jsonb(old) -> n.key
  ));
  return null;
end
$$;
revoke execute on function herald.config_audited() from public;
create trigger config_audited after update on public.workshop_automation_config
for each row when (
  to_jsonb(new) - 'updated_at' is distinct from to_jsonb(old) - 'updated_at'
) execute function herald.config_audited();

create function herald.endpoint_audited() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  endpoint public.whatsapp_webhook_endpoints := case when tg_op = 'DELETE' then old else new end;
begin
  perform herald.audit(
    endpoint.organization_id,
    case tg_op when 'INSERT' then 'endpoint.created' when 'DELETE' then 'endpoint.deleted' else 'endpoint.changed' end,
    null,
    jsonb_build_object(
      'endpoint_id', endpoint.id, 'host', substring(endpoint.url from '^https://([^/?#:]+)'), 'enabled', endpoint.enabled
    )
  );
  return null;
end
$$;
revoke execute on function herald.endpoint_audited() from public;
create trigger endpoint_audited after insert or delete on public.whatsapp_webhook_endpoints
for each row execute function herald.endpoint_audited();
create trigger endpoint_change_audited after update on public.whatsapp_webhook_endpoints
for each row when (
  new.url <> old.url or new.events <> old.events or new.enabled <> old.enabled
) execute function herald.endpoint_audited();

create function herald.campaign_audited() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform herald.audit(new.organization_id, 'campaign.state_changed', null, jsonb_build_object(
    'campaign_id', new.id, 'from', old.state, 'to', new.state
  ));
  return null;
end
$$;
revoke execute on function herald.campaign_audited() from public;
create trigger campaign_audited after update on public.whatsapp_campaigns
for each row when (new.state <> old.state) execute function herald.campaign_audited();

-- == messages: what a person does to a single one ==

-- herald.message_audited: what a person does to one message. A server of the organisation may cancel and retry too: its
-- role is service_role, while the worker's calls run as the owner of their functions.
create function herald.message_audited() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform herald.audit(
    new.organization_id,
    case when new.status = 'cancelled' then 'message.cancelled'
      when new.status = 'pending' then 'message.retried' else 'message.settled' end,
    new.session_id,
    jsonb_build_object(
      'message_id', new.id, 'from', old.status, 'to', new.status, 'phone', herald.number_end(new.recipient_phone),
      'group_id', new.group_id, 'contact_id', new.contact_id
    )
  );
  return null;
end
$$;
revoke execute on function herald.message_audited() from public;
create trigger message_audited after update on public.scheduled_whatsapp_messages
for each row when (new.status <> old.status and current_user in ('authenticated', 'service_role'))
execute function herald.message_audited();

-- herald.messages_queued: one row per call and account that queues through the API, with how many and the first twenty
-- ids.
create function herald.messages_queued() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  request constant jsonb := herald.request();
begin
  if request ? 'request_id' then
    perform herald.audit(q.organization_id, 'message.queued', q.session_id, jsonb_build_object(
      'count', q.many, 'message_ids', to_jsonb(q.ids[1:20])
    ))
    from (
      select n.organization_id, n.session_id, count(*) as many, array_agg(n.id order by n.id) as ids
      from arrived as n group by n.organization_id, n.session_id
    ) as q;
  end if;
  return null;
end
$$;
revoke execute on function herald.messages_queued() from public;
create trigger messages_queued after insert on public.scheduled_whatsapp_messages
referencing new table as arrived for each statement
when (current_user in ('authenticated', 'service_role')) execute function herald.messages_queued();

-- == people and workshops ==

create function herald.contact_audited() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  who jsonb := jsonb_build_object('contact_id', new.id, 'phone', herald.number_end(new.phone));
begin
  if new.opted_out_at is not null and (tg_op = 'INSERT' or old.opted_out_at is null) then
    perform herald.audit(new.organization_id, 'contact.opted_out', null, who || jsonb_build_object(
      'source', new.opt_out_source
    ));
  elsif tg_op = 'UPDATE' and new.opted_out_at is null and old.opted_out_at is not null then
    perform herald.audit(new.organization_id, 'contact.opt_out_taken_back', null, who || jsonb_build_object(
      'source', old.opt_out_source
    ));
  end if;
  if tg_op = 'UPDATE' and new.opted_in_at is distinct from old.opted_in_at then
    perform herald.audit(
      new.organization_id, case when new.opted_in_at is null then 'contact.opt_in_withdrawn' else 'contact.opted_in' end,
      null, who || jsonb_build_object('source', new.opt_in_source)
    );
  end if;
  return null;
end
$$;
revoke execute on function herald.contact_audited() from public;
create trigger contact_audited after update on public.whatsapp_contacts
for each row when (
  new.opted_out_at is distinct from old.opted_out_at or new.opted_in_at is distinct from old.opted_in_at
) execute function herald.contact_audited();
-- New contacts that are already opted in get no row: they are imported by the thousand, and the contact says when and how.
create trigger contact_out_audited after insert on public.whatsapp_contacts
for each row when (new.opted_out_at is not null) execute function herald.contact_audited();

create function herald.workshop_link_audited() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform herald.audit(
    new.organization_id,
    case when new.whatsapp_group_id is null then 'workshop.unlinked' else 'workshop.linked' end,
    null,
    jsonb_build_object('workshop_id', new.id, 'group_id', new.whatsapp_group_id, 'from', case
      when tg_op = 'UPDATE' then old.whatsapp_group_id
    end)
  );
  return null;
end
$$;
revoke execute on function herald.workshop_link_audited() from public;
create trigger whatsapp_link_audited after update of whatsapp_group_id on public.workshops
for each row when (new.whatsapp_group_id is distinct from old.whatsapp_group_id)
execute function herald.workshop_link_audited();
create trigger whatsapp_new_link_audited after insert on public.workshops
for each row when (new.whatsapp_group_id is not null) execute function herald.workshop_link_audited();
