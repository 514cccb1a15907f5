-- What was sent and what came of it, per day and account. Days are UTC days of scheduled_for.

create index messages_day_idx on public.scheduled_whatsapp_messages (organization_id, scheduled_day);

create view public.whatsapp_analytics with (security_invoker = true) as
select m.organization_id, m.session_id, m.scheduled_day as day,
  count(m.sent_at) as sent,
  count(m.delivered_at) as delivered,
  count(m.read_at) as read,
  count(*) filter (where m.status = 'failed') as failed,
  count(*) filter (where m.status = 'in_doubt') as in_doubt,
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

-- herald.period_stats(organisation, first day): the days since then in one object, as the caller may see them.
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

-- whatsapp_stats(organisation) → what the CRM's dashboard shows, as far as the caller may see the organisation's rows.
create function public.whatsapp_stats(p_organization uuid) returns jsonb
language sql stable set search_path = '' set jit = off
as $$
  select jsonb_build_object(
    'today', herald.period_stats(p_organization, (herald.clock() at time zone 'UTC')::date),
    'last_7_days', herald.period_stats(p_organization, (herald.clock() at time zone 'UTC')::date - 6),
    'queue', (
      select jsonb_build_object(
        'pending', count(*) filter (where m.status = 'pending'),
        'due', count(*) filter (where m.status = 'pending' and greatest(m.scheduled_for, m.next_attempt_at) <= herald.clock()),
        'sending', count(*) filter (where m.status = 'sending')
      )
      from public.scheduled_whatsapp_messages as m
      where m.organization_id = p_organization and m.sent_at is null
      and m.status in ('pending', 'sending')
    ),
    'in_doubt', (
      select count(*) from public.scheduled_whatsapp_messages as m
      where m.organization_id = p_organization and m.status = 'in_doubt'
    ),
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
$$;
comment on function public.whatsapp_stats(uuid) is
'Figures for a dashboard: today, last 7 days, queue, accounts, groups, contacts; only of rows that the caller may see.';
revoke execute on function herald.period_stats(uuid, date) from public;
grant execute on function herald.period_stats(uuid, date) to authenticated, service_role;
revoke execute on function public.whatsapp_stats(uuid) from public, anon;
grant execute on function public.whatsapp_stats(uuid) to authenticated, service_role;

-- What the CRM hears about as it happens, beside the first tables.
alter publication supabase_realtime add table
public.whatsapp_conversations, public.whatsapp_messages, public.whatsapp_campaigns;
