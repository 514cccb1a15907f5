-- "Queue these recipients": one message each, from a template, about an event. People call it through the edge function
-- queue-whatsapp or directly. It runs with the caller's own rights, so row policies and the queue's rules apply as to any
-- insert.

-- herald.named_recipients(organisation, recipients, key, by values) → the people whom a list of phones and objects means,
-- in its order. problem: what is wrong with the entry; again: the person is in the list already. key: the person's
-- idempotency key; by values: their own values are part of it.
create function herald.named_recipients(p_organization uuid, p_recipients jsonb, p_key text, p_by_values boolean)
returns table (
  place integer, phone text, contact_id uuid, name text, variables jsonb, key text, problem text, again boolean
)
language sql stable set search_path = '' set jit = off
as $$
  with given as (
    select r.place::integer - 1 as place, case when jsonb_typeof(r.said) = 'object' then r.said end as detailed,
      case when jsonb_typeof(r.said) = 'string' then r.said #>> '{}' else r.said ->> 'phone' end as written,
      lower(r.said ->> 'contactId') as contact
    from jsonb_array_elements(p_recipients) with ordinality as r (said, place)
  ), meant as (
    select g.place, g.detailed, c.id as contact_id,
      coalesce(c.phone, regexp_replace(regexp_replace(g.written, '[\s().\-/]', '', 'g'), '^00', '+')) as phone,
      case
        when num_nonnulls(g.written, g.contact) <> 1 or jsonb_typeof(coalesce(g.detailed -> 'variables', '{}')) <> 'object'
          or jsonb_typeof(coalesce(g.detailed -> 'name', '""')) <> 'string' or length(g.detailed ->> 'name') > 200
          then 'invalid-recipient'
        when g.contact is not null and c.id is null then 'unknown-contact'
      end as problem
    from given as g
    left join public.whatsapp_contacts as c on c.organization_id = p_organization
      and c.id = case when g.contact ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then g.contact::uuid end
  ), judged as (
    select m.place, m.phone, m.contact_id, m.detailed, coalesce(m.phone, m.contact_id::text) as address,
      coalesce(m.problem, case
        when m.contact_id is null and coalesce(m.phone, '') !~ '^\+[1-9][0-9]{6,14}$' then 'invalid-phone'
      end) as problem
    from meant as m
  )
  select j.place, case when j.contact_id is null then j.phone end, j.contact_id, nullif(j.detailed ->> 'name', ''),
    coalesce(j.detailed -> 'variables', '{}'), concat_ws(':', p_key, j.address,
      case when p_by_values then md5(nullif(j.detailed ->> 'variables', '{}')) end), j.problem,
    j.problem is null and row_number() over (partition by j.address, j.problem is null order by j.place) > 1
  from judged as j
$$;
revoke execute on function herald.named_recipients(uuid, jsonb, text, boolean) from public;
grant execute on function herald.named_recipients(uuid, jsonb, text, boolean) to authenticated, service_role;

-- herald.queue_for(message, recipients) → {key: {"id", "status", "code", "detail"}} of the messages that are new in the
-- queue. message: what all have in common. recipients: rows of named_recipients.
create function herald.queue_for(p_message public.scheduled_whatsapp_messages, p_recipients jsonb) returns jsonb
language sql volatile set search_path = '' set jit = off
as $$
  with made as (
    insert into public.scheduled_whatsapp_messages (
      organization_id, workshop_id, message_type, template_id, template_variables, scheduled_for, contact_id,
      recipient_phone, recipient_name, idempotency_key
    )
    select p_message.organization_id, p_message.workshop_id, p_message.message_type, p_message.template_id,
      p_message.template_variables || r.variables, p_message.scheduled_for, r.contact_id, r.phone, r.name, r.key
    from jsonb_to_recordset(p_recipients) as r (contact_id uuid, phone text, name text, variables jsonb, key text)
    on conflict (organization_id, idempotency_key) do nothing
    returning id, status, error_code, error_message, idempotency_key
  )
  select coalesce(jsonb_object_agg(m.idempotency_key, jsonb_build_object(
    'id', m.id, 'status', case when m.status = 'failed' then 'suppressed' else 'queued' end,
    'code', m.error_code, 'detail', m.error_message
  )), '{}') from made as m
