-- Storage's schema as a hosted project has it before its first migration. Runs once as supabase_admin, after
-- database.sql. The gateway serves /storage/v1 from these tables, speaking as the caller's role, so that the policies
-- decide. Bytes lie on disk in a file called like the row's `version`.

create role supabase_storage_admin nologin noinherit;
create schema storage authorization supabase_storage_admin;
grant usage on schema storage to postgres, anon, authenticated, service_role;

create type storage.buckettype as enum ('STANDARD', 'ANALYTICS', 'VECTOR');
create table storage.buckets (
  id text primary key check (length(id) <= 100),
  name text not null unique,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  public boolean default false,
  avif_autodetection boolean default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  owner_id text,
  type storage.buckettype not null default 'STANDARD'
);
create table storage.objects (
  id uuid primary key default gen_random_uuid(),
  bucket_id text references storage.buckets,
  name text,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_accessed_at timestamptz default now(),
  metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  version text,
  owner_id text,
  user_metadata jsonb,
  unique (bucket_id, name)
);
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;

create function storage.foldername(name text) returns text[] language sql immutable as $$
  select (string_to_array(name, '/'))[: cardinality(string_to_array(name, '/')) - 1]
$$;
create function storage.filename(name text) returns text language sql immutable as $$
  select (string_to_array(name, '/'))[cardinality(string_to_array(name, '/'))]
$$;
create function storage.extension(name text) returns text language sql immutable as $$
  select reverse(split_part(reverse(storage.filename(name)), '.', 1))
$$;

create function storage.update_updated_at_column() returns trigger language plpgsql as $$
begin
  new.updated_at = now();
  return new;
end $$;
create trigger update_objects_updated_at before update on storage.objects
  for each row execute function storage.update_updated_at_column();

-- A row's deletion would leave its bytes behind, so that hosted projects allow it to the Storage API alone.
create function storage.protect_delete() returns trigger language plpgsql as $$
begin
  if coalesce(current_setting('storage.allow_delete_query', true), 'false') <> 'true' then
    raise exception 'Direct deletion from storage tables is not allowed. Use the Storage API instead.'
      using errcode = '42501', hint = 'This prevents accidental data loss from orphaned objects.';
  end if;
  return null;
end $$;
create trigger protect_buckets_delete before delete on storage.buckets
  for each statement execute function storage.protect_delete();
create trigger protect_objects_delete before delete on storage.objects
  for each statement execute function storage.protect_delete();

alter type storage.buckettype owner to supabase_storage_admin;
alter table storage.buckets owner to supabase_storage_admin;
alter table storage.objects owner to supabase_storage_admin;
alter function storage.foldername(text) owner to supabase_storage_admin;
alter function storage.filename(text) owner to supabase_storage_admin;
alter function storage.extension(text) owner to supabase_storage_admin;
alter function storage.update_updated_at_column() owner to supabase_storage_admin;
alter function storage.protect_delete() owner to supabase_storage_admin;
grant all on storage.buckets, storage.objects to anon, authenticated, service_role;
grant all on storage.buckets, storage.objects to postgres with grant option;

-- Hosted, an extension of the server lets postgres make policies on tables that it doesn't own. Here it inherits from
-- the owner, and what an owner could do beyond that is refused in the words that a hosted project has for it.
do $$
begin
  execute 'grant supabase_storage_admin to postgres'
    || case when current_setting('server_version_num')::int >= 160000 then ' with inherit true, set false' else '' end;
end $$;
create function extensions.storage_is_not_ours() returns event_trigger language plpgsql as $$
declare
  touched text;
begin
  select c.object_identity into touched from pg_catalog.pg_event_trigger_ddl_commands() c
  where c.schema_name = 'storage' limit 1;
  if touched is not null and not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
    raise exception 'must be owner of %', touched using errcode = '42501',
      hint = 'Hosted projects let migrations make policies and triggers in the schema storage, and nothing else.';
  end if;
end $$;
create event trigger storage_is_not_ours on ddl_command_end
  when tag in ('ALTER TABLE', 'CREATE INDEX', 'CREATE TABLE', 'CREATE FUNCTION', 'ALTER FUNCTION', 'ALTER SCHEMA')
  execute function extensions.storage_is_not_ours();
