-- What a session's holder shall do for a person: a pairing code, a group refresh. Other kinds join with their features.

create table public.whatsapp_commands (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  session_id uuid not null,
  kind text not null check (kind in ('pairing_code', 'refresh_groups')),
  arguments jsonb not null default '{}' check (jsonb_typeof(arguments) = 'object'),
  state text not null default 'pending' check (state in ('pending', 'running', 'done', 'failed')),
  result jsonb,
  error_message text,
  requested_by uuid default auth.uid(),
  expires_at timestamptz not null default herald.clock() + interval '2 minutes',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (organization_id, session_id)
  references public.whatsapp_sessions (organization_id, id) on delete cascade,
  constraint command_failed_says_why check (state <> 'failed' or error_message is not null),
  constraint pairing_code_names_a_phone
  check (kind <> 'pairing_code' or coalesce(arguments ->> 'phone', '') ~ '^\+[1-9][0-9]{6,14}$')
);
create index whatsapp_commands_open_idx on public.whatsapp_commands (session_id, created_at)
where state in ('pending', 'running');
create index whatsapp_commands_organization_session_idx on public.whatsapp_commands (organization_id, session_id);
comment on table public.whatsapp_commands is
'A request to the worker that holds a session. For admins: a result may be a key to the account.';
create trigger touch before update on public.whatsapp_commands for each row execute function herald.touch();

alter table public.whatsapp_commands enable row level security;
create policy whatsapp_commands_select on public.whatsapp_commands for select to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_commands_insert on public.whatsapp_commands for insert to authenticated
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_commands from anon, authenticated;
grant select on public.whatsapp_commands to authenticated;
grant insert (organization_id, session_id, kind, arguments) on public.whatsapp_commands to authenticated;
grant select, insert, update, delete on public.whatsapp_commands to service_role;

-- What the CRM and the worker hear about as it happens. Nothing private is ever published.
alter publication supabase_realtime add table
public.whatsapp_sessions, public.whatsapp_groups, public.scheduled_whatsapp_messages, public.whatsapp_commands;
