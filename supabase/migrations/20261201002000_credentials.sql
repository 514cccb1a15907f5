-- Sealed session state. The worker seals it with the operator's key and the organisation's secret (from the Vault, see
-- below). For service_role only. A record (worker/vault/keyring.py) is: version 2 | length of key id | key id | 60
-- bytes with the wrapped data key | body.

create table herald.session_credentials (
  session_id uuid primary key references public.whatsapp_sessions (id) on delete cascade,
  organization_id uuid not null references public.organizations (id) on delete cascade,
  generation bigint not null check (generation > 0),
  sealed bytea not null,
  key_id text not null,
  incarnation uuid not null,
  clean boolean not null,
  written_at timestamptz not null,
  written_in text
);
-- Ciphertext does not compress, and stored this way its first bytes can be read without the rest.
alter table herald.session_credentials alter column sealed set storage external;
create index session_credentials_organization_id_idx on herald.session_credentials (organization_id);
comment on table herald.session_credentials is
'Sealed session state (AES-256-GCM, bound to all columns but key_id and written_*). clean: taken at a graceful stop.';
comment on column herald.session_credentials.generation is
'Grows by one with every write; a write that does not follow is refused.';
comment on column herald.session_credentials.sealed is 'Ciphertext: opens only with the operator''s ENCRYPTION_KEY.';
comment on column herald.session_credentials.key_id is 'Which of ENCRYPTION_KEYS wrapped its data key.';
comment on column herald.session_credentials.incarnation is 'The live store that it is a copy of.';
comment on column herald.session_credentials.written_in is
'The life of the database in which it was written: a restore or a failover begins another.';

alter table herald.session_credentials enable row level security;

-- == the organisation's part of the key ==

-- herald.organization_secret(organisation) → 32 bytes in base64, from the Vault: not in dumps, deleted with the
-- organisation. Null if there is none; p_create makes one, unless records exist that need a lost one.
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
      null; -- another session of the organisation made it first
    end;
    select s.decrypted_secret into found_secret from vault.decrypted_secrets as s where s.name = its_name;
  end if;
  return found_secret;
end
$$;
revoke execute on function herald.organization_secret(uuid, boolean) from public;

-- herald.shred_organization: deletes an organisation's secret with it, so that no copy of its sealed records opens.
create function herald.shred_organization() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  delete from vault.secrets as s where s.name = 'herald_sealing_' || old.id;
  return null;
end
$$;
revoke execute on function herald.shred_organization() from public;
create trigger whatsapp_shredded after delete on public.organizations
for each row execute function herald.shred_organization();

-- whatsapp_credentials_secret(run, session, epoch) → the secret of the session's organisation, created by the first call;
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
comment on function public.whatsapp_credentials_secret(uuid, uuid, bigint) is
'The organisation''s part of the key to its sealed sessions, from the Vault.';
revoke execute on function public.whatsapp_credentials_secret(uuid, uuid, bigint) from public, anon, authenticated;
grant execute on function public.whatsapp_credentials_secret(uuid, uuid, bigint) to service_role;

-- == the newest record ==

-- herald.database_life() → an id that changes when the database is restored to an earlier moment or from a dump, or fails
-- over to a replica. The last writes may be missing then, and a snapshot lacks what was sent after it.
create function herald.database_life() returns text
language sql volatile set search_path = ''
as $$
  select (select c.system_identifier from pg_catalog.pg_control_system() as c)
    || ':' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8)
$$;
revoke execute on function herald.database_life() from public;

-- whatsapp_credentials_read(run, session, epoch) → the newest sealed state, or null. fresh: as far as the database knows,
-- nothing was sent after it; clean alone proves that no longer once older rows have been restored.
create function public.whatsapp_credentials_read(p_run uuid, p_session uuid, p_epoch bigint) returns jsonb
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
comment on function public.whatsapp_credentials_read(uuid, uuid, bigint) is
'The newest sealed state of a session that the run holds, or null; fresh: nothing is known to have been sent after it.';
revoke execute on function public.whatsapp_credentials_read(uuid, uuid, bigint) from public, anon, authenticated;
grant execute on function public.whatsapp_credentials_read(uuid, uuid, bigint) to service_role;

-- whatsapp_credentials_write: compare-and-swap on generation under the lease; p_generation is the new one and must
-- follow the stored one, else HR003. Writing the same generation and body again is accepted (the answer was lost), even
-- if a rotation has put that record under another key meanwhile.
create function public.whatsapp_credentials_write(
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
    raise exception 'The stored generation is %, not %.', coalesce(was.generation, 0), p_generation - 1
      using errcode = 'HR003',
      hint = 'Read the stored credentials again before you write.', detail = 'herald:generation-stale';
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
comment on function public.whatsapp_credentials_write(uuid, uuid, bigint, bigint, text, text, uuid, boolean) is
'Stores a sealed state under the lease, compare-and-swap on generation: HR003 if it does not follow the stored one.';
revoke execute on function public.whatsapp_credentials_write(uuid, uuid, bigint, bigint, text, text, uuid, boolean)
from public, anon, authenticated;
grant execute on function public.whatsapp_credentials_write(uuid, uuid, bigint, bigint, text, text, uuid, boolean)
to service_role;

-- whatsapp_credentials_forget(run, session, epoch): the device was unlinked, so its state is of no use. The next pairing
-- starts over at generation 1 with a fresh store.
create function public.whatsapp_credentials_forget(p_run uuid, p_session uuid, p_epoch bigint) returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  delete from herald.session_credentials as c where c.session_id = p_session;
  update herald.session_leases as l set generation = null where l.session_id = p_session;
end
$$;
comment on function public.whatsapp_credentials_forget(uuid, uuid, bigint) is
'The device was unlinked: its sealed state opens nothing any more.';
revoke execute on function public.whatsapp_credentials_forget(uuid, uuid, bigint) from public, anon, authenticated;
grant execute on function public.whatsapp_credentials_forget(uuid, uuid, bigint) to service_role;
