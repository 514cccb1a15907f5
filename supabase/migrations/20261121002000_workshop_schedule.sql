-- What an organisation's schedule wants of a workshop: instants from local times, values for placeholders, and the plan,
-- one row a message type. Nothing here writes; 20261121002010_workshop_links.sql acts on it.

-- == instants ==

-- herald.local_instant(date, time, zone) → the instant at which clocks in that zone show it. A time that is skipped when
-- clocks go forward is taken with the offset of before the gap (02:30 → 03:30); of one that comes twice it is the first.
-- In both cases that is the offset before the change, which Postgres' own `at time zone` doesn't promise.
create function herald.local_instant(p_date date, p_time time, p_zone text) returns timestamptz
language sql stable set search_path = ''
as $$
  -- No offset is above 16 hours, so the instant lies between these two moments, and at most one change does.
  select case
    when c.by_former at time zone p_zone = c.wall then c.by_former
    when c.by_later at time zone p_zone = c.wall then c.by_later
    else c.by_former
  end
  from (
    select w.wall, w.utc - (f.former at time zone p_zone - f.former at time zone 'UTC') as by_former,
      w.utc - (f.later at time zone p_zone - f.later at time zone 'UTC') as by_later
    from (select p_date + p_time as wall, (p_date + p_time) at time zone 'UTC' as utc) as w
    cross join lateral (
      select w.utc - interval '16 hours' as former, w.utc + interval '16 hours' as later
    ) as f
  ) as c
$$;

-- herald.shifted(instant, interval, zone) → months and days keep the local time ("-1 day" before 19:00 is 19:00), then
-- hours, minutes and seconds are added as they are ("-24 hours" is 86,400 seconds).
create function herald.shifted(p_instant timestamptz, p_shift interval, p_zone text) returns timestamptz
language sql stable set search_path = ''
as $$
  select case
    when c.calendar = interval '0' then p_instant
    else herald.local_instant(
      (p_instant at time zone p_zone + c.calendar)::date, (p_instant at time zone p_zone + c.calendar)::time, p_zone
    )
  end + (p_shift - c.calendar)
  from (
    select make_interval(
      years => extract(year from p_shift)::integer, months => extract(month from p_shift)::integer,
      days => extract(day from p_shift)::integer
    ) as calendar
  ) as c
$$;

-- herald.schedule_instant(entry, start, zone) → when the message of this entry of message_schedule goes out.
create function herald.schedule_instant(p_entry jsonb, p_start timestamptz, p_zone text) returns timestamptz
language sql stable set search_path = ''
as $$
  select case
    when p_entry ? 'offset' then herald.shifted(p_start, (p_entry ->> 'offset')::interval, p_zone)
    else herald.local_instant(
      (p_start at time zone p_zone)::date + coalesce((p_entry ->> 'day')::integer, 0), (p_entry ->> 'at')::time, p_zone
    )
  end
$$;

-- herald.utc_text(instant) → as JSON tells it, whatever the connection's zone is.
create function herald.utc_text(p_instant timestamptz) returns text
language sql stable set search_path = ''
as $$ select to_char(p_instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') $$;

-- == values ==

-- herald.workshop_zone(organisation, zone) → the zone if Postgres knows it, else that of the organisation's settings.
create function herald.workshop_zone(p_organization uuid, p_zone text) returns text
language sql stable set search_path = ''
as $$
  select coalesce(
    case when herald.is_timezone(p_zone) then p_zone end,
    (select c.timezone from public.workshop_automation_config as c where c.organization_id = p_organization),
    'UTC'
  )
$$;

-- herald.workshop_values(workshop, organisation, title, start, zone) → values for {{placeholders}}: title, date ("Saturday,
-- 21 November 2026"), time ("19:00"), timezone, organization, and what the adapter adds or says better.
create function herald.workshop_values(
  p_workshop uuid, p_organization uuid, p_title text, p_start timestamptz, p_zone text
) returns jsonb
language sql stable set search_path = ''
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'title', p_title,
    'date', to_char(p_start at time zone p_zone, 'FMDay, FMDD FMMonth FMYYYY'),
    'time', to_char(p_start at time zone p_zone, 'HH24:MI'),
    'timezone', p_zone,
    'organization', (select to_jsonb(o) ->> 'name' from public.organizations as o where o.id = p_organization)
  )) || jsonb_strip_nulls(coalesce(herald.workshop_variables(p_workshop), '{}'))
