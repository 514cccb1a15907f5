-- Linked accounts and their groups; leases, workers and sealed credentials in the private schema.

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
  paused_until timestamptz,
  pause_reason text,
  daily_limit integer not null default 200 check (daily_limit between 0 and 100000),
  per_group_per_minute integer not null default 30 check (per_group_per_minute between 0 and 100000),
  min_gap_ms integer not null default 2000 check (min_gap_ms between 0 and 600000),
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
comment on column public.whatsapp_sessions.qr_code is 'Data URI of a PNG; a key to the account until qr_expires_at.';
comment on column public.whatsapp_sessions.phone_number is
'E.164. Once set, a link by another number is refused and logged out.';
comment on column public.whatsapp_sessions.min_gap_ms is 'Least time between two sends, jittered; 0 = off (tests).';

-- A person who asks for a connection starts with a clean slate. While a worker still serves the account (the wish was
-- taken back before it acted on it), its status stays true: nobody would report it again.
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
create trigger touch before update on public.whatsapp_sessions
for each row execute function herald.touch();

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
  paused_until, pause_reason, daily_limit, per_group_per_minute, min_gap_ms
) on public.whatsapp_sessions to authenticated;
grant update (
  enabled, owner_id, display_name, desired_state,
  paused_until, pause_reason, daily_limit, per_group_per_minute, min_gap_ms
) on public.whatsapp_sessions to authenticated;
grant select, insert, update, delete on public.whatsapp_sessions to service_role;

-- What a member may see of a session: all but the keys to it.
create function herald.session_overview()
returns table (
  id uuid, organization_id uuid, provider text, enabled boolean, owner_id uuid, phone_number text, display_name text,
  status text, desired_state text, connected_at timestamptz, last_connected_at timestamptz,
  last_disconnected_at timestamptz, last_active_at timestamptz, last_error text, paused_until timestamptz,
  pause_reason text, daily_limit integer
)
language sql stable security definer set search_path = ''
as $$
  select s.id, s.organization_id, s.provider, s.enabled, s.owner_id, s.phone_number, s.display_name,
    s.status, s.desired_state, s.connected_at, s.last_connected_at,
    s.last_disconnected_at, s.last_active_at, s.last_error, s.paused_until,
    s.pause_reason, s.daily_limit
  from public.whatsapp_sessions as s
  where s.organization_id in (select herald.my_organizations()) or (select herald.is_super_admin())
$$;
revoke execute on function herald.session_overview() from public;
grant execute on function herald.session_overview() to authenticated;
create view public.whatsapp_session_overview with (security_invoker = true) as
select * from herald.session_overview();
comment on view public.whatsapp_session_overview is 'Sessions as members see them: without QR and pairing code.';
revoke all on public.whatsapp_session_overview from anon, authenticated;
grant select on public.whatsapp_session_overview to authenticated;

-- == whatsapp_groups ==
create table public.whatsapp_groups (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  session_id uuid not null,
  group_jid text not null check (group_jid like '%@g.us'),
  group_name text not null default '',
  invite_link text,
  participant_count integer not null default 0 check (participant_count >= 0),
  is_admin boolean not null default false,
  announce_only boolean not null default false,
  is_active boolean not null default true,
  synced_at timestamptz,
  region text,
  segments text[] not null default '{}',
  tags text[] not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (session_id, group_jid),
  unique (organization_id, session_id, id),
  unique (organization_id, id),
  foreign key (organization_id, session_id) references public.whatsapp_sessions (organization_id, id) on delete cascade
);
comment on table public.whatsapp_groups is 'A WhatsApp group of an account, as last synchronised.';
create trigger touch before update on public.whatsapp_groups for each row execute function herald.touch();

alter table public.whatsapp_groups enable row level security;
create policy whatsapp_groups_select on public.whatsapp_groups for select to authenticated
using (organization_id in (select herald.my_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_groups_update on public.whatsapp_groups for update to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_groups from anon, authenticated;
grant select on public.whatsapp_groups to authenticated;
grant update (region, segments, tags) on public.whatsapp_groups to authenticated;
grant select, insert, update, delete on public.whatsapp_groups to service_role;

-- THE link between a workshop and its group; several workshops may share one.
alter table public.workshops add column if not exists whatsapp_group_id uuid;
alter table public.workshops add column if not exists automation_status jsonb;
alter table public.workshops add constraint workshops_whatsapp_group_id_fkey
foreign key (organization_id, whatsapp_group_id) references public.whatsapp_groups (organization_id, id)
on delete set null (whatsapp_group_id);
create index if not exists workshops_organization_group_idx on public.workshops (organization_id, whatsapp_group_id);

-- == private: workers, leases, credentials ==
create table herald.workers (
  worker_id text primary key check (length(worker_id) between 1 and 200),
  run_id uuid not null unique,
  version text not null,
  started_at timestamptz not null,
  heartbeat_at timestamptz not null
);
comment on table herald.workers is 'One row a WORKER_ID: its running process (run_id) and last heartbeat.';

create table herald.session_leases (
  session_id uuid primary key references public.whatsapp_sessions (id) on delete cascade,
  worker_id text not null,
  run_id uuid,
  epoch bigint not null default 1,
  expires_at timestamptz not null,
  ready boolean not null default false,
  incarnation uuid,
  next_send_at timestamptz not null default '-infinity'
);
create index session_leases_run_id_idx on herald.session_leases (run_id);
comment on table herald.session_leases is
'Who serves a session. epoch grows with every acquisition and fences all writes; run_id is null when released.';
comment on column herald.session_leases.incarnation is 'Id of the live store that the holder works on.';

create table herald.session_credentials (
  session_id uuid primary key references public.whatsapp_sessions (id) on delete cascade,
  organization_id uuid not null references public.organizations (id) on delete cascade,
  generation bigint not null check (generation > 0),
  sealed bytea not null,
  key_id text not null,
  incarnation uuid not null,
  clean boolean not null,
  written_at timestamptz not null
);
create index session_credentials_organization_id_idx on herald.session_credentials (organization_id);
comment on table herald.session_credentials is
'Sealed session state (AES-256-GCM, bound to organisation, session and generation). clean: taken at a graceful stop.';

alter table herald.workers enable row level security;
alter table herald.session_leases enable row level security;
alter table herald.session_credentials enable row level security;
