-- Event-relative tasks: each becomes one message per matching attendee when its time has come.

create table public.whatsapp_automation_tasks (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  workshop_id uuid not null,
  task_type text not null
  constraint task_type_is_known check (task_type in ('send_reminder', 'send_update', 'check_in_prep')),
  scheduled_for timestamptz not null,
  template_id uuid references public.whatsapp_message_templates (id) on delete set null,
  recipient_filter jsonb not null default '{}'
  constraint task_recipient_filter_is_an_object check (jsonb_typeof(recipient_filter) = 'object'),
  metadata jsonb not null default '{}' constraint task_metadata_is_an_object check (jsonb_typeof(metadata) = 'object'),
  status text not null default 'pending'
  constraint task_status_is_known check (status in ('pending', 'executing', 'done', 'failed', 'cancelled')),
  queued_count integer not null default 0 constraint task_queued_is_a_count check (queued_count >= 0),
  error_message text,
  rule text constraint task_rule_is_short check (length(rule) between 1 and 60),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (workshop_id, rule),
  foreign key (organization_id, workshop_id) references public.workshops (organization_id, id) on delete cascade,
  constraint task_failed_says_why check (status <> 'failed' or error_message is not null)
);
create index whatsapp_automation_tasks_due_idx on public.whatsapp_automation_tasks (scheduled_for) where status = 'pending';
create index whatsapp_automation_tasks_workshop_idx on public.whatsapp_automation_tasks (organization_id, workshop_id);
create index whatsapp_automation_tasks_template_idx on public.whatsapp_automation_tasks (template_id);
comment on table public.whatsapp_automation_tasks is
'Reminders to a workshop''s attendees. Made by rule with the workshop, or by a person; executing queues the messages.';
comment on column public.whatsapp_automation_tasks.recipient_filter is
'Attendees whose attributes contain this object; {} is all of them.';
comment on column public.whatsapp_automation_tasks.rule is 'Which rule made it (7_days, 1_day, day_of); null: a person.';
call herald.tenant_table('whatsapp_automation_tasks');
grant delete on public.whatsapp_automation_tasks to authenticated;
grant insert (organization_id, workshop_id, task_type, scheduled_for, template_id, recipient_filter, metadata)
on public.whatsapp_automation_tasks to authenticated;
grant update (scheduled_for, template_id, recipient_filter, metadata, status)
on public.whatsapp_automation_tasks to authenticated;
