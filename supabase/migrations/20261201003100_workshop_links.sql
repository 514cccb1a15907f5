-- Links between workshops and groups, and the messages that follow from them: made on link, cancelled on unlink, moved
-- and rewritten in the same transaction that changes what they depend on.

create table herald.workshop_links (
  workshop_id uuid primary key,
  organization_id uuid not null,
  group_id uuid,
  linked_at timestamptz,
  generation integer not null default 0,
  since_generation integer not null default 0,
  starts_at timestamptz,
  timezone text,
  rules_made text[] not null default '{}',
  problem text,
  obstacle text,
  acted_on text,
  foreign key (organization_id, workshop_id) references public.workshops (organization_id, id) on delete cascade
);
create index workshop_links_organization_idx on herald.workshop_links (organization_id, workshop_id);
create index workshop_links_group_idx on herald.workshop_links (group_id, starts_at) where group_id is not null;
create index workshop_links_problem_idx on herald.workshop_links (organization_id) where problem is not null;
create index workshop_links_started_idx on herald.workshop_links (starts_at) where group_id is not null;
comment on table herald.workshop_links is
'What Herald knows of each workshop since it was made or linked: the group, and the facts that it last acted on.';
comment on column herald.workshop_links.generation is
'Part of new messages'' idempotency keys: one more with each link, and when messages were withdrawn.';
comment on column herald.workshop_links.since_generation is 'The generation with which the present link began.';
comment on column herald.workshop_links.rules_made is
'Rules that have made their task; one that a person deletes stays away.';
comment on column herald.workshop_links.problem is 'The problem that an open alert reports; null: none.';
comment on column herald.workshop_links.obstacle is 'Why nothing at all is scheduled; null: nothing is in the way.';
comment on column herald.workshop_links.acted_on is
'MD5 of all that the workshop says: what it was when it was acted on.';

alter table herald.workshop_links enable row level security;

create table herald.workshop_messages (
  message_id uuid primary key references public.scheduled_whatsapp_messages (id) on delete cascade,
  workshop_id uuid not null references herald.workshop_links (workshop_id) on delete cascade,
  message_type text not null,
  generation integer not null,
  scheduled_for timestamptz not null,
  expires_at timestamptz not null,
  plan_hash text not null,
  body_hash text not null,
  stale boolean not null default false,
  unique (workshop_id, message_type, generation)
);
create index workshop_messages_stale_idx on herald.workshop_messages (workshop_id) where stale;
comment on table herald.workshop_messages is
'Messages that a schedule made, with what it wanted when it last wrote them: a person''s edit stays until then.';
comment on column herald.workshop_messages.generation is 'As in the message''s idempotency key.';
comment on column herald.workshop_messages.plan_hash is 'MD5 of template, values, text and file: has the plan changed?';
comment on column herald.workshop_messages.body_hash is 'MD5 of text and file as written: has a person changed them?';
comment on column herald.workshop_messages.stale is
'The plan changed while the message was in flight: it is brought up to date if it comes back to the queue.';

alter table herald.workshop_messages enable row level security;

-- == which workshop a group is for ==

-- herald.group_workshop(group) → the one that began less than 6 hours ago, else the next, else the last, else one
-- without a date.
create function herald.group_workshop(p_group uuid) returns uuid
language plpgsql stable set search_path = ''
as $$
declare
  moment constant timestamptz := herald.clock();
begin
  return coalesce(
    (select l.workshop_id from herald.workshop_links as l
      where l.group_id = p_group and l.starts_at <= moment and l.starts_at > moment - interval '6 hours'
      order by l.starts_at desc, l.workshop_id limit 1),
    (select l.workshop_id from herald.workshop_links as l
      where l.group_id = p_group and l.starts_at > moment order by l.starts_at, l.workshop_id limit 1),
    (select l.workshop_id from herald.workshop_links as l
      where l.group_id = p_group order by l.starts_at desc nulls last, l.workshop_id limit 1)
  );
end
$$;
revoke execute on function herald.group_workshop(uuid) from public;

-- herald.refresh_groups(groups): updates their workshop after links or starts have changed. It locks before it looks, so
-- that the second of two transactions sees what the first has done.
create function herald.refresh_groups(p_groups uuid[]) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform 1 from public.whatsapp_groups as g where g.id = any (p_groups) order by g.id for no key update;
  update public.whatsapp_groups as g set workshop_id = herald.group_workshop(g.id)
  where g.id = any (p_groups) and g.workshop_id is distinct from herald.group_workshop(g.id);
end
$$;
revoke execute on function herald.refresh_groups(uuid[]) from public;

-- == one workshop's messages ==

-- For each message type, what the plan wants and what exists. A named type, because plpgsql plans anew for a bare record.
create type herald.schedule_item as (
  type text, planned boolean, scheduled_for timestamptz, expires_at timestamptz, late boolean, template_id uuid,
  content text, media_url text, plan_hash text, problem text, message_id uuid, by_hand boolean, open boolean,
  expired boolean, to_make boolean, retimed boolean, reworded boolean
);

