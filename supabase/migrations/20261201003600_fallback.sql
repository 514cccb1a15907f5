-- The fallback when no worker claims due messages: pg_cron notices, pg_net calls an edge function, and that wakes a
-- worker. Only this file decides which messages count as overdue; docs/functions.md shows how to switch it on.

create table herald.fallback (
  only_row boolean primary key default true constraint fallback_is_one_row check (only_row),
  request_id bigint,
  asked_at timestamptz,
  reported_at timestamptz,
  woken_at timestamptz
);
comment on table herald.fallback is 'The last time that the fallback was needed: when it asked, and what came of it.';
comment on column herald.fallback.request_id is 'pg_net''s id of the call of process-whatsapp-queue.';
comment on column herald.fallback.asked_at is 'Null when nothing has been overdue since.';
comment on column herald.fallback.reported_at is 'When the function last said what came of it.';
comment on column herald.fallback.woken_at is 'When a worker last said that it is awake.';

alter table herald.fallback enable row level security;
insert into herald.fallback default values;

-- herald.overdue_accounts(): accounts that may send, have had something due for eight seconds, and that no worker has
-- looked at in that time; and since when it is due. A live worker looks at once, or after five seconds by its poll.
-- Without accounts that a worker is connecting, or that a person has to link again: waking a worker would not help.
create function herald.overdue_accounts()
returns table (session_id uuid, due_since timestamptz)
language sql stable set search_path = '' set jit = off
as $$
  with clock as materialized (
    select herald.clock() as moment, herald.clock() - interval '8 seconds' as late
  ), waiting as materialized (
    select s.id, due.since
    from clock as c
    cross join public.whatsapp_sessions as s
    left join herald.session_leases as l on l.session_id = s.id
    cross join lateral (
      select m.due_at as since from herald.due_messages as m
      where m.session_id = s.id and m.due_at <= c.late order by m.due_at limit 1
    ) as due
    where s.enabled and s.desired_state = 'connected' and s.status not in ('qr_pending', 'logged_out', 'banned')
      and (
        l.session_id is null or l.run_id is null or l.expires_at <= c.moment
        or exists (
          select 1 from herald.serving as v
          where v.session_id = s.id and greatest(v.looked_at, v.look_again_at, v.next_send_at) <= c.late
        )
      )
      and not exists (
        select 1 from herald.message_claims as x where x.session_id = s.id and x.claimed_until > c.moment
      )
      and exists (select 1 from herald.account_holds as a where a.session_id = s.id and a.hold is null)
  )
  select w.id, w.since from waiting as w cross join lateral herald.look_further(w.id, 0, null) as l
  where l.message_id is not null
$$;
revoke execute on function herald.overdue_accounts() from public;

-- herald.not_drained_because(reason) → what the operator reads.
create function herald.not_drained_because(p_reason text) returns text
language sql immutable set search_path = ''
as $$
  select 'Messages are due and no worker claims them. ' || case p_reason
    when 'secrets-missing' then 'The Vault lacks herald_functions_url or herald_cron_secret.'
    when 'net-missing' then 'The extension pg_net is not there.'
    when 'function-silent' then 'The edge function process-whatsapp-queue did not answer. Look at herald_functions_url.'
    when 'function-missing' then 'The edge function process-whatsapp-queue is not deployed.'
    when 'function-refused' then 'The edge function''s CRON_SECRET is not the Vault''s herald_cron_secret.'
    when 'function-failed' then 'The edge function process-whatsapp-queue failed; see its log.'
    when 'not-configured' then 'The edge function lacks VPS_URL or VPS_API_KEY.'
    when 'vps-unreachable' then 'The worker''s server can''t be reached. See that it runs: pm2 status.'
    when 'vps-timeout' then 'The worker''s server does not answer in time.'
    when 'vps-refused-key' then 'The worker does not accept VPS_API_KEY.'
    when 'woken-in-vain' then 'A worker answers and does not claim them. See its log, and whether it serves these accounts.'
    else 'Waking the worker failed (' || p_reason || ').'
  end
