-- What holds a message back, and until when. Each rule is written once, here or in limits.sql, quiet_hours.sql and
-- cloud.sql: the claim obeys it, and why_not_sent explains it.

-- Campaigns whose messages wait. A campaign that is done holds nothing back: a person retried what is still open of it.
create view herald.resting_campaigns as
select k.id, k.organization_id from public.whatsapp_campaigns as k where k.state not in ('running', 'done');
comment on view herald.resting_campaigns is 'Campaigns that are not running: their messages wait.';

-- Organisations that are in their quiet hours now: until when, and which types of message go out anyway.
create view herald.quiet_organizations as
select c.organization_id, q.until, coalesce(c.quiet_hours -> 'exempt', '[]') as exempt
from public.workshop_automation_config as c
cross join lateral (select herald.quiet_until(c.quiet_hours, c.timezone) as until offset 0) as q -- once a row
where c.quiet_hours is not null and q.until is not null;
comment on view herald.quiet_organizations is 'Organisations in whose quiet hours we are now.';
comment on column herald.quiet_organizations.exempt is 'A JSON array of message types that go out all the same.';

-- What holds a whole account back, and until when (null: until somebody changes it). hold is null if nothing does.
create view herald.account_holds as
select a.*, case a.hold
    when 'account-paused' then a.account_paused_until
    when 'organization-paused' then a.organization_paused_until
    when 'quiet-hours' then a.quiet_until
    when 'account-limit' then herald.room_at('account', a.session_id, a.day_limit)
    when 'number-limit' then herald.room_at('number', a.session_id, a.second_limit)
  end as hold_until
from (
  select s.id as session_id, s.organization_id, s.paused_until as account_paused_until,
    c.paused_until as organization_paused_until, n.until as quiet_until, q.day_limit, q.second_limit,
    case
      when not s.enabled then 'account-disabled'
      when s.desired_state <> 'connected' then 'account-off'
      when s.paused_until > q.moment then 'account-paused'
      when c.paused_until > q.moment then 'organization-paused'
      when n.exempt = '[]' then 'quiet-hours'
      when coalesce((
        select u.sent from herald.sends_counted as u where u.rule = 'account' and u.subject = s.id
      ), 0) >= q.day_limit then 'account-limit'
      when s.provider = 'cloud' and herald.used('number', s.id) >= q.second_limit then 'number-limit'
    end as hold
  from public.whatsapp_sessions as s
  join public.workshop_automation_config as c on c.organization_id = s.organization_id
  left join lateral ( -- of this organisation alone, so that another's unreadable settings do no harm here
    select o.until, o.exempt from herald.quiet_organizations as o where o.organization_id = s.organization_id offset 0
  ) as n on true
  cross join lateral (
    select herald.clock() as moment, herald.daily_limit(s) as day_limit,
      (select k.number_per_second from herald.constants as k where k.only_row) as second_limit
    offset 0 -- once a row, not once a mention
  ) as q
) as a;
comment on view herald.account_holds is 'Which rule holds an account back, and until when; null: none.';
comment on column herald.account_holds.day_limit is
'How many it may send in 24 hours today: less than daily_limit while it warms up or isn''t well.';
comment on column herald.account_holds.second_limit is 'How many a Cloud API number may send in a second.';

-- herald.has_chat(account, contact, phone): whether this person got a message from the account, or wrote to it. A
-- restricted account may still write to such people.
create function herald.has_chat(p_session uuid, p_contact uuid, p_phone text) returns boolean
language plpgsql stable set search_path = ''
as $$
declare
  organization uuid := (select s.organization_id from public.whatsapp_sessions as s where s.id = p_session);
  number text := coalesce(p_phone, (select p.phone from public.whatsapp_contacts as p where p.id = p_contact));
begin
  return exists (
      select 1 from public.scheduled_whatsapp_messages as e
      where e.organization_id = organization and e.contact_id = p_contact and e.session_id = p_session
        and e.delivered_at is not null
    )
    or exists (
      select 1 from public.scheduled_whatsapp_messages as e
      where e.organization_id = organization and e.recipient_phone = number and e.session_id = p_session
        and e.delivered_at is not null
    )
    or exists (
      select 1 from public.whatsapp_conversations as v
      join public.whatsapp_contacts as p on p.id = v.contact_id and p.organization_id = organization
      where v.session_id = p_session and v.last_inbound_at is not null and (p.id = p_contact or p.phone = number)
    );
end
$$;
revoke execute on function herald.has_chat(uuid, uuid, text) from public;

-- What holds a message back apart from its account and its times, the cheapest rule first, and until when (null: until
-- somebody changes it).
create view herald.message_holds as
select h.*, case h.hold
    when 'quiet-hours' then (
      select n.until from herald.quiet_organizations as n where n.organization_id = h.organization_id
    )
    when 'group-limit' then herald.room_at('group', h.group_id, (
      select f.most from herald.full_groups as f where f.id = h.group_id
    ))
    when 'new-chats' then (select s.new_chats_after from public.whatsapp_sessions as s where s.id = h.session_id)
    else herald.cloud_held_until(h.hold, h.message)
  end as hold_until
from (
  select m.id, m.organization_id, m.session_id, m.group_id, m as message,
    case
      when m.campaign_id is not null
        and exists (select 1 from herald.resting_campaigns as k where k.id = m.campaign_id) then 'campaign'
      when c.quiet_hours is not null and exists (
        select 1 from herald.quiet_organizations as n
        where n.organization_id = m.organization_id and not n.exempt ? m.message_type
      ) then 'quiet-hours'
      when m.contact_id is not null and (
        select p.opted_out_at is not null or c.require_opt_in and p.opted_in_at is null
        from public.whatsapp_contacts as p where p.id = m.contact_id
      ) then 'suppressed'
      when m.recipient_phone is not null and coalesce((
        select p.opted_out_at is not null or c.require_opt_in and p.opted_in_at is null
        from public.whatsapp_contacts as p
        where p.organization_id = m.organization_id and p.phone = m.recipient_phone
      ), c.require_opt_in) then 'suppressed'
      when m.group_id is not null and exists (select 1 from herald.full_groups as f where f.id = m.group_id)
        then 'group-limit'
      -- Not null first: the clock costs as much as all the rules above, for each message that is looked at.
      when s.new_chats_after is not null and s.new_chats_after > (select herald.clock()) and m.group_id is null
        and not herald.has_chat(m.session_id, m.contact_id, m.recipient_phone) then 'new-chats'
      when s.provider = 'cloud' then herald.cloud_hold(m)
    end as hold
  from public.scheduled_whatsapp_messages as m
  join public.whatsapp_sessions as s on s.id = m.session_id
  join public.workshop_automation_config as c on c.organization_id = m.organization_id
) as h;
comment on view herald.message_holds is
'Which rule holds a message back, its account and its times apart, and until when; null: none.';
