-- Cloud API numbers, and Meta's events as they came. Access tokens are sealed in herald.session_credentials.

create table public.whatsapp_cloud_accounts (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  session_id uuid not null unique,
  phone_number_id text not null unique constraint cloud_phone_number_id_is_a_number check (phone_number_id ~ '^[0-9]{1,30}$'),
  business_account_id text not null
  constraint cloud_business_account_id_is_a_number check (business_account_id ~ '^[0-9]{1,30}$'),
  rate_limit_tier text not null default '250'
  constraint cloud_tier_is_known check (rate_limit_tier in ('250', '2K', '10K', '100K', 'unlimited')),
  quality_rating text not null default 'UNKNOWN'
  constraint cloud_quality_is_known check (quality_rating in ('GREEN', 'YELLOW', 'RED', 'UNKNOWN')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (organization_id, session_id) references public.whatsapp_sessions (organization_id, id) on delete cascade
);
create index whatsapp_cloud_accounts_session_idx on public.whatsapp_cloud_accounts (organization_id, session_id);
create index whatsapp_cloud_accounts_business_idx on public.whatsapp_cloud_accounts (business_account_id);
comment on table public.whatsapp_cloud_accounts is 'The Cloud API side of an account whose provider is cloud.';
comment on column public.whatsapp_cloud_accounts.rate_limit_tier is
'How many people the business may write to in 24 hours; Meta tells it. All numbers of a business share it.';
call herald.tenant_table('whatsapp_cloud_accounts');
grant delete on public.whatsapp_cloud_accounts to authenticated;
-- Herald makes the row once the access token has proved that the number is theirs; so nobody can take another's.
drop policy whatsapp_cloud_accounts_insert on public.whatsapp_cloud_accounts;
drop policy whatsapp_cloud_accounts_update on public.whatsapp_cloud_accounts;

create table public.whatsapp_webhook_events (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid references public.organizations (id) on delete cascade,
  dedup_key text not null unique,
  kind text not null,
  payload jsonb not null,
  received_at timestamptz not null default herald.clock(),
  processed_at timestamptz,
  attempts integer not null default 0 constraint webhook_event_attempts_are_counted check (attempts >= 0),
  last_error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index whatsapp_webhook_events_organization_id_idx on public.whatsapp_webhook_events (organization_id);
create index whatsapp_webhook_events_open_idx on public.whatsapp_webhook_events (received_at) where processed_at is null;
comment on table public.whatsapp_webhook_events is
'Meta''s events as received: stored first, each once, processed later, replayable by clearing processed_at.';
comment on column public.whatsapp_webhook_events.organization_id is 'Null while it is not known whose number it is about.';
call herald.tenant_table('whatsapp_webhook_events');
drop policy whatsapp_webhook_events_select on public.whatsapp_webhook_events;
create policy whatsapp_webhook_events_select on public.whatsapp_webhook_events for select to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
drop policy whatsapp_webhook_events_insert on public.whatsapp_webhook_events;
drop policy whatsapp_webhook_events_update on public.whatsapp_webhook_events;
drop policy whatsapp_webhook_events_delete on public.whatsapp_webhook_events;