$$;
revoke execute on function herald.not_drained_because(text) from public;

-- herald.tell_not_drained(reason): one open alert for the operator. Another reason updates it; the same reason changes
-- nothing.
create function herald.tell_not_drained(p_reason text) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if not exists (
    select 1 from public.whatsapp_alerts as a
    where a.organization_id is null and a.session_id is null and a.kind = 'queue-not-drained' and a.resolved_at is null
      and a.details ->> 'reason' = p_reason
  ) then
    perform herald.raise_alert(null, null, 'queue-not-drained', 'critical', herald.not_drained_because(p_reason), (
      select jsonb_build_object('reason', p_reason, 'accounts', count(*), 'due_since', min(o.due_since))
      from herald.overdue_accounts() as o
    ));
  end if;
end
$$;
revoke execute on function herald.tell_not_drained(text) from public;

-- whatsapp_fallback_due() → {"accounts": how many are overdue, "due_since": …}: whether there is reason to wake a
-- worker.
create function public.whatsapp_fallback_due() returns jsonb
language sql stable security definer set search_path = ''
as $$
  select jsonb_build_object('accounts', count(*), 'due_since', min(o.due_since)) from herald.overdue_accounts() as o
$$;
comment on function public.whatsapp_fallback_due() is
'For process-whatsapp-queue: how many accounts have messages that are due and that no worker claims.';
revoke execute on function public.whatsapp_fallback_due() from public, anon, authenticated;
grant execute on function public.whatsapp_fallback_due() to service_role;

-- whatsapp_fallback_report(problem): a worker was woken (null), or why not, by the problem's code.
create function public.whatsapp_fallback_report(p_problem text) returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_problem !~ '^[a-z][a-z-]{0,59}$' then
    raise exception 'A problem is told by its code.' using errcode = '22023',
      hint = 'Pass the problem''s code, not its text.', detail = 'herald:problem-without-code';
  end if;
  update herald.fallback as f
  set reported_at = herald.clock(), woken_at = case when p_problem is null then herald.clock() else f.woken_at end
  where f.only_row;
  if p_problem is not null then
    perform herald.tell_not_drained(p_problem);
  end if;
end
$$;
comment on function public.whatsapp_fallback_report(text) is
'For process-whatsapp-queue: that a worker was woken (null), or the code of what prevented it.';
revoke execute on function public.whatsapp_fallback_report(text) from public, anon, authenticated;
grant execute on function public.whatsapp_fallback_report(text) to service_role;

-- == each minute ==

-- herald.vault_secret(name) → a secret of the Vault; null if there is none, or no Vault.
create function herald.vault_secret(p_name text) returns text
language plpgsql stable set search_path = ''
as $$
declare
  answer text;
begin
  if to_regclass('vault.decrypted_secrets') is not null then
    execute 'select s.decrypted_secret from vault.decrypted_secrets as s where s.name = $1' into answer using p_name;
  end if;
  return nullif(btrim(answer), '');
end
$$;
revoke execute on function herald.vault_secret(text) from public;

-- herald.fallback_failed() → why the last call of the last minutes failed; null: it didn't, or there was none.
create function herald.fallback_failed() returns text
language plpgsql stable set search_path = ''
as $$
declare
  last_call herald.fallback;
  status integer;
begin
  select f.* into last_call from herald.fallback as f where f.asked_at > herald.clock() - interval '3 minutes';
  if last_call.asked_at is null then
    return null;
  elsif last_call.reported_at >= last_call.asked_at then
    return case when last_call.woken_at >= last_call.asked_at then 'woken-in-vain' end;
  end if;
  if to_regclass('net._http_response') is not null then
    execute 'select r.status_code from net._http_response as r where r.id = $1' into status using last_call.request_id;
  end if;
  return case
    when status is null then 'function-silent'
    when status in (401, 403) then 'function-refused'
    when status = 404 then 'function-missing'
    else 'function-failed'
  end;
