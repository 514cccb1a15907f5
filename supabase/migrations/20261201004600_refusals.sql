-- What a refused row says of itself: a sentence in `message`, what to do in `hint`, a stable code in `details`, as the CRM's
-- developers and users see them in the error of supabase-js. The words are the constraint's comment, beside its table; here they
-- come into the error.
--
-- Postgres words its own refusals and can't be taught others, so two triggers look at each row of a person or of the CRM's
-- server just before Postgres does: `zz_words` (the last before the row is written: CHECK, NOT NULL, UNIQUE) and `A_words` (the
-- first after it, before the foreign keys). The constraints stay what refuses: a race, a constraint without words and a
-- function of Herald's own (which fires neither trigger) still meet them.

-- herald.row_policy_refuses(relation, operation, row) → whether row-level security would refuse the new row of whoever speaks.
-- Null: a value that the policies ask for is missing. Asked only of a row that is refused anyway.
create function herald.row_policy_refuses(p_relation oid, p_operation text, p_row anyelement) returns boolean
language plpgsql stable set search_path = ''
as $$
declare
  condition text;
  answer boolean;
begin
  if not row_security_active(p_relation) then
    return false;
  end if;
  select concat_ws(' and ',
    '(' || coalesce(string_agg(p.rule, ' or ') filter (where p.polpermissive), 'false') || ')',
    string_agg(p.rule, ' and ') filter (where not p.polpermissive)
  ) into condition
  from (
    select l.polpermissive, '(' || pg_get_expr(coalesce(l.polwithcheck, l.polqual), l.polrelid) || ')' as rule
    from pg_catalog.pg_policy as l
    where l.polrelid = p_relation and l.polcmd in ('*', case p_operation when 'INSERT' then 'a' else 'w' end)
      and exists (
        select 1 from unnest(l.polroles) as r (role)
        where r.role = 0 or pg_has_role(current_user, r.role, 'usage')
      )
  ) as p;
  execute format('select not (%s) from (select ($1).*) as r', condition) into answer using p_row;
  return answer;
end
$$;

-- herald.refuse(relation, operation, rule, row): raises what the rule says. Returns if Postgres shall say it: the row policies
-- refuse the row (and speak first), the rule has gone since, or an upsert's ON CONFLICT takes care of the row that is there.
-- rule: a letter (n NOT NULL, c CHECK, u UNIQUE, f foreign key), a colon and the name.
create function herald.refuse(p_relation oid, p_operation text, p_rule text, p_row anyelement) returns void
language plpgsql stable set search_path = ''
as $$
declare
  kind constant "char" := left(p_rule, 1);
  rule constant text := substr(p_rule, 3);
  relation constant text := (select c.relname from pg_catalog.pg_class as c where c.oid = p_relation);
  words record;
  -- As the constraint is now: the trigger may be older.
  condition constant text := (
    select pg_get_expr(k.conbin, k.conrelid) from pg_catalog.pg_constraint as k
    where k.conrelid = p_relation and k.conname = rule and k.contype = 'c'
  );
  broken boolean;
begin
  if condition is not null then
    execute format('select (%s) is false from (select ($1).*) as r', condition) into broken using p_row;
    if not broken then
      return;
    end if;
  end if;
  -- The row that is in the way concerns a plain insert only. What a function does with conflicts isn't to be seen from here.
  if kind = 'u' and p_operation = 'INSERT' and (
    current_query() ~* '\mon\s+conflict\M'
    or current_query() !~* ('\minsert\s+into\s+("?public"?\s*\.\s*)?"?' || relation || '\M')
  ) then
    return;
  end if;
  select * into words from herald.refusal_words(p_relation, kind, rule);
  if words.code is null or kind <> 'f' and herald.row_policy_refuses(p_relation, p_operation, p_row) then
    return;
  end if;
  if kind = 'n' then
    raise exception using errcode = words.state, message = words.message, hint = words.hint, detail = words.code,
      schema = 'public', table = relation, column = rule;
  end if;
  raise exception using errcode = words.state, message = words.message, hint = words.hint, detail = words.code,
    schema = 'public', table = relation, constraint = rule;
end
$$;

-- herald.word_refusals() → how many tables. Makes the triggers anew from the catalog; a migration that adds, changes or drops a
-- constraint calls it last (a test compares). Functions of the table's own, because their plans are kept; what they say is read
-- from the catalog when they refuse. A column or right that has gone since fails no insert: Postgres decides. Plans use the
-- index however small the table was when they were made.
-- The rules of one row read variables named like the columns, because plpgsql evaluates an expression without FROM by itself:
-- 5 µs a row for 18 rules; a query cost 37. A look-up of a key costs 10.
create function herald.word_refusals() returns integer
language plpgsql set search_path = ''
as $$
declare
  t record;
  made integer := 0;
  guard constant text := $w$current_user in ('authenticated', 'service_role')$w$;
  body constant text := $w$
