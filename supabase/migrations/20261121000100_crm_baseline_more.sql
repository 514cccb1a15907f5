-- More of the CRM's own tables, for a project that does not have them: who attends a workshop, and the notifications
-- that a CRM queues for itself. An existing CRM keeps its own; nothing here alters them.
-- Every grant begins with a revoke, because an older project grants everything on a new table to the API's roles.

do $$
declare
  made regclass;
begin
  -- The tables that the first baseline has made, known by its comments, keep updated_at true from now on.
  for made in
    select c.oid from pg_class as c
    where c.relnamespace = 'public'::regnamespace and (c.relname, obj_description(c.oid, 'pg_class')) in (
      ('organizations', 'A customer of the CRM; every row of Herald belongs to one.'),
      ('profiles', 'A CRM user and the role that they have in their organisation.'),
      ('workshops', 'An event of the organisation, possibly with a WhatsApp group.')
    )
  loop
    execute format('create trigger touch before update on %s for each row execute function herald.touch()', made);
  end loop;

  if to_regclass('public.workshop_attendees') is null then
    create table public.workshop_attendees (
      id uuid primary key default gen_random_uuid(),
      organization_id uuid not null references public.organizations (id) on delete cascade,
      workshop_id uuid not null,
      name text check (length(name) <= 200),
      phone text not null check (phone ~ '^\+[1-9][0-9]{6,14}$'),
      status text not null default 'registered' check (status in ('registered', 'attended', 'cancelled', 'no_show')),
      attributes jsonb not null default '{}' check (jsonb_typeof(attributes) = 'object'),
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
    create trigger touch before update on public.workshop_attendees for each row execute function herald.touch();

    alter table public.workshop_attendees enable row level security;
    create policy workshop_attendees_select on public.workshop_attendees for select to authenticated
    using (organization_id in (select herald.my_organizations()) or (select herald.is_super_admin()));
    create policy workshop_attendees_insert on public.workshop_attendees for insert to authenticated
    with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
    create policy workshop_attendees_update on public.workshop_attendees for update to authenticated
    using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
    with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
    create policy workshop_attendees_delete on public.workshop_attendees for delete to authenticated
    using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
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
      message_data jsonb not null default '{}' check (jsonb_typeof(message_data) = 'object'),
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
      constraint notification_by_whatsapp_has_a_phone check (type <> 'whatsapp' or recipient_phone is not null),
      constraint notification_sent_is_known check (status not in ('sent', 'delivered') or sent_at is not null)
    );
    create index notification_queue_organization_id_idx on public.notification_queue (organization_id, created_at desc);
    comment on table public.notification_queue is
    'A CRM''s own notifications. Those of type whatsapp become messages; their status comes back here.';
    comment on column public.notification_queue.message_data is 'Values for the template''s {{placeholders}}.';
    comment on column public.notification_queue.priority is '1 to 10; 10 goes first.';
    comment on column public.notification_queue.attempts is 'How often it was tried.';
    comment on column public.notification_queue.max_attempts is 'After so many it fails.';
    create trigger touch before update on public.notification_queue for each row execute function herald.touch();

    alter table public.notification_queue enable row level security;
    create policy notification_queue_select on public.notification_queue for select to authenticated
    using (organization_id in (select herald.my_organizations()) or (select herald.is_super_admin()));
    create policy notification_queue_insert on public.notification_queue for insert to authenticated
    with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
    -- A person edits what waits, cancels it, or has what failed tried again; results come from those who send.
    create policy notification_queue_update on public.notification_queue for update to authenticated
    using (
      status in ('pending', 'failed')
      and (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
    )
    with check (
      status in ('pending', 'cancelled')
      and (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
    );
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
