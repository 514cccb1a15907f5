-- What the worker calls about workers, sessions, credentials, groups and commands. For service_role only.
-- A run is one process of a worker (a fresh uuid at its start). A session is fenced by (run, epoch): every write
-- about it names both, and an acquisition by anyone else makes them void at once.

-- herald.holds(run, session, epoch) → does this run still hold the session? Locks the lease row against a takeover;
-- not FOR SHARE: two calls that go on to update the row would wait for each other.
create function herald.holds(p_run uuid, p_session uuid, p_epoch bigint) returns boolean
language plpgsql volatile set search_path = ''
as $$
begin
  perform 1 from herald.session_leases as l
  where l.session_id = p_session and l.run_id = p_run and l.epoch = p_epoch
  for no key update;
  return found;
end
$$;

-- herald.require_lease: as holds, but an error that the worker knows (HR002: lost lease).
create function herald.require_lease(p_run uuid, p_session uuid, p_epoch bigint) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if not herald.holds(p_run, p_session, p_epoch) then
    raise exception 'session % is not held by this run at epoch %', p_session, p_epoch using errcode = 'HR002';
  end if;
end
$$;

-- == workers and leases ==

-- whatsapp_worker_start(worker, run, version) → this process is the worker now. An earlier process of the same
-- WORKER_ID loses its leases, so that a restart takes its own sessions back at once.
create function public.whatsapp_worker_start(p_worker text, p_run uuid, p_version text) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into herald.workers as w (worker_id, run_id, version, started_at, heartbeat_at)
  values (p_worker, p_run, p_version, herald.clock(), herald.clock())
  on conflict (worker_id) do update
  set run_id = excluded.run_id, version = excluded.version,
    started_at = excluded.started_at, heartbeat_at = excluded.heartbeat_at;
  update herald.session_leases as l set expires_at = '-infinity', run_id = null, ready = false
  where l.worker_id = p_worker and l.run_id is distinct from p_run;
  return jsonb_build_object('now', herald.clock());
end
$$;

-- whatsapp_heartbeat(run, capacity, lease seconds) → the sessions that this run holds now, as a JSON array.
-- Renews its leases, then takes wanted sessions that nobody holds, up to capacity: its own of before first. Touches no
-- published row. Two workers lock what both want in the same order (id), so that neither waits for the other forever.
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
      and (o.session_id is null or o.expires_at <= moment)
    order by (o.worker_id = me) desc nulls last, s.created_at
    limit greatest(p_capacity - held, 0)
  ) as wanted
  order by wanted.id
  on conflict (session_id) do update
  set worker_id = me, run_id = p_run, epoch = l.epoch + 1, expires_at = until, ready = false, incarnation = null
  where l.expires_at <= moment;
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

-- whatsapp_lease_release(run, session, epoch) → gives a session back; its claims must be settled before. Idempotent.
create function public.whatsapp_lease_release(p_run uuid, p_session uuid, p_epoch bigint) returns void
language sql volatile security definer set search_path = ''
as $$
  update herald.session_leases as l set expires_at = '-infinity', run_id = null, ready = false
  where l.session_id = p_session and l.run_id = p_run and l.epoch = p_epoch
$$;

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

-- whatsapp_session_report(run, session, epoch, report): writes what the holder saw. Keys that the report does not
-- have stay, but for QR and pairing code: they live only until the next report.
-- → false if the phone number is not the account's own; nothing is written then.
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

-- == credentials ==

-- whatsapp_credentials_read(run, session, epoch) → the newest sealed state, or null.
create function public.whatsapp_credentials_read(p_run uuid, p_session uuid, p_epoch bigint) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  return (
    select jsonb_build_object('generation', c.generation, 'sealed', encode(c.sealed, 'base64'),
      'key_id', c.key_id, 'incarnation', c.incarnation, 'clean', c.clean)
    from herald.session_credentials as c where c.session_id = p_session
  );
end
$$;

-- whatsapp_credentials_write: compare-and-swap on generation under the lease; p_generation is the new one and must
-- follow the stored one. HR003 if it does not. Writing the same generation and bytes again is accepted (a lost answer).
create function public.whatsapp_credentials_write(
  p_run uuid, p_session uuid, p_epoch bigint, p_generation bigint,
  p_sealed text, p_key_id text, p_incarnation uuid, p_clean boolean
) returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  bytes bytea := decode(p_sealed, 'base64');
  was record;
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  select c.generation, c.sealed into was
  from herald.session_credentials as c where c.session_id = p_session for update;
  if was.generation = p_generation and was.sealed = bytes then
    return;
  end if;
  if coalesce(was.generation, 0) + 1 <> p_generation then
    raise exception 'stored generation is %, not %', coalesce(was.generation, 0), p_generation - 1
      using errcode = 'HR003';
  end if;
  insert into herald.session_credentials as c
  (session_id, organization_id, generation, sealed, key_id, incarnation, clean, written_at)
  select p_session, s.organization_id, p_generation, bytes, p_key_id, p_incarnation, p_clean, herald.clock()
  from public.whatsapp_sessions as s where s.id = p_session
  on conflict (session_id) do update
  set generation = excluded.generation, sealed = excluded.sealed, key_id = excluded.key_id,
    incarnation = excluded.incarnation, clean = excluded.clean, written_at = excluded.written_at;
end
$$;