end
$$;
revoke execute on function herald.fallback_failed() from public;

-- herald.run_fallback() → what it did, in words. Runs each minute: if messages are due that no worker claims, it calls
-- process-whatsapp-queue; if that failed, it tells the operator; once all is well again, it resolves the alert.
create function herald.run_fallback() returns text
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  overdue integer := (select count(*) from herald.overdue_accounts());
  address text := herald.vault_secret('herald_functions_url');
  secret text := herald.vault_secret('herald_cron_secret');
  problem text;
  request bigint;
begin
  if overdue = 0 then
    update public.whatsapp_alerts as a set resolved_at = herald.clock()
    where a.organization_id is null and a.kind = 'queue-not-drained' and a.resolved_at is null;
    -- The call helped, so the next overdue message starts afresh.
    update herald.fallback as f set asked_at = null where f.asked_at is not null;
    return 'nothing is overdue';
  end if;
  problem := case
    when address is null or secret is null then 'secrets-missing'
    when to_regnamespace('net') is null then 'net-missing'
    else herald.fallback_failed()
  end;
  if problem is not null then
    perform herald.tell_not_drained(problem);
  end if;
  if problem in ('secrets-missing', 'net-missing') then
    return problem;
  end if;
  execute $post$
    select net.http_post(
      url => $1, body => '{}'::jsonb, timeout_milliseconds => 40000,
      headers => jsonb_build_object('Content-Type', 'application/json', 'X-Cron-Secret', $2)
    )
  $post$ into request using rtrim(address, '/') || '/process-whatsapp-queue', secret;
  update herald.fallback as f set request_id = request, asked_at = herald.clock() where f.only_row;
  return format('%s overdue: process-whatsapp-queue is called', overdue);
end
$$;
revoke execute on function herald.run_fallback() from public;

-- == the jobs, for the operator to switch on and off as postgres ==

-- herald.fallback_jobs: name → schedule and command. Commands hold no secret: they read the Vault when they run.
create function herald.fallback_jobs() returns table (name text, schedule text, command text)
language sql immutable set search_path = ''
as $$
  values
    ('herald-fallback', '* * * * *', 'select herald.run_fallback()'),
    ('herald-housekeeping', '* * * * *', 'select herald.keep_house()'),
    ('herald-session-cleanup', '*/5 * * * *', 'select public.whatsapp_session_cleanup()')
$$;
revoke execute on function herald.fallback_jobs() from public;

-- herald.fallback_missing() → what the schedule still needs, one line each with the statement that fixes it.
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
revoke execute on function herald.fallback_missing() from public;

-- herald.schedule_fallback() → what is scheduled now. For the operator, as postgres; calling it again does no harm.
-- Creates pg_cron and pg_net where they are available. Raises, and says what to do, if something is missing.
create function herald.schedule_fallback() returns setof text
language plpgsql volatile set search_path = ''
as $$
declare
  missing text[] := herald.fallback_missing();
  job record;
begin
  if missing <> '{}' then
    raise exception E'The fallback can''t be scheduled yet:\n%', array_to_string(missing, E'\n')
      using errcode = '55000', hint = 'docs/functions.md tells the steps.', detail = 'herald:fallback-not-ready';
  end if;
  execute 'create extension if not exists pg_cron with schema pg_catalog';
  execute 'create extension if not exists pg_net with schema extensions';
  for job in select * from herald.fallback_jobs() loop
    execute 'select cron.schedule($1, $2, $3)' using job.name, job.schedule, job.command;
    return next format('%s: %s', job.name, job.schedule);
  end loop;
end
$$;
revoke execute on function herald.schedule_fallback() from public;

-- herald.unschedule_fallback() → the jobs that it removed. For the operator, as postgres.
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
revoke execute on function herald.unschedule_fallback() from public;

-- If the project's Vault has the secrets already, this migration installs the schedule; else it says how to install it.
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
