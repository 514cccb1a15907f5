-- Cloud API numbers and Meta's limits for them. Access tokens are sealed in herald.session_credentials.

create table public.whatsapp_cloud_accounts (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  session_id uuid not null unique,
  phone_number_id text not null unique constraint cloud_phone_number_id_is_a_number check (phone_number_id ~ '^[0-9]{1,30}$'),
  business_account_id text not null
  constraint cloud_business_account_id_is_a_number check (business_account_id ~ '^[0-9]{1,30}$'),
  rate_limit_tier text not null default '250'
  constraint cloud_tier_is_known check (rate_limit_tier in ('250', '2K', '10K', '100K', 'unlimited')),
  quality_rating text not null default 'UNKNOWN'
  constraint cloud_quality_is_known check (quality_rating in ('GREEN', 'YELLOW', 'RED', 'UNKNOWN')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (organization_id, session_id) references public.whatsapp_sessions (organization_id, id) on delete cascade
);
create index whatsapp_cloud_accounts_session_idx on public.whatsapp_cloud_accounts (organization_id, session_id);
create index whatsapp_cloud_accounts_business_idx on public.whatsapp_cloud_accounts (business_account_id);
comment on table public.whatsapp_cloud_accounts is 'The Cloud API side of an account whose provider is cloud.';
comment on column public.whatsapp_cloud_accounts.phone_number_id is 'Meta''s id of the number.';
comment on column public.whatsapp_cloud_accounts.business_account_id is 'Meta''s id of the WhatsApp business account.';
comment on column public.whatsapp_cloud_accounts.rate_limit_tier is
'How many people the business may write to in 24 hours; Meta sets it. All numbers of a business share it.';
comment on constraint whatsapp_cloud_accounts_pkey on public.whatsapp_cloud_accounts is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint cloud_business_account_id_is_a_number on public.whatsapp_cloud_accounts is
'The WhatsApp Business account id is not a number. Copy it from Meta''s Business Manager. (herald:business-account-id-invalid)';
comment on constraint cloud_phone_number_id_is_a_number on public.whatsapp_cloud_accounts is
'The phone number id is not a number. Copy it from Meta''s developer page; it is not the phone number itself. (herald:phone-number-id-invalid)';
comment on constraint cloud_quality_is_known on public.whatsapp_cloud_accounts is
'A number''s quality is GREEN, YELLOW, RED or UNKNOWN. Leave it out: Meta tells it. (herald:herald-writes-it)';
comment on constraint cloud_tier_is_known on public.whatsapp_cloud_accounts is
'A tier is 250, 2K, 10K, 100K or unlimited. Leave it out: Meta tells it. (herald:herald-writes-it)';
comment on constraint whatsapp_cloud_accounts_phone_number_id_key on public.whatsapp_cloud_accounts is
'This Cloud API number is linked to an account already. Use that account, or another number. (herald:cloud-number-taken)';
comment on constraint whatsapp_cloud_accounts_session_id_key on public.whatsapp_cloud_accounts is
'This account has its Cloud API number already. Change that row instead. (herald:cloud-number-exists)';
comment on constraint whatsapp_cloud_accounts_organization_id_fkey on public.whatsapp_cloud_accounts is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
comment on constraint whatsapp_cloud_accounts_organization_id_session_id_fkey on public.whatsapp_cloud_accounts is
'There is no such WhatsApp account in the organisation. Choose one of its accounts. (herald:account-unknown)';

alter table public.whatsapp_cloud_accounts enable row level security;
create policy whatsapp_cloud_accounts_select on public.whatsapp_cloud_accounts for select to authenticated
using (
  (
    organization_id in (select herald.my_organizations())
    and (session_id is null or session_id not in (select herald.my_hidden_sessions()))
  )
  or (select herald.is_super_admin())
);
create policy whatsapp_cloud_accounts_delete on public.whatsapp_cloud_accounts for delete to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
-- Users can't insert: Herald makes the row once the access token has proved that the number is the organisation's, so
-- that nobody can take another's number.
revoke all on public.whatsapp_cloud_accounts from anon, authenticated, service_role;
grant select, delete on public.whatsapp_cloud_accounts to authenticated;
grant select, insert, update, delete on public.whatsapp_cloud_accounts to service_role;
create trigger touch before update on public.whatsapp_cloud_accounts for each row execute function herald.touch();
call herald.keep_identity('whatsapp_cloud_accounts', '{organization_id, session_id, phone_number_id}');

-- == the Cloud API's own limits ==

create table herald.cloud_recipients (
  business_account_id text not null,
  recipient text not null,
  last_at timestamptz not null,
  earlier_at timestamptz,
  primary key (business_account_id, recipient)
);
create index cloud_recipients_last_at_idx on herald.cloud_recipients (business_account_id, last_at);
comment on table herald.cloud_recipients is 'Whom a business wrote to: its tier limits different people in 24 hours.';
comment on column herald.cloud_recipients.earlier_at is
'The time before last_at: what last_at becomes again if that message was surely not sent.';
comment on column herald.cloud_recipients.business_account_id is
'Meta''s id of the business, whose numbers share a tier.';

alter table herald.cloud_recipients enable row level security;

create table herald.cloud_pairs (
  session_id uuid not null references public.whatsapp_sessions (id) on delete cascade,
  recipient text not null,
  paid_until timestamptz not null,
  primary key (session_id, recipient)
);
create index cloud_pairs_paid_until_idx on herald.cloud_pairs (paid_until);
comment on table herald.cloud_pairs is
'Pace between a number and a person: each message costs 6 s, and 45 may be owed (paid_until lies that far ahead).';

alter table herald.cloud_pairs enable row level security;

-- herald.recipient_address(message) → where it goes: a group's JID, a number (E.164), or a person's JID or LID.
create function herald.recipient_address(m public.scheduled_whatsapp_messages) returns text
language plpgsql stable set search_path = ''
as $$
begin
  return case
    when m.recipient_phone is not null then m.recipient_phone
    when m.group_id is not null then (select g.group_jid from public.whatsapp_groups as g where g.id = m.group_id)
    else (select coalesce(p.phone, p.jid, p.lid) from public.whatsapp_contacts as p where p.id = m.contact_id)
  end;
end
$$;
revoke execute on function herald.recipient_address(public.scheduled_whatsapp_messages) from public;

-- herald.pair_free_at(account, person) → when the pace lets the person have another message; null or past: now.
create function herald.pair_free_at(p_account uuid, p_person text) returns timestamptz
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select p.paid_until - (k.pair_burst - 1) * k.pair_cost from herald.cloud_pairs as p cross join herald.constants as k
    where p.session_id = p_account and p.recipient = p_person
  );
