-- A worker that restarts takes its own sessions back, and nobody else does in between.

-- whatsapp_worker_start(worker, run, version) → this process is the worker now. An earlier process of the same
-- WORKER_ID loses its leases, which are kept for this one until they end: another worker that took them in the moment
-- before the first heartbeat would have to restore what lies here intact.
create or replace function public.whatsapp_worker_start(p_worker text, p_run uuid, p_version text) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into herald.workers as w (worker_id, run_id, version, started_at, heartbeat_at)
  values (p_worker, p_run, p_version, herald.clock(), herald.clock())
  on conflict (worker_id) do update
  set run_id = excluded.run_id, version = excluded.version,
    started_at = excluded.started_at, heartbeat_at = excluded.heartbeat_at;
  update herald.session_leases as l set run_id = null, ready = false
  where l.worker_id = p_worker and l.run_id is distinct from p_run;
  return jsonb_build_object('now', herald.clock());
end
$$;

-- whatsapp_heartbeat(run, capacity, lease seconds) → the sessions that this run holds now, as a JSON array.
-- Renews its leases, then takes wanted sessions that nobody holds, up to capacity: its own of before first. Touches no
-- published row. Two workers lock what both want in the same order (id), so that neither waits for the other forever.
create or replace function public.whatsapp_heartbeat(p_run uuid, p_capacity integer, p_lease_seconds double precision default 20)
returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  moment timestamptz := herald.clock();
  until timestamptz := moment + make_interval(secs => p_lease_seconds);
  me text;
  held integer;
begin
  update herald.workers as w set heartbeat_at = moment where w.run_id = p_run returning w.worker_id into me;
  if me is null then
    raise exception 'another process has started under this WORKER_ID' using errcode = 'HR001';
  end if;
  update herald.session_leases as l set expires_at = until where l.run_id = p_run and l.expires_at > moment;
  get diagnostics held = row_count;
  insert into herald.session_leases as l (session_id, worker_id, run_id, expires_at)
  select wanted.id, me, p_run, until
  from (
    select s.id
    from public.whatsapp_sessions as s
    left join herald.session_leases as o on o.session_id = s.id
    where s.desired_state <> 'disconnected' and s.enabled and s.provider = 'web'
      and (s.desired_state = 'connected' or s.status <> 'logged_out')
      and (o.session_id is null or o.expires_at <= moment or o.run_id is null and o.worker_id = me)
    order by (o.worker_id = me) desc nulls last, s.created_at
    limit greatest(p_capacity - held, 0)
  ) as wanted
  order by wanted.id
  on conflict (session_id) do update
  set worker_id = me, run_id = p_run, epoch = l.epoch + 1, expires_at = until, ready = false, incarnation = null
  where l.expires_at <= moment or l.run_id is null and l.worker_id = me;
  return coalesce((
    select jsonb_agg(jsonb_build_object(
      'session_id', s.id, 'organization_id', s.organization_id, 'epoch', l.epoch, 'lease_seconds', p_lease_seconds,
      'until', l.expires_at, 'status', s.status, 'phone_number', s.phone_number, 'min_gap_ms', s.min_gap_ms,
      'desired_state', case when s.enabled then s.desired_state else 'disconnected' end
    ) order by s.created_at)
    from herald.session_leases as l
    join public.whatsapp_sessions as s on s.id = l.session_id
    where l.run_id = p_run and l.expires_at > moment
  ), '[]'::jsonb);
end
$$;
