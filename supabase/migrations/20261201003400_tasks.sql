-- Automation tasks: made by rule with the workshop, moved with it, and executed as one message per attendee.

-- == tasks and their steps ==

create table public.whatsapp_automation_tasks (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  workshop_id uuid not null,
  task_type text not null
  constraint task_type_is_known check (task_type in ('send_reminder', 'send_update', 'check_in_prep')),
  scheduled_for timestamptz not null constraint task_scheduled_for_is_a_date
  check (scheduled_for at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
  template_id uuid references public.whatsapp_message_templates (id) on delete set null,
  recipient_filter jsonb not null default '{}'
  constraint task_recipient_filter_is_an_object check (jsonb_typeof(recipient_filter) = 'object')
  constraint task_recipient_filter_is_small check (herald.is_readable(recipient_filter, 16384)),
  metadata jsonb not null default '{}' constraint task_metadata_is_an_object check (jsonb_typeof(metadata) = 'object')
  constraint task_metadata_is_small check (herald.is_readable(metadata, 16384)),
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
comment on column public.whatsapp_automation_tasks.metadata is 'The CRM''s own notes. Execution adds bad_phones and suppressed: how many it left out.';
comment on column public.whatsapp_automation_tasks.rule is 'Which rule made it (7_days, 1_day, day_of); null: a person.';
comment on constraint whatsapp_automation_tasks_pkey on public.whatsapp_automation_tasks is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint task_failed_says_why on public.whatsapp_automation_tasks is
'A task that failed needs an error message. Leave results to Herald: it writes them. (herald:herald-writes-it)';
comment on constraint task_metadata_is_an_object on public.whatsapp_automation_tasks is
'The task''s metadata are no JSON object. Write them like {"note": "VIPs first"}. (herald:metadata-no-object)';
comment on constraint task_queued_is_a_count on public.whatsapp_automation_tasks is
'A count can''t be below 0. Leave it out: Herald counts. (herald:count-negative)';
comment on constraint task_recipient_filter_is_an_object on public.whatsapp_automation_tasks is
'The filter of recipients is no JSON object. Write it like {"ticket": "early"}; {} is everybody. (herald:recipient-filter-no-object)';
comment on constraint task_metadata_is_small on public.whatsapp_automation_tasks is
'The task''s metadata are too large. Shorten them to 16,384 characters in all; numbers may have 300 digits, and lists and objects 30 levels. (herald:metadata-too-large)';
comment on constraint task_recipient_filter_is_small on public.whatsapp_automation_tasks is
'The filter of recipients is too large. Shorten it to 16,384 characters; numbers may have 300 digits, and lists and objects 30 levels. (herald:filter-too-large)';
comment on constraint task_scheduled_for_is_a_date on public.whatsapp_automation_tasks is
'"scheduled_for" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
comment on constraint task_rule_is_short on public.whatsapp_automation_tasks is
'The name of a rule has 1 to 60 characters. Leave rules to Herald; a person''s task has none. (herald:herald-writes-it)';
comment on constraint task_status_is_known on public.whatsapp_automation_tasks is
'There is no such status of a task. Use pending or cancelled; Herald writes the others. (herald:task-status-unknown)';
comment on constraint task_type_is_known on public.whatsapp_automation_tasks is
'There is no such type of task. Use send_reminder, send_update or check_in_prep. (herald:task-type-unknown)';
comment on constraint whatsapp_automation_tasks_workshop_id_rule_key on public.whatsapp_automation_tasks is
'The workshop has this rule''s task already. Leave rules to Herald; a person''s task has none. (herald:herald-writes-it)';
comment on constraint whatsapp_automation_tasks_organization_id_fkey on public.whatsapp_automation_tasks is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
comment on constraint whatsapp_automation_tasks_organization_id_workshop_id_fkey on public.whatsapp_automation_tasks is
'There is no such workshop in the organisation. Choose one of its workshops. (herald:workshop-unknown)';
comment on constraint whatsapp_automation_tasks_template_id_fkey on public.whatsapp_automation_tasks is
'There is no template with this id for the organisation. Choose one of its own templates or one of the system''s. (herald:template-unknown)';

call herald.tenant_table('whatsapp_automation_tasks');
grant delete on public.whatsapp_automation_tasks to authenticated;
grant insert (organization_id, workshop_id, task_type, scheduled_for, template_id, recipient_filter, metadata)
on public.whatsapp_automation_tasks to authenticated;
grant update (scheduled_for, template_id, recipient_filter, metadata, status)
on public.whatsapp_automation_tasks to authenticated;
call herald.keep_identity('whatsapp_automation_tasks', '{organization_id, workshop_id, rule}');

create table herald.task_status_steps (
  old_status text not null,
  new_status text not null,
  by_person boolean not null,
  primary key (old_status, new_status)
);
comment on table herald.task_status_steps is 'Every legal step of a task; by_person: a CRM user may take it.';

alter table herald.task_status_steps enable row level security;
insert into herald.task_status_steps (old_status, new_status, by_person) values
('pending', 'executing', true), ('pending', 'cancelled', true), ('pending', 'failed', false),
('executing', 'done', false), ('executing', 'failed', false),
('failed', 'pending', true),
('cancelled', 'pending', false);

-- == which account ==

-- herald.default_session(organisation) → the account for messages that name none: a connected one first, then those
-- that are enabled, the oldest first. Null: there is none.
create function herald.default_session(p_organization uuid) returns uuid
language sql stable set search_path = ''
as $$
  select s.id from public.whatsapp_sessions as s
  where s.organization_id = p_organization and s.enabled
  order by s.status = 'connected' desc, s.created_at, s.id
  limit 1
$$;
revoke execute on function herald.default_session(uuid) from public;

-- == tasks by rule ==

-- herald.task_plan(start, zone) → the tasks that every workshop gets. On the day: at 08:00, or two hours before a start
-- that is earlier than 10:00.
create function herald.task_plan(p_start timestamptz, p_zone text)
returns table (rule text, task_type text, scheduled_for timestamptz)
language plpgsql stable set search_path = ''
as $$
begin
  return query values
  ('7_days', 'send_update', herald.shifted(p_start, interval '-7 days', p_zone)),
  ('1_day', 'send_reminder', herald.shifted(p_start, interval '-1 day', p_zone)),
  ('day_of', 'check_in_prep', least(
    herald.local_instant((p_start at time zone p_zone)::date, '08:00', p_zone), p_start - interval '2 hours'
  ));
end
$$;
revoke execute on function herald.task_plan(timestamptz, text) from public;

-- herald.task_template(type) → the name of the template that a task uses if it names none.
create function herald.task_template(p_type text) returns text
language sql immutable set search_path = ''
as $$
  select case p_type
    when 'send_reminder' then 'event_reminder_24h' when 'send_update' then 'event_update'
    when 'check_in_prep' then 'check_in_instructions'
  end
$$;
revoke execute on function herald.task_template(text) from public;

-- herald.keep_tasks(link, former link) → the rules that have made their task. Makes what is missing, moves what is
-- pending if start or zone has changed, cancels what an obstacle forbids or what would be too late.
create function herald.keep_tasks(p_link herald.workshop_links, p_former herald.workshop_links) returns text[]
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  moment constant timestamptz := herald.clock();
  moved constant boolean :=
    (p_link.starts_at, p_link.timezone) is distinct from (p_former.starts_at, p_former.timezone);
  made text[] := p_link.rules_made;
  item record;
begin
  if not moved and p_link.obstacle is not distinct from p_former.obstacle then
    return made;
  end if;
  if p_link.obstacle is not null then
    update public.whatsapp_automation_tasks as t set status = 'cancelled', error_message = p_link.obstacle
    where t.organization_id = p_link.organization_id and t.workshop_id = p_link.workshop_id and t.status = 'pending'
      and (t.rule is not null or p_link.starts_at is null and p_former.starts_at is not null);
    return made;
  end if;
  for item in
    select p.*, p.scheduled_for <= moment as late, t.id,
      case when t.status = 'cancelled' and t.error_message is not null then 'withdrawn' else t.status end as status
    from herald.task_plan(p_link.starts_at, p_link.timezone) as p
    left join public.whatsapp_automation_tasks as t
      on t.organization_id = p_link.organization_id and t.workshop_id = p_link.workshop_id and t.rule = p.rule
  loop
    if item.status = 'pending' and moved and item.late then
      update public.whatsapp_automation_tasks as t set status = 'cancelled', error_message = 'Its time had passed.'
      where t.id = item.id and t.status = 'pending';
    elsif (item.status = 'pending' and moved or item.status = 'withdrawn') and not item.late then
      update public.whatsapp_automation_tasks as t
      set scheduled_for = item.scheduled_for, status = 'pending', error_message = null
      where t.id = item.id and t.status in ('pending', 'cancelled');
    elsif item.rule <> all (made) and not item.late then
      insert into public.whatsapp_automation_tasks (organization_id, workshop_id, task_type, scheduled_for, rule)
      values (p_link.organization_id, p_link.workshop_id, item.task_type, item.scheduled_for, item.rule)
      on conflict (workshop_id, rule) do nothing;
      made := made || item.rule;
    end if;
  end loop;
  return made;
end
$$;
revoke execute on function herald.keep_tasks(herald.workshop_links, herald.workshop_links) from public;

-- == executing ==

-- herald.task_expiry(start, time) → when a task's message becomes too late: at the start; a message planned for after the
-- start has a day.
create function herald.task_expiry(p_start timestamptz, p_time timestamptz) returns timestamptz
language plpgsql immutable set search_path = ''
as $$
begin
  return case when p_start > p_time + interval '1 minute' then p_start else p_time + interval '24 hours' end;
end
$$;
revoke execute on function herald.task_expiry(timestamptz, timestamptz) from public;

-- herald.execute_task(task) → the task as it is afterwards, done or failed. One message per attendee whose attributes
-- contain the filter; a number gets one message, however often the task is executed.
create function herald.execute_task(p_task public.whatsapp_automation_tasks) returns public.whatsapp_automation_tasks
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  task public.whatsapp_automation_tasks := p_task;
  template public.whatsapp_message_templates;
  template_name text := herald.task_template(p_task.task_type);
  account constant uuid := herald.default_session(p_task.organization_id);
  facts record;
  zone text;
  common jsonb;
  attendees integer;
  bad integer;
  queued integer;
  suppressed integer;
begin
  select f.title, herald.possible_date(f.starts_at) as starts_at, f.timezone into facts
  from herald.workshop_facts(task.workshop_id) as f;
  zone := herald.workshop_zone(task.organization_id, facts.timezone);
  common := herald.workshop_values(task.workshop_id, task.organization_id, facts.title, facts.starts_at, zone);
  if task.template_id is null then
    template := herald.template(task.organization_id, template_name);
  else
    select * into template from public.whatsapp_message_templates as t
    where t.id = task.template_id and t.is_active
      and coalesce(t.organization_id, task.organization_id) = task.organization_id;
    template_name := coalesce(
      template.name, (select t.name from public.whatsapp_message_templates as t where t.id = task.template_id)
    );
  end if;
  select count(*), count(*) filter (where a.phone is null or a.phone !~ '^\+[1-9][0-9]{6,14}$') into attendees, bad
  from herald.workshop_attendees(task.workshop_id) as a
  where coalesce(a.attributes, '{}') @> task.recipient_filter;

  task.metadata := task.metadata - '{bad_phones,suppressed}'::text[]
    || case when bad > 0 then jsonb_build_object('bad_phones', bad) else '{}' end;
  task.error_message := case
    when facts.starts_at is null then 'The workshop has no date or is cancelled.'
    when account is null then 'No WhatsApp account is enabled. Link one, then try again.'
    when attendees = 0 then 'No attendee matches.'
    when attendees = bad then format('No attendee has a number that can be written to (%s have a bad one).', bad)
    else herald.content_problem(template_name, template, common || '{"name": "there"}')
  end;
  if task.error_message is not null then
    task.status := 'failed';
    return task;
  end if;

  with arrived as (
    insert into public.scheduled_whatsapp_messages (
      organization_id, session_id, recipient_phone, recipient_name, workshop_id, message_type, message_content,
      media_url, media_kind, template_id, template_variables, scheduled_for, expires_at, idempotency_key
    )
    select
      task.organization_id, account, a.phone, a.name, task.workshop_id, task.task_type,
      coalesce(herald.render(template.content, v.all_values), ''), template.media_url, herald.media_kind_of(template.media_url),
      template.id, v.all_values, herald.clock(),
      herald.task_expiry(facts.starts_at, herald.clock()),
      format('task:%s:%s', task.id, a.phone)
    from (
      select distinct on (w.phone) w.phone, left(nullif(btrim(w.name), ''), 200) as name
      from herald.workshop_attendees(task.workshop_id) as w
      where coalesce(w.attributes, '{}') @> task.recipient_filter and w.phone ~ '^\+[1-9][0-9]{6,14}$'
      order by w.phone, w.name
    ) as a
    cross join lateral (select common || jsonb_build_object('name', coalesce(a.name, 'there')) as all_values) as v
    on conflict (organization_id, idempotency_key) do nothing
    returning status
  )
  select count(*) filter (where n.status = 'pending'), count(*) filter (where n.status = 'failed')
  into queued, suppressed
  from arrived as n;
  task.queued_count := task.queued_count + queued;
  if suppressed > 0 then
    task.metadata := task.metadata || jsonb_build_object('suppressed', suppressed);
    if task.queued_count = 0 then
      task.status := 'failed';
      task.error_message := 'Nobody who matches may be written to: see why at their messages.';
      return task;
    end if;
  end if;
  task.status := 'done';
  return task;
end
$$;
revoke execute on function herald.execute_task(public.whatsapp_automation_tasks) from public;

-- herald.task_guard: enforces the legal steps and what a person may edit and when. It also executes: a task that is set
-- to executing is done or failed when the statement ends. If two callers execute it at once, the second finds it done.
create function herald.task_guard() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
  person constant boolean := tg_argv[0] = 'person';
begin
  if new.template_id is not null and not exists (
    select 1 from public.whatsapp_message_templates as t
    where t.id = new.template_id and coalesce(t.organization_id, new.organization_id) = new.organization_id
  ) then
    raise exception 'This template belongs to another organisation.' using errcode = '23514',
      hint = 'Choose one of your own templates or one of the system''s.', detail = 'herald:template-foreign';
  end if;
  if tg_op = 'UPDATE' then
    if new.status <> old.status and not exists (
      select 1 from herald.task_status_steps as s
      where s.old_status = old.status and s.new_status = new.status and (s.by_person or not person)
    ) then
      raise exception 'A task that is % can''t become %.', old.status, new.status
        using errcode = '23514', hint = 'Reload the task: its status has changed since you saw it.',
        detail = 'herald:task-step-unknown';
    end if;
    if person and old.status not in ('pending', 'failed')
      and (new.scheduled_for, new.template_id, new.recipient_filter, new.metadata)
      is distinct from (old.scheduled_for, old.template_id, old.recipient_filter, old.metadata) then
      raise exception 'A task that is % can''t be edited any more.', old.status
        using errcode = '23514', hint = 'Only pending tasks can be edited. Make a new one instead.',
        detail = 'herald:task-not-pending';
    end if;
    if person and new.status in ('pending', 'cancelled') then
      new.error_message := null;
    end if;
    if old.status = 'failed' and new.status = 'pending' then
      new.scheduled_for := greatest(new.scheduled_for, herald.clock());
    end if;
  end if;
  if new.status = 'executing' then
    begin
      new := herald.execute_task(new);
    exception
      when serialization_failure or deadlock_detected or lock_not_available then
        raise;
      when others then
        new.status := 'failed';
        new.error_message := left(coalesce(public.whatsapp_explain(sqlerrm), sqlerrm), 1000);
    end;
  end if;
  return new;
end
$$;
revoke execute on function herald.task_guard() from public;
create trigger task_guard before insert or update on public.whatsapp_automation_tasks
for each row when (current_user <> 'authenticated') execute function herald.task_guard('rule');
create trigger task_guard_person before insert or update on public.whatsapp_automation_tasks
for each row when (current_user = 'authenticated') execute function herald.task_guard('person');

-- herald.keep_task_messages(link, values): for pending messages that executed tasks queued: withdraws them if the
-- workshop loses its date, rewrites them if the date changes; the message guard writes the text.
create function herald.keep_task_messages(p_link herald.workshop_links, p_values jsonb) returns void
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  message uuid;
begin
  if not exists (
    select 1 from public.whatsapp_automation_tasks as t
    where t.organization_id = p_link.organization_id and t.workshop_id = p_link.workshop_id and t.queued_count > 0
  ) then
    return;
  end if;
  for message in
    select m.id from public.scheduled_whatsapp_messages as m
    where m.organization_id = p_link.organization_id and m.workshop_id = p_link.workshop_id
      and m.status in ('pending', 'sending', 'in_doubt') and m.idempotency_key like 'task:%'
  loop
    if p_link.starts_at is null then
      perform herald.withdraw(array[message], 'The workshop has no date or is cancelled.');
    else
      update public.scheduled_whatsapp_messages as m
      set template_variables = m.template_variables || p_values,
        expires_at = herald.task_expiry(p_link.starts_at, m.scheduled_for)
      where m.id = message and m.status = 'pending';
    end if;
  end loop;
end
$$;
revoke execute on function herald.keep_task_messages(herald.workshop_links, jsonb) from public;

-- herald.run_due_tasks() → how many tasks were executed or given up, 100 at most. Part of housekeeping. A task that is
-- more than a day late (the server was down) is not executed: its "tomorrow" would be wrong.
create function herald.run_due_tasks() returns integer
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  many integer;
begin
  update public.whatsapp_automation_tasks as t
  set status = case when d.late then 'failed' else 'executing' end,
    error_message = case when d.late then 'Its time passed more than a day ago.' end
  from (
    select w.id, w.scheduled_for < herald.clock() - interval '1 day' as late
    from public.whatsapp_automation_tasks as w
    where w.status = 'pending' and w.scheduled_for <= herald.clock()
    order by w.scheduled_for, w.id
    limit 100
    for update skip locked
  ) as d
  where t.id = d.id;
  get diagnostics many = row_count;
  return many;
end
$$;
revoke execute on function herald.run_due_tasks() from public;
