-- What `herald doctor` asks the database: what is in its catalog, and can it do its work? The worker compares the
-- catalog with worker/doctor/schema.txt. The other findings are rows (severity, topic, what, fix). error: something does
-- not work or is not safe; warning: it will cause trouble later; optional: it is not set up and need not be. fix: a
-- command, a statement or a step.

-- == does Realtime deliver? ==

-- Shows a worker that Realtime delivers: each worker changes its own row once a minute and must get the event. The row
-- holds no tenant's data. It is in the private schema, so that no API serves it and no CRM subscription to schema public
-- gets it; it is published, but only service_role may read it, so that nobody else gets the event.
create table herald.realtime_canaries (
  worker_id text primary key references herald.workers (worker_id) on delete cascade,
  run_id uuid not null,
  beat bigint not null default 1
);
comment on table herald.realtime_canaries is
'One row per worker, which it changes to hear of the change by Realtime. beat counts the changes; run_id is its process.';

alter table herald.realtime_canaries enable row level security;
revoke all on herald.realtime_canaries from public, anon, authenticated;
grant select on herald.realtime_canaries to service_role;
alter publication supabase_realtime add table herald.realtime_canaries;

-- whatsapp_realtime_canary(run) → the beat that Realtime has to deliver. HR001 as whatsapp_heartbeat.
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
    raise exception 'Another process has started under this WORKER_ID.' using errcode = 'HR001',
      hint = 'Stop: give each worker a WORKER_ID of its own.', detail = 'herald:worker-replaced';
  end if;
  return sung;
end
$$;
comment on function public.whatsapp_realtime_canary(uuid) is
'Changes the row by which the worker hears that Realtime delivers; the beat to wait for.';
revoke execute on function public.whatsapp_realtime_canary(uuid) from public, anon, authenticated;
grant execute on function public.whatsapp_realtime_canary(uuid) to service_role;

-- whatsapp_doctor_canary() → was there a change that Realtime must deliver? Rewrites a worker's canary unchanged, which
-- that worker ignores. False if no worker has ever started.
create function public.whatsapp_doctor_canary() returns boolean
language plpgsql volatile security definer set search_path = ''
as $$
begin
  update herald.realtime_canaries as c set beat = c.beat
  where c.worker_id = (select o.worker_id from herald.realtime_canaries as o limit 1);
  return found;
end
$$;
comment on function public.whatsapp_doctor_canary() is
'For herald doctor: a change that Realtime has to deliver; false if there is nothing to change.';
revoke execute on function public.whatsapp_doctor_canary() from public, anon, authenticated;
grant execute on function public.whatsapp_doctor_canary() to service_role;

-- == what the catalog holds ==

