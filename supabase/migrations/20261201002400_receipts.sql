-- Who received a message and who read it: receipts from the worker. For service_role only.

create table public.whatsapp_delivery_logs (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  session_id uuid not null,
  message_id uuid not null references public.scheduled_whatsapp_messages (id) on delete cascade,
  recipient text not null,
  sent_at timestamptz,
  delivered_at timestamptz,
  read_at timestamptz,
  unreadable_at timestamptz,
  failed_at timestamptz,
  error_code text,
  error_message text,
  pricing_category text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (message_id, recipient)
);
create index whatsapp_delivery_logs_age_idx on public.whatsapp_delivery_logs (organization_id, created_at);
comment on table public.whatsapp_delivery_logs is 'One row per message and recipient (JID without device): who has it, who read it.';
comment on column public.whatsapp_delivery_logs.session_id is
'The account that sent it; kept after the account is gone.';
comment on column public.whatsapp_delivery_logs.recipient is 'JID without device.';
comment on column public.whatsapp_delivery_logs.unreadable_at is
'When it was clear that the recipient''s phone can''t read it. A phone that reads it later all the same sets delivered_at.';
comment on column public.whatsapp_delivery_logs.error_code is 'The provider''s code, if it gives one.';
comment on constraint whatsapp_delivery_logs_pkey on public.whatsapp_delivery_logs is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint whatsapp_delivery_logs_message_id_recipient_key on public.whatsapp_delivery_logs is
'A message has one delivery row for each recipient. Leave delivery rows to Herald: it writes them. (herald:herald-writes-it)';
comment on constraint whatsapp_delivery_logs_message_id_fkey on public.whatsapp_delivery_logs is
'There is no such message in the queue. Reload the messages and choose again. (herald:message-unknown)';
comment on constraint whatsapp_delivery_logs_organization_id_fkey on public.whatsapp_delivery_logs is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';

alter table public.whatsapp_delivery_logs enable row level security;
create policy whatsapp_delivery_logs_select on public.whatsapp_delivery_logs for select to authenticated
using (
  (
    organization_id in (select herald.my_organizations())
    and (session_id is null or session_id not in (select herald.my_hidden_sessions()))
  )
  or (select herald.is_super_admin())
);
revoke all on public.whatsapp_delivery_logs from anon, authenticated;
grant select on public.whatsapp_delivery_logs to authenticated;
grant select, insert, update, delete on public.whatsapp_delivery_logs to service_role;
create trigger touch before update on public.whatsapp_delivery_logs for each row execute function herald.touch();
call herald.keep_identity('whatsapp_delivery_logs', '{organization_id, session_id, message_id}');

create table herald.earlier_ids (
  session_id uuid not null,
  wa_message_id text not null,
  message_id uuid not null references public.scheduled_whatsapp_messages (id) on delete cascade,
  primary key (session_id, wa_message_id)
);
create index earlier_ids_message_id_idx on herald.earlier_ids (message_id);
comment on table herald.earlier_ids is
'WhatsApp''s ids of messages that were sent again under a new one: a late receipt may still be about the old one.';
comment on column herald.earlier_ids.wa_message_id is 'WhatsApp''s id under which it went out before.';

alter table herald.earlier_ids enable row level security;

create table herald.early_receipts (
  session_id uuid not null references public.whatsapp_sessions (id) on delete cascade,
  wa_message_id text not null,
  recipient text not null,
  kind text not null,
  at timestamptz not null,
  received_at timestamptz not null,
  primary key (session_id, wa_message_id, recipient, kind)
);
create index early_receipts_received_at_idx on herald.early_receipts (received_at);
comment on table herald.early_receipts is 'Receipts that came before their message was settled; forgotten after a day.';
comment on column herald.early_receipts.wa_message_id is 'WhatsApp''s id of the message that it is about.';

alter table herald.early_receipts enable row level security;

-- herald.matched_receipts(receipts) → the receipts with the message that each is about (null: not known yet).
create function herald.matched_receipts(p_receipts jsonb)
returns table (
  message_id uuid, organization_id uuid, session_id uuid, wa_message_id text, recipient text, kind text, at timestamptz,
  lid text
)
language sql stable set search_path = ''
as $$
  select m.id, m.organization_id, x.session_id, x.wa_message_id, x.recipient, x.kind, x.at, x.lid
  from jsonb_to_recordset(p_receipts)
    as x (session_id uuid, wa_message_id text, recipient text, kind text, at timestamptz, lid text)
  left join lateral (
    select s.message_id from herald.sent_ids as s
    where s.session_id = x.session_id and s.wa_message_id = x.wa_message_id
    union all
    select e.message_id from herald.earlier_ids as e
    where e.session_id = x.session_id and e.wa_message_id = x.wa_message_id
    limit 1
  ) as i on true
  left join public.scheduled_whatsapp_messages as m on m.id = i.message_id and m.status <> 'sending'
$$;
revoke execute on function herald.matched_receipts(jsonb) from public;

