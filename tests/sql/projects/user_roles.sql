-- A CRM whose people, dates and attendees all stand elsewhere than a fresh project's.
create type public.app_role as enum ('super_admin', 'owner', 'manager', 'staff');
create table public.organizations (
  id uuid primary key default gen_random_uuid(), name text not null, slug text unique
);
create table public.profiles (
  id uuid primary key references auth.users (id) on delete cascade, full_name text, avatar_url text
);
create table public.user_roles (
  id bigint generated always as identity primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  organization_id uuid references public.organizations (id) on delete cascade,
  role public.app_role not null,
  unique (user_id, organization_id, role)
);
create table public.workshops (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  name text not null, event_date date, event_time time, status text not null default 'planned', trainer text,
  changes integer not null default 0
);
create table public.bookings (
  id uuid primary key default gen_random_uuid(),
  workshop_id uuid not null references public.workshops (id) on delete cascade,
  customer_name text not null, customer_phone text, state text not null default 'confirmed', ticket text
);
-- It has all that Herald's own has, but a number as key.
create table public.notification_queue (
  id bigint generated always as identity primary key,
  organization_id uuid not null references public.organizations (id) on delete cascade,
  type text not null, template text, recipient_phone text, message_data jsonb, priority integer, attempts integer,
  max_attempts integer, status text not null default 'pending', error_message text, sent_at timestamptz
);
comment on column public.notification_queue.message_data is 'Ours.';
alter table public.notification_queue enable row level security;
alter table public.organizations enable row level security;
alter table public.profiles enable row level security;
alter table public.user_roles enable row level security;
alter table public.workshops enable row level security;
alter table public.bookings enable row level security;
grant select on public.workshops, public.profiles to authenticated;
grant select, update on public.bookings to authenticated;
create policy "own colleagues" on public.workshops for select to authenticated using (
  exists (
    select 1 from public.user_roles as r
    where r.user_id = (select auth.uid()) and r.organization_id = workshops.organization_id
  )
);

create function public.count_changes() returns trigger language plpgsql set search_path = ''
as $$ begin new.changes := old.changes + 1; return new; end $$;
create trigger count_changes before update on public.workshops
for each row execute function public.count_changes();

insert into public.organizations (id, name, slug) values
('00000000-0000-0000-0000-0000000000a1', 'Pottery', 'pottery'),
('00000000-0000-0000-0000-0000000000a2', 'Weaving', 'weaving');
insert into auth.users (id, email) values
('00000000-0000-0000-0000-0000000000b1', 'owner@py.test'), ('00000000-0000-0000-0000-0000000000b2', 'staff@py.test'),
('00000000-0000-0000-0000-0000000000b3', 'both@py.test'), ('00000000-0000-0000-0000-0000000000b4', 'super@py.test'),
('00000000-0000-0000-0000-0000000000b5', 'nobody@py.test');
insert into public.profiles (id, full_name) select u.id, u.email from auth.users as u;
insert into public.user_roles (user_id, organization_id, role) values
('00000000-0000-0000-0000-0000000000b1', '00000000-0000-0000-0000-0000000000a1', 'owner'),
('00000000-0000-0000-0000-0000000000b2', '00000000-0000-0000-0000-0000000000a1', 'staff'),
('00000000-0000-0000-0000-0000000000b3', '00000000-0000-0000-0000-0000000000a1', 'staff'),
('00000000-0000-0000-0000-0000000000b3', '00000000-0000-0000-0000-0000000000a2', 'manager'),
('00000000-0000-0000-0000-0000000000b4', null, 'super_admin');
insert into public.workshops (id, organization_id, name, event_date, event_time, status, trainer) values
('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1',
  'Glazing', '2030-07-01', '18:30', 'planned', 'Asha'),
('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000a1',
  'Throwing', '2030-01-15', null, 'planned', null),
('00000000-0000-0000-0000-0000000000c3', '00000000-0000-0000-0000-0000000000a1',
  'Raku', '2030-07-02', '10:00', 'cancelled', null),
('00000000-0000-0000-0000-0000000000c4', '00000000-0000-0000-0000-0000000000a2', 'Felting', null, null, 'planned', null),
('00000000-0000-0000-0000-0000000000c5', '00000000-0000-0000-0000-0000000000a1', 'Glass', null, null, 'planned', null);
insert into public.bookings (workshop_id, customer_name, customer_phone, state, ticket) values
('00000000-0000-0000-0000-0000000000c1', 'Mira', '+49 170 123-4567', 'confirmed', 'vip'),
('00000000-0000-0000-0000-0000000000c1', 'Noah', '0171 7654321', 'waiting', 'standard'),
('00000000-0000-0000-0000-0000000000c1', 'Lea', '+49 172 1111111', 'cancelled', 'standard'),
('00000000-0000-0000-0000-0000000000c1', 'Ken', 'ask his wife', 'confirmed', 'standard');