-- herald.schema_facts() → the catalog's entries for Herald's objects, one row each: (object, part, value). An object is
-- written as in GRANT (function herald.clock(), public.whatsapp_sessions); longer texts are hashed.
-- scripts/types writes the facts of a fresh database into worker/doctor/schema.txt; herald doctor compares. Left out: the
-- CRM's own tables, except Herald's triggers on them; the bodies of the adapter's functions; notification_told, which only
-- some CRMs get; and what word_refusals makes from the constraints of all tables.
create function herald.schema_facts()
returns table (object text, part text, value text)
language sql stable set search_path = ''
as $$
  with roles as (
    select r.oid, r.rolname::text as name from pg_catalog.pg_roles as r
    where r.rolname in ('anon', 'authenticated', 'service_role')
    union all select 0, 'public'
  ), relations as (
    select c.oid, c.relkind, c.relacl, c.relrowsecurity, c.reloptions, format('%I.%I', n.nspname, c.relname) as name
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm') and (n.nspname = 'herald' or n.nspname = 'public' and (
        c.relname ~ '^(scheduled_)?whatsapp_' or c.relname = 'workshop_automation_config'
      ))
  ), functions as (
    select p.oid, p.prosrc, p.prosecdef, p.proconfig, coalesce(p.proacl, acldefault('f', p.proowner)) as acl,
      format('%s %I.%I(%s)', case p.prokind when 'p' then 'procedure' else 'function' end, n.nspname, p.proname,
        pg_catalog.oidvectortypes(p.proargtypes)) as name,
      n.nspname = 'herald' and p.proname in ('is_super_admin', 'my_organizations', 'my_admin_organizations',
        'workshop_facts', 'workshop_variables', 'workshop_attendees') as is_adapter
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
    where n.nspname = 'herald' and p.proname not like 'words\_%'
      or n.nspname = 'public' and (p.proname like 'whatsapp\_%' or p.proname = 'why_not_sent')
  ), granted as (
    select r.name as object, a.grantee, a.privilege_type as privilege, null as col
    from relations as r cross join lateral aclexplode(r.relacl) as a
    union all
    select r.name, a.grantee, a.privilege_type, t.attname
    from relations as r
    join pg_catalog.pg_attribute as t on t.attrelid = r.oid and t.attnum > 0 and not t.attisdropped
    cross join lateral aclexplode(t.attacl) as a
    union all
    select f.name, a.grantee, a.privilege_type, null from functions as f cross join lateral aclexplode(f.acl) as a
    union all
    select 'schema herald', a.grantee, a.privilege_type, null
    from pg_catalog.pg_namespace as n cross join lateral aclexplode(n.nspacl) as a where n.nspname = 'herald'
  ), texts as (
    select f.name as object, 'body' as part,
      concat(regexp_replace(f.prosrc, '\s+', ' ', 'g'), f.prosecdef, f.proconfig) as value
    from functions as f where not f.is_adapter
    union all
    select r.name, format('column %I', t.attname), concat_ws(' ', pg_catalog.format_type(t.atttypid, t.atttypmod), t.attnotnull,
      t.attidentity, t.attgenerated, pg_catalog.pg_get_expr(d.adbin, d.adrelid))
    from relations as r
    join pg_catalog.pg_attribute as t on t.attrelid = r.oid and t.attnum > 0 and not t.attisdropped
    left join pg_catalog.pg_attrdef as d on d.adrelid = t.attrelid and d.adnum = t.attnum
    where r.relkind in ('r', 'p')
    union all
    -- Without qualifiers and spaces: Postgres 15 and 17 write them differently.
    select r.name, 'definition', regexp_replace(pg_catalog.pg_get_viewdef(r.oid), '\m\w+\.|\s', '', 'g')
    from relations as r where r.relkind in ('v', 'm')
    union all
    select r.name, format('constraint %I', k.conname), pg_catalog.pg_get_constraintdef(k.oid)
    from pg_catalog.pg_constraint as k join relations as r on r.oid = k.conrelid where k.contype in ('p', 'u', 'f', 'c', 'x')
    union all
    select r.name, format('policy %I', p.polname), regexp_replace(concat_ws(' ', p.polcmd, p.polpermissive,
      (select string_agg(coalesce(o.name, u.role::regrole::text), ', ' order by o.name)
        from unnest(p.polroles) as u (role) left join roles as o on o.oid = u.role),
      pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
    ), '\s+', ' ', 'g')
    from pg_catalog.pg_policy as p join relations as r on r.oid = p.polrelid
  )
  select t.object, t.part, left(md5(t.value), 8) from texts as t
  union all
  select r.name, 'security', case when r.relrowsecurity then 'on' else 'off' end from relations as r where r.relkind in ('r', 'p')
  union all
  select r.name, 'rights', case when 'security_invoker=true' = any (r.reloptions) then 'caller' else 'owner' end
  from relations as r where r.relkind in ('v', 'm')
  union all
  select g.object, format('grant %s %s', o.name, lower(g.privilege)),
    case when bool_or(g.col is null) then 'all' else string_agg(quote_ident(g.col), ', ' order by g.col) end
  from granted as g join roles as o on o.oid = g.grantee
  where g.privilege in ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'EXECUTE', 'USAGE')
  group by g.object, o.name, g.privilege
  union all
  select r.name, 'realtime', 'published'
  from pg_catalog.pg_publication_tables as p join relations as r on r.name = format('%I.%I', p.schemaname, p.tablename)
  where p.pubname = 'supabase_realtime'
  union all
  select format('%I.%I', n.nspname, c.relname), format('trigger %I', t.tgname),
    case t.tgenabled when 'D' then 'off' else left(md5(pg_catalog.pg_get_triggerdef(t.oid)), 8) end
  from pg_catalog.pg_trigger as t
  join pg_catalog.pg_class as c on c.oid = t.tgrelid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where not t.tgisinternal and t.tgname not in ('notification_told', 'zz_words', 'A_words', 'A_words_changed', 'A_words_first')
    and (exists (select 1 from relations as r where r.oid = c.oid) or n.nspname = 'public'
      and c.relname in ('organizations', 'workshops') and t.tgname <> 'touch'
      and t.tgfoid in (select p.oid from pg_catalog.pg_proc as p where p.pronamespace = 'herald'::regnamespace))
  union all
  select r.name, format('index %I', c.relname), case when i.indisvalid then left(md5(pg_catalog.pg_get_indexdef(c.oid)), 8) else 'off' end
  from pg_catalog.pg_index as i
  join relations as r on r.oid = i.indrelid
  join pg_catalog.pg_class as c on c.oid = i.indexrelid
  where not exists (select 1 from pg_catalog.pg_constraint as k where k.conindid = i.indexrelid)
