-- Campaigns: one send to many people, over one or several accounts. A campaign's state decides what its messages do; its
-- counters are derived from its messages.

create table public.whatsapp_campaigns (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  name text not null constraint campaign_has_a_name check (length(name) <= 200 and length(btrim(name)) >= 1),
  audience jsonb not null default '{}' constraint campaign_audience_is_an_object check (jsonb_typeof(audience) = 'object')
  constraint campaign_audience_is_small check (herald.is_readable(audience, 65536)),
  template_id uuid references public.whatsapp_message_templates (id) on delete set null,
  content_id uuid,
  scheduled_for timestamptz
  constraint campaign_scheduled_for_is_a_date check (scheduled_for at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
  state text not null default 'draft'
  constraint campaign_state_is_known check (state in ('draft', 'running', 'paused', 'done', 'cancelled')),
  total_count integer not null default 0,
  sent_count integer not null default 0,
  delivered_count integer not null default 0,
  read_count integer not null default 0,
  failed_count integer not null default 0,
  started_at timestamptz,
  finished_at timestamptz,
  created_by uuid default auth.uid(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  constraint campaign_counts_are_counts
  check (least(total_count, sent_count, delivered_count, read_count, failed_count) >= 0)
);
create index whatsapp_campaigns_template_id_idx on public.whatsapp_campaigns (template_id);
create index whatsapp_campaigns_open_idx on public.whatsapp_campaigns (id) where state = 'running';
comment on table public.whatsapp_campaigns is
'A send to many. Its messages go out only while it is running; paused ones wait, a cancelled one''s are cancelled.';
comment on column public.whatsapp_campaigns.audience is 'A filter on contacts, as the CRM writes it.';
comment on column public.whatsapp_campaigns.content_id is 'The CRM''s own id of the content.';
comment on column public.whatsapp_campaigns.created_by is 'The user who made it.';
comment on constraint whatsapp_campaigns_pkey on public.whatsapp_campaigns is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint campaign_audience_is_an_object on public.whatsapp_campaigns is
'The audience is no JSON object. Write the filter on contacts like {"city": "Lisbon"}. (herald:audience-no-object)';
comment on constraint campaign_audience_is_small on public.whatsapp_campaigns is
'The audience is too large. Shorten the filter to 65,536 characters; numbers may have 300 digits, and lists and objects 30 levels. (herald:audience-too-large)';
comment on constraint campaign_scheduled_for_is_a_date on public.whatsapp_campaigns is
'"scheduled_for" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
comment on constraint campaign_counts_are_counts on public.whatsapp_campaigns is
'A count can''t be below 0. Leave it out: Herald counts. (herald:count-negative)';
comment on constraint campaign_has_a_name on public.whatsapp_campaigns is
'The campaign''s name is empty or longer than 200 characters. Give it a name of 1 to 200 characters. (herald:campaign-name)';
comment on constraint campaign_state_is_known on public.whatsapp_campaigns is
'There is no such state of a campaign. Use draft, running, paused, done or cancelled. (herald:campaign-state-unknown)';
comment on constraint whatsapp_campaigns_organization_id_id_key on public.whatsapp_campaigns is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint whatsapp_campaigns_organization_id_fkey on public.whatsapp_campaigns is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
comment on constraint whatsapp_campaigns_template_id_fkey on public.whatsapp_campaigns is
'There is no template with this id for the organisation. Choose one of its own templates or one of the system''s. (herald:template-unknown)';

call herald.tenant_table('whatsapp_campaigns');
grant delete on public.whatsapp_campaigns to authenticated;
grant insert (organization_id, name, audience, template_id, content_id, scheduled_for)
on public.whatsapp_campaigns to authenticated;
grant update (name, audience, template_id, content_id, scheduled_for, state) on public.whatsapp_campaigns to authenticated;
call herald.keep_identity('whatsapp_campaigns', '{organization_id}');
alter publication supabase_realtime add table public.whatsapp_campaigns;

create table public.whatsapp_campaign_sessions (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  campaign_id uuid not null,
  session_id uuid not null,
  priority smallint not null default 5 constraint campaign_session_priority_is_1_to_10 check (priority between 1 and 10),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (campaign_id, session_id),
  foreign key (organization_id, campaign_id) references public.whatsapp_campaigns (organization_id, id) on delete cascade,
  foreign key (organization_id, session_id) references public.whatsapp_sessions (organization_id, id) on delete cascade
);
create index whatsapp_campaign_sessions_campaign_idx on public.whatsapp_campaign_sessions (organization_id, campaign_id);
create index whatsapp_campaign_sessions_session_idx on public.whatsapp_campaign_sessions (organization_id, session_id);
comment on table public.whatsapp_campaign_sessions is 'Which accounts serve a campaign, and with which priority.';
comment on column public.whatsapp_campaign_sessions.priority is '1 to 10; the account with the highest serves first.';
comment on constraint whatsapp_campaign_sessions_pkey on public.whatsapp_campaign_sessions is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint campaign_session_priority_is_1_to_10 on public.whatsapp_campaign_sessions is
'The priority is out of range. Choose a number from 1 to 10; 10 goes first. (herald:priority-out-of-range)';
comment on constraint whatsapp_campaign_sessions_campaign_id_session_id_key on public.whatsapp_campaign_sessions is
'This account serves the campaign already. Change that row instead. (herald:campaign-account-exists)';
comment on constraint whatsapp_campaign_sessions_organization_id_campaign_id_fkey on public.whatsapp_campaign_sessions is
'There is no such campaign in the organisation. Choose one of its campaigns, or make one first. (herald:campaign-unknown)';
comment on constraint whatsapp_campaign_sessions_organization_id_fkey on public.whatsapp_campaign_sessions is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
comment on constraint whatsapp_campaign_sessions_organization_id_session_id_fkey on public.whatsapp_campaign_sessions is
'There is no such WhatsApp account in the organisation. Choose one of its accounts. (herald:account-unknown)';

alter table public.whatsapp_campaign_sessions enable row level security;
create policy whatsapp_campaign_sessions_select on public.whatsapp_campaign_sessions for select to authenticated
using (
  (
    organization_id in (select herald.my_organizations())
    and (session_id is null or session_id not in (select herald.my_hidden_sessions()))
  )
  or (select herald.is_super_admin())
);
create policy whatsapp_campaign_sessions_insert on public.whatsapp_campaign_sessions for insert to authenticated
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_campaign_sessions_update on public.whatsapp_campaign_sessions for update to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_campaign_sessions_delete on public.whatsapp_campaign_sessions for delete to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_campaign_sessions from anon, authenticated, service_role;
grant select, delete on public.whatsapp_campaign_sessions to authenticated;
grant insert (organization_id, campaign_id, session_id, priority) on public.whatsapp_campaign_sessions to authenticated;
grant update (priority) on public.whatsapp_campaign_sessions to authenticated;
grant select, insert, update, delete on public.whatsapp_campaign_sessions to service_role;
create trigger touch before update on public.whatsapp_campaign_sessions for each row execute function herald.touch();
call herald.keep_identity('whatsapp_campaign_sessions', '{organization_id, campaign_id, session_id}');

-- A campaign's steps: draft → running ⇄ paused → done or cancelled; those two are final.
create function herald.campaign_guard() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if new.state <> old.state then
    if (old.state, new.state) not in (
      ('draft', 'running'), ('draft', 'cancelled'), ('running', 'paused'), ('running', 'done'), ('running', 'cancelled'),
      ('paused', 'running'), ('paused', 'cancelled')
    ) then
      raise exception 'A campaign that is % can''t become %.', old.state, new.state
        using errcode = '23514', hint = 'Reload it: its state has changed since you saw it. To send again, copy it.',
        detail = 'herald:campaign-step-unknown';
    end if;
    if new.state = 'running' then
      new.started_at := coalesce(new.started_at, herald.clock());
    elsif new.state in ('done', 'cancelled') then
      new.finished_at := herald.clock();
    end if;
  end if;
  return new;
end
$$;
revoke execute on function herald.campaign_guard() from public;
create trigger campaign_guard before update on public.whatsapp_campaigns
for each row execute function herald.campaign_guard();

-- A cancelled campaign cancels what has not gone out.
create function herald.campaign_cancelled() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  update public.scheduled_whatsapp_messages as m
  set status = 'cancelled', error_message = 'Its campaign was cancelled.'
  where m.organization_id = new.organization_id and m.campaign_id = new.id and m.status = 'pending';
  return null;
end
$$;
revoke execute on function herald.campaign_cancelled() from public;
create trigger campaign_cancelled after update of state on public.whatsapp_campaigns
for each row when (new.state = 'cancelled' and old.state <> 'cancelled')
execute function herald.campaign_cancelled();

-- herald.count_campaigns() → how many it changed. Recounts running and recently finished campaigns: a counter that
-- settles update would be a row for which every settle waits. A running campaign whose messages are all settled becomes
-- done. A message that came back to the queue after its campaign was cancelled (it was being sent, or a person retries
-- it) is cancelled here.
create function herald.count_campaigns() returns integer
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  many integer;
begin
  update public.scheduled_whatsapp_messages as m
  set status = 'cancelled', error_message = 'Its campaign was cancelled.'
  from public.whatsapp_campaigns as k
  where k.state = 'cancelled' and k.finished_at > herald.clock() - interval '3 days'
    and m.organization_id = k.organization_id and m.campaign_id = k.id and m.status = 'pending';
  with counted as (
    select k.id, count(m.id)::integer as total, count(m.sent_at)::integer as sent,
      count(m.delivered_at)::integer as delivered, count(m.read_at)::integer as read,
      (count(*) filter (where m.status = 'failed'))::integer as failed,
      count(*) filter (where m.status in ('pending', 'sending', 'in_doubt')) as open
    from public.whatsapp_campaigns as k
    left join public.scheduled_whatsapp_messages as m
      on m.organization_id = k.organization_id and m.campaign_id = k.id
    where k.state in ('running', 'paused') or k.finished_at > herald.clock() - interval '3 days'
    group by k.id
  )
  update public.whatsapp_campaigns as k
  set total_count = c.total, sent_count = c.sent, delivered_count = c.delivered, read_count = c.read,
    failed_count = c.failed, state = case when k.state = 'running' and c.total > 0 and c.open = 0 then 'done' else k.state end
  from counted as c
  where k.id = c.id and (
      (k.total_count, k.sent_count, k.delivered_count, k.read_count, k.failed_count)
      is distinct from (c.total, c.sent, c.delivered, c.read, c.failed)
      or k.state = 'running' and c.total > 0 and c.open = 0
    );
  get diagnostics many = row_count;
  return many;
end
$$;
revoke execute on function herald.count_campaigns() from public;
