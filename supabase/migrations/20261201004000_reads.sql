-- What a CRM's screens read: open messages, the queue at a glance, figures per day, limited to what the caller may see.

-- == what is open, as a list ==

-- herald.seen_open_messages() → the open messages that the caller may see. The queue has no index by status, so a list
-- of pending messages would scan all that an organisation ever sent. This reads only open ones.
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

-- == the queue at a glance ==

-- herald.organization_queue(organisation) → one row for it, or one per organisation (null) that the caller may see,
-- without accounts that are private to others.
create function herald.organization_queue(p_organization uuid)
returns table (
  organization_id uuid, pending bigint, due bigint, oldest_due_at timestamptz, sending bigint, stuck bigint,
  in_doubt bigint, accounts bigint, accounts_connected bigint
)
language sql stable security definer set search_path = '' set jit = off
as $$
  select o.id, q.pending, q.due, q.oldest_due_at, q.sending, q.stuck, d.in_doubt, a.accounts, a.connected
  from public.organizations as o
  cross join lateral (
    select count(*) filter (where m.status = 'pending') as pending,
      count(*) filter (where m.status = 'pending' and m.due_at <= herald.clock()) as due,
      min(m.due_at) filter (where m.status = 'pending' and m.due_at <= herald.clock()) as oldest_due_at,
      count(*) filter (where m.status = 'sending') as sending,
      count(*) filter (where m.status = 'sending' and (c.message_id is null or c.claimed_until <= herald.clock())) as stuck
    from herald.open_messages as m
    left join herald.message_claims as c on c.message_id = m.message_id
    where m.organization_id = o.id and m.status in ('pending', 'sending')
      and m.session_id not in (select herald.my_hidden_sessions())
  ) as q
  cross join lateral (
    select count(*) as in_doubt from herald.open_messages as m
    where m.organization_id = o.id and m.status = 'in_doubt'
      and m.session_id not in (select herald.my_hidden_sessions())
  ) as d
  cross join lateral (
    select count(*) as accounts, count(*) filter (where s.status = 'connected') as connected
    from public.whatsapp_sessions as s
    where s.organization_id = o.id and s.id not in (select herald.my_hidden_sessions())
  ) as a
  where (p_organization is null or o.id = p_organization)
    and (
      coalesce((select auth.role()), '') <> 'authenticated'
      or o.id in (select herald.my_organizations()) or (select herald.is_super_admin())
    )
$$;
revoke execute on function herald.organization_queue(uuid) from public;
grant execute on function herald.organization_queue(uuid) to authenticated, service_role;

-- herald.queue_overview() → one row per organisation that the caller may see, without accounts that are private to
-- others.
create function herald.queue_overview()
returns table (
  organization_id uuid, pending bigint, due bigint, oldest_due_at timestamptz, sending bigint, stuck bigint,
  in_doubt bigint, accounts bigint, accounts_connected bigint
)
language sql stable security definer set search_path = '' set jit = off
as $$
  select * from herald.organization_queue(null)
$$;
revoke execute on function herald.queue_overview() from public;
grant execute on function herald.queue_overview() to authenticated, service_role;

create view public.whatsapp_queue_overview with (security_invoker = true) as
select * from herald.queue_overview();
comment on view public.whatsapp_queue_overview is
'Per organisation: what waits, what is due and since when, what is stuck (its claim has run out) or in doubt.';
revoke all on public.whatsapp_queue_overview from anon, authenticated;
grant select on public.whatsapp_queue_overview to authenticated, service_role;

-- == figures ==

-- What was sent and what came of it, per day and account. Days are UTC days of scheduled_for.
create view public.whatsapp_analytics with (security_invoker = true) as
select m.organization_id, m.session_id, m.scheduled_day as day,
  count(m.sent_at) as sent,
  count(m.delivered_at) as delivered,
  count(m.read_at) as read,
  count(*) filter (where m.status = 'failed') as failed,
  count(*) filter (where m.status = 'in_doubt') as in_doubt,
  count(*) filter (where m.unreadable_count > 0) as unreadable,
  sum(m.resent_count) as resent,
  round(
    (count(m.responded_at) filter (where m.group_id is null and m.sent_at is not null))::numeric
    / nullif(count(m.sent_at) filter (where m.group_id is null), 0), 4
  ) as response_rate,
  round(avg(extract(epoch from m.sent_at - greatest(m.scheduled_for, m.created_at))), 3) as average_queue_seconds,
  round((percentile_cont(0.95) within group (
    order by extract(epoch from m.sent_at - greatest(m.scheduled_for, m.created_at))
  ))::numeric, 3) as p95_queue_seconds
from public.scheduled_whatsapp_messages as m
group by m.organization_id, m.session_id, m.scheduled_day;
comment on view public.whatsapp_analytics is
'Per UTC day of scheduled_for and account. Ask for one organization_id and a few days. response_rate: answered / sent, direct messages.';
revoke all on public.whatsapp_analytics from anon, authenticated;
grant select on public.whatsapp_analytics to authenticated, service_role;

-- herald.period_stats(organisation, first day): the sums since that day in one object, of rows that the caller may see.
create function herald.period_stats(p_organization uuid, p_since date) returns jsonb
language sql stable set search_path = '' set jit = off
as $$
  select jsonb_build_object(
    'sent', count(m.sent_at), 'delivered', count(m.delivered_at), 'read', count(m.read_at),
    'failed', count(*) filter (where m.status = 'failed'),
    'average_queue_seconds', round(avg(extract(epoch from m.sent_at - greatest(m.scheduled_for, m.created_at))), 3)
  )
  from public.scheduled_whatsapp_messages as m
  where m.organization_id = p_organization and m.scheduled_for >= p_since::timestamp at time zone 'UTC'
    and m.scheduled_for <= (select herald.clock())
$$;
revoke execute on function herald.period_stats(uuid, date) from public;
grant execute on function herald.period_stats(uuid, date) to authenticated, service_role;

-- whatsapp_stats(organisation) → what the CRM's dashboard shows, as far as the caller may see the organisation's rows.
create function public.whatsapp_stats(p_organization uuid) returns jsonb
language sql stable set search_path = '' set jit = off
as $$
  select jsonb_build_object(
    'today', herald.period_stats(p_organization, (herald.clock() at time zone 'UTC')::date),
    'last_7_days', herald.period_stats(p_organization, (herald.clock() at time zone 'UTC')::date - 6),
    'queue', jsonb_build_object(
      'pending', coalesce(q.pending, 0), 'due', coalesce(q.due, 0), 'sending', coalesce(q.sending, 0)
    ),
    'in_doubt', coalesce(q.in_doubt, 0),
    'accounts', (
      select jsonb_build_object('total', count(*), 'connected', count(*) filter (where s.status = 'connected'))
      from public.whatsapp_session_overview as s where s.organization_id = p_organization
    ),
    'groups', (
      select count(*) from public.whatsapp_groups as g where g.organization_id = p_organization and g.is_active
    ),
    'contacts', (
      select jsonb_build_object('total', count(*), 'opted_out', count(p.opted_out_at))
      from public.whatsapp_contacts as p where p.organization_id = p_organization
    )
  )
  from (select 1) as always left join herald.organization_queue(p_organization) as q on true
$$;
comment on function public.whatsapp_stats(uuid) is
'Figures for a dashboard: today, last 7 days, queue, accounts, groups, contacts; only of rows that the caller may see.';
revoke execute on function public.whatsapp_stats(uuid) from public, anon;
grant execute on function public.whatsapp_stats(uuid) to authenticated, service_role;