$$;

-- herald.media_kind_of(url) → what the name of a template's file says that it is; an image unless it says otherwise.
create function herald.media_kind_of(p_url text) returns text
language sql immutable set search_path = ''
as $$
  select case
    when p_url is null then null
    when n.name ~ '\.(mp4|3gp|mov|m4v)$' then 'video'
    when n.name ~ '\.(mp3|m4a|aac|amr|ogg|opus|wav)$' then 'audio'
    when n.name ~ '\.(pdf|docx?|xlsx?|pptx?|odt|ods|txt|csv|zip)$' then 'document'
    else 'image'
  end
  from (select lower(regexp_replace(p_url, '[?#].*$', '')) as name) as n
$$;

-- herald.content_problem(template name, template, values) → why no message can be made of it, in words; null if one can.
create function herald.content_problem(p_name text, p_template public.whatsapp_message_templates, p_values jsonb)
returns text
language sql stable set search_path = ''
as $$
  select case
    when p_template.id is null then format('There is no active template "%s".', p_name)
    when cardinality(m.missing) > 0 then format(
      'Template "%s" asks for %s, for which there is no value.', p_name,
      (select string_agg('{{' || n || '}}', ', ') from unnest(m.missing) as n)
    )
    when p_template.media_url is null and btrim(herald.render(p_template.content, p_values)) = ''
      then format('Template "%s" gives an empty text.', p_name)
    when length(herald.render(p_template.content, p_values)) > 65536
      then format('Template "%s" gives a text of more than 65,536 characters.', p_name)
  end
  from (select herald.missing_values(p_template.content, p_values) as missing) as m
$$;

-- == the plan ==

-- herald.workshop_plan(organisation, start, zone, values) → one row an enabled type of message_schedule; expires_at is the
-- instant from which on it would be too late. problem: why it can't be made.
create function herald.workshop_plan(p_organization uuid, p_start timestamptz, p_zone text, p_values jsonb)
returns table (
  message_type text, scheduled_for timestamptz, expires_at timestamptz, template_id uuid, content text, media_url text,
  problem text
)
language sql stable set search_path = ''
as $$
  select
    e.message_type, e.at,
    e.at + make_interval(secs => extract(epoch from coalesce((e.entry ->> 'late')::interval, interval '1 hour'))),
    t.id, herald.render(t.content, p_values), t.media_url, herald.content_problem(e.template, t, p_values)
  from (
    select s.key as message_type, s.value as entry, coalesce(s.value ->> 'template', s.key) as template,
      herald.schedule_instant(s.value, p_start, p_zone) as at
    from public.workshop_automation_config as c
    cross join lateral jsonb_each(c.message_schedule) as s
    where c.organization_id = p_organization and coalesce((s.value ->> 'enabled')::boolean, true)
  ) as e
  cross join lateral herald.template(p_organization, e.template) as t
$$;

revoke execute on function
  herald.local_instant(date, time, text), herald.shifted(timestamptz, interval, text),
  herald.schedule_instant(jsonb, timestamptz, text), herald.utc_text(timestamptz), herald.workshop_zone(uuid, text),
  herald.workshop_values(uuid, uuid, text, timestamptz, text), herald.media_kind_of(text),
  herald.content_problem(text, public.whatsapp_message_templates, jsonb),
  herald.workshop_plan(uuid, timestamptz, text, jsonb)
from public;