$$;
revoke execute on function herald.queue_for(public.scheduled_whatsapp_messages, jsonb) from public;
grant execute on function herald.queue_for(public.scheduled_whatsapp_messages, jsonb) to authenticated, service_role;

-- whatsapp_queue_recipients(event, recipients, template, variables, scheduled for, key) → {"queued", "already_queued",
-- "suppressed", "duplicate", "failed": how many, "results": [{"index", "status", "message_id", "code", "detail",
-- "hint"}]}. recipients: 1 to 500 phones (E.164; blanks, dots, dashes and brackets are left out), or objects {"phone"
-- or "contactId", "name", "variables"}. Each person gets one message, however often they are named. The same call again
-- queues nothing, and neither does another call with the same key about the same event. A mistake about one recipient
-- fails only that one.
create function public.whatsapp_queue_recipients(
  p_event uuid, p_recipients jsonb, p_template text, p_variables jsonb default '{}',
  p_scheduled_for timestamptz default null, p_key text default null
) returns jsonb
language plpgsql volatile security invoker set search_path = '' set jit = off
as $$
declare
  message public.scheduled_whatsapp_messages;
  template public.whatsapp_message_templates;
  recipients jsonb;
  wanted jsonb;
  recipient jsonb;
  made jsonb := '{}';
  refused jsonb := '{}';
  error_hint text;
