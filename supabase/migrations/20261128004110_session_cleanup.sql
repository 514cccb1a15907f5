-- Accounts that show what is no longer true, and records of Herald's own work that nobody needs any more.

-- whatsapp_session_cleanup() → {"stale_qr": n, "not_served": n, "workers": n, "job_runs": n}. A QR or pairing code past its time
-- is taken away; an account that says it is connected while its worker has been gone for a minute says that it is not, and is
-- taken up by the next worker as before; workers unheard of for 30 days and runs of Herald's jobs older than 7 are forgotten.
-- Texts, delivery logs and audit rows go by whatsapp_housekeeping.
create function public.whatsapp_session_cleanup() returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  moment constant timestamptz := herald.clock();
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
  update public.whatsapp_sessions as s
  set status = case when s.desired_state = 'connected' and s.enabled then 'connecting' else 'disconnected' end,
    last_disconnected_at = moment,
    last_error = 'No worker serves the account at the moment. It connects again as soon as one does.'
  where s.status = 'connected' and s.provider = 'web' and not exists (
    select 1 from herald.session_leases as l
    left join herald.workers as w on w.worker_id = l.worker_id -- one that has just released it hands it over
    where l.session_id = s.id and greatest(l.expires_at, w.heartbeat_at) > moment - interval '1 minute'
  );
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
