-- What follows from a message in the inbox: its conversation's summary, an opt-out by words, the answer to what was sent.
-- A message that comes twice is refused by inbox_message_comes_once before any of it.

-- herald.conversation(session, contact, group) → the conversation of this account with this person or group, made if it is
-- the first message. One of contact and group is given, both of the session's organisation.
create function herald.conversation(p_session uuid, p_contact uuid, p_group uuid) returns uuid
language plpgsql volatile set search_path = ''
as $$
declare
  answer uuid;
begin
  select v.id into answer from public.whatsapp_conversations as v
  where v.session_id = p_session and (v.contact_id = p_contact or v.group_id = p_group);
  if answer is null then
    insert into public.whatsapp_conversations (organization_id, session_id, contact_id, group_id, lead_id)
    select s.organization_id, s.id, p_contact, p_group, (
      select p.lead_id from public.whatsapp_contacts as p where p.organization_id = s.organization_id and p.id = p_contact
    )
    from public.whatsapp_sessions as s where s.id = p_session
    on conflict do nothing;
    -- A new statement, which sees the row of a call that was quicker.
    select v.id into answer from public.whatsapp_conversations as v
    where v.session_id = p_session and (v.contact_id = p_contact or v.group_id = p_group);
  end if;
  return answer;
end
$$;

-- herald.plain_words(text) → in small letters, without punctuation and WhatsApp's marks, single spaces: what opt_out_words
-- are compared by.
create function herald.plain_words(p_text text) returns text
language sql immutable set search_path = ''
as $$
  select btrim(regexp_replace(
    lower(translate(p_text, '.,;:!?¡¿…''"`´„“”‚‘’«»()[]{}<>*_~-–—/\|', '')), '\s+', ' ', 'g'
  ))
$$;

-- herald.opt_out_by_words(contact, text, when) → has the text, one of the organisation's opt_out_words and nothing else,
-- opted them out? Not if they opted in after they wrote it (a history that arrives late).
create function herald.opt_out_by_words(p_contact uuid, p_text text, p_at timestamptz) returns boolean
language plpgsql volatile set search_path = ''
as $$
declare
  said constant text := herald.plain_words(p_text);
begin
  if said = '' or length(said) > 100 then
    return false;
  end if;
  update public.whatsapp_contacts as p
  set opted_out_at = herald.clock(), opt_out_source = left('whatsapp:' || said, 200)
  from public.workshop_automation_config as c
  where p.id = p_contact and c.organization_id = p.organization_id and p.opted_out_at is null
    and (p.opted_in_at is null or p.opted_in_at <= p_at)
    and said in (select herald.plain_words(w) from unnest(c.opt_out_words) as w);
  return found;
end
$$;

-- herald.inbox_message: forward only, so that an older message that arrives late changes no summary. What a person writes in
-- a group is said to the group: it opts nobody out and answers nothing. An answer is credited to the last message that
-- they got from this account within three days before, and to no earlier one.
create function herald.inbox_message() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
  inbound constant boolean := new.direction = 'inbound';
  person uuid;
  number text;
begin
  update public.whatsapp_conversations as v
  set last_message = case when v.last_message_at > new.sent_at then v.last_message
      else left(case when new.content = '' then '[' || new.kind || ']' else new.content end, 500) end,
    last_message_at = greatest(v.last_message_at, new.sent_at),
    last_inbound_at = case when inbound then greatest(v.last_inbound_at, new.sent_at) else v.last_inbound_at end,
    unread_count = v.unread_count + case when inbound then 1 else 0 end
  where v.organization_id = new.organization_id and v.id = new.conversation_id
  returning v.contact_id into person;
  if inbound and person is not null then
    if new.kind = 'text' then
      perform herald.opt_out_by_words(person, new.content, new.sent_at);
    end if;
    select p.phone into number from public.whatsapp_contacts as p where p.id = person;
    -- WhatsApp tells times in whole seconds: an answer may seem to come just before what it answers.
    update public.scheduled_whatsapp_messages as m set responded_at = new.sent_at
    where m.responded_at is null and m.id = (
      select q.id from public.scheduled_whatsapp_messages as q
      where q.organization_id = new.organization_id and q.session_id = new.session_id
        and (q.contact_id = person or q.recipient_phone = number)
        and q.status in ('sent', 'delivered', 'read')
        and q.sent_at >= new.sent_at - interval '3 days' and q.sent_at <= new.sent_at + interval '2 seconds'
      order by q.sent_at desc, q.id limit 1
    );
  end if;
  return null;
end
$$;
create trigger inbox_message after insert on public.whatsapp_messages
for each row execute function herald.inbox_message();

revoke execute on function
  herald.conversation(uuid, uuid, uuid), herald.plain_words(text), herald.opt_out_by_words(uuid, text, timestamptz),
  herald.inbox_message()
from public;