begin
  select w.organization_id into message.organization_id from public.workshops as w
  where w.id = p_event and (
      (select auth.role()) = 'service_role' or (select herald.is_super_admin())
      or w.organization_id in (select herald.my_admin_organizations())
    );
  if message.organization_id is null then
    raise exception 'There is no such event of an organisation that you administer.' using errcode = '42501',
      hint = 'Choose an event of your organisation, or ask an admin of it.', detail = 'herald:event-unknown';
  end if;
  if jsonb_typeof(p_recipients) is distinct from 'array' or jsonb_array_length(p_recipients) not between 1 and 500 then
    raise exception 'Give 1 to 500 recipients.' using errcode = '22023', hint = 'Split a longer list into several calls.',
      detail = 'herald:recipients-count';
  elsif not herald.is_readable(p_recipients, 2000000) then
    raise exception 'The list of recipients is too large.' using errcode = '22023',
      hint = 'Give shorter values, or split the list into several calls: 2,000,000 characters are the most.',
      detail = 'herald:recipients-too-large';
  elsif not herald.is_readable(p_variables, 65536) then
    raise exception 'The template''s values are too large.' using errcode = '22023',
      hint = 'Shorten them to 65,536 characters in all.', detail = 'herald:variables-too-large';
  elsif length(p_key) > 200 then
    raise exception 'The key is too long.' using errcode = '22023', hint = 'Use up to 200 characters.',
      detail = 'herald:idempotency-key-length';
  elsif jsonb_typeof(coalesce(p_variables, '{}')) <> 'object' then
    raise exception 'The variables have to be an object of values.' using errcode = '22023',
      hint = 'Write them like {"name": "Asha"}.', detail = 'herald:variables-no-object';
  elsif p_scheduled_for is not null and herald.possible_date(p_scheduled_for) is null then
    raise exception 'The time "scheduled_for" can''t be kept.' using errcode = '22023',
      hint = 'Choose a time in the years 1900 to 9999.', detail = 'herald:time-out-of-range';
  elsif p_scheduled_for < herald.clock() - interval '5 minutes' then
    raise exception 'The time to send lies in the past.' using errcode = '22023', hint = 'Leave it out to send now.',
      detail = 'herald:time-passed';
  end if;
  template := herald.template(message.organization_id, p_template);
  if template.id is null then
    raise exception 'The organisation has no active template "%".', left(p_template, 200)
      using errcode = '22023', hint = 'Choose one of its own templates or one of the system''s.',
      detail = 'herald:template-name-unknown';
  end if;
  message.workshop_id := p_event;
  message.message_type := left(template.name, 60);
  message.template_id := template.id;
  message.template_variables := coalesce(p_variables, '{}');
  message.scheduled_for := coalesce(p_scheduled_for, herald.clock());
  select jsonb_agg(r order by r.place), jsonb_agg(r) filter (where r.problem is null and not r.again)
  into recipients, wanted
  from herald.named_recipients(message.organization_id, p_recipients, 'queue:' || md5(jsonb_build_array(
    p_event, coalesce(to_jsonb(p_key), jsonb_build_array(template.id, p_variables, p_scheduled_for))
  )::text), p_key is null) as r;

  -- All in one statement; if that fails, one by one, to find out which recipient is the cause.
  begin
    made := herald.queue_for(message, coalesce(wanted, '[]'));
  exception when integrity_constraint_violation or data_exception then
    for recipient in select w from jsonb_array_elements(wanted) as w loop
      begin
        made := made || herald.queue_for(message, jsonb_build_array(recipient));
      exception when integrity_constraint_violation or data_exception then
        get stacked diagnostics error_hint = pg_exception_hint;
        refused := refused || jsonb_build_object(recipient ->> 'key', jsonb_build_object(
          'status', 'failed', 'code', 'refused', 'detail', coalesce(public.whatsapp_explain(sqlerrm), sqlerrm),
          'hint', nullif(error_hint, '')
        ));
      end;
    end loop;
  end;

  return (
    with told as (
      select (r ->> 'place')::integer as index, case
          when r ->> 'problem' is not null then jsonb_build_object('status', 'failed', 'code', r ->> 'problem', 'detail',
            case r ->> 'problem'
              when 'invalid-phone' then 'This is not a phone number like +491701234567.'
              when 'unknown-contact' then 'The organisation has no such contact.'
              else 'Give a phone, or an object with phone or contactId, and maybe name and variables.'
            end)
          when (r -> 'again')::boolean then '{"status": "duplicate"}'
          else coalesce(made -> (r ->> 'key'), refused -> (r ->> 'key'), (
            select jsonb_build_object('status', 'already_queued', 'id', m.id)
            from public.scheduled_whatsapp_messages as m
            where m.organization_id = message.organization_id and m.idempotency_key = r ->> 'key'
          ), '{"status": "already_queued"}')
        end as answer
      from jsonb_array_elements(recipients) as r
    ), counted as (
      select t.answer ->> 'status' as status, count(*) as many from told as t group by t.answer ->> 'status'
    )
    select '{"queued": 0, "already_queued": 0, "suppressed": 0, "duplicate": 0, "failed": 0}'::jsonb
      || (select jsonb_object_agg(c.status, c.many) from counted as c)
      || jsonb_build_object('results', jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'index', t.index, 'status', t.answer -> 'status', 'message_id', t.answer -> 'id', 'code', t.answer -> 'code',
        'detail', t.answer -> 'detail', 'hint', t.answer -> 'hint'
      )) order by t.index))
    from told as t
  );
end
$$;
comment on function public.whatsapp_queue_recipients(uuid, jsonb, text, jsonb, timestamptz, text) is
'For admins: queues a message by a template for each of up to 500 recipients, once, and says what became of each.';
revoke execute on function public.whatsapp_queue_recipients(uuid, jsonb, text, jsonb, timestamptz, text)
from public, anon;
grant execute on function public.whatsapp_queue_recipients(uuid, jsonb, text, jsonb, timestamptz, text)
to authenticated, service_role;
