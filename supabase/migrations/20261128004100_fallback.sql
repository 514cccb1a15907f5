-- When due messages are not being claimed: pg_cron finds out, pg_net calls an edge function, that wakes a worker. Which
-- messages those are is decided here and nowhere else; docs/functions.md tells how to switch it on.

-- herald.overdue_accounts(): accounts that may send, have had something to send for eight seconds and that no worker has
-- looked at in that time; since when it is due. A worker that lives looks at once, by its poll after five. Not those that
-- a worker holds and is still connecting, or that a person has to link again: waking would not help.
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
      select greatest(m.scheduled_for, m.next_attempt_at) as since from herald.open_messages as m
      where m.session_id = s.id and m.status = 'pending' and greatest(m.scheduled_for, m.next_attempt_at) <= c.late
        and (m.expires_at is null or m.expires_at > c.moment)
      order by greatest(m.scheduled_for, m.next_attempt_at) limit 1
    ) as due
    where s.enabled and s.desired_state = 'connected' and s.status not in ('qr_pending', 'logged_out', 'banned')
      and (
        l.session_id is null or l.run_id is null or l.expires_at <= c.moment
        or l.ready and l.incarnation is not null and greatest(l.looked_at, l.look_again_at, l.next_send_at) <= c.late
      )
      and not exists (
        select 1 from herald.message_claims as x where x.session_id = s.id and x.claimed_until > c.moment
      )
      and exists (select 1 from herald.account_holds as a where a.session_id = s.id and a.hold is null)
  )
  select w.id, w.since from waiting as w where herald.message_to_send(w.id) is not null
$$;

-- == what became of it ==
create table herald.fallback (
  only_row boolean primary key default true constraint fallback_is_one_row check (only_row),
  request_id bigint,
  asked_at timestamptz,
  reported_at timestamptz,
  woken_at timestamptz
);
comment on table herald.fallback is 'The last time that the fallback was needed: when it asked, and what came of it.';
comment on column herald.fallback.asked_at is 'Null when nothing has been overdue since.';
comment on column herald.fallback.request_id is 'pg_net''s id of the call of process-whatsapp-queue.';
comment on column herald.fallback.reported_at is 'When the function last said what came of it.';
comment on column herald.fallback.woken_at is 'When a worker last said that it is awake.';
alter table herald.fallback enable row level security;
insert into herald.fallback default values;

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

-- herald.tell_not_drained(reason): one open alert for the operator; another reason is told in it, the same one is not told
-- again.
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

-- whatsapp_fallback_due() → {"accounts": how many are overdue, "due_since": …}: whether there is reason to wake a worker.
create function public.whatsapp_fallback_due() returns jsonb
language sql stable security definer set search_path = ''
as $$
  select jsonb_build_object('accounts', count(*), 'due_since', min(o.due_since)) from herald.overdue_accounts() as o
$$;
comment on function public.whatsapp_fallback_due() is
'For process-whatsapp-queue: how many accounts have messages that are due and that no worker claims.';

-- whatsapp_fallback_report(problem): a worker was woken (null), or why not, by the problem's code.
create function public.whatsapp_fallback_report(p_problem text) returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_problem !~ '^[a-z][a-z-]{0,59}$' then
    raise exception 'a problem is told by its code' using errcode = '22023';
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

-- herald.fallback_failed() → why the last call of the last minutes came to nothing; null: it didn't, or there was none.
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

-- herald.run_fallback() → what it did, in words. The job of each minute: when messages are due that no worker claims, call
-- process-whatsapp-queue; when that has come to nothing, tell the operator; when all is well again, resolve that.
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
    -- What was asked has helped: the next time that something is overdue is another story.
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

-- herald.keep_house(): what a worker does about once a minute, when none has been heard of for a minute.
create function herald.keep_house() returns text
language plpgsql volatile set search_path = '' set jit = off
as $$
begin
  if exists (select 1 from herald.workers as w where w.heartbeat_at > herald.clock() - interval '1 minute') then
    return 'a worker does it';
  end if;
  perform public.whatsapp_reap(), public.whatsapp_housekeeping();
  return 'done';
end
$$;

revoke execute on function
  herald.overdue_accounts(), herald.not_drained_because(text), herald.tell_not_drained(text), herald.vault_secret(text),
  herald.fallback_failed(), herald.run_fallback(), herald.keep_house()
from public;
revoke execute on function public.whatsapp_fallback_due(), public.whatsapp_fallback_report(text)
from public, anon, authenticated;
grant execute on function public.whatsapp_fallback_due(), public.whatsapp_fallback_report(text) to service_role;
