-- Requests to accounts name people too; they go with a person's data.

-- whatsapp_erase_contact(organisation, phone) → {"contacts", "messages", "in_flight", "conversations", "groups", "events"}: how
-- many of each. For admins of the organisation, super admins and service_role. Nothing of the person stays but, after an
-- opt-out, a keyed hash of the number. Can be called again. Messages on their way are erased once they are settled.
create or replace function public.whatsapp_erase_contact(p_organization uuid, p_phone text) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  address text := substr(p_phone, 2) || '@s.whatsapp.net';
  names text[];
  people uuid[];
  messages uuid[];
  flying uuid[];
  answer jsonb;
  gone integer;
begin
  if p_organization is null then
    raise exception 'Which organisation''s data? p_organization is missing.' using errcode = '22023';
  end if;
  if (select auth.role()) in ('authenticated', 'anon')
    and p_organization not in (select herald.my_admin_organizations()) and not (select herald.is_super_admin()) then
    raise exception 'Only an admin of the organisation may erase a person''s data.' using errcode = '42501';
  end if;
  if p_phone is null or p_phone !~ '^\+[1-9][0-9]{6,14}$' then
    raise exception 'A phone number is needed, with country code, like +491701234567.' using errcode = '22023';
  end if;
  select coalesce(array_agg(c.id), '{}'), array_agg(distinct c.lid) filter (where c.lid is not null) || address
  into people, names
  from (
    select p.id, p.lid from public.whatsapp_contacts as p
    where p.organization_id = p_organization and (p.phone = p_phone or p.jid = address) for update
  ) as c;

  select coalesce(array_agg(m.id) filter (where m.status <> 'sending'), '{}'),
    coalesce(array_agg(m.id) filter (where m.status = 'sending'), '{}')
  into messages, flying
  from (
    select q.id, q.status from public.scheduled_whatsapp_messages as q
    where q.organization_id = p_organization and (q.recipient_phone = p_phone or q.contact_id = any(people))
    order by q.id for update
  ) as m;
  insert into herald.erasures (message_id, organization_id, contact_id)
  select q.id, q.organization_id, q.contact_id from public.scheduled_whatsapp_messages as q where q.id = any(flying)
  on conflict do nothing;
  perform herald.erase_messages(messages);

  answer := jsonb_build_object(
    'messages', cardinality(messages), 'in_flight', cardinality(flying), 'contacts', cardinality(people),
    'groups', herald.erase_from_groups(p_organization, people, names)
  );
  delete from public.whatsapp_conversations as v where v.organization_id = p_organization and v.contact_id = any(people);
  get diagnostics gone = row_count;
  answer := answer || jsonb_build_object('conversations', gone);
  delete from public.whatsapp_webhook_events as e
  where e.organization_id = p_organization and e.processed_at is not null
    and strpos(e.payload::text, substr(p_phone, 2)) > 0;
  get diagnostics gone = row_count;
  answer := answer || jsonb_build_object('events', gone);
  delete from herald.early_receipts as r using public.whatsapp_sessions as s
  where s.organization_id = p_organization and r.session_id = s.id and r.recipient = any(names);
  delete from herald.cloud_pairs as r using public.whatsapp_sessions as s
  where s.organization_id = p_organization and r.session_id = s.id and r.recipient = any(names || p_phone);

  -- One that is being carried out names them until its worker looks again; it is answered into nothing.
  delete from public.whatsapp_commands as c
  where c.organization_id = p_organization and exists (
    select 1 from unnest(names || p_phone) as n
    where strpos(c.arguments::text, to_json(n)::text) > 0 or strpos(c.result::text, to_json(n)::text) > 0
  );
  delete from public.whatsapp_group_members as g where g.organization_id = p_organization and g.contact_id = any(people);
  delete from public.whatsapp_contacts as p
  where p.id = any(people) and not exists (select 1 from herald.erasures as e where e.contact_id = p.id);
  update public.whatsapp_contacts as p
  set display_name = null, lead_id = null, persona = null, engagement_score = null, attributes = '{}', opt_in_source = null
  where p.id = any(people);
  insert into public.whatsapp_audit_logs (organization_id, event_type, event_data)
  values (p_organization, 'contact.erased', answer || jsonb_build_object(
    'phone_hash', encode(herald.phone_hash(p_organization, p_phone), 'hex')
  ));
  return answer;
end
$$;