end
$$;
revoke execute on function herald.pair_free_at(uuid, text) from public;

-- herald.tier_free_at(account, person) → when the business's tier lets it write to this person; null: now. A person whom
-- it wrote to within the tier's time can always be written to.
create function herald.tier_free_at(p_account uuid, p_person text) returns timestamptz
language plpgsql stable set search_path = '' set jit = off
as $$
declare
  k herald.constants;
  business text;
  size integer;
begin
  select * into k from herald.constants as c where c.only_row;
  select c.business_account_id, (k.tiers ->> c.rate_limit_tier)::integer into business, size
  from public.whatsapp_cloud_accounts as c where c.session_id = p_account;
  if size is null or exists (
    select 1 from herald.cloud_recipients as r
    where r.business_account_id = business and r.recipient = p_person and r.last_at > herald.clock() - k.tier_span
  ) then
    return null;
  end if;
  return (
    select r.last_at + k.tier_span from herald.cloud_recipients as r
    where r.business_account_id = business and r.last_at > herald.clock() - k.tier_span
    order by r.last_at desc offset size - 1 limit 1
  );
end
$$;
revoke execute on function herald.tier_free_at(uuid, text) from public;

-- herald.cloud_hold(message) → which of Meta's limits holds it back: 'window', 'pair-limit', 'tier-limit' or null.
create function herald.cloud_hold(m public.scheduled_whatsapp_messages) returns text
language plpgsql stable set search_path = '' set jit = off
as $$
declare
  person text := herald.recipient_address(m);
begin
  if m.template_id is null and not exists (
    select 1 from public.whatsapp_conversations as v
    join public.whatsapp_contacts as p on p.organization_id = v.organization_id and p.id = v.contact_id
    where v.session_id = m.session_id
      and v.last_inbound_at > herald.clock() - (select k.customer_window from herald.constants as k where k.only_row)
      and (p.id = m.contact_id or p.phone = m.recipient_phone)
  ) then
    return 'window';
  elsif herald.pair_free_at(m.session_id, person) > herald.clock() then
    return 'pair-limit';
  elsif herald.tier_free_at(m.session_id, person) is not null then
    return 'tier-limit';
  end if;
  return null;
end
$$;
revoke execute on function herald.cloud_hold(public.scheduled_whatsapp_messages) from public;

-- herald.cloud_held_until(hold, message) → when this hold ends; null: unknown, because the person has to write first.
create function herald.cloud_held_until(p_hold text, m public.scheduled_whatsapp_messages) returns timestamptz
language plpgsql stable set search_path = ''
as $$
begin
  return case p_hold
    when 'pair-limit' then herald.pair_free_at(m.session_id, herald.recipient_address(m))
    when 'tier-limit' then herald.tier_free_at(m.session_id, herald.recipient_address(m))
  end;
end
$$;
revoke execute on function herald.cloud_held_until(text, public.scheduled_whatsapp_messages) from public;
