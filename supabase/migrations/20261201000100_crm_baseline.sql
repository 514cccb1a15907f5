-- The CRM's own tables, for a project that does not have them: organisations, people, workshops, who attends them, and
-- the notifications that a CRM queues for itself. A CRM that has a table of this name keeps its own: nothing here
-- alters it, except for a unique index, which makes sure that Herald's rows name only workshops of their organisation.
-- crm_access.sql adds row policies to the tables made here, and recognises them by their comments.
-- An older project grants everything on a new table to the API's roles, so a revoke comes before every grant.

do $$
begin
  if to_regclass('public.organizations') is null then
    create table public.organizations (
      id uuid primary key default gen_random_uuid(),
      name text not null check (length(btrim(name)) between 1 and 200),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    comment on table public.organizations is 'A customer of the CRM; every row of Herald belongs to one.';
    comment on constraint organizations_pkey on public.organizations is
    'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
    comment on constraint organizations_name_check on public.organizations is
    'The organisation''s name is empty or longer than 200 characters. Give it a name of 1 to 200 characters. (herald:organization-name)';
    create trigger touch before update on public.organizations for each row execute function herald.touch();
    alter table public.organizations enable row level security;
    revoke all on public.organizations from anon, authenticated;
    grant select on public.organizations to authenticated;
    grant select, insert, update, delete on public.organizations to service_role;
  end if;

  if to_regclass('public.profiles') is null then
    create table public.profiles (
      id uuid primary key references auth.users (id) on delete cascade,
      organization_id uuid references public.organizations (id) on delete cascade,
      role text not null default 'member' check (role in ('owner', 'admin', 'member', 'super_admin')),
      full_name text,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create index profiles_organization_id_idx on public.profiles (organization_id);
    comment on table public.profiles is 'A CRM user and the role that they have in their organisation.';
    comment on constraint profiles_pkey on public.profiles is
    'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
    comment on constraint profiles_role_check on public.profiles is
    'There is no such role. Use owner, admin, member or super_admin. (herald:role-unknown)';
    comment on constraint profiles_id_fkey on public.profiles is
    'There is no such user. Choose somebody who has signed up in the CRM. (herald:user-unknown)';
    comment on constraint profiles_organization_id_fkey on public.profiles is
    'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
    create trigger touch before update on public.profiles for each row execute function herald.touch();
    alter table public.profiles enable row level security;
    revoke all on public.profiles from anon, authenticated;
    grant select on public.profiles to authenticated;
    grant select, insert, update, delete on public.profiles to service_role;
  end if;

  if to_regclass('public.workshops') is null then
    create table public.workshops (
      id uuid primary key default gen_random_uuid(),
      organization_id uuid not null references public.organizations (id) on delete cascade,
      title text not null check (length(title) <= 300 and length(btrim(title)) >= 1),
      starts_at timestamptz not null,
      timezone text not null default 'UTC' constraint workshop_timezone_is_short check (length(timezone) <= 100),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      constraint workshop_starts_at_is_a_date check (starts_at at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
      constraint workshop_created_at_is_a_date check (created_at at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
      constraint workshop_updated_at_is_a_date check (updated_at at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999')
    );
    comment on table public.workshops is 'An event of the organisation, possibly with a WhatsApp group.';
    comment on constraint workshops_pkey on public.workshops is
    'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
    comment on constraint workshops_title_check on public.workshops is
    'The workshop''s title is empty or longer than 300 characters. Give it a title of 1 to 300 characters. (herald:workshop-title)';
    comment on constraint workshop_starts_at_is_a_date on public.workshops is
    '"starts_at" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
    comment on constraint workshop_created_at_is_a_date on public.workshops is
    '"created_at" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
    comment on constraint workshop_updated_at_is_a_date on public.workshops is
    '"updated_at" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
    comment on constraint workshop_timezone_is_short on public.workshops is
    'There is no such time zone. Choose a name like Europe/Berlin. (herald:timezone-unknown)';
    comment on constraint workshops_organization_id_fkey on public.workshops is
    'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
    create trigger touch before update on public.workshops for each row execute function herald.touch();
    alter table public.workshops enable row level security;
    revoke all on public.workshops from anon, authenticated;
    grant select, insert, update, delete on public.workshops to authenticated, service_role;
  end if;
end
$$;

create unique index if not exists workshops_organization_id_id_key on public.workshops (organization_id, id);
comment on index public.workshops_organization_id_id_key is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';

do $$
begin
  if to_regclass('public.workshop_attendees') is null then
    create table public.workshop_attendees (
      id uuid primary key default gen_random_uuid(),
      organization_id uuid not null references public.organizations (id) on delete cascade,
      workshop_id uuid not null,
      name text check (length(name) <= 200),
      phone text not null check (phone ~ '^\+[1-9][0-9]{6,14}$'),
      status text not null default 'registered' check (status in ('registered', 'attended', 'cancelled', 'no_show')),
      attributes jsonb not null default '{}' check (jsonb_typeof(attributes) = 'object')
      constraint attendee_attributes_are_small check (herald.is_readable(attributes, 16384)),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      unique (workshop_id, phone),
      foreign key (organization_id, workshop_id) references public.workshops (organization_id, id) on delete cascade
    );
    create index workshop_attendees_organization_workshop_idx
    on public.workshop_attendees (organization_id, workshop_id);
    comment on table public.workshop_attendees is 'Who comes to a workshop; automation queues one message each.';
    comment on column public.workshop_attendees.attributes is
    'Facts of the CRM about the person; a task''s recipient_filter matches those that contain it.';
    comment on constraint workshop_attendees_pkey on public.workshop_attendees is
    'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
    comment on constraint workshop_attendees_attributes_check on public.workshop_attendees is
    'The attributes are no JSON object. Write them like {"city": "Lisbon"}. (herald:attributes-no-object)';
    comment on constraint attendee_attributes_are_small on public.workshop_attendees is
    'The attributes are too large. Shorten them to 16,384 characters in all; numbers may have 300 digits, and lists and objects 30 levels. (herald:attributes-too-large)';
    comment on constraint workshop_attendees_name_check on public.workshop_attendees is
    'The attendee''s name is too long. Shorten it to 200 characters. (herald:attendee-name-too-long)';
    comment on constraint workshop_attendees_phone_check on public.workshop_attendees is
    'This is no phone number with country code. Write it like +491701234567: a plus sign, the country code, then digits only. (herald:phone-invalid)';
    comment on constraint workshop_attendees_status_check on public.workshop_attendees is
    'There is no such status of an attendee. Use registered, attended, cancelled or no_show. (herald:attendee-status-unknown)';
    comment on constraint workshop_attendees_workshop_id_phone_key on public.workshop_attendees is
    'This number is on the workshop''s list already. Change that attendee instead. (herald:attendee-exists)';
    comment on constraint workshop_attendees_organization_id_fkey on public.workshop_attendees is
    'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
    comment on constraint workshop_attendees_organization_id_workshop_id_fkey on public.workshop_attendees is
    'There is no such workshop in the organisation. Choose one of its workshops. (herald:workshop-unknown)';
    create trigger touch before update on public.workshop_attendees for each row execute function herald.touch();
    alter table public.workshop_attendees enable row level security;
    revoke all on public.workshop_attendees from anon, authenticated;
    grant select, delete on public.workshop_attendees to authenticated;
    grant insert (organization_id, workshop_id, name, phone, status, attributes)
    on public.workshop_attendees to authenticated;
    grant update (name, phone, status, attributes) on public.workshop_attendees to authenticated;
    grant select, insert, update, delete on public.workshop_attendees to service_role;
  end if;

  if to_regclass('public.notification_queue') is null then
    create table public.notification_queue (
      id uuid primary key default gen_random_uuid(),
      organization_id uuid not null references public.organizations (id) on delete cascade,
      type text not null check (length(type) between 1 and 60),
      template text not null check (length(template) between 1 and 200),
      recipient_phone text check (recipient_phone ~ '^\+[1-9][0-9]{6,14}$'),
      recipient_name text check (length(recipient_name) <= 200),
      message_data jsonb not null default '{}' check (jsonb_typeof(message_data) = 'object')
      constraint notification_data_are_small check (herald.is_readable(message_data, 65536)),
      priority smallint not null default 5 check (priority between 1 and 10),
      status text not null default 'pending' check (
        status in ('pending', 'processing', 'sent', 'delivered', 'failed', 'cancelled')
      ),
      attempts integer not null default 0 check (attempts >= 0),
      max_attempts integer not null default 3 check (max_attempts between 1 and 20),
      scheduled_for timestamptz not null default now(),
      error_message text,
      sent_at timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      constraint notification_scheduled_for_is_a_date
      check (scheduled_for at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
      constraint notification_by_whatsapp_has_a_phone check (type <> 'whatsapp' or recipient_phone is not null),
      constraint notification_sent_is_known check (status not in ('sent', 'delivered') or sent_at is not null)
    );
    create index notification_queue_organization_id_idx on public.notification_queue (organization_id, created_at desc);
    comment on table public.notification_queue is
    'A CRM''s own notifications. Those of type whatsapp become messages; their status comes back here.';
    comment on column public.notification_queue.message_data is 'Values for the template''s {{placeholders}}.';
    comment on column public.notification_queue.priority is '1 to 10; 10 goes first.';
    comment on column public.notification_queue.attempts is 'How often it was tried.';
    comment on column public.notification_queue.max_attempts is 'Attempts before it fails.';
    comment on constraint notification_queue_pkey on public.notification_queue is
    'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
    comment on constraint notification_by_whatsapp_has_a_phone on public.notification_queue is
    'A notification by WhatsApp needs a phone number. Set recipient_phone, like +491701234567. (herald:notification-needs-phone)';
    comment on constraint notification_data_are_small on public.notification_queue is
    'The template''s values are too large. Shorten them to 65,536 characters in all; numbers may have 300 digits, and lists and objects 30 levels. (herald:variables-too-large)';
    comment on constraint notification_scheduled_for_is_a_date on public.notification_queue is
    '"scheduled_for" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
    comment on constraint notification_queue_attempts_check on public.notification_queue is
    'A count can''t be below 0. Leave it out: Herald counts. (herald:count-negative)';
    comment on constraint notification_queue_max_attempts_check on public.notification_queue is
    'The number of attempts is out of range. Choose 1 to 20. (herald:max-attempts)';
    comment on constraint notification_queue_message_data_check on public.notification_queue is
    'The template''s values are no JSON object. Write them like {"name": "Asha"}. (herald:variables-no-object)';
    comment on constraint notification_queue_priority_check on public.notification_queue is
    'The priority is out of range. Choose a number from 1 to 10; 10 goes first. (herald:priority-out-of-range)';
    comment on constraint notification_queue_recipient_name_check on public.notification_queue is
    'The recipient''s name is too long. Shorten it to 200 characters. (herald:recipient-name-too-long)';
    comment on constraint notification_queue_recipient_phone_check on public.notification_queue is
    'This is no phone number with country code. Write it like +491701234567: a plus sign, the country code, then digits only. (herald:phone-invalid)';
    comment on constraint notification_queue_status_check on public.notification_queue is
    'There is no such status of a notification. Use pending, processing, sent, delivered, failed or cancelled. (herald:notification-status-unknown)';
    comment on constraint notification_queue_template_check on public.notification_queue is
    'The template''s name is empty or too long. Name a template in 1 to 200 characters. (herald:template-name-length)';
    comment on constraint notification_queue_type_check on public.notification_queue is
    'The notification''s type is empty or too long. Use 1 to 60 characters, like whatsapp. (herald:notification-type-length)';
    comment on constraint notification_sent_is_known on public.notification_queue is
    'A notification that was sent needs the time when. Set sent_at together with the status. (herald:notification-sent-without-time)';
    comment on constraint notification_queue_organization_id_fkey on public.notification_queue is
    'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
    create trigger touch before update on public.notification_queue for each row execute function herald.touch();
    alter table public.notification_queue enable row level security;
    revoke all on public.notification_queue from anon, authenticated;
    grant select on public.notification_queue to authenticated;
    grant insert (
      organization_id, type, template, recipient_phone, recipient_name, message_data, priority, max_attempts,
      scheduled_for
    ) on public.notification_queue to authenticated;
    grant update (template, recipient_phone, recipient_name, message_data, priority, scheduled_for, status)
    on public.notification_queue to authenticated;
    grant select, insert, update, delete on public.notification_queue to service_role;
  end if;
end
$$;