create or replace function herald.%1$I() returns trigger
language plpgsql %2$s set search_path = '' 
  set enable_seqscan = off set plan_cache_mode = force_generic_plan set jit = off
as $f$
#variable_conflict use_column
declare
  broken_rule text;
begin
%3$s
  if broken_rule is not null then
    perform herald.refuse(tg_relid, tg_op, broken_rule, new);
  end if;
  return new;
exception when undefined_column or undefined_table or undefined_function or insufficient_privilege or data_exception then
  return new;
end
$f$;
revoke execute on function herald.%1$I() from public;
$w$;
  -- Whoever writes for an organisation that isn't theirs is answered by the row policies.
  early constant text := $w$  if tg_when = 'BEFORE' and (new.organization_id in (select herald.my_organizations())) is not true then
    return new;
  end if;$w$;
  -- One look-up, where the row has the columns and they are new.
  look_up constant text := $w$  if broken_rule is null and %1$s and (tg_op = 'INSERT' or %2$s) then
    if exists (select 1 from only %3$s as there where %4$s) then
      broken_rule := %5$L;
    end if;
  end if;$w$;
  -- The rows of a list mostly name the same account: what the transaction has found is not looked up again. If it has gone since,
  -- Postgres itself refuses.
  key_look_up constant text := $w$  if broken_rule is null and %1$s and (tg_op = 'INSERT' or %2$s)
    and current_setting(%6$L, true) is distinct from %7$s then
    if exists (select 1 from only %3$s as there where %4$s) then
      perform set_config(%6$L, %7$s, true);
    else
      broken_rule := %5$L;
    end if;
  end if;$w$;
