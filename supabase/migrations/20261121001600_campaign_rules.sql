-- A campaign's messages follow its state; its counters follow its messages.

-- A cancelled campaign takes what has not gone out along.
create function herald.campaign_cancelled() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  update public.scheduled_whatsapp_messages as m
  set status = 'cancelled', error_message = 'Its campaign was cancelled.'
  where m.organization_id = new.organization_id and m.campaign_id = new.id and m.status = 'pending';
  return null;
end
$$;
create trigger campaign_cancelled after update of state on public.whatsapp_campaigns
for each row when (new.state = 'cancelled' and old.state <> 'cancelled')
execute function herald.campaign_cancelled();

-- herald.count_campaigns() → how many it changed. Counts running and lately finished campaigns anew, instead of a hot row
-- that every settle would wait for; a running one whose messages are all settled is done. What came back to the queue after
-- its campaign was cancelled (it was being sent, or a person tries it again) is taken along here.
create function herald.count_campaigns() returns integer
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  many integer;
begin
  update public.scheduled_whatsapp_messages as m
  set status = 'cancelled', error_message = 'Its campaign was cancelled.'
  from public.whatsapp_campaigns as k
  where k.state = 'cancelled' and k.finished_at > herald.clock() - interval '3 days'
    and m.organization_id = k.organization_id and m.campaign_id = k.id and m.status = 'pending';
  with counted as (
    select k.id, count(m.id)::integer as total, count(m.sent_at)::integer as sent,
      count(m.delivered_at)::integer as delivered, count(m.read_at)::integer as read,
      (count(*) filter (where m.status = 'failed'))::integer as failed,
      count(*) filter (where m.status in ('pending', 'sending', 'in_doubt')) as open
    from public.whatsapp_campaigns as k
    left join public.scheduled_whatsapp_messages as m
      on m.organization_id = k.organization_id and m.campaign_id = k.id
    where k.state in ('running', 'paused') or k.finished_at > herald.clock() - interval '3 days'
    group by k.id
  )
  update public.whatsapp_campaigns as k
  set total_count = c.total, sent_count = c.sent, delivered_count = c.delivered, read_count = c.read,
    failed_count = c.failed, state = case when k.state = 'running' and c.total > 0 and c.open = 0 then 'done' else k.state end
  from counted as c
  where k.id = c.id and (
      (k.total_count, k.sent_count, k.delivered_count, k.read_count, k.failed_count)
      is distinct from (c.total, c.sent, c.delivered, c.read, c.failed)
      or k.state = 'running' and c.total > 0 and c.open = 0
    );
  get diagnostics many = row_count;
  return many;
end
$$;
revoke execute on function herald.campaign_cancelled(), herald.count_campaigns() from public;
