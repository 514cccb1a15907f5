-- Sealed session state: the organisation's part of the key, freshness after a restore, rotation of the operator's keys.
-- A record (worker/vault/keyring.py) is: version 2 | length of key id | key id | 60 bytes that wrap its data key | body

alter table herald.session_credentials add column written_in text;
comment on column herald.session_credentials.written_in is
'The life of the database in which it was written: a restore or a failover begins another.';
-- It does not compress, and a look at its first bytes need not read it all.
alter table herald.session_credentials alter column sealed set storage external;
comment on table herald.session_credentials is
'Sealed session state (AES-256-GCM, bound to all columns but key_id and written_*). clean: taken at a graceful stop.';
alter table herald.session_leases add column generation bigint;
comment on column herald.session_leases.generation is
'The newest generation of its credentials that was ever stored; null: none.';

-- == the organisation's part of the key ==

-- herald.organization_secret(organisation) → 32 bytes in base64, from the Vault: outside of dumps, gone with the
-- organisation. Null if there is none; p_create makes one, but not while records wait for the one that was lost.
create function herald.organization_secret(p_organization uuid, p_create boolean default false) returns text
language plpgsql volatile set search_path = ''
as $$
declare
  its_name text := 'herald_sealing_' || p_organization;
  found_secret text;
begin
  select s.decrypted_secret into found_secret from vault.decrypted_secrets as s where s.name = its_name;
  if found_secret is null and p_create and not exists (
    select 1 from herald.session_credentials as c where c.organization_id = p_organization
  ) then
    begin
      perform vault.create_secret(
        encode(extensions.gen_random_bytes(32), 'base64'), its_name,
        'Herald: part of the key to an organisation''s WhatsApp sessions. Losing it unlinks them all.'
      );
    exception when unique_violation then
      null; -- another session of the organisation was first
    end;
    select s.decrypted_secret into found_secret from vault.decrypted_secrets as s where s.name = its_name;
  end if;
  return found_secret;
end
$$;

-- herald.shred_organization: an organisation goes, and with it what its sealed records, wherever copied to, open with.
create function herald.shred_organization() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  delete from vault.secrets as s where s.name = 'herald_sealing_' || old.id;
  return null;
end
$$;
create trigger whatsapp_shredded after delete on public.organizations
for each row execute function herald.shred_organization();

-- whatsapp_credentials_secret(run, session, epoch) → the secret of the session's organisation, made at the first call;
-- null if it is lost and records need it.
create function public.whatsapp_credentials_secret(p_run uuid, p_session uuid, p_epoch bigint) returns text
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  return (
    select herald.organization_secret(s.organization_id, true) from public.whatsapp_sessions as s where s.id = p_session
  );
end
$$;

-- == is the newest record that we have the newest that there was? ==

-- herald.database_life() → changes when the database is restored to an earlier moment, from a dump, or fails over to a
-- replica: what was written last may be missing then, and what was sent after a snapshot is not in it.
create function herald.database_life() returns text
language sql volatile set search_path = ''
as $$
  select (select c.system_identifier from pg_catalog.pg_control_system() as c)
    || ':' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8)
$$;

-- whatsapp_credentials_read(run, session, epoch) → the newest sealed state, or null. fresh: nothing was sent after it,
-- as far as the database knows; clean alone does not say so once older rows have been put back.
create or replace function public.whatsapp_credentials_read(p_run uuid, p_session uuid, p_epoch bigint) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  return (
    select jsonb_build_object('generation', c.generation, 'sealed', encode(c.sealed, 'base64'),
      'key_id', c.key_id, 'incarnation', c.incarnation, 'clean', c.clean,
      'fresh', coalesce(c.clean and c.generation = l.generation and c.written_in = herald.database_life(), false))
    from herald.session_credentials as c
    join herald.session_leases as l on l.session_id = c.session_id
    where c.session_id = p_session
  );
end
$$;

-- herald.sealed_head(record) → how many bytes a rotation exchanges; null if the record has another format.
create function herald.sealed_head(p_sealed bytea) returns integer
language sql immutable set search_path = ''
as $$
  select case when octet_length(p_sealed) > 1 and get_byte(p_sealed, 0) = 2 then 62 + get_byte(p_sealed, 1) end
$$;

-- herald.sealed_body(record) → what a rotation leaves as it is.
create function herald.sealed_body(p_sealed bytea) returns bytea
language sql immutable set search_path = ''
as $$ select substring(p_sealed from coalesce(herald.sealed_head(p_sealed), 0) + 1) $$;