-- whatsapp_credentials_forget(run, session, epoch): the device was unlinked; its state opens nothing any more.
-- Keeps the generation as an empty, unclean record would: the next pairing starts over at 1 with a fresh store.
create function public.whatsapp_credentials_forget(p_run uuid, p_session uuid, p_epoch bigint) returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  delete from herald.session_credentials as c where c.session_id = p_session;
end
$$;

-- == groups ==

-- whatsapp_groups_sync(run, session, epoch, groups) → how many there are. Groups that are gone become inactive.
create function public.whatsapp_groups_sync(p_run uuid, p_session uuid, p_epoch bigint, p_groups jsonb) returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  org uuid;
  many integer;
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  select s.organization_id into org from public.whatsapp_sessions as s where s.id = p_session;
  insert into public.whatsapp_groups as g
  (organization_id, session_id, group_jid, group_name, participant_count, is_admin, announce_only, invite_link, synced_at)
  select org, p_session, x.jid, coalesce(x.name, ''), coalesce(x.participants, 0), coalesce(x.is_admin, false),
    coalesce(x.announce_only, false), x.invite_link, herald.clock()
  from jsonb_to_recordset(p_groups)
    as x (jid text, name text, participants integer, is_admin boolean, announce_only boolean, invite_link text)
  on conflict (session_id, group_jid) do update
  set group_name = excluded.group_name, participant_count = excluded.participant_count,
    is_admin = excluded.is_admin, announce_only = excluded.announce_only,
    invite_link = coalesce(excluded.invite_link, g.invite_link), is_active = true, synced_at = excluded.synced_at;
  get diagnostics many = row_count;
  update public.whatsapp_groups as g set is_active = false, synced_at = herald.clock()
  where g.session_id = p_session and g.is_active
    and not exists (select 1 from jsonb_array_elements(p_groups) as e where e ->> 'jid' = g.group_jid);
  return many;
end
$$;

-- == commands ==

-- whatsapp_commands_take(run) → commands for sessions that this run holds; each is running from now on.
-- A command that its time has passed, or whose holder changed while it ran, fails with a text that says so.
create function public.whatsapp_commands_take(p_run uuid) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  answer jsonb;
begin
  update public.whatsapp_commands as c
  set state = 'failed', error_message = 'No worker served this in time. Check that the account is connected and try again.'
  where c.state in ('pending', 'running') and c.expires_at <= herald.clock();
  with taken as (
    update public.whatsapp_commands as c set state = 'running'
    where c.id in (
      select p.id from public.whatsapp_commands as p
      join herald.session_leases as l on l.session_id = p.session_id
      where p.state = 'pending' and l.run_id = p_run and l.expires_at > herald.clock()
      order by p.created_at limit 50
      for update of p skip locked
    )
    returning c.id, c.session_id, c.kind, c.arguments, c.created_at
  )
  select jsonb_agg(to_jsonb(taken) - 'created_at' order by taken.created_at, taken.id) into answer from taken;
  return coalesce(answer, '[]'::jsonb);
end
$$;

-- whatsapp_command_finish(run, command, result, error): error null means done. Idempotent.
create function public.whatsapp_command_finish(p_run uuid, p_command uuid, p_result jsonb, p_error text) returns void
language sql volatile security definer set search_path = ''
as $$
  update public.whatsapp_commands as c
  set state = case when p_error is null then 'done' else 'failed' end, result = p_result, error_message = p_error
  from herald.session_leases as l
  where c.id = p_command and c.state = 'running' and l.session_id = c.session_id and l.run_id = p_run
$$;

revoke execute on function herald.holds(uuid, uuid, bigint), herald.require_lease(uuid, uuid, bigint) from public;
revoke execute on function
  public.whatsapp_worker_start(text, uuid, text),
  public.whatsapp_heartbeat(uuid, integer, double precision),
  public.whatsapp_lease_release(uuid, uuid, bigint),
  public.whatsapp_session_attach(uuid, uuid, bigint, uuid),
  public.whatsapp_session_report(uuid, uuid, bigint, jsonb),
  public.whatsapp_credentials_read(uuid, uuid, bigint),
  public.whatsapp_credentials_write(uuid, uuid, bigint, bigint, text, text, uuid, boolean),
  public.whatsapp_credentials_forget(uuid, uuid, bigint),
  public.whatsapp_groups_sync(uuid, uuid, bigint, jsonb),
  public.whatsapp_commands_take(uuid),
  public.whatsapp_command_finish(uuid, uuid, jsonb, text)
from public, anon, authenticated;
grant execute on function
  public.whatsapp_worker_start(text, uuid, text),
  public.whatsapp_heartbeat(uuid, integer, double precision),
  public.whatsapp_lease_release(uuid, uuid, bigint),
  public.whatsapp_session_attach(uuid, uuid, bigint, uuid),
  public.whatsapp_session_report(uuid, uuid, bigint, jsonb),
  public.whatsapp_credentials_read(uuid, uuid, bigint),
  public.whatsapp_credentials_write(uuid, uuid, bigint, bigint, text, text, uuid, boolean),
  public.whatsapp_credentials_forget(uuid, uuid, bigint),
  public.whatsapp_groups_sync(uuid, uuid, bigint, jsonb),
  public.whatsapp_commands_take(uuid),
  public.whatsapp_command_finish(uuid, uuid, jsonb, text)
to service_role;