-- herald.withdraw(messages, why) → how many. Cancels those that are pending. The error code distinguishes them from what
-- a person cancelled: they may be made again. What is in flight is set to expire, in case it comes back to the queue.
-- One by one: the connection keeps a plan for a set, made while the queue was small, and would later read all of it.
create function herald.withdraw(p_messages uuid[], p_why text) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  moment constant timestamptz := herald.clock();
  message uuid;
  over timestamptz;
  many integer := 0;
begin
  foreach message in array p_messages loop
    update public.scheduled_whatsapp_messages as m
    set status = 'cancelled', error_code = 'withdrawn', error_message = p_why
    where m.id = message and m.status = 'pending';
    if found then
      many := many + 1;
      continue;
    end if;
    update public.scheduled_whatsapp_messages as m
    set expires_at = greatest(moment, m.scheduled_for + interval '1 microsecond')
    where m.id = message and m.status in ('sending', 'in_doubt')
    returning m.expires_at into over;
    if found then
      update herald.workshop_messages as k set expires_at = over, stale = true where k.message_id = message;
    end if;
  end loop;
  return many;
end
$$;
revoke execute on function herald.withdraw(uuid[], text) from public;

-- herald.withdraw_schedule(link, why) → how many pending messages of the present link are withdrawn.
create function herald.withdraw_schedule(p_link herald.workshop_links, p_why text) returns integer
language plpgsql volatile set search_path = ''
as $$
begin
  return herald.withdraw(array(
    select k.message_id from herald.workshop_messages as k
    where k.workshop_id = p_link.workshop_id and k.generation >= p_link.since_generation
  ), p_why);
end
$$;
revoke execute on function herald.withdraw_schedule(herald.workshop_links, text) from public;

-- herald.body_hash(text, file) → a hash that shows whether a person has changed them.
create function herald.body_hash(p_content text, p_media_url text) returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return md5(jsonb_build_array(p_content, p_media_url)::text);
end
$$;
revoke execute on function herald.body_hash(text, text) from public;

-- herald.make_messages(link, values, rows) makes the messages whose idempotency key is free. Rows: keep_schedule's items.
create function herald.make_messages(p_link herald.workshop_links, p_values jsonb, p_rows jsonb) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  with wanted as (
    select * from jsonb_to_recordset(p_rows) as r (
      type text, scheduled_for timestamptz, expires_at timestamptz, template_id uuid, content text, media_url text,
      plan_hash text
    )
  ), made as (
    insert into public.scheduled_whatsapp_messages (
      organization_id, session_id, group_id, workshop_id, message_type, message_content, media_url, media_kind,
      template_id, template_variables, scheduled_for, expires_at, idempotency_key
    )
    select
      p_link.organization_id, g.session_id, g.id, p_link.workshop_id, w.type, w.content, w.media_url,
      herald.media_kind_of(w.media_url), w.template_id, p_values, w.scheduled_for, w.expires_at,
      format('workshop:%s:%s:%s', p_link.workshop_id, w.type, p_link.generation)
    from wanted as w
    join public.whatsapp_groups as g on g.id = p_link.group_id
    on conflict (organization_id, idempotency_key) do nothing
    returning id, message_type
  )
  insert into herald.workshop_messages (
    message_id, workshop_id, message_type, generation, scheduled_for, expires_at, plan_hash, body_hash
  )
  select m.id, p_link.workshop_id, w.type, p_link.generation, w.scheduled_for, w.expires_at, w.plan_hash,
    herald.body_hash(w.content, w.media_url)
  from made as m
  join wanted as w on w.type = m.message_type;
end
$$;
revoke execute on function herald.make_messages(herald.workshop_links, jsonb, jsonb) from public;

-- herald.change_message(values, item) moves and rewrites a message that is pending, fails it if its new time has passed,
-- and makes it pending again if it had expired. It writes only what the plan changed: what a person has set meanwhile
-- stays. A message in flight is marked as stale.
create function herald.change_message(p_values jsonb, p_item herald.schedule_item) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  reword constant boolean := p_item.reworded and not p_item.by_hand;
  over constant boolean := p_item.retimed and p_item.late;
begin
  if p_item.expired and not p_item.late then
    update public.scheduled_whatsapp_messages as m set status = 'pending'
    where m.id = p_item.message_id and m.status = 'failed' and m.error_code = 'expired';
  end if;
  update public.scheduled_whatsapp_messages as m
  set scheduled_for = case when p_item.retimed then p_item.scheduled_for else m.scheduled_for end,
    expires_at = case when p_item.retimed then p_item.expires_at else m.expires_at end,
    message_content = case when reword then p_item.content else m.message_content end,
    media_url = case when reword then p_item.media_url else m.media_url end,
    media_kind = case when reword then herald.media_kind_of(p_item.media_url) else m.media_kind end,
    template_id = case when reword then p_item.template_id else m.template_id end,
    template_variables = case when reword then p_values else m.template_variables end,
    status = case when over then 'failed' else m.status end,
    error_code = case when over then 'expired' else m.error_code end,
    error_message = case when over then 'Its time had passed before it could be sent.' else m.error_message end
  where m.id = p_item.message_id and m.status = 'pending';
  if found then
    update herald.workshop_messages as k
    set scheduled_for = p_item.scheduled_for, expires_at = p_item.expires_at, plan_hash = p_item.plan_hash,
      stale = false,
      body_hash = case when reword then herald.body_hash(p_item.content, p_item.media_url) else k.body_hash end
    where k.message_id = p_item.message_id;
  else
    update herald.workshop_messages as k set stale = true where k.message_id = p_item.message_id and not k.stale;
  end if;
