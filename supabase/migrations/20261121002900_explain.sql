-- What the CRM shows instead of the name of a constraint: each has its words as its comment, and one function finds them.

-- whatsapp_explain(error) → what is wrong and what to do, in words, by the constraint that PostgREST's message names; null if
-- it names none of Herald's.
create function public.whatsapp_explain(p_error text) returns text
language sql stable security definer set search_path = ''
as $$
  select coalesce(obj_description(c.oid, 'pg_constraint'), obj_description(c.indexed, 'pg_class'))
  from (
    select k.oid, k.conindid as indexed, k.conrelid as relation from pg_catalog.pg_constraint as k
    where k.conname = substring(p_error from 'constraint "([^"]+)"') and k.connamespace = 'public'::regnamespace
    union all
    select null, i.indexrelid, i.indrelid from pg_catalog.pg_index as i
    join pg_catalog.pg_class as x on x.oid = i.indexrelid
    where x.relname = substring(p_error from 'constraint "([^"]+)"') and x.relnamespace = 'public'::regnamespace
  ) as c
  join pg_catalog.pg_class as t on t.oid = c.relation
  where coalesce(obj_description(c.oid, 'pg_constraint'), obj_description(c.indexed, 'pg_class')) is not null
  order by strpos(p_error, '"' || t.relname || '"') > 0 desc, c.oid
  limit 1
$$;
comment on function public.whatsapp_explain(text) is
'For the CRM: the words for an error that names a constraint; null if it names none.';
revoke execute on function public.whatsapp_explain(text) from public, anon;
grant execute on function public.whatsapp_explain(text) to authenticated, service_role;
