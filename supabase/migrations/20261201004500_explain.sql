-- What the CRM shows instead of the name of a constraint: each constraint has its words as its comment, beside its
-- table, and one function finds them.

-- whatsapp_explain(error) → what is wrong and what to do, in words, from the message of an error as PostgREST gives it:
-- one that names a constraint of Herald's, a column that may not be empty, or a refusal by privilege or row policy.
-- Null: not one of these; the message itself is for people then.
create function public.whatsapp_explain(p_error text) returns text
language plpgsql stable security definer set search_path = ''
as $$
declare
  name text := substring(p_error from 'constraint "([^"]+)"');
  answer text;
begin
  if name is not null then
    select w.words into answer
    from (
      select obj_description(k.oid, 'pg_constraint') as words, k.conrelid as relation
      from pg_catalog.pg_constraint as k
      where k.conname = name and k.connamespace = 'public'::regnamespace
      union all
      select obj_description(i.indexrelid, 'pg_class'), i.indrelid
      from pg_catalog.pg_index as i join pg_catalog.pg_class as x on x.oid = i.indexrelid
      where x.relname = name and x.relnamespace = 'public'::regnamespace
    ) as w
    join pg_catalog.pg_class as t on t.oid = w.relation
    where w.words is not null
    order by strpos(p_error, '"' || t.relname || '"') > 0 desc limit 1;
    return answer;
  elsif p_error ~ 'violates not-null constraint' then
    return format('"%s" is missing. Fill it in.', substring(p_error from 'null value in column "([^"]+)"'));
  elsif p_error ~ 'violates row-level security policy' then
    return 'You may not do this here: owners and admins change the rows of their own organisation, while these may be changed.';
  elsif p_error ~ '^permission denied for ' then
    return 'This can''t be read or changed from here: it is Herald''s to write, or not for your role.';
  end if;
  return null;
end
$$;
comment on function public.whatsapp_explain(text) is
'For the CRM: what is wrong and what to do, from the message of an error; null if the message itself says it.';
revoke execute on function public.whatsapp_explain(text) from public, anon;
grant execute on function public.whatsapp_explain(text) to authenticated, service_role;
