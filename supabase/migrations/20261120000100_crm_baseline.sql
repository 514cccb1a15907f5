-- The CRM's own tables, for a project that does not have them yet. An existing CRM keeps its own:
-- nothing here alters a table that is already there, except the columns that link a workshop to a group and the
-- unique index by which a row of Herald names a workshop of its own organisation only.
-- An older project grants everything on a new table to the API's roles; so every grant of Herald begins with a revoke.

do $$
begin
  if to_regclass('public.organizations') is null then
    create table public.organizations (
      id uuid primary key default gen_random_uuid(),
      name text not null check (length(btrim(name)) between 1 and 200),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    comment on table public.organizations is 'A customer of the CRM; every row of Herald belongs to one.';
    alter table public.organizations enable row level security;
    revoke all on public.organizations from anon, authenticated;
    grant select on public.organizations to authenticated;
    grant select, insert, update, delete on public.organizations to service_role;
  end if;

  if to_regclass('public.profiles') is null then
    create table public.profiles (
      id uuid primary key references auth.users (id) on delete cascade,
      organization_id uuid references public.organizations (id) on delete cascade,
      role text not null default 'member' check (role in ('owner', 'admin', 'member', 'super_admin')),
      full_name text,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create index profiles_organization_id_idx on public.profiles (organization_id);
    comment on table public.profiles is 'A CRM user and the role that they have in their organisation.';
    alter table public.profiles enable row level security;
    revoke all on public.profiles from anon, authenticated;
    grant select on public.profiles to authenticated;
    grant select, insert, update, delete on public.profiles to service_role;
  end if;

  if to_regclass('public.workshops') is null then
    create table public.workshops (
      id uuid primary key default gen_random_uuid(),
      organization_id uuid not null references public.organizations (id) on delete cascade,
      title text not null check (length(btrim(title)) between 1 and 300),
      starts_at timestamptz not null,
      timezone text not null default 'UTC',
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    comment on table public.workshops is 'An event of the organisation, possibly with a WhatsApp group.';
    alter table public.workshops enable row level security;
    revoke all on public.workshops from anon, authenticated;
    grant select, insert, update, delete on public.workshops to authenticated, service_role;
  end if;
end
$$;

create unique index if not exists workshops_organization_id_id_key on public.workshops (organization_id, id);