$$;
revoke execute on function herald.schema_facts() from public;

-- == the server, and what a project adds ==

-- herald.server_findings(old transaction): version, roles, what Realtime needs, extensions, old transactions.
create function herald.server_findings(p_old interval)
returns table (severity text, topic text, what text, fix text)
language sql stable set search_path = ''
as $$
  select case when s.version < 150000 then 'error' else 'warning' end, 'postgres',
    format('This is Postgres %s. Herald is tested on 15, 16 and 17.', current_setting('server_version')),
    'Use a project on Postgres 17: Supabase dashboard, Settings, Infrastructure.'
  from (select current_setting('server_version_num')::integer as version) as s
  where s.version < 150000 or s.version >= 180000
  union all
  select 'error', 'roles', format('The role %s is missing: this is not a Supabase project.', r.name),
    'Set SUPABASE_URL to the address of your Supabase project.'
  from unnest(array['anon', 'authenticated', 'service_role']) as r (name)
  where not exists (select 1 from pg_catalog.pg_roles as p where p.rolname = r.name)
  union all
  select 'error', 'roles', 'Row level security applies to service_role, so the worker sees no rows.', 'alter role service_role bypassrls;'
  from pg_catalog.pg_roles as r where r.rolname = 'service_role' and not r.rolbypassrls
  union all
  select 'error', 'row level security',
    format('The role %s bypasses row level security: everyone who has it reads the rows of every organisation.', r.rolname),
    format('alter role %s nobypassrls nosuperuser;', r.rolname)
  from pg_catalog.pg_roles as r where r.rolname in ('anon', 'authenticated') and (r.rolbypassrls or r.rolsuper)
  union all
  select 'error', 'publication', 'The publication supabase_realtime is missing, so Realtime reports no changes.',
    'create publication supabase_realtime;'
  where not exists (select 1 from pg_catalog.pg_publication as p where p.pubname = 'supabase_realtime')
  union all
  select 'error', 'publication', 'The publication supabase_realtime leaves out inserts or updates.',
    'alter publication supabase_realtime set (publish = ''insert, update, delete, truncate'');'
  from pg_catalog.pg_publication as p where p.pubname = 'supabase_realtime' and not (p.pubinsert and p.pubupdate)
  union all
  select 'error', 'publication', format('wal_level is %s, so Realtime cannot work.', current_setting('wal_level')),
    'alter system set wal_level = logical;  -- then restart Postgres'
  where current_setting('wal_level') <> 'logical'
  union all
  select 'warning', 'extensions', 'The extension supabase_vault is missing, so no account can be linked.',
    'create extension supabase_vault;'
  where not exists (select 1 from pg_catalog.pg_extension as x where x.extname = 'supabase_vault')
  union all
  select 'error', 'clock', format('herald.clock() is %s off the real time, so messages go out at wrong times.', herald.clock() - now()),
    'Run `create function herald.clock` of supabase/migrations/20261201000000_foundation.sql, as `create or replace function`.'
  where herald.clock() <> now()
  union all
  select 'error', 'postgres', 'Autovacuum is off, so the queue gets slower every day.',
    'alter system set autovacuum = on; select pg_reload_conf();'
  where not current_setting('autovacuum')::boolean
  union all
  -- A transaction that holds old rows slows the claim from 33,000 messages a second to 3,500 in half a minute.
  select 'warning', 'old transactions',
    format('A transaction of %s has been open for %s (%s, %s). The queue gets slower until it ends.', coalesce(a.usename, 'a role'),
      date_trunc('second', clock_timestamp() - a.xact_start), a.state, coalesce(nullif(a.application_name, ''), 'no name')),
    format('select pg_terminate_backend(%s);', a.pid)
  from pg_catalog.pg_stat_activity as a
  where a.backend_type = 'client backend' and a.datname = current_database() and a.pid <> pg_backend_pid()
    and a.xact_start < clock_timestamp() - p_old
  union all
  select 'warning', 'old transactions',
    format('A prepared transaction has waited since %s. The queue gets slower until it ends.', date_trunc('second', p.prepared)),
    format('rollback prepared %L;', p.gid)
  from pg_catalog.pg_prepared_xacts as p
  where p.database = current_database() and p.prepared < clock_timestamp() - p_old
  union all
  select 'warning', 'old transactions', format('Nobody reads the replication slot %s; it keeps %s on the disk.', s.slot_name,
      pg_size_pretty(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn))),
    format('select pg_drop_replication_slot(%L);', s.slot_name)
  from pg_catalog.pg_replication_slots as s
  where not s.active and not s.temporary
    and pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn) > 1024 ^ 3
  union all
  select 'warning', 'postgres', format('%s of %s database connections are taken.', c.taken, c.most),
    'Choose a larger compute size, or close what uses them: Supabase dashboard, Settings, Database.'
  from (
    select count(*) as taken, current_setting('max_connections')::integer as most
    from pg_catalog.pg_stat_activity as a where a.backend_type = 'client backend'
  ) as c where c.taken > c.most * 0.9
