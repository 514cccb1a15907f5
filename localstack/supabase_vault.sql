-- A local stand-in for Supabase Vault 0.3: the script of `create extension supabase_vault`, which every stack has.
-- The signatures and grants are the hosted ones. The encryption is not: pgcrypto instead of libsodium, under a key
-- that lies beside the cluster's data instead of outside its reach. A dump without that file gives no secret away;
-- whoever reads the server's files reads everything.

-- The key: one per cluster, in its data directory, read by nobody below a superuser.
do $$
begin
  execute format(
    'copy (select encode(extensions.gen_random_bytes(32), ''hex'')) to %L',
    current_setting('data_directory') || '/vault.key'
  );
end $$;

create table vault.secrets (
  id uuid primary key default gen_random_uuid(),
  name text,
  description text not null default '',
  secret text not null,
  key_id uuid,
  nonce bytea default extensions.gen_random_bytes(16),
  created_at timestamptz not null default current_timestamp,
  updated_at timestamptz not null default current_timestamp
);
create unique index on vault.secrets (name) where name is not null;
comment on table vault.secrets is 'Table with encrypted `secret` column for storing sensitive information on disk.';

-- _password(id, nonce) → the row's own password, so that a ciphertext moved to another row doesn't open there.
create function vault._password(id uuid, nonce bytea) returns text language sql stable set search_path = '' as $$
  select encode(
    extensions.hmac(convert_to(id::text, 'utf8') || nonce, decode(trim(pg_read_file('vault.key')), 'hex'), 'sha256'),
    'hex'
  )
$$;
create function vault._encrypt(plain text, id uuid, nonce bytea) returns text
language sql volatile security definer set search_path = '' as $$
  select encode(
    extensions.pgp_sym_encrypt(
      plain, vault._password(id, nonce), 'cipher-algo=aes256, compress-algo=0, s2k-mode=1'
    ),
    'base64'
  )
$$;
create function vault._decrypt(secret text, id uuid, nonce bytea) returns text
language sql stable security definer set search_path = '' as $$
  select extensions.pgp_sym_decrypt(decode(secret, 'base64'), vault._password(id, nonce))
$$;

create view vault.decrypted_secrets as
select s.id, s.name, s.description, s.secret,
       vault._decrypt(s.secret, s.id, s.nonce) as decrypted_secret,
       s.key_id, s.nonce, s.created_at, s.updated_at
from vault.secrets s;

-- create_secret(…) → the new secret's id. new_key_id has no meaning any more, as hosted.
create function vault.create_secret(
  new_secret text, new_name text default null, new_description text default '', new_key_id uuid default null
) returns uuid
language plpgsql security definer set search_path = '' as $$
declare
  made uuid := gen_random_uuid();
  fresh bytea := extensions.gen_random_bytes(16);
begin
  insert into vault.secrets (id, nonce, secret, name, description)
  values (made, fresh, vault._encrypt(new_secret, made, fresh), new_name, new_description);
  return made;
end $$;

-- update_secret(id, …): what is null stays as it is.
create function vault.update_secret(
  secret_id uuid, new_secret text default null, new_name text default null, new_description text default null,
  new_key_id uuid default null
) returns void
language sql security definer set search_path = '' as $$
  update vault.secrets s
  set secret = case when new_secret is null then s.secret else vault._encrypt(new_secret, s.id, s.nonce) end,
      name = coalesce(new_name, s.name),
      description = coalesce(new_description, s.description),
      updated_at = now()
  where s.id = secret_id
$$;

revoke execute on all functions in schema vault from public;
grant usage on schema vault to postgres with grant option;
grant usage on schema vault to service_role;
grant select, delete on vault.secrets, vault.decrypted_secrets to postgres with grant option;
grant select, delete on vault.secrets, vault.decrypted_secrets to service_role;
grant execute on function
  vault.create_secret(text, text, text, uuid), vault.update_secret(uuid, text, text, text, uuid),
  vault._decrypt(text, uuid, bytea)
to postgres, service_role;