end
$$;
revoke execute on function herald.change_message(jsonb, herald.schedule_item) from public;

-- herald.keep_schedule(link, values) → {"messages": {type: {"scheduled_for", "message_id"} or {"why_not"}},
-- "withdrawn": how many, "problem": what a person must fix}. Makes the messages of the present link match the plan: adds
-- what is missing, changes what is pending, withdraws what isn't wanted. Leaves alone what went out, failed or was
-- cancelled by a person, and any text that a person wrote.
create function herald.keep_schedule(p_link herald.workshop_links, p_values jsonb) returns jsonb
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  moment constant timestamptz := herald.clock();
  item herald.schedule_item;
  why_not text;
  types jsonb := '{}';
  kept text[] := '{}';
  fresh jsonb := '[]';
  problems text[] := '{}';
  withdrawn integer := 0;
begin
  for item in
    select coalesce(p.message_type, h.message_type) as type, p.message_type is not null as planned,
      p.scheduled_for, p.expires_at, p.expires_at <= moment as late, p.template_id, p.content, p.media_url, p.plan_hash,
      case when h.by_hand is not true then p.problem end as problem,
      h.message_id, h.by_hand is true as by_hand, h.open is true as open, h.expired is true as expired,
      (h.message_id is null or h.withdrawn) as to_make,
      (h.was_for, h.was_until) is distinct from (p.scheduled_for, p.expires_at) as retimed,
      h.plan_hash is distinct from p.plan_hash as reworded
    from (
      select w.*, md5(jsonb_build_array(w.template_id, w.content, w.media_url, p_values)::text) as plan_hash
      from herald.workshop_plan(p_link.organization_id, p_link.starts_at, p_link.timezone, p_values) as w
    ) as p
    full join (
      select distinct on (k.message_type) k.message_type, k.message_id, k.scheduled_for as was_for,
        k.expires_at as was_until, k.plan_hash, m.status in ('pending', 'sending', 'in_doubt') as open,
        m.status = 'cancelled' and m.error_code is not distinct from 'withdrawn' as withdrawn,
        m.status = 'failed' and m.error_code = 'expired' as expired,
        m.status = 'pending' and k.body_hash <> herald.body_hash(m.message_content, m.media_url) as by_hand
      from herald.workshop_messages as k
      join public.scheduled_whatsapp_messages as m on m.id = k.message_id
      where k.workshop_id = p_link.workshop_id and k.generation >= p_link.since_generation
      order by k.message_type, k.generation desc
    ) as h on h.message_type = p.message_type
  loop
    why_not := case
      when not item.planned then 'It is no longer part of the schedule.'
      when item.problem is not null then item.problem
      when item.to_make and item.late
        then format('It would be too late: its time was %s.', herald.utc_text(item.scheduled_for))
    end;
    if why_not is not null then
      if item.open then
        withdrawn := withdrawn + herald.withdraw(array[item.message_id], why_not);
      end if;
      if item.planned then
        types := types || jsonb_build_object(item.type, jsonb_build_object('why_not', why_not));
      end if;
      if item.problem is not null then
        problems := problems || format('"%s" is not scheduled. %s', item.type, item.problem);
      end if;
    else
      kept := kept || item.type;
      if item.to_make then
        fresh := fresh || to_jsonb(item);
      elsif item.retimed or item.reworded then
        perform herald.change_message(p_values, item);
      end if;
    end if;
  end loop;

  if fresh <> '[]' then
    perform herald.make_messages(p_link, p_values, fresh);
  end if;
  select types || coalesce(jsonb_object_agg(n.type, case
    when k.message_id is null then '{"why_not": "Its idempotency key is taken by another message."}'
    else jsonb_build_object('scheduled_for', herald.utc_text(k.scheduled_for), 'message_id', k.message_id)
  end), '{}') into types
  from unnest(kept) as n (type)
  left join lateral (
    select l.message_id, l.scheduled_for from herald.workshop_messages as l
    where l.workshop_id = p_link.workshop_id and l.message_type = n.type and l.generation >= p_link.since_generation
    order by l.generation desc limit 1
  ) as k on true;
  return jsonb_build_object(
    'messages', types, 'withdrawn', withdrawn,
    'problem', (select string_agg(x, ' ' order by x) from unnest(problems) as x)
  );
end
$$;
revoke execute on function herald.keep_schedule(herald.workshop_links, jsonb) from public;
