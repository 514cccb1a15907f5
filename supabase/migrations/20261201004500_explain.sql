-- What people read instead of a constraint's name. The words are the constraint's comment, beside its table: a sentence
-- that says what is wrong, then what to do, then in brackets the stable code: 'The priority is out of range. Choose a number
-- from 1 to 10; 10 goes first. (herald:priority-out-of-range)'.

-- herald.refusal_words(relation, kind, rule) → SQLSTATE, code, message and hint of a constraint, a unique index or (kind n) a
-- NOT NULL column. No row: the rule no longer exists, or its words are not from Herald.
create function herald.refusal_words(p_relation oid, p_kind "char", p_rule text)
returns table (state text, code text, message text, hint text)
language sql stable set search_path = ''
as $$
  select case w.kind when 'c' then '23514' when 'f' then '23503' else '23505' end, w.part[3], w.part[1], w.part[2]
  from (
    select k.contype as kind, regexp_match(
      obj_description(k.oid, 'pg_constraint'), '^(.*?\.) (.*) \((herald:[a-z0-9-]+)\)$'
    ) as part
    from pg_catalog.pg_constraint as k
    where k.conrelid = p_relation and k.conname = p_rule and p_kind <> 'n'
    union all
    select 'u', regexp_match(obj_description(i.indexrelid, 'pg_class'), '^(.*?\.) (.*) \((herald:[a-z0-9-]+)\)$')
    from pg_catalog.pg_index as i join pg_catalog.pg_class as x on x.oid = i.indexrelid
    where i.indrelid = p_relation and x.relname = p_rule and i.indisunique and p_kind <> 'n'
  ) as w
  where w.part is not null
  union all
  select '23502',
    case when a.attname = 'organization_id' then 'herald:organization-missing' else 'herald:value-missing' end,
    case
      when a.attname = 'organization_id' then 'The row names no organisation.'
      else format('"%s" is missing.', a.attname)
    end,
    case
      when a.attname = 'organization_id' then 'Set organization_id to the organisation that the row belongs to.'
      when a.atthasdef then format('Give "%s" a value in every row, or leave it out of all rows to get its default.', a.attname)
      else format('Give "%s" a value: every row needs one.', a.attname)
    end
  from pg_catalog.pg_attribute as a
  where p_kind = 'n' and a.attrelid = p_relation and a.attname = p_rule and a.attnotnull and not a.attisdropped
$$;
revoke execute on function herald.refusal_words(oid, "char", text) from public;
grant execute on function herald.refusal_words(oid, "char", text) to authenticated, service_role;

-- whatsapp_explain(error) → the same words for an error message that lacks them: one of Postgres's own about a constraint
-- or an empty column, or a refusal by privilege or row policy. For errors that database functions catch; a CRM finds the
-- words in the error itself. Null: the message itself is for people.
create function public.whatsapp_explain(p_error text) returns text
language sql stable security definer set search_path = ''
as $$
  select case
    when left(p_error, 2000) ~ 'violates row-level security policy'
      then 'You may not do this here. Owners and admins change the rows of their own organisation.'
    when left(p_error, 2000) ~ '^permission denied for '
      then 'This can''t be read or changed from here. It is Herald''s to write, or not for your role.'
    else (
      select w.message || ' ' || w.hint
      from (
        select 'c'::"char" as kind, substring(left(p_error, 2000) from 'constraint "([^"]+)"') as name
        union all
        select 'n', substring(left(p_error, 2000) from 'null value in column "([^"]+)"')
      ) as rule
      cross join pg_catalog.pg_class as t
      cross join lateral herald.refusal_words(t.oid, rule.kind, rule.name) as w
      where t.relnamespace = 'public'::regnamespace and t.relkind in ('r', 'p') and rule.name is not null
      order by strpos(left(p_error, 2000), '"' || t.relname || '"') > 0 desc, t.relname limit 1
    )
  end
$$;
comment on function public.whatsapp_explain(text) is
'What is wrong and what to do, from the message of an error that names a constraint; null if the message itself says it.';
revoke execute on function public.whatsapp_explain(text) from public, anon;
grant execute on function public.whatsapp_explain(text) to authenticated, service_role;
