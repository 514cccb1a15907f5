-- What is due is counted in the small table: the queue has no index of what is pending any more.

create or replace function public.whatsapp_api_due(p_organization uuid default null) returns integer
language sql stable security definer set search_path = '' set jit = off
as $$
  select count(*)::integer from (
    select 1
    from public.whatsapp_sessions as s
    cross join lateral (
      select 1 from herald.open_messages as m
      where m.session_id = s.id and m.status = 'pending'
        and greatest(m.scheduled_for, m.next_attempt_at) <= herald.clock()
      limit 10000
    ) as due
    where p_organization is null or s.organization_id = p_organization
    limit 10000
  ) as found
$$;
