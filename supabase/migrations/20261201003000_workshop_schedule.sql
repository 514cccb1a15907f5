-- What an organisation's schedule plans for a workshop: instants from local times, values for placeholders, and the
-- plan, one row per message type. Nothing here writes. plpgsql throughout: Postgres plans an SQL function again in
-- every statement that calls it, 20 times per workshop.

-- == instants ==

-- herald.shifted(instant, interval, zone) → months and days keep the local time ("-1 day" before 19:00 is 19:00), then
-- hours, minutes and seconds are added as they are ("-24 hours" is 86,400 seconds).
create function herald.shifted(p_instant timestamptz, p_shift interval, p_zone text) returns timestamptz
language plpgsql stable set search_path = ''
as $$
declare
  calendar constant interval := make_interval(
    years => extract(year from p_shift)::integer, months => extract(month from p_shift)::integer,
    days => extract(day from p_shift)::integer
  );
  wall constant timestamp := p_instant at time zone p_zone + calendar;
begin
  if calendar = interval '0' then
    return p_instant + p_shift;
  end if;
  return herald.local_instant(wall::date, wall::time, p_zone) + (p_shift - calendar);
end
$$;
revoke execute on function herald.shifted(timestamptz, interval, text) from public;

-- herald.schedule_instant(entry, start, zone) → when the message of this entry of message_schedule goes out.
create function herald.schedule_instant(p_entry jsonb, p_start timestamptz, p_zone text) returns timestamptz
language plpgsql stable set search_path = ''
as $$
begin
  if p_entry ? 'offset' then
    return herald.shifted(p_start, (p_entry ->> 'offset')::interval, p_zone);
  end if;
  return herald.local_instant(
    (p_start at time zone p_zone)::date + coalesce((p_entry ->> 'day')::integer, 0), (p_entry ->> 'at')::time, p_zone
  );
end
$$;
revoke execute on function herald.schedule_instant(jsonb, timestamptz, text) from public;

-- herald.utc_text(instant) → the instant as text in UTC for JSON, whatever the connection's time zone is.
create function herald.utc_text(p_instant timestamptz) returns text
language plpgsql stable set search_path = ''
as $$
begin
  return to_char(p_instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
end
$$;
revoke execute on function herald.utc_text(timestamptz) from public;

-- herald.possible_date(instant) → the instant; null if it is outside the years 1900 to 9999. A CRM's own table may hold
-- such values (a typo, infinity), and no message can be planned from them.
create function herald.possible_date(p_instant timestamptz) returns timestamptz
language plpgsql immutable set search_path = ''
as $$
begin
  return case when p_instant at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999' then p_instant end;
end
$$;
revoke execute on function herald.possible_date(timestamptz) from public;
grant execute on function herald.possible_date(timestamptz) to authenticated, service_role;

-- herald.workshop_zone(organisation, zone) → the zone if Postgres knows it, else that of the organisation's settings.
create function herald.workshop_zone(p_organization uuid, p_zone text) returns text
language plpgsql stable set search_path = ''
as $$
begin
  if herald.is_timezone(p_zone) then
    return p_zone;
  end if;
  return coalesce(
    (select c.timezone from public.workshop_automation_config as c where c.organization_id = p_organization), 'UTC'
  );
end
$$;
revoke execute on function herald.workshop_zone(uuid, text) from public;

-- == values ==

-- herald.workshop_values(workshop, organisation, title, start, zone) → values for {{placeholders}}: title, date
-- ("Saturday, 21 November 2026"), time ("19:00"), timezone, organization, and what the adapter adds or says better.
create function herald.workshop_values(
  p_workshop uuid, p_organization uuid, p_title text, p_start timestamptz, p_zone text
) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  wall constant timestamp := p_start at time zone p_zone;
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'title', p_title,
    'date', to_char(wall, 'FMDay, FMDD FMMonth FMYYYY'),
    'time', to_char(wall, 'HH24:MI'),
    'timezone', p_zone,
    'organization', (select to_jsonb(o) ->> 'name' from public.organizations as o where o.id = p_organization)
  )) || jsonb_strip_nulls(coalesce(herald.workshop_variables(p_workshop), '{}'));
end
$$;
revoke execute on function herald.workshop_values(uuid, uuid, text, timestamptz, text) from public;

-- herald.media_kind_of(url) → the kind of a template's file by its name's ending; an image by default.
create function herald.media_kind_of(p_url text) returns text
language plpgsql immutable set search_path = ''
as $$
declare
  name constant text := lower(regexp_replace(p_url, '[?#].*$', ''));
begin
  return case
    when p_url is null then null
    when name ~ '\.(mp4|3gp|mov|m4v)$' then 'video'
    when name ~ '\.(mp3|m4a|aac|amr|ogg|opus|wav)$' then 'audio'
    when name ~ '\.(pdf|docx?|xlsx?|pptx?|odt|ods|txt|csv|zip)$' then 'document'
    else 'image'
  end;
end
$$;
revoke execute on function herald.media_kind_of(text) from public;

-- == the plan ==

-- herald.content_problem(template name, template, values) → why no message can be made of it, in words; null if one
-- can.
create function herald.content_problem(p_name text, p_template public.whatsapp_message_templates, p_values jsonb)
returns text
language plpgsql stable set search_path = ''
as $$
declare
  content text;
begin
  if p_template.id is null then
    return format('There is no active template "%s".', p_name);
  end if;
  if not jsonb_strip_nulls(p_values) ?& p_template.variables then
    return format(
      'Template "%s" asks for %s, for which there is no value.', p_name,
      (select string_agg('{{' || n || '}}', ', ') from unnest(p_template.variables) as n where p_values ->> n is null)
    );
  end if;
  content := herald.render(p_template.content, p_values);
  return case
    when content is null then format('Template "%s" gives a text of more than 65,536 characters.', p_name)
    when p_template.media_url is null and btrim(content) = '' then format('Template "%s" gives an empty text.', p_name)
  end;
end
$$;
revoke execute on function herald.content_problem(text, public.whatsapp_message_templates, jsonb) from public;

-- herald.workshop_plan(organisation, start, zone, values) → one row per enabled type of message_schedule.
-- expires_at: from then on it is too late. problem: why the message can't be made.
create function herald.workshop_plan(p_organization uuid, p_start timestamptz, p_zone text, p_values jsonb)
returns table (
  message_type text, scheduled_for timestamptz, expires_at timestamptz, template_id uuid, content text, media_url text,
  problem text
)
language plpgsql stable set search_path = ''
as $$
declare
  entry record;
  name text;
  template public.whatsapp_message_templates;
begin
  for entry in
    select s.key, s.value
    from public.workshop_automation_config as c
    cross join lateral jsonb_each(c.message_schedule) as s
    where c.organization_id = p_organization and coalesce((s.value ->> 'enabled')::boolean, true)
  loop
    name := coalesce(entry.value ->> 'template', entry.key);
    template := herald.template(p_organization, name);
    message_type := entry.key;
    scheduled_for := herald.schedule_instant(entry.value, p_start, p_zone);
    expires_at := scheduled_for
      + make_interval(secs => extract(epoch from coalesce((entry.value ->> 'late')::interval, interval '1 hour')));
    template_id := template.id;
    problem := herald.content_problem(name, template, p_values);
    content := case when problem is null then herald.render(template.content, p_values) end;
    media_url := template.media_url;
    return next;
  end loop;
end
$$;
revoke execute on function herald.workshop_plan(uuid, timestamptz, text, jsonb) from public;
