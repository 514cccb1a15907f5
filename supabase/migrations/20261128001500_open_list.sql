-- What is open, as a list. A step of a message writes no index of the queue, so the queue has none by status: a list of
-- what is pending or in doubt would walk through all that an organisation ever sent. This one reads what is open only.

-- herald.seen_open_messages() → the open messages that the caller may see.
create function herald.seen_open_messages() returns table (message_id uuid, status text)
language sql stable security definer set search_path = '' set jit = off
as $$
  select o.message_id, o.status from herald.open_messages as o
  where coalesce((select auth.role()), '') <> 'authenticated' or (select herald.is_super_admin())
    or o.organization_id in (select herald.my_organizations())
    and o.session_id not in (select herald.my_hidden_sessions())
$$;
revoke execute on function herald.seen_open_messages() from public;
grant execute on function herald.seen_open_messages() to authenticated, service_role;

create view public.whatsapp_open_messages with (security_invoker = true) as
select m.* from herald.seen_open_messages() as o
join public.scheduled_whatsapp_messages as m on m.id = o.message_id and m.status = o.status;
comment on view public.whatsapp_open_messages is
'The messages that are pending, sending or in doubt: the queue''s own rows, found without reading what is finished.';
revoke all on public.whatsapp_open_messages from anon, authenticated;
grant select on public.whatsapp_open_messages to authenticated, service_role;
