-- Workers, and which of them serves an account. For service_role only.
-- A run is one process of a worker (a new uuid at each start). (run, epoch) fences a session: every write about it names
-- both, and they become invalid the moment another run acquires it.

create table herald.workers (
  worker_id text primary key check (length(worker_id) between 1 and 200),
  run_id uuid not null unique,
  version text not null,
  started_at timestamptz not null,
  heartbeat_at timestamptz not null
);
comment on table herald.workers is 'One row per WORKER_ID: its running process (run_id) and last heartbeat.';
comment on column herald.workers.worker_id is 'Its WORKER_ID setting, by default the host''s name.';
comment on column herald.workers.run_id is
'The one process that may write now; an earlier one of this WORKER_ID is fenced off.';

alter table herald.workers enable row level security;

create table herald.session_leases (
  session_id uuid primary key references public.whatsapp_sessions (id) on delete cascade,
  worker_id text not null,
  run_id uuid,
  epoch bigint not null default 1,
  expires_at timestamptz not null,
  ready boolean not null default false,
  incarnation uuid,
  generation bigint,
  next_send_at timestamptz not null default '-infinity',
  looked_at timestamptz not null default '-infinity',
  look_again_at timestamptz not null default '-infinity',
  looked_past integer not null default 0
);
create index session_leases_run_id_idx on herald.session_leases (run_id);
comment on table herald.session_leases is
'Who serves a session. epoch grows with every acquisition and fences all writes; run_id is null when released.';
comment on column herald.session_leases.worker_id is 'The holder, or the last one: it goes first when it comes back.';
comment on column herald.session_leases.run_id is 'The process that holds it; null: nobody.';
comment on column herald.session_leases.epoch is 'Grows with every acquisition; a write with an older one is refused.';
comment on column herald.session_leases.incarnation is 'Id of the live store that the holder works on.';
comment on column herald.session_leases.generation is
'The newest generation of its credentials that was ever stored; null: none.';
comment on column herald.session_leases.looked_at is 'When a claim last looked at this account; who waited longest comes first.';
comment on column herald.session_leases.look_again_at is
'Not looked at before this: a moment ago a rule held back all that was due here.';
comment on column herald.session_leases.looked_past is
'How many due messages, all held back, the claims before have looked at: the next one looks further.';

alter table herald.session_leases enable row level security;

-- == holding a session ==

-- herald.has_lease(run, session, epoch) → does this run still hold the session? Locks the lease row against a takeover;
-- not FOR SHARE: two calls that go on to update the row would wait for each other.
create function herald.has_lease(p_run uuid, p_session uuid, p_epoch bigint) returns boolean
language plpgsql volatile set search_path = ''
as $$
begin
  perform 1 from herald.session_leases as l
  where l.session_id = p_session and l.run_id = p_run and l.epoch = p_epoch
  for no key update;
  return found;
end
$$;
revoke execute on function herald.has_lease(uuid, uuid, bigint) from public;

-- herald.require_lease: as has_lease, but an error that the worker knows (HR002: lost lease).
create function herald.require_lease(p_run uuid, p_session uuid, p_epoch bigint) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if not herald.has_lease(p_run, p_session, p_epoch) then
    raise exception 'This run does not hold the session % at epoch %.', p_session, p_epoch using errcode = 'HR002',
      hint = 'Stop: another run holds the session, or its lease has ended.', detail = 'herald:session-not-held';
  end if;
end
$$;
revoke execute on function herald.require_lease(uuid, uuid, bigint) from public;

-- whatsapp_worker_start(worker, run, version) → this process is the worker now. An earlier process of the same
-- WORKER_ID loses its leases. Until they end, only this process can take them, because its host has the accounts' stores,
-- which another worker would have to restore.
create function public.whatsapp_worker_start(p_worker text, p_run uuid, p_version text) returns jsonb
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
comment on function public.whatsapp_worker_start(text, uuid, text) is
'This process is the worker of this WORKER_ID now; an earlier one is fenced off and gives its sessions up.';
revoke execute on function public.whatsapp_worker_start(text, uuid, text) from public, anon, authenticated;
grant execute on function public.whatsapp_worker_start(text, uuid, text) to service_role;

-- whatsapp_heartbeat(run, capacity, lease seconds) → the sessions that this run holds now, as a JSON array. Renews its
-- leases, then takes wanted sessions that nobody holds, up to capacity, first those that it had before. Writes to no
-- published table. Workers lock sessions in the same order (id), so that they can't deadlock.
create function public.whatsapp_heartbeat(p_run uuid, p_capacity integer, p_lease_seconds double precision default 20)
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
    raise exception 'Another process has started under this WORKER_ID.' using errcode = 'HR001',
      hint = 'Stop: give each worker a WORKER_ID of its own.', detail = 'herald:worker-replaced';
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
      'until', l.expires_at, 'provider', s.provider, 'status', s.status, 'phone_number', s.phone_number,
      'min_gap_ms', s.min_gap_ms, 'desired_state', case when s.enabled then s.desired_state else 'disconnected' end
    ) order by s.created_at)
    from herald.session_leases as l
    join public.whatsapp_sessions as s on s.id = l.session_id
    where l.run_id = p_run and l.expires_at > moment
  ), '[]'::jsonb);
