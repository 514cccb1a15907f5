-- Campaigns: a send to many, over one or several accounts.

create table public.whatsapp_campaigns (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  name text not null constraint campaign_has_a_name check (length(btrim(name)) between 1 and 200),
  audience jsonb not null default '{}' constraint campaign_audience_is_an_object check (jsonb_typeof(audience) = 'object'),
  template_id uuid references public.whatsapp_message_templates (id) on delete set null,
  content_id uuid,
  scheduled_for timestamptz,
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
call herald.tenant_table('whatsapp_campaigns');
grant delete on public.whatsapp_campaigns to authenticated;
grant insert (organization_id, name, audience, template_id, content_id, scheduled_for)
on public.whatsapp_campaigns to authenticated;
grant update (name, audience, template_id, content_id, scheduled_for, state) on public.whatsapp_campaigns to authenticated;

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
call herald.tenant_table('whatsapp_campaign_sessions');
grant delete on public.whatsapp_campaign_sessions to authenticated;
grant insert (organization_id, campaign_id, session_id, priority) on public.whatsapp_campaign_sessions to authenticated;
grant update (priority) on public.whatsapp_campaign_sessions to authenticated;

-- A campaign's steps: draft → running ⇄ paused → done or cancelled; what is over stays over.
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
        using errcode = '23514', hint = 'Reload it: its state has changed since you saw it. To send again, copy it.';
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
