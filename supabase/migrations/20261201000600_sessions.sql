-- WhatsApp accounts ("sessions"), and which members may see them.

-- == whatsapp_sessions ==

create table public.whatsapp_sessions (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  provider text not null default 'web' check (provider in ('web', 'cloud')),
  enabled boolean not null default true,
  owner_id uuid references auth.users (id) on delete set null,
  phone_number text check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
  whatsapp_id text,
  display_name text check (length(display_name) <= 200),
  status text not null default 'disconnected' check (
    status in ('disconnected', 'connecting', 'qr_pending', 'connected', 'logged_out', 'banned', 'error')
  ),
  desired_state text not null default 'disconnected'
  check (desired_state in ('connected', 'disconnected', 'logged_out')),
  qr_code text check (qr_code like 'data:image/png;base64,%'),
  pairing_code text,
  qr_expires_at timestamptz,
  connected_at timestamptz,
  last_connected_at timestamptz,
  last_disconnected_at timestamptz,
  last_active_at timestamptz,
  last_error text,
  retry_count integer not null default 0 check (retry_count >= 0),
  paused_until timestamptz
  constraint session_paused_until_is_a_date check (paused_until at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
  pause_reason text constraint session_pause_reason_is_short check (length(pause_reason) <= 500),
  new_chats_after timestamptz,
  daily_limit integer not null default 200 check (daily_limit between 0 and 100000),
  per_group_per_minute integer not null default 30 check (per_group_per_minute between 0 and 100000),
  min_gap_ms integer not null default 2000 check (min_gap_ms between 0 and 600000),
  health_score smallint not null default 100
  constraint session_health_is_a_percentage check (health_score between 0 and 100),
  health_reasons text[] not null default '{}',
  warmup_started_at timestamptz
  constraint session_warmup_started_at_is_a_date
  check (warmup_started_at at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
  warmup_days smallint not null default 14 constraint session_warmup_is_sensible check (warmup_days between 1 and 90),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  constraint whatsapp_sessions_qr_only_while_pending
  check (status = 'qr_pending' or (qr_code is null and pairing_code is null and qr_expires_at is null)),
  constraint whatsapp_sessions_connected_is_known
  check (status <> 'connected' or (connected_at is not null and whatsapp_id is not null))
);
create index whatsapp_sessions_wanted_idx on public.whatsapp_sessions (desired_state)
where desired_state <> 'disconnected';
create index whatsapp_sessions_owner_id_idx on public.whatsapp_sessions (owner_id);
comment on table public.whatsapp_sessions is
'A linked WhatsApp account. For admins only: qr_code and pairing_code are keys to the account.';
comment on column public.whatsapp_sessions.phone_number is
'E.164. Once set, a link by another number is refused and logged out.';
comment on column public.whatsapp_sessions.whatsapp_id is 'JID of the linked account, with its device.';
comment on column public.whatsapp_sessions.qr_code is 'Data URI of a PNG; a key to the account until qr_expires_at.';
comment on column public.whatsapp_sessions.new_chats_after is
'WhatsApp does not let the account write to people it has no chat with; Herald tries again then. Others are written to.';
comment on column public.whatsapp_sessions.daily_limit is 'Most messages in any 24 hours; further ones wait.';
comment on column public.whatsapp_sessions.min_gap_ms is 'Least time between two sends, jittered; 0 = off (tests).';
comment on column public.whatsapp_sessions.health_score is 'Herald''s judgement. Below 60 the account sends half as much, below 30 a quarter.';
comment on column public.whatsapp_sessions.health_reasons is 'Why health_score is below 100, in words.';
comment on column public.whatsapp_sessions.warmup_started_at is
'While a young account warms up, its daily limit grows evenly from 20 to daily_limit within warmup_days. Null: no warm-up.';
comment on constraint whatsapp_sessions_pkey on public.whatsapp_sessions is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint session_health_is_a_percentage on public.whatsapp_sessions is
'An account''s health is a number from 0 to 100. Leave it out: Herald sets it. (herald:herald-writes-it)';
comment on constraint session_paused_until_is_a_date on public.whatsapp_sessions is
'"paused_until" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
comment on constraint session_pause_reason_is_short on public.whatsapp_sessions is
'The reason for the pause is too long. Shorten it to 500 characters. (herald:pause-reason-too-long)';
comment on constraint session_warmup_started_at_is_a_date on public.whatsapp_sessions is
'"warmup_started_at" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
comment on constraint session_warmup_is_sensible on public.whatsapp_sessions is
'A warm-up can''t take this many days. Choose 1 to 90 days. (herald:warmup-days)';
comment on constraint whatsapp_sessions_connected_is_known on public.whatsapp_sessions is
'A connected account needs its WhatsApp id and the time since when. Leave the status to Herald; write desired_state instead. (herald:herald-writes-it)';
comment on constraint whatsapp_sessions_daily_limit_check on public.whatsapp_sessions is
'The daily limit is out of range. Choose 0 to 100,000 messages. (herald:daily-limit)';
comment on constraint whatsapp_sessions_desired_state_check on public.whatsapp_sessions is
'An account can''t be wanted in this state. Use connected, disconnected or logged_out. (herald:desired-state-unknown)';
comment on constraint whatsapp_sessions_display_name_check on public.whatsapp_sessions is
'The account''s name is too long. Shorten it to 200 characters. (herald:account-name-too-long)';
comment on constraint whatsapp_sessions_min_gap_ms_check on public.whatsapp_sessions is
'The gap between two messages is out of range. Choose 0 to 600,000 milliseconds (ten minutes). (herald:gap-between-messages)';
comment on constraint whatsapp_sessions_per_group_per_minute_check on public.whatsapp_sessions is
'The limit per group and minute is out of range. Choose 0 to 100,000 messages. (herald:group-limit)';
comment on constraint whatsapp_sessions_phone_number_check on public.whatsapp_sessions is
'This is no phone number with country code. Write it like +491701234567: a plus sign, the country code, then digits only. (herald:phone-invalid)';
comment on constraint whatsapp_sessions_provider_check on public.whatsapp_sessions is
'There is no such provider. Use web (a linked phone) or cloud (Meta''s Cloud API). (herald:provider-unknown)';
comment on constraint whatsapp_sessions_qr_code_check on public.whatsapp_sessions is
'A QR code is a PNG as a data URI. Leave it out: Herald sets it. (herald:herald-writes-it)';
comment on constraint whatsapp_sessions_qr_only_while_pending on public.whatsapp_sessions is
'QR and pairing codes are shown only while the account waits to be linked. Leave them out: Herald sets them. (herald:herald-writes-it)';
comment on constraint whatsapp_sessions_retry_count_check on public.whatsapp_sessions is
'A count can''t be below 0. Leave it out: Herald counts. (herald:count-negative)';
comment on constraint whatsapp_sessions_status_check on public.whatsapp_sessions is
'There is no such status of an account. Use disconnected, connecting, qr_pending, connected, logged_out, banned or error. (herald:account-status-unknown)';
comment on constraint whatsapp_sessions_organization_id_id_key on public.whatsapp_sessions is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint whatsapp_sessions_organization_id_fkey on public.whatsapp_sessions is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
comment on constraint whatsapp_sessions_owner_id_fkey on public.whatsapp_sessions is
'There is no such user. Choose somebody who has signed up in the CRM. (herald:user-unknown)';

alter table public.whatsapp_sessions enable row level security;
create policy whatsapp_sessions_select on public.whatsapp_sessions for select to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_sessions_insert on public.whatsapp_sessions for insert to authenticated
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_sessions_update on public.whatsapp_sessions for update to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_sessions_delete on public.whatsapp_sessions for delete to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_sessions from anon, authenticated;
grant select, delete on public.whatsapp_sessions to authenticated;
grant insert (
  organization_id, provider, enabled, owner_id, display_name, desired_state,
  paused_until, pause_reason, daily_limit, per_group_per_minute, min_gap_ms, warmup_started_at, warmup_days
) on public.whatsapp_sessions to authenticated;
grant update (
  enabled, owner_id, display_name, desired_state,
  paused_until, pause_reason, daily_limit, per_group_per_minute, min_gap_ms, warmup_started_at, warmup_days
) on public.whatsapp_sessions to authenticated;
grant select, insert, update, delete on public.whatsapp_sessions to service_role;
create trigger touch before update on public.whatsapp_sessions for each row execute function herald.touch();
call herald.keep_identity('whatsapp_sessions', '{organization_id, provider}');
alter publication supabase_realtime add table public.whatsapp_sessions;

-- When a person asks for a connection, earlier errors are cleared. While a worker still serves the account (the person
-- changed their mind before the worker acted), its status stays, because nobody would report it again.
create function herald.session_wanted() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if new.desired_state = 'connected' and old.desired_state <> 'connected' then
    if new.status not in ('connected', 'qr_pending') then
      new.status := 'connecting';
    end if;
    new.last_error := null;
    new.retry_count := 0;
  end if;
  return new;
end
$$;
revoke execute on function herald.session_wanted() from public;
create trigger session_wanted before update of desired_state on public.whatsapp_sessions
for each row execute function herald.session_wanted();

-- An account that has messages can't be deleted, because its history would be deleted with it. Deleting an organisation
-- deletes everything.
create function herald.session_kept() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if exists (select 1 from public.organizations as o where o.id = old.organization_id)
    and exists (
      select 1 from public.scheduled_whatsapp_messages as m
      where m.organization_id = old.organization_id and m.session_id = old.id
    ) then
    raise exception 'This account has messages and can''t be deleted.'
      using errcode = '23503', hint = 'Log it out and disable it instead; its messages stay readable.',
      detail = 'herald:account-has-messages';
  end if;
  return old;
end
$$;
revoke execute on function herald.session_kept() from public;
create trigger session_kept before delete on public.whatsapp_sessions
for each row execute function herald.session_kept();

-- == accounts that are gone ==

-- Deleted accounts, so that workers wipe what their hosts still hold of them. That an account is missing from
-- whatsapp_sessions proves nothing: a worker pointed at another project by mistake would wipe stores that are needed.
create table herald.deleted_sessions (
  session_id uuid primary key,
  deleted_at timestamptz not null
);
comment on table herald.deleted_sessions is 'Accounts that were deleted in the last year, alone or with their organisation.';

alter table herald.deleted_sessions enable row level security;

-- herald.note_deleted_sessions: keeps them for a year. A host that was off for longer has lost its live stores anyway:
-- they are in memory.
create function herald.note_deleted_sessions() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  insert into herald.deleted_sessions (session_id, deleted_at) select g.id, herald.clock() from gone as g
  on conflict do nothing;
  delete from herald.deleted_sessions as d where d.deleted_at < herald.clock() - interval '1 year';
  return null;
end
$$;
revoke execute on function herald.note_deleted_sessions() from public;
create trigger note_deleted_sessions after delete on public.whatsapp_sessions
referencing old table as gone for each statement execute function herald.note_deleted_sessions();

-- whatsapp_sessions_deleted(run, sessions) → those of them that are deleted.
create function public.whatsapp_sessions_deleted(p_run uuid, p_sessions uuid[]) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
begin
  if not exists (select 1 from herald.workers as w where w.run_id = p_run) then
    raise exception 'Another process has started under this WORKER_ID.' using errcode = 'HR001',
      hint = 'Stop: give each worker a WORKER_ID of its own.', detail = 'herald:worker-replaced';
  end if;
  return coalesce(
    (select jsonb_agg(d.session_id) from herald.deleted_sessions as d where d.session_id = any(p_sessions)), '[]'
  );
end
$$;
comment on function public.whatsapp_sessions_deleted(uuid, uuid[]) is
'For the worker: of the accounts whose live stores its host has, those that are deleted.';
revoke execute on function public.whatsapp_sessions_deleted(uuid, uuid[]) from public, anon, authenticated;
grant execute on function public.whatsapp_sessions_deleted(uuid, uuid[]) to service_role;

-- == who sees an account ==

create table public.whatsapp_session_users (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  session_id uuid not null,
  user_id uuid not null references auth.users (id) on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (session_id, user_id),
  foreign key (organization_id, session_id) references public.whatsapp_sessions (organization_id, id) on delete cascade
);
create index whatsapp_session_users_session_idx on public.whatsapp_session_users (organization_id, session_id);
create index whatsapp_session_users_user_idx on public.whatsapp_session_users (user_id);
comment on table public.whatsapp_session_users is 'Members who may see an account where private_sessions is on.';
comment on constraint whatsapp_session_users_pkey on public.whatsapp_session_users is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint whatsapp_session_users_session_id_user_id_key on public.whatsapp_session_users is
'This person may see the account already. Do nothing. (herald:account-user-exists)';
comment on constraint whatsapp_session_users_organization_id_fkey on public.whatsapp_session_users is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
comment on constraint whatsapp_session_users_organization_id_session_id_fkey on public.whatsapp_session_users is
'There is no such WhatsApp account in the organisation. Choose one of its accounts. (herald:account-unknown)';
comment on constraint whatsapp_session_users_user_id_fkey on public.whatsapp_session_users is
'There is no such user. Choose somebody who has signed up in the CRM. (herald:user-unknown)';

-- Nothing checks that user_id belongs to the organisation: the adapter knows only the caller's memberships, and the
-- policies ask for membership first, so an outsider gains nothing.
alter table public.whatsapp_session_users enable row level security;
create policy whatsapp_session_users_select on public.whatsapp_session_users for select to authenticated
using (
  user_id = (select auth.uid())
  or organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin())
);
create policy whatsapp_session_users_insert on public.whatsapp_session_users for insert to authenticated
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_session_users_delete on public.whatsapp_session_users for delete to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_session_users from anon, authenticated, service_role;
grant select, delete on public.whatsapp_session_users to authenticated;
grant insert (organization_id, session_id, user_id) on public.whatsapp_session_users to authenticated;
grant select, insert, update, delete on public.whatsapp_session_users to service_role;
create trigger touch before update on public.whatsapp_session_users for each row execute function herald.touch();
call herald.keep_identity('whatsapp_session_users', '{organization_id, session_id, user_id}');

-- herald.my_hidden_sessions() → accounts that the caller, a member, may not see: private, and neither theirs nor
-- assigned to them. The list is mostly empty, which is why policies ask for what is hidden and not for what is visible.
-- plpgsql keeps its plan for the connection: the row policies of eight tables call this in every statement, and planning
-- an SQL function each time took 0.4 of the 1.1 ms of a list of 50 messages.
create function herald.my_hidden_sessions() returns setof uuid
language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
  select s.id
  from public.workshop_automation_config as c
  join public.whatsapp_sessions as s on s.organization_id = c.organization_id
  where c.private_sessions
    and c.organization_id in (select herald.my_organizations())
    and c.organization_id not in (select herald.my_admin_organizations())
    and not (select herald.is_super_admin())
    and s.owner_id is distinct from (select auth.uid())
    and not exists (
      select 1 from public.whatsapp_session_users as u where u.session_id = s.id and u.user_id = (select auth.uid())
    );
end
$$;
revoke execute on function herald.my_hidden_sessions() from public;
grant execute on function herald.my_hidden_sessions() to authenticated, service_role;

-- What a member may see of an account: all but the keys to it.
create function herald.session_overview()
returns table (
  id uuid, organization_id uuid, provider text, enabled boolean, owner_id uuid, phone_number text, display_name text,
  status text, desired_state text, connected_at timestamptz, last_connected_at timestamptz,
  last_disconnected_at timestamptz, last_active_at timestamptz, last_error text, paused_until timestamptz,
  pause_reason text, daily_limit integer, health_score smallint, health_reasons text[], warmup_started_at timestamptz,
  new_chats_after timestamptz
)
language sql stable security definer set search_path = ''
as $$
  select s.id, s.organization_id, s.provider, s.enabled, s.owner_id, s.phone_number, s.display_name,
    s.status, s.desired_state, s.connected_at, s.last_connected_at,
    s.last_disconnected_at, s.last_active_at, s.last_error, s.paused_until,
    s.pause_reason, s.daily_limit, s.health_score, s.health_reasons, s.warmup_started_at, s.new_chats_after
  from public.whatsapp_sessions as s
  where (
      s.organization_id in (select herald.my_organizations())
      and s.id not in (select herald.my_hidden_sessions())
    )
    or (select herald.is_super_admin()) or coalesce((select auth.role()), '') <> 'authenticated'
$$;
revoke execute on function herald.session_overview() from public;
grant execute on function herald.session_overview() to authenticated, service_role;

create view public.whatsapp_session_overview with (security_invoker = true) as
select * from herald.session_overview();
comment on view public.whatsapp_session_overview is
'Sessions as members see them: without QR and pairing code, and without accounts that are private to others.';
revoke all on public.whatsapp_session_overview from anon, authenticated;
grant select on public.whatsapp_session_overview to authenticated, service_role;
