-- Herald's private schema and what every later file uses: the clock, row identity, access to a tenant's table, time
-- zones.

create schema herald;
comment on schema herald is 'Private to Herald: never exposed through the API, never published.';
revoke all on schema herald from public;
grant usage on schema herald to authenticated, service_role;

-- herald.clock() → the clock that every rule uses. Tests replace it to move time. plpgsql, because one claim calls it
-- hundreds of times, and Postgres plans an SQL function with its own search_path again at each place that calls it.
create function herald.clock() returns timestamptz
language plpgsql stable set search_path = ''
as $$
begin
  return now();
end
$$;
revoke execute on function herald.clock() from public;
grant execute on function herald.clock() to authenticated, service_role;

-- herald.touch() keeps updated_at true.
create function herald.touch() returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.updated_at := herald.clock();
  return new;
end
$$;
revoke execute on function herald.touch() from public;

-- == identity: columns that never change ==

-- herald.immutable: nobody can change a row's identity: its id, its organisation, when it was made, and what it is
-- about. The error names the column. The triggers' WHEN clauses compare, so it is called only when a column did change,
-- and an update of the queue pays less than a microsecond.
create function herald.immutable() returns trigger
language plpgsql set search_path = ''
as $$
declare
  changed text;
begin
  select n.key into changed from jsonb_each(to_jsonb(new)) as n
  where n.key = any(tg_argv) and n.value is distinct from to_jsonb(old) -> n.key
  order by array_position(tg_argv, n.key) limit 1;
  raise exception '% of a row of % can''t be changed.', changed, tg_table_name
    using errcode = '23514', hint = 'It says what the row is about. Make a new row instead.',
    detail = 'herald:column-fixed';
end
$$;
revoke execute on function herald.immutable() from public;

-- herald.keep_identity(table, fixed, clearable, late): the trigger that refuses changes of id, created_at and these
-- columns. clearable: may become null, by a foreign key's `on delete set null` or an erasure. late: may be null at
-- first and is then set once.
create procedure herald.keep_identity(
  p_table text, p_fixed text[], p_clearable text[] default '{}', p_late text[] default '{}'
)
language plpgsql set search_path = ''
as $$
declare
  everywhere constant text[] := array['id', 'created_at'];
  compared text[] := array(
    select format('new.%1$I is distinct from old.%1$I', c) from unnest(everywhere || p_fixed) as c
    union all
    select format('(new.%1$I is not null and new.%1$I is distinct from old.%1$I)', c) from unnest(p_clearable) as c
    union all
    select format('(old.%1$I is not null and new.%1$I is distinct from old.%1$I)', c) from unnest(p_late) as c
  );
begin
  execute format(
    'create trigger immutable before update on public.%I for each row when (%s) execute function herald.immutable(%s)',
    p_table, array_to_string(compared, ' or '),
    (select string_agg(quote_literal(c), ', ') from unnest(everywhere || p_fixed || p_clearable || p_late) as c)
  );
end
$$;
revoke execute on procedure herald.keep_identity(text, text[], text[], text[]) from public;

-- == access ==

-- herald.tenant_table(name): the usual access to a table of an organisation. Members read, owners and admins write what
-- the grants name (each table grants its columns itself), anon nothing, service_role all; updated_at stays true. A
-- table with other rules has its policies written out.
create procedure herald.tenant_table(p_table text)
language plpgsql set search_path = ''
as $$
declare
  mine constant text := 'organization_id in (select herald.my_organizations()) or (select herald.is_super_admin())';
  administered constant text :=
    'organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin())';
begin
  execute format('alter table public.%I enable row level security', p_table);
  execute format('create policy %I on public.%I for select to authenticated using (%s)',
    p_table || '_select', p_table, mine);
  execute format('create policy %I on public.%I for insert to authenticated with check (%s)',
    p_table || '_insert', p_table, administered);
  execute format('create policy %I on public.%I for update to authenticated using (%s) with check (%s)',
    p_table || '_update', p_table, administered, administered);
  execute format('create policy %I on public.%I for delete to authenticated using (%s)',
    p_table || '_delete', p_table, administered);
  execute format('revoke all on public.%I from anon, authenticated, service_role', p_table);
  execute format('grant select on public.%I to authenticated', p_table);
  execute format('grant select, insert, update, delete on public.%I to service_role', p_table);
  execute format(
    'create trigger touch before update on public.%I for each row execute function herald.touch()', p_table
  );
end
$$;
revoke execute on procedure herald.tenant_table(text) from public;

-- == sizes ==

-- herald.is_list(items, most, longest) → is it null, or a plain list of at most `most` texts, none of them null or
-- longer than `longest` characters?
create function herald.is_list(p_items text[], p_most integer, p_longest integer) returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return p_items is null or (
    coalesce(array_ndims(p_items), 1) = 1 and cardinality(p_items) <= p_most
    and not exists (select 1 from unnest(p_items) as i where i is null or length(i) > p_longest)
  );
end
$$;
revoke execute on function herald.is_list(text[], integer, integer) from public;
grant execute on function herald.is_list(text[], integer, integer) to authenticated, service_role;

-- herald.is_readable(value, most) → is it null, or JSON of at most `most` characters that every program can read?
-- Python fails at 1,000 levels and at numbers of 4,300 digits, and then can't read the list that holds the value either.
create function herald.is_readable(p_value jsonb, p_most integer) returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return p_value is null or (
    length(p_value::text) <= p_most and not jsonb_path_exists(p_value, '$.**{32}')
    and not jsonb_path_exists(p_value, '$.** ? (@.type() == "number" && (@ > 1e300 || @ < -1e300))')
  );
end
$$;
revoke execute on function herald.is_readable(jsonb, integer) from public;
grant execute on function herald.is_readable(jsonb, integer) to authenticated, service_role;

-- == time zones ==

-- herald.is_timezone(name) → is it an IANA zone that this Postgres knows? POSIX forms such as UTC+3 are refused,
-- because their sign is inverted.
create function herald.is_timezone(p_name text) returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  perform now() at time zone p_name;
  return p_name ~ '^([A-Z][A-Za-z_-]+|[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+)+)$';
exception when invalid_parameter_value then
  return false;
end
$$;
revoke execute on function herald.is_timezone(text) from public;
grant execute on function herald.is_timezone(text) to authenticated, service_role;

-- herald.local_instant(date, time, zone) → the instant at which clocks in that zone show it. A time that clocks skip
-- when they go forward becomes the later one (02:30 → 03:30); of a time that comes twice, the first counts. In both
-- cases the offset before the change is used, which Postgres' own `at time zone` doesn't promise.
create function herald.local_instant(p_date date, p_time time, p_zone text) returns timestamptz
language plpgsql stable set search_path = ''
as $$
declare
  wall constant timestamp := p_date + p_time;
  utc constant timestamptz := wall at time zone 'UTC';
  -- No offset exceeds 16 hours, so the instant and at most one change of clocks lie between these two moments.
  former constant timestamptz := utc - interval '16 hours';
  later constant timestamptz := utc + interval '16 hours';
  by_former constant timestamptz := utc - (former at time zone p_zone - former at time zone 'UTC');
  by_later constant timestamptz := utc - (later at time zone p_zone - later at time zone 'UTC');
begin
  if by_former at time zone p_zone <> wall and by_later at time zone p_zone = wall then
    return by_later;
  end if;
  return by_former;
end
$$;
revoke execute on function herald.local_instant(date, time, text) from public;
