-- What `herald doctor` asks the database: is it as the migrations made it, and can it do its work?
-- Findings are rows (severity, topic, what, fix). error: something doesn't work or isn't safe; warning: it will soon
-- be so; optional: not set up, and not needed by what is. fix is a statement or a command.

-- == does Realtime deliver? ==

-- What proves to a worker that Realtime delivers: a row of its own, which it changes once a minute and must hear of. It
-- holds nothing of a tenant. It lies in the private schema, so that no API serves it and no subscription of the CRM to
-- schema public meets it; it is published, and only service_role may read it, so that nobody else hears it.
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

-- whatsapp_doctor_canary() → has something changed that Realtime must deliver? Writes a worker's canary as it is: the
-- worker draws nothing from that. False where no worker has ever started.
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

-- == as the migrations made it ==

-- herald.schema_facts() → what the catalog holds of Herald, one row per fact; of definitions the md5. scripts/types
-- writes those of a fresh database into worker/doctor/schema.txt, and herald doctor compares. Without the CRM's own tables and the adapter's
-- bodies, which are the CRM's business. PUBLIC counts as a role.
create function herald.schema_facts()
returns table (kind text, name text, value text)
language sql stable set search_path = ''
as $$
  with relations as (
    select c.oid, c.relkind, c.relacl, c.relrowsecurity, format('%I.%I', n.nspname, c.relname) as name
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where n.nspname in ('public', 'herald') and c.relkind in ('r', 'p', 'v', 'm')
      and not (n.nspname = 'public' and c.relname in (
        'organizations', 'profiles', 'workshops', 'workshop_attendees', 'notification_queue'
      ))
      and not exists (select 1 from pg_catalog.pg_depend as d where d.objid = c.oid and d.deptype = 'e')
  ), functions as (
    select p.oid, p.prosrc, p.prosecdef, p.proconfig, p.proname, n.nspname,
      coalesce(p.proacl, acldefault('f', p.proowner)) as acl,
      format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.oidvectortypes(p.proargtypes)) as name
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
    where (n.nspname = 'herald' or n.nspname = 'public' and (p.proname like 'whatsapp\_%' or p.proname = 'why_not_sent'))
      and p.proname not like 'words\_%' -- made from the constraints, of which a CRM's own tables have others
      and not exists (select 1 from pg_catalog.pg_depend as d where d.objid = p.oid and d.deptype = 'e')
  ), roles as (
    select r.oid, r.rolname::text as name from pg_catalog.pg_roles as r
    where r.rolname in ('anon', 'authenticated', 'service_role')
    union all select 0, 'public'
  )
  select 'table', r.name, case when r.relrowsecurity then 'row level security' else 'open' end
  from relations as r where r.relkind in ('r', 'p')
  union all
  select 'view', r.name, 'there' from relations as r where r.relkind in ('v', 'm')
  union all
  select 'grant', format('%s %s %s', g.role, lower(g.privilege), g.relation),
    case when bool_or(g.attribute is null) then '*' else string_agg(quote_ident(g.attribute), ', ' order by g.attribute) end
  from (
    select o.name as role, a.privilege_type as privilege, r.name as relation, null as attribute
    from relations as r cross join lateral aclexplode(r.relacl) as a join roles as o on o.oid = a.grantee
    union all
    select o.name, a.privilege_type, r.name, t.attname
    from relations as r
    join pg_catalog.pg_attribute as t on t.attrelid = r.oid and t.attnum > 0 and not t.attisdropped
    cross join lateral aclexplode(t.attacl) as a
    join roles as o on o.oid = a.grantee
  ) as g
  where g.privilege in ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
  group by g.role, g.privilege, g.relation
  union all
  select 'execute', f.name, string_agg(o.name, ', ' order by o.name)
  from functions as f cross join lateral aclexplode(f.acl) as a join roles as o on o.oid = a.grantee
  group by f.name
  union all
  select 'usage', format('%s %s', o.name, n.nspname), 'granted'
  from pg_catalog.pg_namespace as n
  cross join lateral aclexplode(n.nspacl) as a
  join roles as o on o.oid = a.grantee
  where n.nspname = 'herald' and a.privilege_type = 'USAGE'
  union all
  select 'published', format('%I.%I', p.schemaname, p.tablename), 'published'
  from pg_catalog.pg_publication_tables as p where p.pubname = 'supabase_realtime' and p.schemaname in ('public', 'herald')
  union all
  select 'policy', format('%I on %s', p.polname, r.name), md5(concat(
    'for ', case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
      else 'all' end,
    ' to ', (select string_agg(coalesce(o.name, u.role::regrole::text), ', ' order by o.name)
      from unnest(p.polroles) as u (role) left join roles as o on o.oid = u.role),
    regexp_replace(' using (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', '\s+', ' ', 'g'),
    regexp_replace(' with check (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', '\s+', ' ', 'g')
  ))
  from pg_catalog.pg_policy as p join relations as r on r.oid = p.polrelid
  union all
  select 'trigger', format('%I on %s', t.tgname, r.name),
    case t.tgenabled when 'D' then 'disabled' else md5(pg_catalog.pg_get_triggerdef(t.oid)) end
  from pg_catalog.pg_trigger as t join relations as r on r.oid = t.tgrelid
  where not t.tgisinternal
    and t.tgname <> 'notification_told' -- only there if the CRM's notification_queue has the shape that Herald knows
    and t.tgname not in ('zz_words', 'A_words', 'A_words_changed')
  union all
  select 'index', format('%I.%I', n.nspname, c.relname),
    case when i.indisvalid then md5(pg_catalog.pg_get_indexdef(i.indexrelid)) else 'invalid' end
  from pg_catalog.pg_index as i
  join relations as r on r.oid = i.indrelid
  join pg_catalog.pg_class as c on c.oid = i.indexrelid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where not exists (select 1 from pg_catalog.pg_constraint as k where k.conindid = i.indexrelid)
  union all
  select 'function', f.name, md5(concat(regexp_replace(f.prosrc, '\s+', ' ', 'g'), f.prosecdef, f.proconfig))
  from functions as f
  where f.nspname <> 'herald' or f.proname not in (
    'is_super_admin', 'my_organizations', 'my_admin_organizations',
    'workshop_facts', 'workshop_variables', 'workshop_attendees'
  )