end
$$;
comment on function public.whatsapp_heartbeat(uuid, integer, double precision) is
'Renews the run''s leases and takes wanted sessions that nobody holds, up to its capacity. Returns all that it holds.';
revoke execute on function public.whatsapp_heartbeat(uuid, integer, double precision) from public, anon, authenticated;
grant execute on function public.whatsapp_heartbeat(uuid, integer, double precision) to service_role;

-- whatsapp_lease_release(run, session, epoch) → gives a session back; its claims must be settled before. Idempotent.
create function public.whatsapp_lease_release(p_run uuid, p_session uuid, p_epoch bigint) returns void
language sql volatile security definer set search_path = ''
as $$
  update herald.session_leases as l set expires_at = '-infinity', run_id = null, ready = false
  where l.session_id = p_session and l.run_id = p_run and l.epoch = p_epoch
$$;
comment on function public.whatsapp_lease_release(uuid, uuid, bigint) is 'Gives a session back. Idempotent.';
revoke execute on function public.whatsapp_lease_release(uuid, uuid, bigint) from public, anon, authenticated;
grant execute on function public.whatsapp_lease_release(uuid, uuid, bigint) to service_role;

-- whatsapp_session_attach(run, session, epoch, incarnation): the holder now works on this live store.
create function public.whatsapp_session_attach(p_run uuid, p_session uuid, p_epoch bigint, p_incarnation uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  update herald.session_leases as l set incarnation = p_incarnation where l.session_id = p_session;
end
$$;
comment on function public.whatsapp_session_attach(uuid, uuid, bigint, uuid) is
'The holder works on this live store from now on.';
revoke execute on function public.whatsapp_session_attach(uuid, uuid, bigint, uuid) from public, anon, authenticated;
grant execute on function public.whatsapp_session_attach(uuid, uuid, bigint, uuid) to service_role;

-- whatsapp_session_report(run, session, epoch, report): writes what the holder saw. Keys missing from the report keep
-- their values, except QR and pairing code, which last only until the next report.
-- → false, and nothing is written, if the phone number is not the account's own, or an older account of the organisation
-- is linked to it: one phone in two accounts would have two limits and two paces.
create function public.whatsapp_session_report(p_run uuid, p_session uuid, p_epoch bigint, p_report jsonb)
returns boolean
language plpgsql volatile security definer set search_path = ''
as $$
declare
  moment timestamptz := herald.clock();
  now_status text := p_report ->> 'status';
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  if p_report ? 'phone_number' and exists (
    select 1 from public.whatsapp_sessions as s
    where s.id = p_session and s.phone_number <> p_report ->> 'phone_number'
  ) or p_report ? 'phone_number' and exists (
    select 1 from public.whatsapp_sessions as s
    join public.whatsapp_sessions as o on o.organization_id = s.organization_id and o.id <> s.id
    where s.id = p_session and o.phone_number = p_report ->> 'phone_number' and o.whatsapp_id is not null
      and o.status <> 'logged_out' and o.desired_state <> 'logged_out'
      and (s.phone_number is null or (o.created_at, o.id) < (s.created_at, s.id))
  ) then
    return false;
  end if;
  update public.whatsapp_sessions as s set
    status = coalesce(now_status, s.status),
    qr_code = p_report ->> 'qr_code',
    pairing_code = p_report ->> 'pairing_code',
    qr_expires_at = (p_report ->> 'qr_expires_at')::timestamptz,
    phone_number = coalesce(p_report ->> 'phone_number', s.phone_number),
    whatsapp_id = coalesce(p_report ->> 'whatsapp_id', s.whatsapp_id),
    display_name = coalesce(s.display_name, p_report ->> 'display_name'),
    last_error = case when p_report ? 'last_error' then p_report ->> 'last_error' else s.last_error end,
    retry_count = coalesce((p_report ->> 'retry_count')::integer, s.retry_count),
    desired_state = coalesce(p_report ->> 'desired_state', s.desired_state),
    connected_at = case when now_status = 'connected' then moment else s.connected_at end,
    last_connected_at = case when now_status = 'connected' then moment else s.last_connected_at end,
    last_disconnected_at = case
      when s.status = 'connected' and now_status <> 'connected' then moment else s.last_disconnected_at
    end
  where s.id = p_session;
  if now_status is not null then
    update herald.session_leases as l set ready = now_status = 'connected' where l.session_id = p_session;
  end if;
  return true;
end
$$;
comment on function public.whatsapp_session_report(uuid, uuid, bigint, jsonb) is
'What the holder saw of the account. False: the number is not the account''s own, and nothing is written.';
revoke execute on function public.whatsapp_session_report(uuid, uuid, bigint, jsonb) from public, anon, authenticated;
grant execute on function public.whatsapp_session_report(uuid, uuid, bigint, jsonb) to service_role;

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
