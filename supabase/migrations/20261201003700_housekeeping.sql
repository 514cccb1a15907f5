-- Periodic work, done by the worker or, if every worker is down, by pg_cron.

-- herald.forget_counts(): deletes counts that no limit needs any more.
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

-- whatsapp_housekeeping() → {"tasks": n, "groups": n, …, "errors": {step: message}}. Executes due automation tasks,
-- updates each group's next workshop and the campaigns' counters, applies retention (one batch per call), deletes old
-- counts. A step that fails does not stop the others: it raises an alert for the operator. Call it about once a minute;
-- calls may overlap.
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

-- herald.keep_house(): does a worker's housekeeping if no worker has sent a heartbeat for a minute.
create function herald.keep_house() returns text
language plpgsql volatile set search_path = '' set jit = off
as $$
begin
  if exists (select 1 from herald.workers as w where w.heartbeat_at > herald.clock() - interval '1 minute') then
    return 'a worker does it';
  end if;
  perform public.whatsapp_reap(), public.whatsapp_housekeeping();
  return 'done';
end
$$;
revoke execute on function herald.keep_house() from public;

-- whatsapp_session_cleanup() → {"stale_qr": n, "not_served": n, "workers": n, "job_runs": n}. A QR or pairing code past
-- its time is removed. An account whose worker has been gone for a minute is no longer shown as connected; the next
-- worker connects it. Workers without a heartbeat for 30 days and runs of Herald's jobs older than 7 days are deleted.
-- whatsapp_housekeeping removes texts, delivery logs and audit rows.
create function public.whatsapp_session_cleanup() returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  moment constant timestamptz := herald.clock();
  found uuid[];
  stale integer;
  dead integer;
  workers integer;
  runs integer := 0;
begin
  update public.whatsapp_sessions as s
  set qr_code = null, pairing_code = null, qr_expires_at = null,
    status = case when s.desired_state = 'connected' and s.enabled then 'connecting' else 'disconnected' end,
    last_error = 'The code has expired. A new one is shown as soon as a worker serves the account.'
  where s.status = 'qr_pending' and s.qr_expires_at < moment - interval '1 minute';
  get diagnostics stale = row_count;
  -- A worker may take the lease until the row is locked, and only a new statement sees that. A worker's later report about
  -- the account waits until this transaction ends.
  select array_agg(l.id) into found from (
    select s.id from public.whatsapp_sessions as s
    where s.status = 'connected' and s.provider = 'web' and not herald.is_served(s.id)
    order by s.id for update skip locked
  ) as l;
  update public.whatsapp_sessions as s
  set status = case when s.desired_state = 'connected' and s.enabled then 'connecting' else 'disconnected' end,
    last_disconnected_at = moment,
    last_error = 'No worker serves the account at the moment. It connects again as soon as one does.'
  where s.id = any(found) and s.status = 'connected' and not herald.is_served(s.id);
  get diagnostics dead = row_count;
  delete from herald.workers as w
  where w.heartbeat_at < moment - interval '30 days'
    and not exists (select 1 from herald.session_leases as l where l.worker_id = w.worker_id and l.expires_at > moment);
  get diagnostics workers = row_count;
  if to_regclass('cron.job_run_details') is not null then
    execute $runs$
      delete from cron.job_run_details as d using cron.job as j
      where j.jobid = d.jobid and j.jobname like 'herald-%' and d.end_time < $1 - interval '7 days'
    $runs$ using moment;
    get diagnostics runs = row_count;
  end if;
  return jsonb_build_object('stale_qr', stale, 'not_served', dead, 'workers', workers, 'job_runs', runs);
end
$$;
comment on function public.whatsapp_session_cleanup() is
'For pg_cron and session-cleanup, every few minutes: takes away stale QR codes, and "connected" where no worker is.';
revoke execute on function public.whatsapp_session_cleanup() from public, anon, authenticated;
grant execute on function public.whatsapp_session_cleanup() to service_role;
