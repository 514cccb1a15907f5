-- Quiet hours: what the setting may hold, and whether they are on now. config.sql has the setting, holds.sql obeys it.

-- herald.is_quiet_hours(value) → {"start": "21:00", "end": "08:00", "exempt": ["we_are_live"]}; exempt types may go.
create function herald.is_quiet_hours(p_value jsonb) returns boolean
language sql immutable set search_path = ''
as $$
  select coalesce(
    jsonb_typeof(p_value) = 'object'
    and p_value ->> 'start' ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$' and p_value ->> 'end' ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'
    and p_value ->> 'start' <> p_value ->> 'end'
    and jsonb_typeof(coalesce(p_value -> 'exempt', '[]')) = 'array'
    and jsonb_array_length(case jsonb_typeof(p_value -> 'exempt') when 'array' then p_value -> 'exempt' else '[]' end) <= 50
    and herald.is_readable(p_value, 4096),
    false
  )
$$;
revoke execute on function herald.is_quiet_hours(jsonb) from public;
grant execute on function herald.is_quiet_hours(jsonb) to authenticated, service_role;

-- herald.quiet_until(quiet_hours, zone) → when the quiet hours that are on now end; null: they are not on. Start and end
-- are instants, so that a local time that comes twice doesn't begin or end them twice. Shortcut: if the zone's clocks
-- don't change within two days, the time of day decides.
create function herald.quiet_until(p_quiet jsonb, p_zone text) returns timestamptz
language plpgsql stable set search_path = ''
as $$
declare
  moment timestamptz;
  here timestamp;
  starts time;
  ends time;
  over timestamptz;
  outside boolean;
begin
  if p_quiet is null then
    return null;
  end if;
  moment := herald.clock();
  here := moment at time zone p_zone;
  starts := (p_quiet ->> 'start')::time;
  ends := (p_quiet ->> 'end')::time;
  outside := case
    when starts <= ends then here::time < starts or here::time >= ends
    else here::time < starts and here::time >= ends
  end;
  if outside and (moment - interval '48 hours') at time zone p_zone = here - interval '48 hours'
    and (moment + interval '48 hours') at time zone p_zone = here + interval '48 hours' then
    return null;
  end if;
  for back in 0..1 loop
    over := herald.local_instant(here::date - back + (ends < starts)::integer, ends, p_zone);
    if moment < over and moment >= herald.local_instant(here::date - back, starts, p_zone) then
      return over;
    end if;
  end loop;
  return null;
end
$$;
revoke execute on function herald.quiet_until(jsonb, text) from public;
