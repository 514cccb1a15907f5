-- A message with what holds it back, for the worker's API in one question instead of two.

-- whatsapp_api_message(organisation, message) → the row as the caller may see it, and why_not_sent [{rule, explanation,
-- until}] besides; null: there is no such message of the organisation that they may see.
-- plpgsql, because it keeps its plan for the connection: row security's part of it takes longer to plan than to run.
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
