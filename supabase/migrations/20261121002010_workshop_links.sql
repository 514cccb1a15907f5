-- Links between workshops and groups, and the messages that follow from them: made on link, cancelled on unlink, moved and
-- re-written with all that they depend on, in the transaction that changes it.

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
comment on column herald.workshop_links.rules_made is 'Rules that have made their task; one that a person deletes stays away.';
comment on column herald.workshop_links.problem is 'What a person was told of by an alert; null: nothing.';
alter table herald.workshop_links enable row level security;

create table herald.workshop_messages (
  message_id uuid primary key references public.scheduled_whatsapp_messages (id) on delete cascade,
  workshop_id uuid not null references herald.workshop_links (workshop_id) on delete cascade,
  message_type text not null,
  generation integer not null,
  scheduled_for timestamptz not null,
  expires_at timestamptz not null,
  body_hash text not null,
  stale boolean not null default false,
  unique (workshop_id, message_type, generation)
);
comment on table herald.workshop_messages is
'Messages that a schedule made, with what it wanted when it last wrote them: a person''s edit stays until that changes.';
comment on column herald.workshop_messages.generation is 'As in the message''s idempotency key.';
comment on column herald.workshop_messages.body_hash is 'MD5 of template, values, text and file: only tells whether they changed.';
comment on column herald.workshop_messages.stale is
'The plan changed while the message was in flight: it is brought up to date if it comes back to the queue.';
create index workshop_messages_stale_idx on herald.workshop_messages (workshop_id) where stale;
alter table herald.workshop_messages enable row level security;

-- == which workshop a group is for ==

-- herald.group_workshop(group) → the one that began less than 6 hours ago, else the next, else the last, else one without
-- a date.
create function herald.group_workshop(p_group uuid) returns uuid
language sql stable set search_path = ''
as $$
  select coalesce(
    (select l.workshop_id from herald.workshop_links as l
      where l.group_id = p_group and l.starts_at <= herald.clock() and l.starts_at > herald.clock() - interval '6 hours'
      order by l.starts_at desc, l.workshop_id limit 1),
    (select l.workshop_id from herald.workshop_links as l
      where l.group_id = p_group and l.starts_at > herald.clock() order by l.starts_at, l.workshop_id limit 1),
    (select l.workshop_id from herald.workshop_links as l
      where l.group_id = p_group order by l.starts_at desc nulls last, l.workshop_id limit 1)
  )
$$;

-- herald.refresh_groups(groups): their workshop, after links or starts have changed. Locks first and looks then, so that of
-- two transactions the second sees what the first has done.
create function herald.refresh_groups(p_groups uuid[]) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform 1 from public.whatsapp_groups as g where g.id = any (p_groups) order by g.id for no key update;
  update public.whatsapp_groups as g set workshop_id = herald.group_workshop(g.id)
  where g.id = any (p_groups) and g.workshop_id is distinct from herald.group_workshop(g.id);
end
$$;

-- == one workshop's messages ==

-- herald.withdraw(messages, why) → how many. Cancels those that are pending; the code tells them from what a person
-- cancelled, and that they may be made again.
create function herald.withdraw(p_messages uuid[], p_why text) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  many integer;
begin
  update public.scheduled_whatsapp_messages as m
  set status = 'cancelled', error_code = 'withdrawn', error_message = p_why
  where m.id = any (p_messages) and m.status = 'pending';
  get diagnostics many = row_count;
  return many;
end
$$;

-- herald.withdraw_schedule(link, why) → how many pending messages of the present link are withdrawn.
create function herald.withdraw_schedule(p_link herald.workshop_links, p_why text) returns integer
language sql volatile set search_path = ''
as $$
  select herald.withdraw(array(
    select k.message_id from herald.workshop_messages as k
    where k.workshop_id = p_link.workshop_id and k.generation >= p_link.since_generation
  ), p_why)
$$;

-- herald.keep_schedule(link, facts' title, values) → {"messages": {type: {"scheduled_for", "message_id"} or {"why_not"}},
-- "problem": what a person must mend}. Brings the messages of the present link to what the plan wants: makes what is
-- missing, moves and re-writes what is pending, withdraws what isn't wanted. What went out, was cancelled by a person or
-- failed stays as it is; what expired gets another chance with a time that is not over.
create function herald.keep_schedule(p_link herald.workshop_links, p_values jsonb) returns jsonb
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  types jsonb := '{}';
  problems text[] := '{}';
  withdrawn integer := 0;
  account uuid;
  hash text;
  retimed boolean;
  reworded boolean;
  made uuid;
  item record;
