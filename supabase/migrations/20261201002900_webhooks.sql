-- Webhooks: Meta's incoming events, and an organisation's URLs that get its own events.

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
create index whatsapp_webhook_events_processed_idx on public.whatsapp_webhook_events (processed_at)
where processed_at is not null;
comment on table public.whatsapp_webhook_events is
'Meta''s events as received: stored first, each once, processed later, replayable by clearing processed_at.';
comment on column public.whatsapp_webhook_events.organization_id is 'Null while it is not known whose number it is about.';
comment on column public.whatsapp_webhook_events.dedup_key is 'Made from the event: the same event is stored once.';
comment on column public.whatsapp_webhook_events.payload is 'As Meta sent it.';
comment on column public.whatsapp_webhook_events.attempts is 'How many times processing it failed.';
comment on constraint whatsapp_webhook_events_pkey on public.whatsapp_webhook_events is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint webhook_event_attempts_are_counted on public.whatsapp_webhook_events is
'A count can''t be below 0. Leave it out: Herald counts. (herald:count-negative)';
comment on constraint whatsapp_webhook_events_dedup_key_key on public.whatsapp_webhook_events is
'This event was received already. Leave events to Herald: it stores each once. (herald:herald-writes-it)';
comment on constraint whatsapp_webhook_events_organization_id_fkey on public.whatsapp_webhook_events is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';

alter table public.whatsapp_webhook_events enable row level security;
create policy whatsapp_webhook_events_select on public.whatsapp_webhook_events for select to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_webhook_events from anon, authenticated, service_role;
grant select on public.whatsapp_webhook_events to authenticated;
grant select, insert, update, delete on public.whatsapp_webhook_events to service_role;
create trigger touch before update on public.whatsapp_webhook_events for each row execute function herald.touch();
call herald.keep_identity('whatsapp_webhook_events', '{dedup_key, kind}', '{}', '{organization_id}');

create table public.whatsapp_webhook_endpoints (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  url text not null constraint endpoint_is_https check (url ~ '^https://[^/[:space:]]+' and length(url) <= 2000),
  description text constraint endpoint_description_is_short check (length(description) <= 500),
  events text[] not null default '{}' constraint endpoint_events_are_few check (herald.is_list(events, 50, 100)),
  enabled boolean not null default true,
  failure_count integer not null default 0,
  last_delivery_at timestamptz,
  last_error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, url)
);
comment on table public.whatsapp_webhook_endpoints is 'URLs of the organisation that hear of its events.';
comment on column public.whatsapp_webhook_endpoints.events is 'Kinds of events; empty: all.';
comment on constraint whatsapp_webhook_endpoints_pkey on public.whatsapp_webhook_endpoints is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint endpoint_description_is_short on public.whatsapp_webhook_endpoints is
'The description is too long. Shorten it to 500 characters. (herald:description-too-long)';
comment on constraint endpoint_events_are_few on public.whatsapp_webhook_endpoints is
'The address asks for too many events, or names one that can''t be. Give a plain list of up to 50 names. (herald:events-too-many)';
comment on constraint endpoint_is_https on public.whatsapp_webhook_endpoints is
'A webhook can''t have this address. Give an address of up to 2,000 characters that begins with https://. (herald:webhook-url-invalid)';
comment on constraint whatsapp_webhook_endpoints_organization_id_url_key on public.whatsapp_webhook_endpoints is
'This address is registered already. Change that endpoint instead. (herald:webhook-exists)';
comment on constraint whatsapp_webhook_endpoints_organization_id_fkey on public.whatsapp_webhook_endpoints is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';

alter table public.whatsapp_webhook_endpoints enable row level security;
create policy whatsapp_webhook_endpoints_select on public.whatsapp_webhook_endpoints for select to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_webhook_endpoints_insert on public.whatsapp_webhook_endpoints for insert to authenticated
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_webhook_endpoints_update on public.whatsapp_webhook_endpoints for update to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_webhook_endpoints_delete on public.whatsapp_webhook_endpoints for delete to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_webhook_endpoints from anon, authenticated, service_role;
grant select, delete on public.whatsapp_webhook_endpoints to authenticated;
grant insert (organization_id, url, description, events, enabled) on public.whatsapp_webhook_endpoints to authenticated;
grant update (url, description, events, enabled) on public.whatsapp_webhook_endpoints to authenticated;
grant select, insert, update, delete on public.whatsapp_webhook_endpoints to service_role;
create trigger touch before update on public.whatsapp_webhook_endpoints for each row execute function herald.touch();
call herald.keep_identity('whatsapp_webhook_endpoints', '{organization_id}');
