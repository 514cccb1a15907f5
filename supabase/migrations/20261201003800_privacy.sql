-- Privacy: erasing a person, and retention: what is too old is redacted or removed, a batch at a time.
-- Redacted means: the row stays for the statistics (when, from which account, with what result), the text is removed; for
-- an erased person also who it was. For users: docs/privacy.md.

-- == rows without their text ==

-- herald.redact_messages(messages): removes the text and keeps the recipient.
create function herald.redact_messages(p_messages uuid[]) returns void
language sql volatile set search_path = '' set jit = off
as $$
  update public.scheduled_whatsapp_messages as m
  set message_content = '[redacted]', media_url = null, media_kind = null, payload = null, template_variables = '{}',
    mentions = null, redacted_at = coalesce(m.redacted_at, herald.clock())
  where m.id = any(p_messages)
$$;
revoke execute on function herald.redact_messages(uuid[]) from public;

-- herald.message_gone: a redacted message is not sent again, and one that was on its way while its recipient was erased
-- does not come back into the queue.
create function herald.message_gone() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if old.status = 'failed' then
    raise exception 'The text of this message was removed on %: it can''t be sent again.', old.redacted_at::date
      using errcode = '23514', hint = 'Schedule a new message instead.', detail = 'herald:message-redacted';
  end if;
  if old.redacted_at is not null or exists (select 1 from herald.erasures as e where e.message_id = old.id) then
    new.status := 'failed';
    new.error_code := 'erased';
    new.error_message := null;
  end if;
  return new;
end
$$;
revoke execute on function herald.message_gone() from public;
create trigger message_redacted before update on public.scheduled_whatsapp_messages
for each row when (
  new.status = 'pending' and (old.status = 'sending' or old.redacted_at is not null)
) execute function herald.message_gone();

-- herald.erase_messages(messages): also removes the recipient. Pending messages are cancelled. WhatsApp's id is replaced,
-- so that no later receipt brings the recipient back.
create function herald.erase_messages(p_messages uuid[]) returns void
language plpgsql volatile set search_path = '' set jit = off
as $$
begin
  update public.scheduled_whatsapp_messages as m
  set status = case m.status when 'pending' then 'cancelled' when 'in_doubt' then 'failed' else m.status end,
    error_code = case when m.status in ('pending', 'in_doubt') then 'erased' else m.error_code end,
    message_content = '[redacted]', media_url = null, media_kind = null, payload = null, template_variables = '{}',
    mentions = null, redacted_at = coalesce(m.redacted_at, herald.clock()),
    recipient_phone = null, recipient_name = null, contact_id = null, idempotency_key = null, error_message = null,
    quoted_message_id = null, wa_message_id = case when m.wa_message_id is not null then 'erased:' || m.id end
  where m.id = any(p_messages);
  update public.whatsapp_delivery_logs as d set recipient = 'erased:' || d.id, error_message = null
  where d.message_id = any(p_messages);
end
$$;
revoke execute on function herald.erase_messages(uuid[]) from public;

-- herald.contact_removed: an admin deletes a contact. Messages to it are erased like those of an erased person: pending
-- ones are cancelled, and the rest stays for the statistics.
create function herald.contact_removed() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if exists (select 1 from public.organizations as o where o.id = old.organization_id) then
    if exists (
      select 1 from public.scheduled_whatsapp_messages as m
      where m.organization_id = old.organization_id and m.contact_id = old.id and m.status = 'sending'
    ) then
      raise exception 'A message to this contact is on its way right now.'
        using errcode = '23503', hint = 'Delete the contact again in a moment.', detail = 'herald:contact-in-flight';
    end if;
    perform herald.erase_messages(array(
      select m.id from public.scheduled_whatsapp_messages as m
      where m.organization_id = old.organization_id and m.contact_id = old.id
    ));
  end if;
  return old;
end
$$;
revoke execute on function herald.contact_removed() from public;
create trigger contact_removed before delete on public.whatsapp_contacts
for each row execute function herald.contact_removed();

-- == erasing a person ==

