-- The same rules for less: what a claim of 50 asks a hundred times is asked in its own plan, or answered by the short way.

-- What counts against each limit now. A view, because a function would be called, and its plan started, for each
-- account and group: 15 µs against 4.
create view herald.sends_counted as
select c.rule, c.subject, sum(c.sent) as sent
from herald.limit_windows as w
join herald.send_counts as c on c.rule = w.rule and c.bucket > herald.clock() - w.span - w.width
group by c.rule, c.subject;
comment on view herald.sends_counted is 'How many sends count against a limit of an account, group, number or organisation now.';

-- herald.used(rule, subject) → how many count against the limit now.
create or replace function herald.used(p_rule text, p_subject uuid) returns bigint
language plpgsql stable set search_path = '' set jit = off
as $$
begin
  return coalesce((select u.sent from herald.sends_counted as u where u.rule = p_rule and u.subject = p_subject), 0);
end
$$;

-- herald.quiet_until(quiet_hours, zone) → when the quiet hours end that are on now; null: they are not. They last from one
-- instant to another, so that a local time that comes twice doesn't begin or end them twice. The short way: while the
-- zone's clocks don't change for two days around, the time of the day tells that they are not on.
create or replace function herald.quiet_until(p_quiet jsonb, p_zone text) returns timestamptz
language plpgsql stable set search_path = ''
as $$
declare
  moment timestamptz;
  here timestamp;
  starts time;
  ends time;
  over timestamptz;
  outside boolean;
begin
  if p_quiet is null then
    return null;
  end if;
  moment := herald.clock();
  here := moment at time zone p_zone;
  starts := (p_quiet ->> 'start')::time;
  ends := (p_quiet ->> 'end')::time;
  outside := case
    when starts <= ends then here::time < starts or here::time >= ends
    else here::time < starts and here::time >= ends
  end;
  if outside and (moment - interval '48 hours') at time zone p_zone = here - interval '48 hours'
    and (moment + interval '48 hours') at time zone p_zone = here + interval '48 hours' then
    return null;
  end if;
  for back in 0..1 loop
    over := herald.local_instant(here::date - back + (ends < starts)::integer, ends, p_zone);
    if moment < over and moment >= herald.local_instant(here::date - back, starts, p_zone) then
      return over;
    end if;
  end loop;
  return null;
end
$$;

create or replace view herald.account_holds as
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
      when coalesce((
        select u.sent from herald.sends_counted as u where u.rule = 'account' and u.subject = s.id
      ), 0) >= q.day_limit then 'account-limit'
    end as hold
  from public.whatsapp_sessions as s
  join public.workshop_automation_config as c on c.organization_id = s.organization_id
  cross join lateral (
    select herald.clock() as moment, herald.quiet_until(c.quiet_hours, c.timezone) as quiet_until,
      herald.daily_limit(s) as day_limit
    offset 0 -- once a row, not once a mention
  ) as q
) as a;

create or replace view herald.message_holds as
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
    when m.group_id is not null and coalesce((
      select u.sent from herald.sends_counted as u where u.rule = 'group' and u.subject = m.group_id
    ), 0) >= s.per_group_per_minute then 'group-limit'
    when s.provider = 'cloud' then herald.cloud_hold(m)
  end as hold
from public.scheduled_whatsapp_messages as m
join public.whatsapp_sessions as s on s.id = m.session_id
join public.workshop_automation_config as c on c.organization_id = m.organization_id;

-- whatsapp_settle_and_claim: both in one round trip → {"settled": […], "claims": […], "next_due": seconds or null}. When as
-- many were claimed as asked for, there may be more at once: looking for it would cost a tenth of the call. A result
-- with pause (seconds) holds its account back before anything is claimed again; a longer pause that is there stays.
create or replace function public.whatsapp_settle_and_claim(p_run uuid, p_results jsonb, p_limit integer) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  settled jsonb := '[]';
  claims jsonb;
begin
  if jsonb_array_length(p_results) > 0 then
    if jsonb_path_exists(p_results, '$[*] ? (@.pause > 0)') then
      update public.whatsapp_sessions as s
      set paused_until = herald.clock() + make_interval(secs => r.pause),
        pause_reason = 'WhatsApp found this account too fast.'
      from jsonb_to_recordset(p_results) as r (message_id uuid, token uuid, pause double precision)
      join herald.message_claims as c on c.message_id = r.message_id and c.token = r.token and c.run_id = p_run
      join herald.session_leases as l on l.session_id = c.session_id and l.run_id = c.run_id and l.epoch = c.epoch
      where s.id = c.session_id and r.pause > 0
        and (s.paused_until is null or s.paused_until < herald.clock() + make_interval(secs => r.pause));
    end if;
    settled := public.whatsapp_settle(p_run, p_results);
  end if;
  claims := public.whatsapp_claim(p_run, p_limit);
  return jsonb_build_object('settled', settled, 'claims', claims, 'next_due',
    case when p_limit > 0 and jsonb_array_length(claims) >= p_limit then 0.001 else herald.next_due(p_run) end);
end
$$;
