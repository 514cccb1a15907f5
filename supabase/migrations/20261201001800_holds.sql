-- What holds a message back. Each rule stands here once, for the claim that obeys it and for why_not_sent that explains
-- it.

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
comment on view herald.account_holds is 'Which rule holds an account back; null: none.';
comment on column herald.account_holds.day_limit is
'How many it may send in 24 hours today: less than daily_limit while it warms up or isn''t well.';

-- What holds a message back beside its account and its times, the cheapest rule first. A campaign that is done holds
-- nothing back: what is still open of it was retried by a person.
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
    when m.group_id is not null and coalesce((
      select u.sent from herald.sends_counted as u where u.rule = 'group' and u.subject = m.group_id
    ), 0) >= s.per_group_per_minute then 'group-limit'
    when s.provider = 'cloud' then herald.cloud_hold(m)
  end as hold
from public.scheduled_whatsapp_messages as m
join public.whatsapp_sessions as s on s.id = m.session_id
join public.workshop_automation_config as c on c.organization_id = m.organization_id;
comment on view herald.message_holds is 'Which rule holds a message back, its account and its times apart; null: none.';