create table herald.erasures (
  message_id uuid primary key references public.scheduled_whatsapp_messages (id) on delete cascade,
  organization_id uuid not null references public.organizations (id) on delete cascade,
  contact_id uuid
);
create index erasures_organization_id_idx on herald.erasures (organization_id);
comment on table herald.erasures is
'Messages that were on their way while their recipient was erased: they are erased once they are settled.';
comment on column herald.erasures.contact_id is 'The recipient''s contact, emptied, which goes with the last such message.';

alter table herald.erasures enable row level security;

-- herald.apply_erasures() → how many messages it erased that were on their way before. Part of housekeeping.
create function herald.apply_erasures() returns integer
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  settled uuid[];
  contacts uuid[];
begin
  with done as (
    delete from herald.erasures as e using public.scheduled_whatsapp_messages as m
    where m.id = e.message_id and m.status <> 'sending'
    returning e.message_id, e.contact_id
  )
  select array_agg(d.message_id), array_agg(d.contact_id) into settled, contacts from done as d;
  if settled is null then
    return 0;
  end if;
  perform herald.erase_messages(settled);
  delete from public.whatsapp_contacts as p
  where p.id = any(contacts) and not exists (select 1 from herald.erasures as e where e.contact_id = p.id);
  return cardinality(settled);
end
$$;
revoke execute on function herald.apply_erasures() from public;

-- herald.erase_from_groups(organisation, contacts, names) → how many rows. Redacts what the person wrote in groups, and
-- removes their name from others' messages and receipts. names: JID and LIDs.
create function herald.erase_from_groups(p_organization uuid, p_contacts uuid[], p_names text[]) returns integer
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  written integer;
  named integer;
  confirmed integer;
  mention text := (select '@(' || string_agg(split_part(n, '@', 1), '|') || ')\M' from unnest(p_names) as n);
begin
  with redacted as (
    update public.whatsapp_messages as w
    set content = '[redacted]', media_url = null, media_kind = null, quoted_message_id = null, sender = null,
      sender_contact_id = null, redacted_at = coalesce(w.redacted_at, herald.clock())
    where w.organization_id = p_organization and (w.sender_contact_id = any(p_contacts) or w.sender = any(p_names))
    returning w.conversation_id, w.sent_at
  ), shown as (
    update public.whatsapp_conversations as v set last_message = null
    from redacted as r where v.id = r.conversation_id and v.last_message_at = r.sent_at
  )
  select count(*) into written from redacted;
  update public.scheduled_whatsapp_messages as m
  set mentions = nullif(array(select j from unnest(m.mentions) as j where j <> all(p_names)), '{}'),
    message_content = regexp_replace(m.message_content, mention, '@…', 'g')
  where m.organization_id = p_organization and m.group_id is not null and m.mentions && p_names;
  get diagnostics named = row_count;
  update public.whatsapp_delivery_logs as d set recipient = 'erased:' || d.id, error_message = null
  from public.whatsapp_group_members as g
  join public.scheduled_whatsapp_messages as m on m.organization_id = p_organization and m.group_id = g.group_id
  where g.organization_id = p_organization and g.contact_id = any(p_contacts)
    and d.message_id = m.id and d.recipient = any(p_names);
  get diagnostics confirmed = row_count;
  return written + named + confirmed;
end
$$;
revoke execute on function herald.erase_from_groups(uuid, uuid[], text[]) from public;

-- whatsapp_erase_contact(organisation, phone) → {"contacts", "messages", "in_flight", "conversations", "groups",
-- "events"}: how many of each. For admins of the organisation, super admins and service_role. Only a keyed hash of the
-- number stays, and only after an opt-out. Requests to accounts name people, so they are deleted too. Can be called again.
-- Messages on their way are erased once they are settled.
create function public.whatsapp_erase_contact(p_organization uuid, p_phone text) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  address text := substr(p_phone, 2) || '@s.whatsapp.net';
  names text[];
  people uuid[];
  messages uuid[];
  flying uuid[];
  answer jsonb;
  gone integer;