-- herald.name_by_number(receipts): if a member of a group confirmed under their LID before their number was known, they stay
-- one recipient: their row gets the number, or is deleted if the number has a row.
create function herald.name_by_number(p_receipts jsonb) returns void
language sql volatile set search_path = '' set jit = off
as $$
  update public.whatsapp_delivery_logs as d set recipient = r.recipient
  from (
    select distinct t.message_id, t.lid, t.recipient from herald.matched_receipts(p_receipts) as t
    where t.lid <> t.recipient and t.message_id is not null
  ) as r
  where d.message_id = r.message_id and d.recipient = r.lid and not exists (
    select 1 from public.whatsapp_delivery_logs as n where n.message_id = r.message_id and n.recipient = r.recipient
  );
  delete from public.whatsapp_delivery_logs as d
  using herald.matched_receipts(p_receipts) as r
  where r.lid <> r.recipient and d.message_id = r.message_id and d.recipient = r.lid;
$$;
revoke execute on function herald.name_by_number(jsonb) from public;

-- herald.apply_receipts(receipts) writes who received a message and who read it. Receipts of unknown messages wait a day
-- for their message to be settled. Any receipt proves that an in_doubt message went out. Forward only, idempotent. The
-- worker sends settles and receipts of a session one after the other, so that no receipt is lost between them;
-- whatsapp_reap applies one that crosses with a settle whose answer was lost.
create function herald.apply_receipts(p_receipts jsonb) returns void
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  confirmed uuid[];
begin
  insert into herald.early_receipts as e (session_id, wa_message_id, recipient, kind, at, received_at)
  select r.session_id, r.wa_message_id, r.recipient, r.kind, r.at, herald.clock()
  from herald.matched_receipts(p_receipts) as r join public.whatsapp_sessions as s on s.id = r.session_id
  where r.message_id is null
  on conflict do nothing;

  -- Calls about the same message take turns, in one order: each counts what the one before it has written.
  perform 1 from public.scheduled_whatsapp_messages as m
  where m.id in (select r.message_id from herald.matched_receipts(p_receipts) as r)
  order by m.id
  for no key update;

  perform herald.heard_late(p_receipts);
  update public.scheduled_whatsapp_messages as m
  set status = 'sent', sent_at = coalesce(m.sent_at, r.at), error_code = null, error_message = null
  from (
    select t.message_id, min(t.at) as at from herald.matched_receipts(p_receipts) as t group by t.message_id
  ) as r
  where m.id = r.message_id and m.status = 'in_doubt';

  perform herald.note_own_phones(p_receipts);
  perform herald.note_unreadable(p_receipts);

  if jsonb_path_exists(p_receipts, '$[*].lid') then
    perform herald.name_by_number(p_receipts);
  end if;
  with logged as (
    insert into public.whatsapp_delivery_logs as d
    (organization_id, session_id, message_id, recipient, sent_at, delivered_at, read_at)
    select r.organization_id, r.session_id, r.message_id, r.recipient, min(m.sent_at), min(r.at),
      min(r.at) filter (where r.kind in ('read', 'played'))
    from herald.matched_receipts(p_receipts) as r
    join public.scheduled_whatsapp_messages as m on m.id = r.message_id
    where r.message_id is not null and r.kind in ('delivered', 'read', 'played')
    group by r.organization_id, r.session_id, r.message_id, r.recipient
    order by r.message_id, r.recipient
    on conflict (message_id, recipient) do update
    set delivered_at = coalesce(d.delivered_at, excluded.delivered_at),
      read_at = coalesce(d.read_at, excluded.read_at)
    returning d.message_id
  )
  select array_agg(distinct l.message_id) into confirmed from logged as l;

  update public.scheduled_whatsapp_messages as m
  set delivered_count = d.delivered, read_count = d.read, unreadable_count = d.unreadable,
    delivered_at = coalesce(m.delivered_at, d.first_delivered), read_at = coalesce(m.read_at, d.first_read),
    status = case
      when m.status in ('sent', 'delivered') and d.read > 0 then 'read'
      when m.status = 'sent' then 'delivered'
      else m.status
    end
  from (
    select l.message_id, count(l.delivered_at)::integer as delivered, count(l.read_at)::integer as read,
      (count(l.unreadable_at) filter (where l.delivered_at is null))::integer as unreadable,
      min(l.delivered_at) as first_delivered, min(l.read_at) as first_read
    from public.whatsapp_delivery_logs as l
    where l.message_id = any(confirmed)
    group by l.message_id
  ) as d
  where m.id = d.message_id and m.status in ('sent', 'delivered', 'read')
    and (m.status = 'sent' or (m.delivered_count, m.read_count) is distinct from (d.delivered, d.read));
end
$$;
revoke execute on function herald.apply_receipts(jsonb) from public;

-- whatsapp_receipts(run, receipts): [{session_id, wa_message_id, recipient, kind, at}]; kind: delivered, read, played,
-- sender, or asks and unreadable (unreadable.sql). lid: optional, of a member of a group who is named by number.
create function public.whatsapp_receipts(p_run uuid, p_receipts jsonb) returns void
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
begin
  if not exists (select 1 from herald.workers as w where w.run_id = p_run) then
    raise exception 'Another process has started under this WORKER_ID.' using errcode = 'HR001',
      hint = 'Stop: give each worker a WORKER_ID of its own.', detail = 'herald:worker-replaced';
  end if;
  perform herald.apply_receipts(p_receipts);
end
$$;
comment on function public.whatsapp_receipts(uuid, jsonb) is
'Receipts as they came: delivered, read, played, the account''s own other device, or a phone that can''t read the message.';
revoke execute on function public.whatsapp_receipts(uuid, jsonb) from public, anon, authenticated;
grant execute on function public.whatsapp_receipts(uuid, jsonb) to service_role;