$$;
revoke execute on function herald.server_findings(interval) from public;

-- herald.adapter_findings(): does the adapter find the CRM's people? Errors of its functions pass through.
create function herald.adapter_findings()
returns table (severity text, topic text, what text, fix text)
language plpgsql stable set search_path = ''
as $$
begin
  return query
    select 'error', 'adapter', format('herald.%s() still denies everything: nobody sees or sends anything in the CRM.', p.proname),
      'Fill in supabase/migrations/20261201000200_crm_adapter.sql (docs/connect-a-crm.md) and run it again.'
    from pg_catalog.pg_proc as p
    where p.pronamespace = 'herald'::regnamespace and p.proname in ('my_organizations', 'my_admin_organizations')
      and p.prosrc ~ 'where false';
  perform 1 from herald.my_admin_organizations() limit 1;
  perform 1 from herald.workshop_facts(null) limit 1;
  perform 1 from herald.workshop_attendees(null) limit 1;
end
$$;
revoke execute on function herald.adapter_findings() from public;

-- herald.fallback_findings(): would pg_cron wake a sleeping worker? Optional until the operator begins to set it up.
create function herald.fallback_findings()
returns table (severity text, topic text, what text, fix text)
language plpgsql stable set search_path = ''
as $$
declare
  missing text[] := herald.fallback_missing();
  scheduled jsonb := '{}';  -- by name: whether it is as it should be, and what its last run said if it failed
  failure text;
  job record;