-- whatsapp_credentials_write: compare-and-swap on generation under the lease; p_generation is the new one and must
-- follow the stored one. HR003 if it does not. Writing the same generation and body again is accepted (a lost answer),
-- also when a rotation has put that record under another key meanwhile.
create or replace function public.whatsapp_credentials_write(
  p_run uuid, p_session uuid, p_epoch bigint, p_generation bigint,
  p_sealed text, p_key_id text, p_incarnation uuid, p_clean boolean
) returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  bytes bytea := decode(p_sealed, 'base64');
  was record;
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  select c.generation, c.sealed into was
  from herald.session_credentials as c where c.session_id = p_session for update;
  if was.generation = p_generation and herald.sealed_body(was.sealed) = herald.sealed_body(bytes) then
    return;
  end if;
  if coalesce(was.generation, 0) + 1 <> p_generation then
    raise exception 'stored generation is %, not %', coalesce(was.generation, 0), p_generation - 1
      using errcode = 'HR003';
  end if;
  insert into herald.session_credentials as c
  (session_id, organization_id, generation, sealed, key_id, incarnation, clean, written_at, written_in)
  select p_session, s.organization_id, p_generation, bytes, p_key_id, p_incarnation, p_clean, herald.clock(),
    herald.database_life()
  from public.whatsapp_sessions as s where s.id = p_session
  on conflict (session_id) do update
  set generation = excluded.generation, sealed = excluded.sealed, key_id = excluded.key_id,
    incarnation = excluded.incarnation, clean = excluded.clean, written_at = excluded.written_at,
    written_in = excluded.written_in;
  update herald.session_leases as l set generation = p_generation where l.session_id = p_session;
end
$$;

-- whatsapp_credentials_forget(run, session, epoch): the device was unlinked; its state opens nothing any more. The next
-- pairing starts over at generation 1 with a fresh store.
create or replace function public.whatsapp_credentials_forget(p_run uuid, p_session uuid, p_epoch bigint) returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  delete from herald.session_credentials as c where c.session_id = p_session;
  update herald.session_leases as l set generation = null where l.session_id = p_session;
end
$$;

-- == rotation of the operator's keys ==

-- herald.sealing_key(record) → the id of the key that wrapped its data key, as the record itself says; '' if it has
-- another format. The column key_id is a note for readers: nothing depends on it.
create function herald.sealing_key(p_sealed bytea) returns text
language sql immutable set search_path = ''
as $$
  select coalesce(encode(substring(p_sealed from 3 for herald.sealed_head(p_sealed) - 62), 'escape'), '')
$$;

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

-- whatsapp_credentials_list(not under, after, limit) → records in the order of their sessions, as a JSON array of at
-- most 50: those that are not under a key (null: all), of sessions after the given one, each with the secret of its
-- organisation.
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

-- whatsapp_credentials_rewrap(session, generation, was, head, key) → did it? Exchanges a record's head (its key id and
-- wrapped data key) if generation and head are still those that were read: what a worker writes meanwhile wins.
-- Without a lease, because it changes no state. Called again after a lost answer it says true again.
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
    raise exception 'not the head of a sealed record' using errcode = '22023';
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

revoke execute on function
  herald.organization_secret(uuid, boolean), herald.shred_organization(), herald.database_life(),
  herald.sealed_head(bytea), herald.sealed_body(bytea), herald.sealing_key(bytea)
from public;
revoke execute on function
  public.whatsapp_credentials_secret(uuid, uuid, bigint),
  public.whatsapp_credentials_keys(),
  public.whatsapp_credentials_list(text, uuid, integer),
  public.whatsapp_credentials_rewrap(uuid, bigint, text, text, text)
from public, anon, authenticated;
grant execute on function
  public.whatsapp_credentials_secret(uuid, uuid, bigint),
  public.whatsapp_credentials_keys(),
  public.whatsapp_credentials_list(text, uuid, integer),
  public.whatsapp_credentials_rewrap(uuid, bigint, text, text, text)
to service_role;
comment on function public.whatsapp_credentials_read(uuid, uuid, bigint) is
'The newest sealed state of a session that the run holds, or null; fresh: nothing is known to have been sent after it.';
comment on function public.whatsapp_credentials_secret(uuid, uuid, bigint) is
'The organisation''s part of the key to its sealed sessions, from the Vault.';
comment on function public.whatsapp_credentials_keys() is 'How many sealed records there are under each key id.';
comment on function public.whatsapp_credentials_list(text, uuid, integer) is
'A page of sealed records, those under one key left out, for a rotation of keys.';
comment on function public.whatsapp_credentials_rewrap(uuid, bigint, text, text, text) is
'Puts a sealed record under another key, unless it has changed since it was read.';
