-- What says why nothing may be sent to a person is also raised, and what is raised stands in Postgres's log: so it holds
-- the number's last two digits only, as the HTTP API shows them. The whole number stands in the message's own row.

create or replace function herald.suppression(p_organization uuid, p_contact uuid, p_phone text) returns text
language plpgsql stable set search_path = ''
as $$
declare
  person record;
begin
  if p_contact is not null then
    select p.phone, p.opted_out_at, p.opted_in_at, true as known into person
    from public.whatsapp_contacts as p where p.organization_id = p_organization and p.id = p_contact;
  else
    select p.phone, p.opted_out_at, p.opted_in_at, true as known into person
    from public.whatsapp_contacts as p where p.organization_id = p_organization and p.phone = p_phone;
  end if;
  if person.opted_out_at is not null then
    return format(
      '%s has opted out on %s: nothing is sent to them until an admin takes that back on their wish.',
      coalesce('…' || right(coalesce(person.phone, p_phone), 2), 'This person'), to_char(person.opted_out_at, 'YYYY-MM-DD')
    );
  end if;
  if person.known is null and exists (
    select 1 from herald.forgotten_opt_outs as f where f.organization_id = p_organization
  ) and exists (
    select 1 from herald.forgotten_opt_outs as f
    where f.organization_id = p_organization and f.phone_hash = herald.phone_hash(p_organization, p_phone)
  ) then
    return format('…%s had opted out before their data was erased: nothing is sent to them.', right(p_phone, 2));
  end if;
  if person.opted_in_at is null and exists (
    select 1 from public.workshop_automation_config as c where c.organization_id = p_organization and c.require_opt_in
  ) then
    return format(
      '%s has not opted in, and this organisation writes only to people who have (require_opt_in).',
      coalesce('…' || right(coalesce(person.phone, p_phone), 2), 'This person')
    );
  end if;
  return null;
end
$$;
