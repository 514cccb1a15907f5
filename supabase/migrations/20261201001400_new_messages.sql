-- New rows of the queue: account, text and suppression are decided here, the same for every writer (CRM, worker,
-- automation). message_steps.sql says who is a person, and what may change later.

-- == what may not go out, and what makes no sense ==

-- herald.suppression(organisation, contact, phone) → why nothing may be sent to this person, in words; null: it may.
-- Give contact or phone. A person without a row may have been erased after an opt-out. The words are also raised as
-- errors, which Postgres logs, so they contain only the number's last two digits.
create function herald.suppression(p_organization uuid, p_contact uuid, p_phone text) returns text
language plpgsql stable set search_path = ''
as $$
declare
  person record;
begin
  if p_contact is not null then
    select p.phone, p.opted_out_at, p.opted_in_at, true as known into person
    from public.whatsapp_contacts as p where p.organization_id = p_organization and p.id = p_contact;
  else
    select p.phone, p.opted_out_at, p.opted_in_at, true as known into person
    from public.whatsapp_contacts as p where p.organization_id = p_organization and p.phone = p_phone;
  end if;
  if person.opted_out_at is not null then
    return format(
      '%s has opted out on %s: nothing is sent to them until an admin takes that back on their wish.',
      coalesce('…' || right(coalesce(person.phone, p_phone), 2), 'This person'), to_char(person.opted_out_at, 'YYYY-MM-DD')
    );
  end if;
  if person.known is null and exists (
    select 1 from herald.forgotten_opt_outs as f where f.organization_id = p_organization
  ) and exists (
    select 1 from herald.forgotten_opt_outs as f
    where f.organization_id = p_organization and f.phone_hash = herald.phone_hash(p_organization, p_phone)
  ) then
    return format('…%s had opted out before their data was erased: nothing is sent to them.', right(p_phone, 2));
  end if;
  if person.opted_in_at is null and exists (
    select 1 from public.workshop_automation_config as c where c.organization_id = p_organization and c.require_opt_in
  ) then
    return format(
      '%s has not opted in, and this organisation writes only to people who have (require_opt_in).',
      coalesce('…' || right(coalesce(person.phone, p_phone), 2), 'This person')
    );
  end if;
  return null;
end
$$;
revoke execute on function herald.suppression(uuid, uuid, text) from public;

