-- The jobs that keep a queue moving while no worker does, for the operator to switch on and off as postgres.

-- herald.fallback_jobs: name → schedule and command. Commands hold no secret: they read the Vault when they run.
create function herald.fallback_jobs() returns table (name text, schedule text, command text)
language sql immutable set search_path = ''
as $$
  values
    ('herald-fallback', '* * * * *', 'select herald.run_fallback()'),
    ('herald-housekeeping', '* * * * *', 'select herald.keep_house()'),
    ('herald-session-cleanup', '*/5 * * * *', 'select public.whatsapp_session_cleanup()')
$$;

-- herald.fallback_missing() → what the schedule still lacks, a line each with what mends it; empty: nothing.
create function herald.fallback_missing() returns text[]
language plpgsql stable set search_path = ''
as $$
declare
  missing text[] := '{}';
  extension text;
begin
  foreach extension in array array['pg_cron', 'pg_net', 'supabase_vault'] loop
    if not exists (select 1 from pg_catalog.pg_extension as e where e.extname = extension)
      and not exists (select 1 from pg_catalog.pg_available_extensions as a where a.name = extension) then
      missing := missing || format('The extension %s is not to be had here.', extension);
    end if;
  end loop;
  if herald.vault_secret('herald_functions_url') is null then
    missing := missing
      || 'select vault.create_secret(''https://YOUR-PROJECT.supabase.co/functions/v1'', ''herald_functions_url'');'::text;
  elsif herald.vault_secret('herald_functions_url') !~ '^(https://|http://(127\.0\.0\.1|localhost)[:/])' then
    missing := missing || 'The secret herald_functions_url has to begin with https://.'::text;
  end if;
  if herald.vault_secret('herald_cron_secret') is null then
    missing := missing
      || 'select vault.create_secret(encode(extensions.gen_random_bytes(32), ''hex''), ''herald_cron_secret'');'::text;
  elsif length(herald.vault_secret('herald_cron_secret')) < 32 then
    missing := missing || 'The secret herald_cron_secret has to have 32 characters or more.'::text;
  end if;
  return missing;
end
$$;

-- herald.schedule_fallback() → what is scheduled now. For the operator, as postgres; again is no harm. Creates pg_cron and
-- pg_net where they are to be had. Raises, and says what to do, if something is missing.
create function herald.schedule_fallback() returns setof text
language plpgsql volatile set search_path = ''
as $$
declare
  missing text[] := herald.fallback_missing();
  job record;
begin
  if missing <> '{}' then
    raise exception E'The fallback can''t be scheduled yet:\n%', array_to_string(missing, E'\n')
      using errcode = '55000', hint = 'docs/functions.md tells the steps.';
  end if;
  execute 'create extension if not exists pg_cron with schema pg_catalog';
  execute 'create extension if not exists pg_net with schema extensions';
  for job in select * from herald.fallback_jobs() loop
    execute 'select cron.schedule($1, $2, $3)' using job.name, job.schedule, job.command;
    return next format('%s: %s', job.name, job.schedule);
  end loop;
end
$$;

-- herald.unschedule_fallback() → the jobs that were taken away. For the operator, as postgres.
create function herald.unschedule_fallback() returns setof text
language plpgsql volatile set search_path = ''
as $$
declare
  job record;
  there boolean;
begin
  if to_regclass('cron.job') is null then
    return;
  end if;
  for job in select * from herald.fallback_jobs() loop
    execute 'select exists (select 1 from cron.job where jobname = $1)' into there using job.name;
    if there then
      execute 'select cron.unschedule($1::text)' using job.name;
      return next job.name;
    end if;
  end loop;
end
$$;

revoke execute on function
  herald.fallback_jobs(), herald.fallback_missing(), herald.schedule_fallback(), herald.unschedule_fallback()
from public;

-- A project whose Vault has the secrets already gets the schedule by this push; another one is told how to get it.
do $$
declare
  missing text[] := herald.fallback_missing();
begin
  if missing = '{}' then
    perform herald.schedule_fallback();
  else
    raise notice E'The fallback for a queue without a worker is not scheduled. When you want it:\n%\nselect herald.schedule_fallback();',
      array_to_string(missing, E'\n');
  end if;
exception when others then
  raise notice 'The fallback for a queue without a worker could not be scheduled (%). Later: select herald.schedule_fallback();',
    sqlerrm;
end
$$;
