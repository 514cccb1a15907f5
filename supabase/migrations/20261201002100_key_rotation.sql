-- Rotation of the operator's keys: which key sealed a record, and putting a record under another key. For service_role
-- only.

-- herald.sealed_head(record) → how many bytes a rotation replaces; null if the record has another format.
create function herald.sealed_head(p_sealed bytea) returns integer
language sql immutable set search_path = ''
as $$
  select case when octet_length(p_sealed) > 1 and get_byte(p_sealed, 0) = 2 then 62 + get_byte(p_sealed, 1) end
$$;
revoke execute on function herald.sealed_head(bytea) from public;

-- herald.sealed_body(record) → the part that a rotation does not change.
create function herald.sealed_body(p_sealed bytea) returns bytea
language sql immutable set search_path = ''
as $$ select substring(p_sealed from coalesce(herald.sealed_head(p_sealed), 0) + 1) $$;
revoke execute on function herald.sealed_body(bytea) from public;

-- herald.sealing_key(record) → the id of the key that wrapped its data key, read from the record; '' if it has another
-- format. The column key_id is only for people who look at the table.
create function herald.sealing_key(p_sealed bytea) returns text
language sql immutable set search_path = ''
as $$
  select coalesce(encode(substring(p_sealed from 3 for herald.sealed_head(p_sealed) - 62), 'escape'), '')
$$;
revoke execute on function herald.sealing_key(bytea) from public;

-- whatsapp_credentials_keys() → {key id: how many records}, as a JSON object.
create function public.whatsapp_credentials_keys() returns jsonb
language sql stable security definer set search_path = ''
as $$
  select coalesce(jsonb_object_agg(k.id, k.records), '{}'::jsonb)
  from (
    select herald.sealing_key(substring(c.sealed for 257)) as id, count(*) as records
    from herald.session_credentials as c group by 1
  ) as k
$$;
comment on function public.whatsapp_credentials_keys() is 'How many sealed records there are under each key id.';
revoke execute on function public.whatsapp_credentials_keys() from public, anon, authenticated;
grant execute on function public.whatsapp_credentials_keys() to service_role;

-- whatsapp_credentials_list(not under, after, limit) → records ordered by session, as a JSON array of at most 50: those
-- that are not under this key (null: all), of sessions after the given one, each with its organisation's secret.
create function public.whatsapp_credentials_list(p_not_under text, p_after uuid, p_limit integer) returns jsonb
language sql volatile security definer set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'session_id', c.session_id, 'organization_id', c.organization_id, 'generation', c.generation,
    'incarnation', c.incarnation, 'clean', c.clean, 'sealed', encode(c.sealed, 'base64'),
    'secret', herald.organization_secret(c.organization_id)
  ) order by c.session_id), '[]'::jsonb)
  from (
    select a.* from herald.session_credentials as a
    where (p_after is null or a.session_id > p_after)
      and (p_not_under is null or herald.sealing_key(substring(a.sealed for 257)) <> p_not_under)
    order by a.session_id limit least(greatest(p_limit, 0), 50)
  ) as c
$$;
comment on function public.whatsapp_credentials_list(text, uuid, integer) is
'A page of sealed records, those under one key left out, for a rotation of keys.';
revoke execute on function public.whatsapp_credentials_list(text, uuid, integer) from public, anon, authenticated;
grant execute on function public.whatsapp_credentials_list(text, uuid, integer) to service_role;

-- whatsapp_credentials_rewrap(session, generation, was, head, key) → whether it did. Replaces a record's head (its key id
-- and wrapped data key) if generation and head are still those that were read: what a worker writes meanwhile wins.
-- Needs no lease, because it changes no state. Called again after a lost answer, it returns true again.
create function public.whatsapp_credentials_rewrap(
  p_session uuid, p_generation bigint, p_was text, p_head text, p_key_id text
) returns boolean
language plpgsql volatile security definer set search_path = ''
as $$
declare
  was bytea := decode(p_was, 'base64');
  head bytea := decode(p_head, 'base64');
  stored bytea;
begin
  if octet_length(was) is distinct from herald.sealed_head(was)
    or octet_length(head) is distinct from herald.sealed_head(head) or herald.sealing_key(head) <> p_key_id
  then
    raise exception 'This is not the head of a sealed record.' using errcode = '22023',
      hint = 'Give the first bytes of a record as the worker sealed it.', detail = 'herald:seal-unreadable';
  end if;
  select c.sealed into stored from herald.session_credentials as c
  where c.session_id = p_session and c.generation = p_generation for update;
  if substring(stored for octet_length(head)) = head then
    return true;
  end if;
  update herald.session_credentials as c
  set sealed = head || substring(c.sealed from octet_length(was) + 1), key_id = p_key_id
  where c.session_id = p_session and c.generation = p_generation and substring(c.sealed for octet_length(was)) = was;
  return found;
end
$$;
comment on function public.whatsapp_credentials_rewrap(uuid, bigint, text, text, text) is
'Puts a sealed record under another key, unless it has changed since it was read.';
revoke execute on function public.whatsapp_credentials_rewrap(uuid, bigint, text, text, text)
from public, anon, authenticated;
grant execute on function public.whatsapp_credentials_rewrap(uuid, bigint, text, text, text) to service_role;