begin
  if p_organization is null then
    raise exception 'Which organisation''s data? p_organization is missing.' using errcode = '22023',
      hint = 'Set p_organization to the id of the organisation.', detail = 'herald:organization-not-named';
  end if;
  if (select auth.role()) in ('authenticated', 'anon')
    and p_organization not in (select herald.my_admin_organizations()) and not (select herald.is_super_admin()) then
    raise exception 'Only an admin of the organisation may erase a person''s data.' using errcode = '42501',
      hint = 'Ask an owner or admin of the organisation.', detail = 'herald:erasure-by-admin';
  end if;
  if p_phone is null or p_phone !~ '^\+[1-9][0-9]{6,14}$' then
    raise exception 'A phone number with country code is needed.' using errcode = '22023',
      hint = 'Write it like +491701234567.', detail = 'herald:phone-needed';
  end if;
  select coalesce(array_agg(c.id), '{}'), array_agg(distinct c.lid) filter (where c.lid is not null) || address
  into people, names
  from (
    select p.id, p.lid from public.whatsapp_contacts as p
    where p.organization_id = p_organization and (p.phone = p_phone or p.jid = address) for update
  ) as c;

  select coalesce(array_agg(m.id) filter (where m.status <> 'sending'), '{}'),
    coalesce(array_agg(m.id) filter (where m.status = 'sending'), '{}')
  into messages, flying
  from (
    select q.id, q.status from public.scheduled_whatsapp_messages as q
    where q.organization_id = p_organization and (q.recipient_phone = p_phone or q.contact_id = any(people))
    order by q.id for update
  ) as m;
  insert into herald.erasures (message_id, organization_id, contact_id)
  select q.id, q.organization_id, q.contact_id from public.scheduled_whatsapp_messages as q where q.id = any(flying)
  on conflict do nothing;
  perform herald.erase_messages(messages);

  answer := jsonb_build_object(
    'messages', cardinality(messages), 'in_flight', cardinality(flying), 'contacts', cardinality(people),
    'groups', herald.erase_from_groups(p_organization, people, names)
  );
  delete from public.whatsapp_conversations as v where v.organization_id = p_organization and v.contact_id = any(people);
  get diagnostics gone = row_count;
  answer := answer || jsonb_build_object('conversations', gone);
  delete from public.whatsapp_webhook_events as e
  where e.organization_id = p_organization and e.processed_at is not null
    and strpos(e.payload::text, substr(p_phone, 2)) > 0;
  get diagnostics gone = row_count;
  answer := answer || jsonb_build_object('events', gone);
  delete from herald.early_receipts as r using public.whatsapp_sessions as s
  where s.organization_id = p_organization and r.session_id = s.id and r.recipient = any(names);
  delete from herald.cloud_pairs as r using public.whatsapp_sessions as s
  where s.organization_id = p_organization and r.session_id = s.id and r.recipient = any(names || p_phone);

  -- The worker may still be carrying one out; its answer then finds no row.
  delete from public.whatsapp_commands as c
  where c.organization_id = p_organization and exists (
    select 1 from unnest(names || p_phone) as n
    where strpos(c.arguments::text, to_json(n)::text) > 0 or strpos(c.result::text, to_json(n)::text) > 0
  );
  delete from public.whatsapp_group_members as g where g.organization_id = p_organization and g.contact_id = any(people);
  delete from public.whatsapp_contacts as p
  where p.id = any(people) and not exists (select 1 from herald.erasures as e where e.contact_id = p.id);
  update public.whatsapp_contacts as p
  set display_name = null, lead_id = null, persona = null, engagement_score = null, attributes = '{}', opt_in_source = null
  where p.id = any(people);
  insert into public.whatsapp_audit_logs (organization_id, event_type, event_data)
  values (p_organization, 'contact.erased', answer || jsonb_build_object(
    'phone_hash', encode(herald.phone_hash(p_organization, p_phone), 'hex')
  ));
  return answer;
end
$$;
comment on function public.whatsapp_erase_contact(uuid, text) is
'For admins: removes all that is known of the person with this number (E.164), and returns how many rows of each kind.';
revoke execute on function public.whatsapp_erase_contact(uuid, text) from public, anon;
grant execute on function public.whatsapp_erase_contact(uuid, text) to authenticated, service_role;

