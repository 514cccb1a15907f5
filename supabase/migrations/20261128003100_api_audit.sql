-- Who did what through the HTTP API: the request's id and the kind of caller stand in the audit.

-- herald.request() → {"request_id", "via"} of the call that is under way; {} if there is none. request_id: the header
-- X-Request-Id, which the worker, the proxy or the CRM's client sends. via: what the worker says of a caller that it speaks
-- for with the secret key (server, operator); of nobody else is it believed.
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

-- herald.audit(organisation, event, session, data): a row by the caller. Nothing for an organisation that is just leaving.
create or replace function herald.audit(p_organization uuid, p_event text, p_session uuid, p_data jsonb) returns void
language sql volatile security definer set search_path = ''
as $$
  insert into public.whatsapp_audit_logs (organization_id, event_type, session_id, event_data)
  select o.id, p_event, p_session, jsonb_strip_nulls(p_data) || herald.request()
  from public.organizations as o where o.id = p_organization
$$;

-- A server of the organisation cancels and retries by its own hand too: it speaks as service_role, while the worker's calls
-- run as the owner of their functions.
drop trigger message_audited on public.scheduled_whatsapp_messages;
create trigger message_audited after update on public.scheduled_whatsapp_messages
for each row when (new.status <> old.status and current_user in ('authenticated', 'service_role'))
execute function herald.message_audited();

-- herald.messages_queued: one row a call and account that queues through the API, with how many and the first twenty ids.
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
create trigger messages_queued after insert on public.scheduled_whatsapp_messages
referencing new table as arrived for each statement
when (current_user in ('authenticated', 'service_role')) execute function herald.messages_queued();

revoke execute on function herald.request(), herald.messages_queued() from public;

-- whatsapp_api_due(organisation) → how many messages' time has come, of one organisation or (null) of all; 10,000 at most.
create function public.whatsapp_api_due(p_organization uuid default null) returns integer
language sql stable security definer set search_path = '' set jit = off
as $$
  select count(*)::integer from (
    select 1
    from public.whatsapp_sessions as s
    cross join lateral (
      select 1 from public.scheduled_whatsapp_messages as m
      where m.session_id = s.id and m.status = 'pending'
        and greatest(m.scheduled_for, m.next_attempt_at) <= herald.clock()
      limit 10000
    ) as due
    where p_organization is null or s.organization_id = p_organization
    limit 10000
  ) as found
$$;
comment on function public.whatsapp_api_due(uuid) is
'For the worker''s API: how many messages are due, of an organisation or of all; it counts to 10,000.';
revoke execute on function public.whatsapp_api_due(uuid) from public, anon, authenticated;
grant execute on function public.whatsapp_api_due(uuid) to service_role;
