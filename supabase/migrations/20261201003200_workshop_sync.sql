-- Brings one workshop up to date: its messages, tasks, group and status. workshop_changes.sql says when.

-- herald.act_on_workshop(workshop, organisation, group, anyway) → what automation_status says under "whatsapp", and the
-- title. Compares with the state that it last acted on, so a second call changes nothing. null: the workshop is
-- unchanged and was left alone; `anyway` prevents that.
create function herald.act_on_workshop(p_workshop uuid, p_organization uuid, p_group uuid, p_anyway boolean)
returns jsonb
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  link herald.workshop_links;
  former herald.workshop_links;
  facts record;
  values_now jsonb;
  report jsonb := '{}';
  withdrawn integer := 0;
begin
  insert into herald.workshop_links (workshop_id, organization_id) values (p_workshop, p_organization)
  on conflict (workshop_id) do nothing;
  select * into former from herald.workshop_links as l where l.workshop_id = p_workshop;
  link := former;
  select f.title, f.starts_at, f.timezone into facts from herald.workshop_facts(p_workshop) as f;
  link.starts_at := herald.possible_date(facts.starts_at);
  link.timezone := herald.workshop_zone(p_organization, facts.timezone);
  link.group_id := p_group;
  values_now := herald.workshop_values(p_workshop, p_organization, facts.title, link.starts_at, link.timezone);
  link.obstacle := case
    when facts.starts_at is null then 'The workshop has no date or is cancelled.'
    when link.starts_at is null then 'The workshop''s date can''t be right: it lies outside the years 1900 to 9999. Correct it.'
    when not coalesce(
      (select c.auto_schedule_messages from public.workshop_automation_config as c
        where c.organization_id = p_organization),
      false
    ) then 'Automatic messages are switched off in the settings.'
  end;
  link.acted_on := md5(jsonb_build_array(values_now, link.starts_at, p_group, link.obstacle)::text);
  if link.acted_on is not distinct from former.acted_on and former.problem is null and not p_anyway then
    return null;
  end if;

  if link.group_id is distinct from former.group_id then
    perform herald.withdraw_schedule(former, case
      when p_group is null then 'The workshop was unlinked from its group.'
      else 'The workshop was linked to another group.'
    end);
    link.linked_at := case when p_group is not null then herald.clock() end;
    if p_group is not null then
      link.generation := former.generation + 1;
      link.since_generation := link.generation;
    end if;
  end if;

  if link.group_id is not null then
    if link.obstacle is null then
      report := herald.keep_schedule(link, values_now);
      withdrawn := (report ->> 'withdrawn')::integer;
    else
      report := jsonb_build_object('why_not', link.obstacle);
      withdrawn := herald.withdraw_schedule(link, link.obstacle);
    end if;
    if withdrawn > 0 then
      link.generation := link.generation + 1;
    end if;
  end if;
  link.rules_made := herald.keep_tasks(link, former);
  if (link.starts_at, link.timezone) is distinct from (former.starts_at, former.timezone) then
    perform herald.keep_task_messages(link, values_now);
  end if;
  if link is distinct from former then
    update herald.workshop_links as l
    set group_id = link.group_id, linked_at = link.linked_at, generation = link.generation,
      since_generation = link.since_generation, starts_at = link.starts_at, timezone = link.timezone,
      rules_made = link.rules_made, obstacle = link.obstacle, acted_on = link.acted_on
    where l.workshop_id = p_workshop;
  end if;
  if (link.group_id, link.starts_at) is distinct from (former.group_id, former.starts_at) then
    perform herald.refresh_groups(array[former.group_id, link.group_id]);
  end if;
  return report - 'withdrawn' || jsonb_build_object(
    'title', facts.title, 'linked_at', herald.utc_text(link.linked_at), 'generation', link.generation,
    'timezone', link.timezone
  );
end
$$;
revoke execute on function herald.act_on_workshop(uuid, uuid, uuid, boolean) from public;