$$;
revoke execute on function herald.schema_facts() from public;

-- == the server, and what a project adds ==

-- herald.server_findings(old transaction): version, roles, Realtime's ground, extensions, clocks, who holds old rows.
create function herald.server_findings(p_old interval)
returns table (severity text, topic text, what text, fix text)
language plpgsql stable set search_path = ''
as $$
declare
  version integer := current_setting('server_version_num')::integer;
begin
  if version < 150000 or version >= 180000 then
    return query select case when version < 150000 then 'error' else 'warning' end, 'postgres',
      format('Postgres %s: Herald is tested on 15, 16 and 17.', current_setting('server_version')),
      'Upgrade the project: Supabase dashboard, Settings, Infrastructure.';
  end if;
  return query
    select 'error', 'roles', format('The role %s is missing: this is no Supabase project.', r.name), 'Name the right project in SUPABASE_URL.'
    from unnest(array['anon', 'authenticated', 'service_role']) as r (name)
    where not exists (select 1 from pg_catalog.pg_roles as p where p.rolname = r.name);
  return query
    select 'error', 'roles', 'Row level security holds for service_role: the worker sees no rows.', 'alter role service_role bypassrls;'
    from pg_catalog.pg_roles as r where r.rolname = 'service_role' and not r.rolbypassrls;
  return query
    select 'error', 'row level security', format('The role %s passes by row level security: everyone sees everything.', r.rolname),
      format('alter role %I nobypassrls nosuperuser;', r.rolname)
    from pg_catalog.pg_roles as r
    where r.rolname in ('anon', 'authenticated') and (r.rolbypassrls or r.rolsuper);
  if not exists (select 1 from pg_catalog.pg_publication as p where p.pubname = 'supabase_realtime') then
    return query select 'error', 'publication', 'The publication supabase_realtime is missing: Realtime tells of nothing.',
      'create publication supabase_realtime;';
  end if;
  return query
    select 'error', 'publication', 'The publication supabase_realtime leaves out inserts or updates.',
      'alter publication supabase_realtime set (publish = ''insert, update, delete, truncate'');'
    from pg_catalog.pg_publication as p
    where p.pubname = 'supabase_realtime' and not (p.pubinsert and p.pubupdate);
  if current_setting('wal_level') <> 'logical' then
    return query select 'error', 'publication', format('wal_level is %s: Realtime can''t work.', current_setting('wal_level')),
      'alter system set wal_level = logical;  -- then restart Postgres';
  end if;
  return query
    select 'warning', 'extensions', format('The extension %s is missing: %s.', e.name, e.why), format('create extension %s;', e.name)
    from (values
      ('supabase_vault', 'no account can be linked')
    ) as e (name, why)
    where not exists (select 1 from pg_catalog.pg_extension as x where x.extname = e.name);
  if herald.clock() <> now() then
    return query select 'error', 'clock', format('herald.clock() is %s from the real time: messages go out at wrong times.',
        herald.clock() - now()),
      'create or replace function herald.clock() returns timestamptz language plpgsql stable set search_path = ''''
        as '' begin return now(); end '';';
  end if;
  if not current_setting('autovacuum')::boolean then
    return query select 'error', 'postgres', 'autovacuum is off: the queue gets slower every day.',
      'alter system set autovacuum = on; select pg_reload_conf();';
  end if;
  -- A transaction that holds old rows slows the claim from 33,000 messages a second to 3,500 in half a minute.
  return query
    select 'warning', 'old transactions',
      format('A transaction of %s has been open for %s (%s, %s).', coalesce(a.usename, 'a role'),
        date_trunc('second', clock_timestamp() - a.xact_start), a.state, coalesce(nullif(a.application_name, ''), 'no name')),
      format('select pg_terminate_backend(%s);', a.pid)
    from pg_catalog.pg_stat_activity as a
    where a.backend_type = 'client backend' and a.datname = current_database() and a.pid <> pg_backend_pid()
      and a.xact_start < clock_timestamp() - p_old
    union all
    select 'warning', 'old transactions', format('A prepared transaction has waited since %s.', date_trunc('second', p.prepared)),
      format('rollback prepared %L;', p.gid)
    from pg_catalog.pg_prepared_xacts as p
    where p.database = current_database() and p.prepared < clock_timestamp() - p_old
    union all
    select 'warning', 'old transactions', format('The replication slot %s is not used and keeps %s of changes.', s.slot_name,
        pg_size_pretty(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn))),
      format('select pg_drop_replication_slot(%L);', s.slot_name)
    from pg_catalog.pg_replication_slots as s
    where not s.active and not s.temporary
      and pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn) > 1024 ^ 3;
  return query
    select 'warning', 'postgres', format('%s of %s connections are taken.', c.taken, c.most),
      'Raise the compute size, or lower the pool: Supabase dashboard, Settings, Database.'
    from (
      select count(*) as taken, current_setting('max_connections')::integer as most
      from pg_catalog.pg_stat_activity as a where a.backend_type = 'client backend'
    ) as c where c.taken > c.most * 0.9;
end
$$;
revoke execute on function herald.server_findings(interval) from public;

-- herald.adapter_findings(): does the adapter know the CRM's people?
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

-- herald.fallback_findings(): would messages go out with every worker down?
create function herald.fallback_findings()
returns table (severity text, topic text, what text, fix text)
language plpgsql stable set search_path = ''
as $$
declare
  missing text[] := herald.fallback_missing();
  job record;
  there boolean;
  active boolean;
  told text;
  begun boolean := herald.vault_secret('herald_functions_url') is not null or herald.vault_secret('herald_cron_secret') is not null;
begin
  if not begun and to_regclass('cron.job') is not null then
    execute 'select exists (select from cron.job as j join herald.fallback_jobs() as f on f.name = j.jobname)' into begun;
  end if;
  if not begun then
    return query select 'optional', 'fallback',
      'The fallback is not set up: with every worker down, nobody is told that messages wait.', 'docs/functions.md';
    return;
  end if;
  return query select 'warning', 'fallback', 'The fallback for a queue without a worker is not complete.', m.line
    from unnest(missing) as m (line);
  for job in select * from herald.fallback_jobs() loop
    there := false;
    if to_regclass('cron.job') is not null then
      execute 'select j.active and j.command = $2 and j.schedule = $3 from cron.job as j where j.jobname = $1'
        into active using job.name, job.command, job.schedule;
      there := active is not null;
    end if;
    if not there then
      return query select 'warning', 'fallback', format('The pg_cron job %s is not scheduled.', job.name),
        'select herald.schedule_fallback();'::text;
    elsif not active then
      return query select 'warning', 'fallback', format('The pg_cron job %s is switched off or was changed.', job.name),
        format('select cron.unschedule(%L); select herald.schedule_fallback();', job.name);
    else
      execute $last$
        select case when d.status = 'failed' then d.return_message end from cron.job_run_details as d
        join cron.job as j on j.jobid = d.jobid where j.jobname = $1 and d.status in ('failed', 'succeeded')
        order by d.runid desc limit 1
      $last$ into told using job.name;
      if told is not null then
        return query select 'warning', 'fallback', format('The pg_cron job %s fails: %s', job.name, left(told, 200)),
          format('%s;', job.command);
      end if;
    end if;
  end loop;
end
$$;
revoke execute on function herald.fallback_findings() from public;

-- == the work ==

-- herald.work_findings(): accounts, workers, queue and alerts that need a person.
create function herald.work_findings()
returns table (severity text, topic text, what text, fix text)
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  moment timestamptz := herald.clock();
  living bigint;
  wanted bigint;
begin
  select count(*) into living from herald.workers as w where w.heartbeat_at > moment - interval '60 seconds';
  select count(*) into wanted from public.whatsapp_sessions as s
  where s.enabled and s.desired_state = 'connected' and s.provider = 'web';
  if living = 0 and wanted > 0 then
    return query select 'error', 'workers', format('No worker runs, and %s %s should be connected.', wanted,
      case wanted when 1 then 'account' else 'accounts' end), 'pm2 start ecosystem.config.js';
  else
    return query
      select 'warning', 'workers', format('%s of %s accounts that should be connected are served by no worker.', count(*), wanted),
        'Raise WORKER_MAX_SESSIONS, or start one more worker.'
      from public.whatsapp_sessions as s
      left join herald.session_leases as l on l.session_id = s.id
      where s.enabled and s.desired_state = 'connected' and s.provider = 'web'
        and coalesce(l.expires_at, s.updated_at) < moment - interval '60 seconds'
      having count(*) > 0;
  end if;
  return query
    select 'warning', 'workers', format('The worker %s has given no sign of life for %s.', w.worker_id,
        date_trunc('second', moment - w.heartbeat_at)),
      format('Start it again, or if it is gone for good: delete from herald.workers where worker_id = %L;', w.worker_id)
    from herald.workers as w
    where living > 0 and w.heartbeat_at between moment - interval '1 day' and moment - interval '60 seconds'
    order by w.worker_id;
  return query
    select case when s.status = 'banned' then 'error' else 'warning' end, 'accounts',
      format('The account %s is %s%s', s.id, replace(s.status, '_', ' '), coalesce(': ' || s.last_error, '.')),
      case s.status
        when 'banned' then format('herald sessions disconnect %s  # and link another number', s.id)
        when 'logged_out' then format('herald sessions connect %s  # then scan the QR in the CRM', s.id)
        else format('herald sessions show %s', s.id)
      end
    from public.whatsapp_sessions as s
    where s.enabled and s.desired_state = 'connected' and s.status in ('error', 'banned', 'logged_out')
    order by s.created_at;
  return query
    select 'error', 'accounts', format('The Vault has lost the secret of the organisation %s: %s sealed %s can''t be opened.',
        c.organization_id, count(*), case count(*) when 1 then 'session' else 'sessions' end),
      'Restore the Vault from a backup, or link the accounts again: docs/keys.md'
    from herald.session_credentials as c
    where herald.organization_secret(c.organization_id) is null
    group by c.organization_id;
  return query
    select 'warning', 'queue', format('No worker looks at what the account %s has to send; it is due since %s.', o.session_id,
        date_trunc('second', moment - o.due_since)),
      format('herald sessions show %s', o.session_id)
    from herald.overdue_accounts() as o
    where living > 0 and o.due_since < moment - interval '1 minute'
    order by o.due_since limit 20;
  return query
    select 'warning', 'queue', format('%s of the organisation %s %s stuck: the claim has run out.', o.stuck, o.organization_id,
        case o.stuck when 1 then 'message is' else 'messages are' end),
      'select public.whatsapp_reap();'
    from herald.queue_overview() as o where o.stuck > 0;
  return query
    select 'warning', 'queue', format('%s of the organisation %s in doubt: it may or may not have gone out.', o.in_doubt, o.organization_id),
      format('herald queue list --status in_doubt --org %s  # then herald queue settle ID', o.organization_id)
    from herald.queue_overview() as o where o.in_doubt > 0;
  return query
    select case a.severity when 'critical' then 'error' else 'warning' end, 'alerts',
      format('%s (%s%s)', a.message, a.kind, case when count(*) > 1 then format(', %s times', count(*)) end),
      format('update public.whatsapp_alerts set resolved_at = now() where kind = %L and resolved_at is null;  -- once it is fixed', a.kind)
    from public.whatsapp_alerts as a
    where a.resolved_at is null and a.severity <> 'info'
    group by a.severity, a.kind, a.message
    order by a.kind;
end
$$;
revoke execute on function herald.work_findings() from public;

-- == all of it ==

-- whatsapp_doctor(old seconds) → {"now", "postgres", "migrations": [version, …], "facts": [[kind, name, value], …],
-- "workers": [{"worker_id", "run_id", "seconds"}], "findings": [{"severity", "topic", "what", "fix"}]}. migrations: those
-- that are applied; null where nobody keeps count. old seconds: a transaction is too long open from then on. seconds: since
-- its last sign of life. What can't be looked at is a finding itself.
create function public.whatsapp_doctor(p_old_seconds double precision default 300) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  part text;
  these jsonb;
  findings jsonb := '[]';
  applied jsonb;
begin
  foreach part in array array['server', 'adapter', 'fallback', 'work'] loop
    begin
      select coalesce(jsonb_agg(to_jsonb(f)), '[]') into these
      from (
        select f.* from herald.server_findings(make_interval(secs => p_old_seconds)) as f where part = 'server'
        union all
        select f.* from herald.adapter_findings() as f where part = 'adapter'
        union all
        select f.* from herald.fallback_findings() as f where part = 'fallback'
        union all
        select f.* from herald.work_findings() as f where part = 'work'
      ) as f;
      findings := findings || these;
    exception when others then
      findings := findings || jsonb_build_object('severity', 'error', 'topic', part,
        'what', format('This could not be looked at: %s.', sqlerrm), 'fix', 'supabase db push --remote="$DATABASE_URL"');
    end;
  end loop;
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    execute 'select coalesce(jsonb_agg(version order by version), ''[]'') from supabase_migrations.schema_migrations' into applied;
  end if;
  return jsonb_build_object(
    'now', clock_timestamp(), 'postgres', current_setting('server_version'), 'findings', findings,
    'migrations', applied,
    'facts', (
      select jsonb_agg(jsonb_build_array(f.kind, f.name, f.value) order by f.kind, f.name) from herald.schema_facts() as f
    ),
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
'For herald doctor: what is wrong with the database and the work in it, and what its schema is like.';
revoke execute on function public.whatsapp_doctor(double precision) from public, anon, authenticated;
grant execute on function public.whatsapp_doctor(double precision) to service_role;
