-- What holds a message back: each rule stands here once, for the claim that obeys it and for why_not_sent that tells it.
-- Limits are counted in the database, so that they hold over several workers and the fallback.

-- The clock of every rule, again: in plpgsql, because the rules ask it hundreds of times in a claim, and a function in SQL
-- with a search_path of its own is planned for each place that asks.
create or replace function herald.clock() returns timestamptz
language plpgsql stable set search_path = ''
as $$
begin
  return now();
end
$$;

-- == counts of what was sent ==
create table herald.limit_windows (
  rule text primary key,
  span interval not null,
  width interval not null check (width < span)
);
comment on table herald.limit_windows is
'How far back a limit counts (span), and in what steps (width). A step counts until all of it is past: never too little.';
insert into herald.limit_windows (rule, span, width) values
('account', '24 hours', '10 minutes'),
('group', '1 minute', '5 seconds'),
('number', '1 second', '250 milliseconds'),
('direct_send', '1 minute', '5 seconds');

create table herald.send_counts (
  rule text not null,
  subject uuid not null,
  bucket timestamptz not null,
  sent integer not null check (sent >= 0),
  primary key (rule, subject, bucket)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index send_counts_bucket_idx on herald.send_counts (bucket);
comment on table herald.send_counts is
'How many messages an account, a group or an organisation''s direct calls sent in each step. Old steps are removed.';
alter table herald.limit_windows enable row level security;
alter table herald.send_counts enable row level security;

-- herald.bucket(rule, moment) → the step that a moment falls into.
create function herald.bucket(p_rule text, p_moment timestamptz) returns timestamptz
language plpgsql stable set search_path = ''
as $$
begin
  return (select date_bin(w.width, p_moment, 'epoch') from herald.limit_windows as w where w.rule = p_rule);
end
$$;

-- herald.used(rule, subject) → how many count against the limit now.
create function herald.used(p_rule text, p_subject uuid) returns bigint
language plpgsql stable set search_path = '' set jit = off
as $$
begin
  return coalesce((
    select sum(c.sent) from herald.send_counts as c
    where c.rule = p_rule and c.subject = p_subject and c.bucket > (
      select herald.clock() - w.span - w.width from herald.limit_windows as w where w.rule = p_rule
    )
  ), 0);
end
$$;

-- herald.room_at(rule, subject, limit) → when there is room for one more; null: never (a limit of 0).
create function herald.room_at(p_rule text, p_subject uuid, p_limit bigint) returns timestamptz
language sql stable set search_path = ''
as $$
  select case
    when p_limit <= 0 then null
    when herald.used(p_rule, p_subject) < p_limit then herald.clock()
    else (
      select min(later.bucket) + w.span + w.width from (
        select c.bucket, sum(c.sent) over (order by c.bucket desc) - c.sent as newer
        from herald.send_counts as c
        where c.rule = w.rule and c.subject = p_subject and c.bucket > herald.clock() - w.span - w.width
      ) as later
      where later.newer < p_limit
    )
  end
  from herald.limit_windows as w where w.rule = p_rule
$$;

-- == accounts ==

-- herald.daily_limit(account) → how many it may send in 24 hours today: the limit that was set, less while the account
-- warms up or isn't well.
create function herald.daily_limit(s public.whatsapp_sessions) returns integer
language plpgsql stable set search_path = ''
as $$
begin
  return ceil(
    case
      when s.warmup_started_at is null or s.daily_limit <= 20 then s.daily_limit
      else 20 + (s.daily_limit - 20) * greatest(0, least(1, extract(epoch from herald.clock() - s.warmup_started_at)
          / (86400.0 * s.warmup_days)))
    end * case when s.health_score < 30 then 0.25 when s.health_score < 60 then 0.5 else 1 end
  );
end
$$;

-- herald.quiet_until(quiet_hours, zone) → when the quiet hours end that are on now; null: they are not. They last from one
-- instant to another, so that a local time that comes twice doesn't begin or end them twice.
create function herald.quiet_until(p_quiet jsonb, p_zone text) returns timestamptz
language plpgsql stable set search_path = ''
as $$
declare
  moment timestamptz := herald.clock();
  here timestamp;
  starts time;
  ends time;
  over timestamptz;
begin
  if p_quiet is null then
    return null;
  end if;
  here := moment at time zone p_zone;
  starts := (p_quiet ->> 'start')::time;
  ends := (p_quiet ->> 'end')::time;
  for back in 0..1 loop
    over := herald.local_instant(here::date - back + (ends < starts)::integer, ends, p_zone);
    if moment < over and moment >= herald.local_instant(here::date - back, starts, p_zone) then
      return over;
    end if;
  end loop;
  return null;
end
$$;

-- What holds a whole account back, and until when (null: until somebody changes it). hold is null if nothing does.
create view herald.account_holds as
select a.*, case a.hold
    when 'account-paused' then a.account_paused_until
    when 'organization-paused' then a.organization_paused_until
    when 'quiet-hours' then a.quiet_until
    when 'account-limit' then herald.room_at('account', a.session_id, a.day_limit)
  end as hold_until
from (
  select s.id as session_id, s.organization_id, s.paused_until as account_paused_until,
    c.paused_until as organization_paused_until, q.quiet_until, q.day_limit,
    case
      when not s.enabled then 'account-disabled'
      when s.desired_state <> 'connected' then 'account-off'
      when s.paused_until > q.moment then 'account-paused'
      when c.paused_until > q.moment then 'organization-paused'
      when coalesce(jsonb_array_length(c.quiet_hours -> 'exempt'), 0) = 0 and q.quiet_until is not null then 'quiet-hours'
      when herald.used('account', s.id) >= q.day_limit then 'account-limit'
    end as hold
  from public.whatsapp_sessions as s
  join public.workshop_automation_config as c on c.organization_id = s.organization_id
  cross join lateral (
    select herald.clock() as moment, herald.quiet_until(c.quiet_hours, c.timezone) as quiet_until,
      herald.daily_limit(s) as day_limit
    offset 0 -- once a row, not once a mention
  ) as q
) as a;
comment on view herald.account_holds is 'Which rule holds an account back; null: none.';

-- == the Cloud API's own limits ==
create table herald.cloud_recipients (
  business_account_id text not null,
  recipient text not null,
  last_at timestamptz not null,
  primary key (business_account_id, recipient)
);
create index cloud_recipients_last_at_idx on herald.cloud_recipients (business_account_id, last_at);
comment on table herald.cloud_recipients is 'Whom a business wrote to: its tier limits different people in 24 hours.';
create table herald.cloud_pairs (
  session_id uuid not null references public.whatsapp_sessions (id) on delete cascade,
  recipient text not null,
  paid_until timestamptz not null,
  primary key (session_id, recipient)
);
create index cloud_pairs_paid_until_idx on herald.cloud_pairs (paid_until);
comment on table herald.cloud_pairs is
'Pace between a number and a person: each message costs 6 s, and 45 may be owed (paid_until lies that far ahead).';
alter table herald.cloud_recipients enable row level security;
alter table herald.cloud_pairs enable row level security;

-- herald.tier_size(tier) → people in 24 hours; null: unlimited.
create function herald.tier_size(p_tier text) returns integer
language sql immutable set search_path = ''
as $$
  select case p_tier when '250' then 250 when '2K' then 2000 when '10K' then 10000 when '100K' then 100000 end
$$;

-- herald.cloud_hold(message) → what Meta's limits hold back: 'window', 'pair-limit', 'tier-limit' or null.
create function herald.cloud_hold(m public.scheduled_whatsapp_messages) returns text
language plpgsql stable set search_path = '' set jit = off
as $$
declare
  moment timestamptz := herald.clock();
  account public.whatsapp_cloud_accounts;
  person text := herald.recipient_address(m);
  size integer;
begin
  if m.template_id is null and not exists (
    select 1 from public.whatsapp_conversations as v
    join public.whatsapp_contacts as p on p.organization_id = v.organization_id and p.id = v.contact_id
    where v.session_id = m.session_id and v.last_inbound_at > moment - interval '24 hours'
      and (p.id = m.contact_id or p.phone = m.recipient_phone)
  ) then
    return 'window';
  end if;
  if exists (
    select 1 from herald.cloud_pairs as p
    where p.session_id = m.session_id and p.recipient = person
      and p.paid_until > moment + 44 * interval '6 seconds'
  ) then
    return 'pair-limit';
  end if;
  select c.* into account from public.whatsapp_cloud_accounts as c where c.session_id = m.session_id;
  size := herald.tier_size(account.rate_limit_tier);
  if size is not null and not exists (
    select 1 from herald.cloud_recipients as r
    where r.business_account_id = account.business_account_id and r.recipient = person
      and r.last_at > moment - interval '24 hours'
  ) and size <= (
    select count(*) from (
      select 1 from herald.cloud_recipients as r
      where r.business_account_id = account.business_account_id and r.last_at > moment - interval '24 hours'
      limit size
    ) as recent
  ) then
    return 'tier-limit';
  end if;
  return null;
end
$$;

-- == messages ==

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

-- What holds a message back beside its account and its times. In order of cost, the cheapest first. A campaign that is done
-- holds nothing back: what is still open of it is tried again by a person.
create view herald.message_holds as
select m.id, m.session_id, m.status, m.priority, m.scheduled_for, m.next_attempt_at, m.expires_at,
  case
    when m.campaign_id is not null
      and (select k.state from public.whatsapp_campaigns as k where k.id = m.campaign_id) not in ('running', 'done')
      then 'campaign'
    when c.quiet_hours is not null and not coalesce(c.quiet_hours -> 'exempt' ? m.message_type, false)
      and herald.quiet_until(c.quiet_hours, c.timezone) is not null then 'quiet-hours'
    when m.contact_id is not null and (
      select p.opted_out_at is not null or c.require_opt_in and p.opted_in_at is null
      from public.whatsapp_contacts as p where p.id = m.contact_id
    ) then 'suppressed'
    when m.recipient_phone is not null and coalesce((
      select p.opted_out_at is not null or c.require_opt_in and p.opted_in_at is null
      from public.whatsapp_contacts as p
      where p.organization_id = m.organization_id and p.phone = m.recipient_phone
    ), c.require_opt_in) then 'suppressed'
    when m.group_id is not null and herald.used('group', m.group_id) >= s.per_group_per_minute then 'group-limit'
    when s.provider = 'cloud' then herald.cloud_hold(m)
  end as hold
from public.scheduled_whatsapp_messages as m
join public.whatsapp_sessions as s on s.id = m.session_id
join public.workshop_automation_config as c on c.organization_id = m.organization_id;
comment on view herald.message_holds is 'Which rule holds a message back, its account and its times apart; null: none.';

-- == the direct-send API ==

-- whatsapp_direct_send_take(organisation, limit) → 0 and it counts, or the seconds until there is room. The worker's API
-- asks before it queues a direct call: 10 in a minute per organisation.
create function public.whatsapp_direct_send_take(p_organization uuid, p_limit integer default 10)
returns double precision
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('direct_send:' || p_organization, 0));
  if herald.used('direct_send', p_organization) >= p_limit then
    return greatest(extract(epoch from
      coalesce(herald.room_at('direct_send', p_organization, p_limit), herald.clock() + interval '1 minute')
      - herald.clock()), 0.001);
  end if;
  insert into herald.send_counts as c (rule, subject, bucket, sent)
  values ('direct_send', p_organization, herald.bucket('direct_send', herald.clock()), 1)
  on conflict (rule, subject, bucket) do update set sent = c.sent + 1;
  return 0;
end
$$;
comment on function public.whatsapp_direct_send_take(uuid, integer) is
'For the worker''s API: counts one direct call of the organisation, or says in how many seconds there is room (0: counted).';

revoke execute on function
  herald.bucket(text, timestamptz), herald.used(text, uuid), herald.room_at(text, uuid, bigint),
  herald.daily_limit(public.whatsapp_sessions), herald.quiet_until(jsonb, text), herald.tier_size(text),
  herald.cloud_hold(public.scheduled_whatsapp_messages), herald.recipient_address(public.scheduled_whatsapp_messages)
from public;
revoke execute on function public.whatsapp_direct_send_take(uuid, integer) from public, anon, authenticated;
grant execute on function public.whatsapp_direct_send_take(uuid, integer) to service_role;