-- herald.sync_workshop(workshop, wait, anyway): makes messages, tasks, group and automation_status match the workshop.
-- A CRM that keeps dates in another table calls it when those change. An error is recorded and raises an alert, and
-- the CRM's own write succeeds. wait false: skips a workshop that another transaction is changing. anyway false:
-- settings, templates and messages have not changed, so only changes of the workshop matter.
create function herald.sync_workshop(p_workshop uuid, p_wait boolean default true, p_anyway boolean default true)
returns void
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  workshop record;
  report jsonb;
  around constant text := coalesce(current_setting('herald.syncing', true), '');
begin
  -- The workshop's row is the lock: the second call reads what the first has committed.
  if p_wait then
    select w.organization_id, w.whatsapp_group_id into workshop
    from public.workshops as w where w.id = p_workshop for no key update;
  else
    select w.organization_id, w.whatsapp_group_id into workshop
    from public.workshops as w where w.id = p_workshop for no key update skip locked;
  end if;
  if not found or not exists (select 1 from public.organizations as o where o.id = workshop.organization_id) then
    return;
  end if;
  perform set_config('herald.syncing', p_workshop::text, true);
  begin
    report := herald.act_on_workshop(p_workshop, workshop.organization_id, workshop.whatsapp_group_id, p_anyway);
  exception
    when serialization_failure or deadlock_detected or lock_not_available then
      raise;
    when others then
      report := jsonb_build_object('problem', 'Its messages could not be scheduled: '
        || left(coalesce(public.whatsapp_explain(sqlerrm), sqlerrm), 900));
  end;
  if report is not null then
    perform herald.tell_problem(p_workshop, workshop.organization_id, report ->> 'title', report ->> 'problem');
    perform herald.tell_status(p_workshop, jsonb_strip_nulls(report - 'title'));
  end if;
  perform set_config('herald.syncing', around, true);
end
$$;
revoke execute on function herald.sync_workshop(uuid, boolean, boolean) from public;

-- herald.tell_problem(workshop, organisation, title, problem): raises an alert for a new problem; resolves it when the
-- problem is gone.
create function herald.tell_problem(p_workshop uuid, p_organization uuid, p_title text, p_problem text) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  update herald.workshop_links as l set problem = p_problem
  where l.workshop_id = p_workshop and l.problem is distinct from p_problem;
  if not found then
    return;
  end if;
  if p_problem is not null then
    perform herald.raise_alert(
      p_organization, null, 'workshop-messages', 'warning',
      left(coalesce('Workshop "' || p_title || '": ', 'A workshop: ') || p_problem, 1000),
      jsonb_build_object('workshop_id', p_workshop)
    );
  elsif not exists (
    select 1 from herald.workshop_links as l where l.organization_id = p_organization and l.problem is not null
  ) then
    update public.whatsapp_alerts as a set resolved_at = herald.clock()
    where a.organization_id = p_organization and a.kind = 'workshop-messages' and a.resolved_at is null;
  end if;
end
$$;
revoke execute on function herald.tell_problem(uuid, uuid, text, text) from public;

-- herald.tell_status(workshop, report): writes it to automation_status under the key "whatsapp"; other keys are the
-- CRM's own.
create function herald.tell_status(p_workshop uuid, p_report jsonb) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  update public.workshops as w
  set automation_status = coalesce(w.automation_status, '{}') || jsonb_build_object('whatsapp', p_report)
  where w.id = p_workshop and jsonb_typeof(coalesce(w.automation_status, '{}')) = 'object'
    and w.automation_status -> 'whatsapp' is distinct from p_report;
exception
  when serialization_failure or deadlock_detected or lock_not_available then
    raise;
  when others then
    raise warning 'Herald could not write workshops.automation_status: %', sqlerrm;
end
$$;
revoke execute on function herald.tell_status(uuid, jsonb) from public;