-- herald.payload_problem(payload, text) → what is wrong with it in words, null if nothing. location: latitude,
-- longitude, maybe name and address. contact: name, phone. poll: question, 2 to 12 different options, maybe multiple.
-- reaction: message_id, emoji ('' takes it back). edit: message_id, and the new text. delete: message_id.
create function herald.payload_problem(p_payload jsonb, p_text text) returns text
language sql immutable set search_path = ''
as $$
  select case
    when p_payload ->> 'kind' is null then 'payload needs a kind'
    when p_payload ->> 'kind' in ('reaction', 'edit', 'delete')
      and coalesce(length(p_payload ->> 'message_id'), 0) not between 1 and 200
      then format('a payload of kind %s needs the message_id that it is about', p_payload ->> 'kind')
    else case p_payload ->> 'kind'
      when 'location' then case
        when jsonb_typeof(p_payload -> 'latitude') is distinct from 'number'
          or jsonb_typeof(p_payload -> 'longitude') is distinct from 'number'
          or abs((p_payload ->> 'latitude')::numeric) > 90 or abs((p_payload ->> 'longitude')::numeric) > 180
          then 'a location needs latitude (-90 to 90) and longitude (-180 to 180) as numbers'
      end
      when 'contact' then case
        when coalesce(btrim(p_payload ->> 'name'), '') = ''
          or coalesce(p_payload ->> 'phone', '') !~ '^\+[1-9][0-9]{6,14}$'
          then 'a contact needs a name and a phone like +491701234567'
      end
      when 'poll' then case
        when coalesce(btrim(p_payload ->> 'question'), '') = '' or length(p_payload ->> 'question') > 255
          then 'a poll needs a question of up to 255 characters'
        when jsonb_typeof(p_payload -> 'options') is distinct from 'array' then 'a poll needs a list of options'
        when jsonb_array_length(p_payload -> 'options') not between 2 and 12
          or exists (
            select 1 from jsonb_array_elements(p_payload -> 'options') as o
            where jsonb_typeof(o) <> 'string' or length(o #>> '{}') not between 1 and 100
          )
          or (select count(distinct o) from jsonb_array_elements_text(p_payload -> 'options') as o)
            < jsonb_array_length(p_payload -> 'options')
          then 'a poll needs 2 to 12 different options of up to 100 characters'
      end
      when 'reaction' then case when p_payload ->> 'emoji' is null then 'a reaction needs an emoji' end
      when 'edit' then case when p_text = '' then 'an edit needs the new text in message_content' end
    end
  end
$$;
revoke execute on function herald.payload_problem(jsonb, text) from public;

-- herald.mentions_problem(mentions, to a group?) → what is wrong with them in words, null if nothing.
create function herald.mentions_problem(p_mentions text[], p_group boolean) returns text
language sql immutable set search_path = ''
as $$
  select case
    when p_mentions = '{all}' then case when not p_group then 'only a group has all its members to mention' end
    when array_to_string(p_mentions, ',', '') !~ '^[0-9]{1,20}@(s\.whatsapp\.net|lid)(,[0-9]{1,20}@(s\.whatsapp\.net|lid))*$'
      then 'mentions are JIDs like 491701234567@s.whatsapp.net, or {all}'
  end
$$;
revoke execute on function herald.mentions_problem(text[], boolean) from public;

-- == texts from templates ==

-- herald.known_values(message, names) → values for those of the names that the message itself knows: name,
-- organization, and all of its workshop. It looks up only the names asked for: one query for all cost 300 µs per row of a
-- bulk insert.
create function herald.known_values(m public.scheduled_whatsapp_messages, p_names text[]) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  answer jsonb := '{}';
begin
  if m.workshop_id is not null then
    select herald.workshop_values(
      w.workshop_id, w.organization_id, w.title, herald.possible_date(w.starts_at),
      herald.workshop_zone(w.organization_id, w.timezone)
    ) into answer
    from herald.workshop_facts(m.workshop_id) as w where w.organization_id = m.organization_id;
    answer := coalesce(answer, '{}');
  end if;
  if 'name' = any(p_names) then
    answer := answer || jsonb_build_object('name', coalesce(m.recipient_name, case
      when m.contact_id is not null then (
        select p.display_name from public.whatsapp_contacts as p
        where p.organization_id = m.organization_id and p.id = m.contact_id
      )
      when m.recipient_phone is not null then (
        select p.display_name from public.whatsapp_contacts as p
        where p.organization_id = m.organization_id and p.phone = m.recipient_phone
      )
    end));
  end if;
  if 'organization' = any(p_names) and not answer ? 'organization' then
    answer := answer || jsonb_build_object(
      'organization', (select to_jsonb(o) ->> 'name' from public.organizations as o where o.id = m.organization_id)
    );
  end if;
  return answer;
end
$$;
revoke execute on function herald.known_values(public.scheduled_whatsapp_messages, text[]) from public;

-- herald.message_text(message, template) → the text, filled with the message's own values and those that Herald knows.
-- Raises if placeholders stay empty (and names them), or if the text would be too long.
create function herald.message_text(m public.scheduled_whatsapp_messages, t public.whatsapp_message_templates)
returns text
language plpgsql stable set search_path = ''
as $$
declare
  given jsonb := jsonb_strip_nulls(m.template_variables);
  missing text[];
  answer text;
begin
  if not given ?& t.variables then
    given := herald.known_values(m, t.variables) || given;
    missing := array(select n from unnest(t.variables) as n where given ->> n is null);
    if missing <> '{}' then
      raise exception 'The template "%" needs a value for %.', t.name, array_to_string(missing, ', ')
        using errcode = '23514', hint = 'Give it in template_variables, like {"' || missing[1] || '": "…"}.',
        detail = 'herald:template-value-missing';
    end if;
  end if;
  answer := herald.render(t.content, given);
  if answer is null then
    raise exception 'The text of the message is too long.' using errcode = '23514',
      hint = 'Give shorter values: with them, the template makes more than 65,536 characters.',
      detail = 'herald:message-too-long';
  end if;
  return answer;
end
$$;
revoke execute on function herald.message_text(public.scheduled_whatsapp_messages, public.whatsapp_message_templates)
from public;

-- == a new row ==

-- herald.account_for(message) → the account that sends it: the group's, else one of the campaign's (highest priority; a
-- random one among equals), else the organisation's default. Raises if there is none.
create function herald.account_for(m public.scheduled_whatsapp_messages) returns uuid
language plpgsql volatile set search_path = ''
as $$
declare
  answer uuid;
begin
  if m.organization_id is null then
    return null; -- the column's own rule reports that the organisation is missing
  end if;
  if m.group_id is not null then
    select g.session_id into answer from public.whatsapp_groups as g
    where g.organization_id = m.organization_id and g.id = m.group_id;
    if answer is null then
      raise exception 'This group is not known to the organisation.'
        using errcode = '23503', hint = 'Refresh the groups of your account, or choose another one.',
        detail = 'herald:group-unknown';
    end if;
    return answer;
  end if;
  if m.campaign_id is not null then
    select s.id into answer from public.whatsapp_campaign_sessions as k
    join public.whatsapp_sessions as s on s.id = k.session_id
    where k.organization_id = m.organization_id and k.campaign_id = m.campaign_id and s.enabled
    order by s.desired_state = 'connected' desc, k.priority desc, random() limit 1;
  end if;
  answer := coalesce(answer, herald.default_session(m.organization_id));
  if answer is null then
    raise exception 'This organisation has no WhatsApp account that could send the message.'
      using errcode = '23502', hint = 'Link an account first, or name one in session_id.',
      detail = 'herald:no-account';
  end if;
  return answer;
end
$$;
revoke execute on function herald.account_for(public.scheduled_whatsapp_messages) from public;

-- herald.person_queues: refuses at once what would fail later, so that the person reads why. If a person gives both a
-- text and a template, the text counts and the template is detached. Fires before herald.message_new.
create function herald.person_queues() returns trigger
language plpgsql set search_path = ''
as $$
begin
  -- Row policies are checked after this trigger: without this check, an outsider would see the errors below.
  if new.organization_id not in (select herald.my_admin_organizations()) and not (select herald.is_super_admin()) then
    raise exception 'new row violates row-level security policy for table "scheduled_whatsapp_messages"'
      using errcode = '42501';
  end if;
  if new.expires_at <= herald.clock() then
    raise exception 'This message would expire before it could be sent: expires_at has passed.'
      using errcode = '23514', hint = 'Choose an expires_at that lies ahead, or none.',
      detail = 'herald:message-expired';
  end if;
  if new.message_content <> '' then
    new.template_id := null;
  end if;
  return new;
end
$$;
revoke execute on function herald.person_queues() from public;
create trigger message_by_person before insert on public.scheduled_whatsapp_messages
for each row when (current_user = 'authenticated') execute function herald.person_queues();

-- herald.values_readable: refuses template values that are too large or that no program could read. It checks once, when
-- they are written, not at each step of the message.
create function herald.values_readable() returns trigger
language plpgsql set search_path = ''
as $$
begin
  raise exception 'The template''s values are too large.' using errcode = '23514',
    hint = 'Shorten them to 65,536 characters in all; numbers may have 300 digits, and lists and objects 30 levels.',
    detail = 'herald:variables-too-large';
end
$$;
revoke execute on function herald.values_readable() from public;
create trigger values_readable before insert or update of template_variables on public.scheduled_whatsapp_messages
for each row when (new.template_variables <> '{}' and not herald.is_readable(new.template_variables, 65536))
execute function herald.values_readable();

-- herald.message_new: sets account, text and suppression of a new row. A message that may not go out is kept as failed
-- (suppressed), not refused, so that one person's opt-out doesn't fail a list of ten thousand.
create function herald.message_new() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
  template public.whatsapp_message_templates;
  campaign public.whatsapp_campaigns;
  held text;
begin
  if new.campaign_id is not null then
    select c.* into campaign from public.whatsapp_campaigns as c
    where c.organization_id = new.organization_id and c.id = new.campaign_id;
    if campaign.state in ('done', 'cancelled') then
      raise exception 'The campaign "%" is %: nothing can be added to it.', campaign.name, campaign.state
        using errcode = '23514', hint = 'Make a new campaign, or queue the message without one.',
        detail = 'herald:campaign-ended';
    end if;
    if new.message_content = '' and new.media_url is null and new.payload is null then
      new.template_id := coalesce(new.template_id, campaign.template_id);
    end if;
  end if;
  if new.session_id is null then
    new.session_id := herald.account_for(new);
  end if;
  if new.template_id is not null then
    select t.* into template from public.whatsapp_message_templates as t
    where t.id = new.template_id and (t.organization_id = new.organization_id or t.organization_id is null);
    if template.id is null or not template.is_active then
      raise exception 'There is no active template with this id for the organisation.'
        using errcode = '23503', hint = 'Choose one of its own templates or one of the system''s, and see that it is active.',
        detail = 'herald:template-inactive';
    end if;
    if new.message_content = '' then
      new.message_content := herald.message_text(new, template);
      if new.media_url is null and new.payload is null and template.media_url is not null then
        new.media_url := template.media_url;
        new.media_kind := herald.media_kind_of(template.media_url);
      end if;
    end if;
  end if;
  if new.payload is not null then
    held := coalesce(
      herald.payload_problem(new.payload, new.message_content),
      case when new.media_url is not null then 'a message has either media or a payload' end
    );
  end if;
  if new.mentions is not null then
    held := coalesce(held, herald.mentions_problem(new.mentions, new.group_id is not null));
  end if;
  if held is not null then
    raise exception 'This message makes no sense: %.', held using errcode = '23514', hint = 'Correct it and queue it again.',
      detail = 'herald:message-malformed';
  end if;
  if new.status = 'pending' and new.group_id is null then
    held := herald.suppression(new.organization_id, new.contact_id, new.recipient_phone);
    if held is not null then
      new.status := 'failed';
      new.error_code := 'suppressed';
      new.error_message := held;
    end if;
  end if;
  return new;
end
$$;
revoke execute on function herald.message_new() from public;
create trigger message_new before insert on public.scheduled_whatsapp_messages
for each row execute function herald.message_new();

-- == how often a template was used ==

-- Many organisations use one system template, and a bulk insert is one long transaction: if each updated the template's
-- row, they would all wait for each other. So each statement inserts one row per template, and they are added up later.
create table herald.template_uses (
  id bigint generated always as identity primary key,
  template_id uuid not null references public.whatsapp_message_templates (id) on delete cascade,
  uses integer not null constraint template_uses_are_counted check (uses > 0),
  used_at timestamptz not null
);
create index template_uses_template_id_idx on herald.template_uses (template_id);
comment on table herald.template_uses is 'Uses of templates that are not added up in usage_count yet.';
comment on column herald.template_uses.uses is 'How many messages of one statement.';

alter table herald.template_uses enable row level security;

-- herald.templates_used: notes the templates of a statement's new messages.
create function herald.templates_used() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  insert into herald.template_uses (template_id, uses, used_at)
  select n.template_id, count(*), herald.clock() from arrived as n where n.template_id is not null group by n.template_id;
  return null;
end
$$;
revoke execute on function herald.templates_used() from public;
create trigger templates_used after insert on public.scheduled_whatsapp_messages
referencing new table as arrived for each statement execute function herald.templates_used();

-- herald.count_template_uses() → how many of these rows were added to usage_count and last_used_at. Part of housekeeping.
create function herald.count_template_uses() returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  many integer;
begin
  with noted as (
    delete from herald.template_uses as u
    where u.id in (select x.id from herald.template_uses as x order by x.id limit 10000 for update skip locked)
    returning u.template_id, u.uses, u.used_at
  ), summed as (
    select n.template_id, sum(n.uses) as uses, max(n.used_at) as used_at, count(*) as notes
    from noted as n group by n.template_id
  ), counted as (
    update public.whatsapp_message_templates as t
    set usage_count = t.usage_count + s.uses, last_used_at = greatest(t.last_used_at, s.used_at)
    from summed as s where t.id = s.template_id
  )
  select coalesce(sum(s.notes), 0) into many from summed as s;
  return many;
end
$$;
revoke execute on function herald.count_template_uses() from public;
