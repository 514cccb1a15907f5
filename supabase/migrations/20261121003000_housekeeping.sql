-- What has to be done from time to time, by the worker or, with every worker down, by pg_cron.

-- herald.forget_counts(): drops what no limit looks at any more.
create function herald.forget_counts() returns bigint
language sql volatile set search_path = '' set jit = off
as $$
  with counts as (
    delete from herald.send_counts as c using herald.limit_windows as w
    where w.rule = c.rule and c.bucket < herald.clock() - interval '1 hour' - w.span - w.width
    returning 1
  ), recipients as (
    delete from herald.cloud_recipients as r where r.last_at < herald.clock() - interval '25 hours' returning 1
  ), pairs as (
    delete from herald.cloud_pairs as p where p.paid_until < herald.clock() returning 1
  )
  select (select count(*) from counts) + (select count(*) from recipients) + (select count(*) from pairs)
$$;
revoke execute on function herald.forget_counts() from public;

-- whatsapp_housekeeping() → {"tasks": n, "groups": n, …, "errors": {step: message}}. Moves due automation tasks on, keeps each
-- group's next workshop and the campaigns' counters true, applies retention (a batch a call), forgets old counts. A step
-- that fails does not stop the others: it raises an alert for the operator. Call it about once a minute; calls may cross.
create function public.whatsapp_housekeeping() returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  step text;
  count bigint;
  done jsonb := '{}';
  failed jsonb := '{}';
begin
  if not pg_try_advisory_xact_lock(hashtextextended('whatsapp_housekeeping', 0)) then
    return '{"errors": {}}'::jsonb;
  end if;
  foreach step in array array[
    'tasks', 'groups', 'campaigns', 'consent', 'doubts', 'erasures', 'templates', 'retention', 'counts'
  ] loop
    begin
      count := case step
        when 'tasks' then herald.run_due_tasks()
        when 'groups' then herald.refresh_group_workshops()
        when 'campaigns' then herald.count_campaigns()
        when 'consent' then herald.suppress_late()
        when 'doubts' then herald.settle_doubts()
        when 'erasures' then herald.apply_erasures()
        when 'templates' then herald.count_template_uses()
        when 'retention' then herald.apply_retention(1000)
        when 'counts' then herald.forget_counts()
      end;
      done := done || jsonb_build_object(step, count);
    exception when others then
      failed := failed || jsonb_build_object(step, sqlerrm);
    end;
  end loop;
  if failed <> '{}' then
    perform herald.raise_alert(null, null, 'housekeeping-failed', 'warning',
      'A regular database task failed; the details name it.', failed);
  end if;
  return done || jsonb_build_object('errors', failed);
end
$$;
comment on function public.whatsapp_housekeeping() is
'For the worker and pg_cron, about once a minute: due automation tasks, derived columns, counters, retention.';
revoke execute on function public.whatsapp_housekeeping() from public, anon, authenticated;
grant execute on function public.whatsapp_housekeeping() to service_role;