begin
  if to_regclass('cron.job') is not null then
    execute $jobs$
      select coalesce(jsonb_object_agg(j.jobname, jsonb_build_object('as_made', j.active and j.command = f.command
        and j.schedule = f.schedule, 'failure', (
          select case when d.status = 'failed' then d.return_message end from cron.job_run_details as d
          where d.jobid = j.jobid and d.status in ('failed', 'succeeded') order by d.runid desc limit 1
        ))), '{}')
      from cron.job as j join herald.fallback_jobs() as f on f.name = j.jobname
    $jobs$ into scheduled;
  end if;
  if scheduled = '{}' and herald.vault_secret('herald_functions_url') is null and herald.vault_secret('herald_cron_secret') is null then
    return query select 'optional', 'fallback', 'Waking a worker by pg_cron is not set up (optional). It helps when a worker misses new messages.',
      'docs/functions.md says how.';
    return;
  end if;
  return query
    select 'warning', 'fallback', 'pg_cron cannot wake a worker yet: one step of its set-up is missing.', m.line
    from unnest(missing) as m (line);
  for job in select * from herald.fallback_jobs() loop
    failure := scheduled -> job.name ->> 'failure';
    if not scheduled ? job.name then
      return query select 'warning', 'fallback', format('The pg_cron job %s is not scheduled.', job.name),
        'select herald.schedule_fallback();';
    elsif not (scheduled -> job.name ->> 'as_made')::boolean then
      return query select 'warning', 'fallback', format('The pg_cron job %s is switched off or was changed.', job.name),
        format('select cron.unschedule(%L); select herald.schedule_fallback();', job.name);
    elsif failure is not null then
      return query select 'warning', 'fallback', format('The pg_cron job %s fails: %s', job.name, left(failure, 200)),
        format('%s;  -- runs it now and shows the whole error', job.command);
    end if;
  end loop;
end
$$;
revoke execute on function herald.fallback_findings() from public;

-- == the work ==

-- herald.work_findings(): accounts, workers, messages and alerts that need a person.
create function herald.work_findings()
returns table (severity text, topic text, what text, fix text)
language sql volatile set search_path = '' set jit = off
as $$
  with clock as materialized (
    select herald.clock() as moment, herald.clock() - interval '60 seconds' as silent
  ), living as materialized (
    select count(*) as workers from herald.workers as w where w.heartbeat_at > (select c.silent from clock as c)
  ), wanted as materialized (
    select s.id, coalesce(l.expires_at, s.updated_at) < (select c.silent from clock as c) as unserved
    from public.whatsapp_sessions as s left join herald.session_leases as l on l.session_id = s.id
    where s.enabled and s.desired_state = 'connected' and s.provider = 'web'
  ), queues as materialized (
    select o.* from herald.queue_overview() as o
  )
  select 'error', 'workers', format('No worker runs, and %s %s should be connected.', count(*),
      case count(*) when 1 then 'account' else 'accounts' end), 'pm2 start ecosystem.config.js'
  from wanted having count(*) > 0 and (select l.workers from living as l) = 0
  union all
  select 'warning', 'workers', format('No worker serves %s of %s accounts that should be connected.',
      count(*) filter (where w.unserved), count(*)), 'Raise WORKER_MAX_SESSIONS, or start one more worker.'
  from wanted as w having bool_or(w.unserved) and (select l.workers from living as l) > 0
  union all
  (
    select 'warning', 'workers', format('The worker %s has not reported for %s.', w.worker_id,
        date_trunc('second', c.moment - w.heartbeat_at)),
      format('Start it again, or if it is gone for good: delete from herald.workers where worker_id = %L;', w.worker_id)
    from herald.workers as w cross join clock as c
    where w.heartbeat_at between c.moment - interval '1 day' and c.silent and (select l.workers from living as l) > 0
    order by w.worker_id
  )
  union all
  (
    select case when s.status = 'banned' then 'error' else 'warning' end, 'accounts',
      format('The account %s is %s%s', s.id, replace(s.status, '_', ' '), coalesce(': ' || s.last_error, '.')),
      format(case s.status
        when 'banned' then 'herald sessions disconnect %s  # then link another number'
        when 'logged_out' then 'herald sessions connect %s  # then scan the QR code in the CRM'
        else 'herald sessions show %s'
      end, s.id)
    from public.whatsapp_sessions as s
    where s.enabled and s.desired_state = 'connected' and s.status in ('error', 'banned', 'logged_out')
    order by s.created_at
  )
  union all
  select 'error', 'accounts', format('The Vault no longer has the secret of the organisation %s. Its %s linked %s cannot be opened.',
      x.organization_id, count(*), case count(*) when 1 then 'account' else 'accounts' end),
    'Restore the Vault from a backup, or link the accounts again (docs/keys.md).'
  from herald.session_credentials as x where herald.organization_secret(x.organization_id) is null
  group by x.organization_id
  union all
  (
    select 'warning', 'queue', format('The account %s has had a message to send since %s, and no worker takes it.', o.session_id,
        date_trunc('second', o.due_since)), format('herald sessions show %s', o.session_id)
    from herald.overdue_accounts() as o cross join clock as c
    where o.due_since < c.moment - interval '1 minute' and (select l.workers from living as l) > 0
    order by o.due_since limit 20
  )
  union all
  select 'warning', 'queue', format('The organisation %s has %s stuck: the worker that took %s did not report back.', q.organization_id,
      case q.stuck when 1 then 'a message that is' else q.stuck || ' messages that are' end,
      case q.stuck when 1 then 'it' else 'them' end), 'select public.whatsapp_reap();'
  from queues as q where q.stuck > 0
  union all
  select 'warning', 'queue', format('The organisation %s has %s in doubt: WhatsApp may or may not have sent %s.', q.organization_id,
      case q.in_doubt when 1 then 'a message' else q.in_doubt || ' messages' end, case q.in_doubt when 1 then 'it' else 'them' end),
    format('herald queue list --status in_doubt --org %s  # then herald queue settle ID', q.organization_id)
  from queues as q where q.in_doubt > 0
  union all
  (
    select case a.severity when 'critical' then 'error' else 'warning' end, 'alerts',
      format('%s (%s%s)', a.message, a.kind, case when count(*) > 1 then format(', %s times', count(*)) end),
      format('update public.whatsapp_alerts set resolved_at = now() where kind = %L and resolved_at is null;  -- once it is fixed', a.kind)
    from public.whatsapp_alerts as a
    where a.resolved_at is null and a.severity <> 'info'
    group by a.severity, a.kind, a.message
    order by a.kind
  )
