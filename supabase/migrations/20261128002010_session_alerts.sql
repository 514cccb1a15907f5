-- What a session's holder has to tell a person beyond the session's own row: alerts that it raises and resolves.

-- whatsapp_session_alert(run, session, epoch, kind, message, details): raises an alert of the account, or one more of it; with
-- no message it resolves the open one, if there is one. HR002 if the session is held by another.
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
revoke execute on function public.whatsapp_session_alert(uuid, uuid, bigint, text, text, jsonb) from public, anon, authenticated;
grant execute on function public.whatsapp_session_alert(uuid, uuid, bigint, text, text, jsonb) to service_role;
