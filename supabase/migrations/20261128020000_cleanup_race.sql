-- An account that a worker takes up in the very moment of the cleanup keeps what that worker says of it.

-- herald.is_served(account) → whether a worker has it, had it within a minute, or has just released it to hand it over.
create function herald.is_served(p_session uuid) returns boolean
language sql volatile set search_path = ''
as $$
  select exists (
    select 1 from herald.session_leases as l
    left join herald.workers as w on w.worker_id = l.worker_id
    where l.session_id = p_session
      and greatest(l.expires_at, w.heartbeat_at) > herald.clock() - interval '1 minute'
  )
$$;
revoke execute on function herald.is_served(uuid) from public;

create or replace function public.whatsapp_session_cleanup() returns jsonb
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
  -- Its lease may be taken until its row is locked, and only a new statement sees that. What a worker says of the account
  -- after that waits for this to end.
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
