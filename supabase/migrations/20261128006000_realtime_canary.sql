-- What proves to a worker that Realtime delivers: a row of its own, which it changes once a minute and must hear of.
-- It holds nothing of a tenant. It lies in the private schema, so that no API serves it and no subscription of the CRM
-- to schema public meets it; it is published, and only service_role may read it, so that nobody else hears it.

create table herald.realtime_canaries (
  worker_id text primary key references herald.workers (worker_id) on delete cascade,
  run_id uuid not null,
  beat bigint not null default 1
);
comment on table herald.realtime_canaries is
'One row a worker: what it changes to hear of it by Realtime. beat counts the changes; run_id is its process.';
alter table herald.realtime_canaries enable row level security;
revoke all on herald.realtime_canaries from public, anon, authenticated;
grant select on herald.realtime_canaries to service_role;
alter publication supabase_realtime add table herald.realtime_canaries;

-- whatsapp_realtime_canary(run) → the beat that Realtime has to tell of. HR001 as whatsapp_heartbeat.
create function public.whatsapp_realtime_canary(p_run uuid) returns bigint
language plpgsql volatile security definer set search_path = ''
as $$
declare
  sung bigint;
begin
  insert into herald.realtime_canaries as c (worker_id, run_id)
  select w.worker_id, w.run_id from herald.workers as w where w.run_id = p_run
  on conflict (worker_id) do update set run_id = excluded.run_id, beat = c.beat + 1
  returning c.beat into sung;
  if sung is null then
    raise exception 'another process has started under this WORKER_ID' using errcode = 'HR001';
  end if;
  return sung;
end
$$;
comment on function public.whatsapp_realtime_canary(uuid) is
'Changes the row by which the worker hears that Realtime delivers; the beat to wait for.';
revoke execute on function public.whatsapp_realtime_canary(uuid) from public, anon, authenticated;
grant execute on function public.whatsapp_realtime_canary(uuid) to service_role;