$$;
revoke execute on function herald.work_findings() from public;

-- == all of it ==

-- whatsapp_doctor(old seconds) → {"now", "postgres", "workers": [{"worker_id", "run_id", "seconds"}], "migrations":
-- [version] or null, "facts": [[object, part, value]], "findings": [{"severity", "topic", "what", "fix"}]}. old seconds:
-- how long a transaction may be open. seconds: since the worker last reported. migrations: null where nothing records
-- them. A part that raises becomes a finding itself.
create function public.whatsapp_doctor(p_old_seconds double precision default 300) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  look text;
  these jsonb;
  findings jsonb := '[]';
  applied jsonb;
begin
  foreach look in array array['server', 'adapter', 'fallback', 'work'] loop
    begin
      select coalesce(jsonb_agg(to_jsonb(f)), '[]') into these
      from (
        select f.* from herald.server_findings(make_interval(secs => p_old_seconds)) as f where look = 'server'
        union all
        select f.* from herald.adapter_findings() as f where look = 'adapter'
        union all
        select f.* from herald.fallback_findings() as f where look = 'fallback'
        union all
        select f.* from herald.work_findings() as f where look = 'work'
      ) as f;
      findings := findings || these;
    exception when others then
      findings := findings || jsonb_build_object('severity', 'error', 'topic', look,
        'what', format('The database could not check this: %s.', sqlerrm),
        'fix', case look when 'adapter' then 'Correct the functions of the adapter: docs/connect-a-crm.md' else 'Fix the errors above first.' end);
    end;
  end loop;
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    execute 'select coalesce(jsonb_agg(version), ''[]'') from supabase_migrations.schema_migrations' into applied;
  end if;
  return jsonb_build_object(
    'now', clock_timestamp(), 'postgres', current_setting('server_version'), 'findings', findings, 'migrations', applied,
    'facts', (select jsonb_agg(jsonb_build_array(f.object, f.part, f.value)) from herald.schema_facts() as f),
    'workers', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'worker_id', w.worker_id, 'run_id', w.run_id, 'seconds', extract(epoch from herald.clock() - w.heartbeat_at)
      )), '[]')
      from herald.workers as w
    )
  );
end
$$;
comment on function public.whatsapp_doctor(double precision) is
'For herald doctor: what the catalog holds, and what is wrong with the database and the work in it.';
revoke execute on function public.whatsapp_doctor(double precision) from public, anon, authenticated;
grant execute on function public.whatsapp_doctor(double precision) to service_role;