begin
  for t in
    with single as (
      select a.attrelid as relation, 1 as turn, a.attnum::text as place,
        format('      when new.%I is null then %L', a.attname, 'n:' || a.attname) as line, null::int2[] as columns
      from pg_catalog.pg_attribute as a
      join pg_catalog.pg_constraint as p on p.conrelid = a.attrelid and p.contype = 'p'
      where a.attnum > 0 and a.attnotnull and not a.attisdropped and a.attgenerated = ''
        and obj_description(p.oid, 'pg_constraint') like '% (herald:%)'
      union all
      select k.conrelid, 2, k.conname,
        format('      when (%s) is false then %L', pg_get_expr(k.conbin, k.conrelid), 'c:' || k.conname), k.conkey
      from pg_catalog.pg_constraint as k
      where k.contype = 'c' and obj_description(k.oid, 'pg_constraint') like '% (herald:%)'
        -- A generated column has no value yet.
        and not exists (
          select 1 from pg_catalog.pg_attribute as a
          where a.attrelid = k.conrelid and a.attnum = any(k.conkey) and a.attgenerated <> ''
        )
    ), keys as (
      select i.indrelid as relation, x.relname as place, format(
        look_up,
        -- Whoever can't write a key gets it from a default and can't break it.
        case when key.written then '' else $w$current_user <> 'authenticated' and $w$ end || key.given || coalesce(
          ' and (select ' || pg_get_expr(i.indpred, i.indrelid) || ' from (select new.*) as new_row)', ''
        ),
        key.changed, i.indrelid::regclass,
        key.same || coalesce(' and (' || pg_get_expr(i.indpred, i.indrelid) || ')', ''), 'u:' || x.relname
      ) as line
      from pg_catalog.pg_index as i
      join pg_catalog.pg_class as x on x.oid = i.indexrelid
      left join pg_catalog.pg_constraint as k on k.conindid = i.indexrelid and k.contype in ('p', 'u')
      cross join lateral (
        select
          coalesce(string_agg(format('new.%I is not null', a.attname), ' and ' order by u.n)
            filter (where not a.attnotnull and not i.indnullsnotdistinct), 'true') as given,
          string_agg(format('new.%1$I is distinct from old.%1$I', a.attname), ' or ' order by u.n) as changed,
          string_agg(format(
            case when i.indnullsnotdistinct and not a.attnotnull
              then '(there.%1$I = new.%1$I or there.%1$I is null and new.%1$I is null)'
              else 'there.%1$I = new.%1$I'
            end, a.attname
          ), ' and ' order by u.n) as same,
          array_agg(a.attnum) as columns,
          bool_or(
            has_column_privilege('authenticated', i.indrelid, a.attnum, 'INSERT')
            or has_column_privilege('authenticated', i.indrelid, a.attnum, 'UPDATE')
          ) as written
        from unnest(i.indkey::int2[]) with ordinality as u (number, n)
        join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = u.number
      ) as key
      where i.indisunique and i.indexprs is null
        and coalesce(obj_description(k.oid, 'pg_constraint'), obj_description(i.indexrelid, 'pg_class')) like '% (herald:%)'
        -- A key that holds the primary key is broken only together with it.
        and (i.indisprimary or not exists (
          select 1 from pg_catalog.pg_index as p
          where p.indrelid = i.indrelid and p.indisprimary and p.indkey::int2[] <@ key.columns
        ))
    )
    select c.oid as relation, c.relname as name, concat_ws(e'\n',
      (
        select concat_ws(e'\n', '  declare', (
          select string_agg(
            -- Quoted, because some names are words of plpgsql only.
            format(
              '    %1$s constant %2$s := new.%1$s;', '"' || replace(a.attname, '"', '""') || '"',
              format_type(a.atttypid, a.atttypmod)
            ), e'\n' order by a.attnum
          )
          from pg_catalog.pg_attribute as a
          where a.attrelid = c.oid
            and exists (select 1 from single as u where u.relation = c.oid and a.attnum = any(u.columns))
        ), '  begin', '    broken_rule := case', string_agg(s.line, e'\n' order by s.turn, s.place), '    end;', '  end;')
        from single as s where s.relation = c.oid having count(*) > 0
      ),
      (select string_agg(k.line, e'\n' order by k.place) from keys as k where k.relation = c.oid)
    ) as lines
    from pg_catalog.pg_class as c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      and (c.oid in (select s.relation from single as s) or c.oid in (select k.relation from keys as k))
  loop
    execute format(body, 'words_' || t.name, '', t.lines);
    execute format(
      'create or replace trigger zz_words before insert or update on %s for each row when (%s) execute function herald.%I()',
      t.relation::regclass, guard, 'words_' || t.name
    );
    made := made + 1;
  end loop;

  -- Foreign keys, after the row policies have been asked. As Herald itself, because Postgres looks at them so too: what is
  -- refused here, the key refuses, and nobody learns more of other people's rows than the key tells.
  -- Postgres looks at unique keys first. One without the organisation would tell a stranger who names another organisation's
  -- workshop whether a phone attends it: the foreign keys of such a table are looked at before it (A_words_first) too.
  for t in
    select c.oid as relation, c.relname as name,
      string_agg(
        format(
          key_look_up, key.given, key.changed, k.confrelid::regclass, key.same, 'f:' || k.conname,
          'herald.' || regexp_replace(k.conname, '[^a-zA-Z0-9_]', '_', 'g'), key.value
        ),
        e'\n' order by k.conname
      ) as lines,
      string_agg(key.changed, ' or ' order by k.conname) as changed,
      exists (
        select 1 from pg_catalog.pg_index as i
        where i.indrelid = c.oid and i.indisunique and not i.indisprimary and i.indexprs is null
          and not exists (
            select 1 from unnest(i.indkey::int2[]) as u (number)
            join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = u.number
            where a.attname = 'organization_id' or not has_column_privilege('authenticated', c.oid, a.attnum, 'INSERT')
          )
      ) as is_told_by_its_key
    from pg_catalog.pg_constraint as k
    join pg_catalog.pg_class as c on c.oid = k.conrelid
    cross join lateral (
      select
        string_agg(format('new.%I is not null', a.attname), ' and ' order by u.n) as given,
        string_agg(format('new.%1$I is distinct from old.%1$I', a.attname), ' or ' order by u.n) as changed,
        string_agg(format('there.%I = new.%I', f.attname, a.attname), ' and ' order by u.n) as same,
        string_agg(format('new.%I::text', a.attname), $w$ || ' ' || $w$ order by u.n) as value
      from unnest(k.conkey, k.confkey) with ordinality as u (number, target, n)
      join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = u.number
      join pg_catalog.pg_attribute as f on f.attrelid = k.confrelid and f.attnum = u.target
    ) as key
    where k.contype = 'f' and not k.condeferred and obj_description(k.oid, 'pg_constraint') like '% (herald:%)'
      and c.relnamespace = 'public'::regnamespace
    group by c.oid, c.relname
  loop
    execute format(
      body, 'words_keys_' || t.name, 'security definer', concat_ws(e'\n', case when t.is_told_by_its_key then early end, t.lines)
    );
    if t.is_told_by_its_key then
      execute format(
        'create or replace trigger "A_words_first" before insert on %s for each row when (%s) execute function herald.%I()',
        t.relation::regclass, $w$current_user = 'authenticated'$w$, 'words_keys_' || t.name
      );
    end if;
    execute format(
      'create or replace trigger "A_words" after insert on %s for each row when (%s) execute function herald.%I()',
      t.relation::regclass, guard, 'words_keys_' || t.name
    );
    execute format(
      'create or replace trigger "A_words_changed" after update on %s for each row when (%s and (%s)) execute function herald.%I()',
      t.relation::regclass, guard, t.changed, 'words_keys_' || t.name
    );
  end loop;
  return made;
end
$$;
revoke execute on function
  herald.row_policy_refuses(oid, text, anyelement),
  herald.refuse(oid, text, text, anyelement), herald.word_refusals() from public;
grant execute on function
  herald.row_policy_refuses(oid, text, anyelement),
  herald.refuse(oid, text, text, anyelement) to authenticated, service_role;

select herald.word_refusals();