-- == retention ==

-- herald.apply_retention(limit) → how many rows it redacted or removed, at most limit per call. Each kind gets its
-- share of the limit, then what others didn't need. Texts: after the organisation's retention_days. Delivery logs:
-- after log_retention_days, audit rows after four times that. Webhook events: 30 days after they were processed.
create function herald.apply_retention(p_limit integer default 1000) returns integer
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  moment constant timestamptz := herald.clock();
  kinds constant text[] := array['messages', 'inbox', 'conversations', 'deliveries', 'audit', 'events'];
  kind text;
  share integer;
  found uuid[];
  total integer := 0;
begin
  for turn in 1..2 * cardinality(kinds) loop
    kind := kinds[(turn - 1) % cardinality(kinds) + 1];
    share := (p_limit - total) / greatest(cardinality(kinds) - turn + 1, 1);
    exit when total >= p_limit or turn > cardinality(kinds) and total = 0;
    case kind
      when 'messages' then
        select array_agg(d.id) into found from (
          select q.id from public.workshop_automation_config as c cross join lateral (
            select m.id from public.scheduled_whatsapp_messages as m
            where m.organization_id = c.organization_id and m.redacted_at is null
              and m.status not in ('pending', 'sending')
              and m.scheduled_for < moment - make_interval(days => c.retention_days)
            order by m.scheduled_for limit share for update skip locked
          ) as q
          where c.retention_days is not null limit share
        ) as d;
        perform herald.redact_messages(found);
      when 'inbox' then
        select array_agg(d.id) into found from (
          select q.id from public.workshop_automation_config as c cross join lateral (
            select w.id from public.whatsapp_messages as w
            where w.organization_id = c.organization_id and w.redacted_at is null
              and w.sent_at < moment - make_interval(days => c.retention_days)
            order by w.sent_at limit share for update skip locked
          ) as q
          where c.retention_days is not null limit share
        ) as d;
        update public.whatsapp_messages as w
        set content = '[redacted]', media_url = null, media_kind = null, redacted_at = moment where w.id = any(found);
      when 'conversations' then
        select array_agg(d.id) into found from (
          select q.id from public.workshop_automation_config as c cross join lateral (
            select v.id from public.whatsapp_conversations as v
            where v.organization_id = c.organization_id and v.last_message is not null
              and v.last_message_at < moment - make_interval(days => c.retention_days)
            order by v.last_message_at limit share for update skip locked
          ) as q
          where c.retention_days is not null limit share
        ) as d;
        update public.whatsapp_conversations as v set last_message = null where v.id = any(found);
      when 'deliveries' then
        select array_agg(d.id) into found from (
          select q.id from public.workshop_automation_config as c cross join lateral (
            select l.id from public.whatsapp_delivery_logs as l
            where l.organization_id = c.organization_id
              and l.created_at < moment - make_interval(days => c.log_retention_days)
            order by l.created_at limit share for update skip locked
          ) as q
          limit share
        ) as d;
        delete from public.whatsapp_delivery_logs as l where l.id = any(found);
      when 'audit' then
        select array_agg(d.id) into found from (
          select q.id from public.workshop_automation_config as c cross join lateral (
            select a.id from public.whatsapp_audit_logs as a
            where a.organization_id = c.organization_id
              and a.created_at < moment - make_interval(days => 4 * c.log_retention_days)
            order by a.created_at limit share
          ) as q
          limit share
        ) as d;
        delete from public.whatsapp_audit_logs as a where a.id = any(found);
      when 'events' then
        select array_agg(d.id) into found from (
          select e.id from public.whatsapp_webhook_events as e
          where e.processed_at < moment - interval '30 days'
          order by e.processed_at limit share for update skip locked
        ) as d;
        delete from public.whatsapp_webhook_events as e where e.id = any(found);
    end case;
    total := total + coalesce(cardinality(found), 0);
  end loop;
  return total;
end
$$;
revoke execute on function herald.apply_retention(integer) from public;
