-- What is still open lies in a small private table beside the queue, and so do WhatsApp's ids. The queue's own indexes are
-- left with what a step never changes, so that a step writes one row and no index (a heap-only update): with ten million
-- finished rows each step used to touch seven cold index pages.

-- == what is open ==
create table herald.open_messages (
  message_id uuid primary key,
  organization_id uuid not null,
  session_id uuid not null,
  status text not null constraint open_message_is_open check (status in ('pending', 'sending', 'in_doubt')),
  priority smallint not null,
  scheduled_for timestamptz not null,
  next_attempt_at timestamptz,
  expires_at timestamptz,
  group_id uuid,
  campaign_id uuid,
  message_type text not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
comment on table herald.open_messages is
'The messages that are pending, sending or in doubt, as far as the claim looks at them. Kept by triggers of the queue.';
comment on column herald.open_messages.priority is '1 to 10; 10 goes first.';
comment on column herald.open_messages.next_attempt_at is 'Not before, after a failed attempt.';
alter table herald.open_messages enable row level security;
create index open_messages_pending_idx on herald.open_messages (session_id, priority desc, scheduled_for, message_id)
where status = 'pending';
create index open_messages_due_idx on herald.open_messages (session_id, greatest(scheduled_for, next_attempt_at))
where status = 'pending';
create index open_messages_expiring_idx on herald.open_messages (expires_at) where status = 'pending' and expires_at is not null;
create index open_messages_organization_idx on herald.open_messages (organization_id);

-- == WhatsApp's ids ==
create table herald.sent_ids (
  message_id uuid primary key,
  session_id uuid not null,
  wa_message_id text not null
);
comment on table herald.sent_ids is 'Under which id of WhatsApp''s a message went out: what a receipt is about. Kept by triggers.';
comment on column herald.sent_ids.wa_message_id is 'WhatsApp''s id of the message.';
alter table herald.sent_ids enable row level security;
-- A hash, because these ids are random: a tree of ten million of them is 900 MB of cold pages, this 300.
create index sent_ids_wa_message_id_idx on herald.sent_ids using hash (wa_message_id);

-- herald.keep_open(messages): their rows as the queue has them now. Looks again instead of trusting what a trigger was
-- handed: a trigger of a row may have changed the message again meanwhile.
create function herald.keep_open(p_open uuid[], p_final uuid[]) returns void
language plpgsql volatile set search_path = '' set jit = off
as $$
begin
  if p_final is not null then
    delete from herald.open_messages as o
    where o.message_id = any(p_final) and not exists (
      select 1 from public.scheduled_whatsapp_messages as m
      where m.id = o.message_id and m.status in ('pending', 'sending', 'in_doubt')
    );
  end if;
  if p_open is not null then
    insert into herald.open_messages as o (
      message_id, organization_id, session_id, status, priority, scheduled_for, next_attempt_at, expires_at, group_id,
      campaign_id, message_type
    )
    select m.id, m.organization_id, m.session_id, m.status, m.priority, m.scheduled_for, m.next_attempt_at, m.expires_at,
      m.group_id, m.campaign_id, m.message_type
    from public.scheduled_whatsapp_messages as m
    where m.id = any(p_open) and m.status in ('pending', 'sending', 'in_doubt')
    on conflict (message_id) do update
    set status = excluded.status, priority = excluded.priority, scheduled_for = excluded.scheduled_for,
      next_attempt_at = excluded.next_attempt_at, expires_at = excluded.expires_at, campaign_id = excluded.campaign_id,
      message_type = excluded.message_type;
  end if;
end
$$;

-- A statement at a time: a row's trigger would cost a bulk insert as much as the row.
create function herald.messages_arrived() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
begin
  perform herald.keep_open((
    select array_agg(n.id) from arrived as n where n.status in ('pending', 'sending', 'in_doubt')
  ), null);
  insert into herald.sent_ids (message_id, session_id, wa_message_id)
  select n.id, n.session_id, n.wa_message_id from arrived as n where n.wa_message_id is not null;
  return null;
end
$$;
create trigger messages_arrived after insert on public.scheduled_whatsapp_messages
referencing new table as arrived for each statement execute function herald.messages_arrived();

create function herald.messages_moved() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
  open uuid[];
  final uuid[];
  renamed uuid[];
begin
  -- Differences, not a join: nothing is known of how many rows there are, and a loop in a loop is what a join would be.
  select array_agg(d.id) filter (where d.status in ('pending', 'sending', 'in_doubt')),
    array_agg(d.id) filter (where d.status not in ('pending', 'sending', 'in_doubt'))
  into open, final
  from (
    select n.id, n.status, n.priority, n.scheduled_for, n.next_attempt_at, n.expires_at, n.campaign_id, n.message_type
    from after as n
    except all
    select o.id, o.status, o.priority, o.scheduled_for, o.next_attempt_at, o.expires_at, o.campaign_id, o.message_type
    from before as o
  ) as d;
  if open is not null or final is not null then
    perform herald.keep_open(open, final);
  end if;
  select array_agg(d.id) into renamed from (
    select n.id, n.wa_message_id from after as n
    except all
    select o.id, o.wa_message_id from before as o
  ) as d;
  if renamed is not null then
    insert into herald.sent_ids as s (message_id, session_id, wa_message_id)
    select m.id, m.session_id, m.wa_message_id from public.scheduled_whatsapp_messages as m
    where m.id = any(renamed) and m.wa_message_id is not null
    on conflict (message_id) do update set wa_message_id = excluded.wa_message_id;
    delete from herald.sent_ids as s using public.scheduled_whatsapp_messages as m
    where s.message_id = any(renamed) and m.id = s.message_id and m.wa_message_id is null;
  end if;
  return null;
end
$$;
create trigger messages_moved after update on public.scheduled_whatsapp_messages
referencing old table as before new table as after for each statement execute function herald.messages_moved();

create function herald.messages_gone() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
begin
  delete from herald.open_messages as o using before as b where o.message_id = b.id;
  delete from herald.sent_ids as s using before as b where s.message_id = b.id;
  return null;
end
$$;
create trigger messages_gone after delete on public.scheduled_whatsapp_messages
referencing old table as before for each statement execute function herald.messages_gone();

revoke execute on function
  herald.keep_open(uuid[], uuid[]), herald.messages_arrived(), herald.messages_moved(), herald.messages_gone()
from public;

-- == what was there before ==
-- One statement, because the triggers keep what moves meanwhile: nothing may move between the look and the insert.
do $$
begin
  lock table public.scheduled_whatsapp_messages in share row exclusive mode;
  insert into herald.open_messages
  select m.id, m.organization_id, m.session_id, m.status, m.priority, m.scheduled_for, m.next_attempt_at, m.expires_at,
    m.group_id, m.campaign_id, m.message_type
  from public.scheduled_whatsapp_messages as m where m.status in ('pending', 'sending', 'in_doubt')
  on conflict do nothing;
  insert into herald.sent_ids
  select m.id, m.session_id, m.wa_message_id
  from public.scheduled_whatsapp_messages as m where m.wa_message_id is not null
  on conflict do nothing;
end
$$;

-- Ids in order of time (RFC 9562, version 7): the rows of one claim share a leaf of the key's index, instead of a cold page
-- each. An id that a client brings along is as good as before.
alter table public.scheduled_whatsapp_messages alter column id set default encode(
  set_bit(set_bit(
    overlay(
      uuid_send(gen_random_uuid())
      placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6
    ), 52, 1
  ), 53, 1), 'hex'
)::uuid;