begin
  select g.session_id into account from public.whatsapp_groups as g where g.id = p_link.group_id;
  for item in
    select coalesce(p.message_type, h.message_type) as type, p.message_type is not null as planned,
      p.scheduled_for, p.expires_at, p.template_id, p.content, p.media_url, p.problem,
      h.message_id, h.status, h.error_code, h.was_for, h.was_until, h.body_hash
    from herald.workshop_plan(p_link.organization_id, p_link.starts_at, p_link.timezone, p_values) as p
    full join (
      select distinct on (k.message_type) k.message_type, k.message_id, k.scheduled_for as was_for,
        k.expires_at as was_until, k.body_hash, m.status, m.error_code
      from herald.workshop_messages as k
      join public.scheduled_whatsapp_messages as m on m.id = k.message_id
      where k.workshop_id = p_link.workshop_id and k.generation >= p_link.since_generation
      order by k.message_type, k.generation desc
    ) as h on h.message_type = p.message_type
    order by 3, 1
  loop
    hash := md5(jsonb_build_array(item.template_id, item.content, item.media_url, p_values)::text);
    if not item.planned or item.problem is not null then
      withdrawn := withdrawn + herald.withdraw(
        array[item.message_id], coalesce(item.problem, 'It is no longer part of the schedule.')
      );
      if item.problem is not null then
        types := types || jsonb_build_object(item.type, jsonb_build_object('why_not', item.problem));
        problems := problems || format('"%s" is not scheduled. %s', item.type, item.problem);
      end if;
      continue;
    end if;
    if item.message_id is null or (item.status = 'cancelled' and item.error_code = 'withdrawn') then
      if item.expires_at <= herald.clock() then
        types := types || jsonb_build_object(item.type, jsonb_build_object(
          'why_not', format('It would be too late: its time was %s.', herald.utc_text(item.scheduled_for))
        ));
        continue;
      end if;
      insert into public.scheduled_whatsapp_messages (
        organization_id, session_id, group_id, workshop_id, message_type, message_content, media_url, media_kind,
        template_id, template_variables, scheduled_for, expires_at, idempotency_key
      ) values (
        p_link.organization_id, account, p_link.group_id, p_link.workshop_id, item.type, item.content, item.media_url,
        herald.media_kind_of(item.media_url), item.template_id, p_values, item.scheduled_for, item.expires_at,
        format('workshop:%s:%s:%s', p_link.workshop_id, item.type, p_link.generation)
      ) on conflict (organization_id, idempotency_key) do nothing returning id into made;
      if made is null then
        types := types || jsonb_build_object(item.type, jsonb_build_object('why_not', 'Its idempotency key is taken.'));
        continue;
      end if;
      insert into herald.workshop_messages values (
        made, p_link.workshop_id, item.type, p_link.generation, item.scheduled_for, item.expires_at, hash
      );
      item.message_id := made;
    elsif (item.was_for, item.was_until, item.body_hash) is distinct from (item.scheduled_for, item.expires_at, hash) then
      if item.status = 'failed' and item.error_code = 'expired' and item.expires_at > herald.clock() then
        update public.scheduled_whatsapp_messages as m set status = 'pending'
        where m.id = item.message_id and m.status = 'failed' and m.error_code = 'expired';
      end if;
      -- Only what the plan changed is written: what a person has set meanwhile stays.
      retimed := (item.was_for, item.was_until) is distinct from (item.scheduled_for, item.expires_at);
      reworded := item.body_hash <> hash;
      update public.scheduled_whatsapp_messages as m
      set scheduled_for = case when retimed then item.scheduled_for else m.scheduled_for end,
        expires_at = case when retimed then item.expires_at else m.expires_at end,
        message_content = case when reworded then item.content else m.message_content end,
        media_url = case when reworded then item.media_url else m.media_url end,
        media_kind = case when reworded then herald.media_kind_of(item.media_url) else m.media_kind end,
        template_id = case when reworded then item.template_id else m.template_id end,
        template_variables = case when reworded then p_values else m.template_variables end
      where m.id = item.message_id and m.status = 'pending';
      if found then
        update herald.workshop_messages as k
        set scheduled_for = item.scheduled_for, expires_at = item.expires_at, body_hash = hash, stale = false
        where k.message_id = item.message_id;
        item.was_for := item.scheduled_for;
      else
        update herald.workshop_messages as k set stale = true where k.message_id = item.message_id and not k.stale;
      end if;
    end if;
    types := types || jsonb_build_object(item.type, jsonb_build_object(
      'scheduled_for', herald.utc_text(coalesce(item.was_for, item.scheduled_for)), 'message_id', item.message_id
    ));
  end loop;
  return jsonb_build_object(
    'messages', types, 'withdrawn', withdrawn, 'problem', nullif(array_to_string(problems, ' '), '')
  );
end
$$;

revoke execute on function
  herald.group_workshop(uuid), herald.refresh_groups(uuid[]), herald.withdraw(uuid[], text),
  herald.withdraw_schedule(herald.workshop_links, text), herald.keep_schedule(herald.workshop_links, jsonb)
from public;
