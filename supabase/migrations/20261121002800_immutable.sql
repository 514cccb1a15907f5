-- What makes a row that row can't be changed, by anyone: its id, its organisation, when it was made, and what it is about.
-- And a reference that no composite foreign key holds stays within the organisation.

-- herald.immutable: says which column it was. Called only when one did change: the triggers' WHEN clauses compare, so that
-- an update of the queue pays less than a microsecond.
create function herald.immutable() returns trigger
language plpgsql set search_path = ''
as $$
declare
  changed text;
begin
  select n.key into changed from jsonb_each(to_jsonb(new)) as n
  where n.key = any(tg_argv) and n.value is distinct from to_jsonb(old) -> n.key
  order by array_position(tg_argv, n.key) limit 1;
  raise exception '% of a row of % can''t be changed.', changed, tg_table_name
    using errcode = '23514', hint = 'It says what the row is about. Make a new row instead.';
end
$$;

-- herald.keep_identity(table, fixed, clearable, late). clearable: may become null, as a foreign key's `on delete set null` and
-- an erasure make it. late: may be null at first and is then set once.
create procedure herald.keep_identity(p_table text, p_fixed text[], p_clearable text[] default '{}', p_late text[] default '{}')
language plpgsql set search_path = ''
as $$
declare
  everywhere constant text[] := array['id', 'created_at'];
  compared text[] := array(
    select format('new.%1$I is distinct from old.%1$I', c) from unnest(everywhere || p_fixed) as c
    union all
    select format('(new.%1$I is not null and new.%1$I is distinct from old.%1$I)', c) from unnest(p_clearable) as c
    union all
    select format('(old.%1$I is not null and new.%1$I is distinct from old.%1$I)', c) from unnest(p_late) as c
  );
begin
  execute format(
    'create trigger immutable before update on public.%I for each row when (%s) execute function herald.immutable(%s)',
    p_table, array_to_string(compared, ' or '),
    (select string_agg(quote_literal(c), ', ') from unnest(everywhere || p_fixed || p_clearable || p_late) as c)
  );
end
$$;

call herald.keep_identity('whatsapp_sessions', '{organization_id, provider}');
call herald.keep_identity('whatsapp_groups', '{organization_id, session_id, group_jid}');
call herald.keep_identity('whatsapp_contacts', '{organization_id}');
call herald.keep_identity('whatsapp_group_members', '{organization_id, group_id, contact_id}');
call herald.keep_identity('whatsapp_message_templates', '{organization_id}');
call herald.keep_identity('whatsapp_campaigns', '{organization_id}');
call herald.keep_identity('whatsapp_campaign_sessions', '{organization_id, campaign_id, session_id}');
call herald.keep_identity(
  'scheduled_whatsapp_messages', '{organization_id, session_id, group_id}',
  '{contact_id, recipient_phone, campaign_id, workshop_id}'
);
call herald.keep_identity('whatsapp_delivery_logs', '{organization_id, session_id, message_id}');
call herald.keep_identity('whatsapp_commands', '{organization_id, session_id, kind}');
call herald.keep_identity('whatsapp_conversations', '{organization_id, session_id, contact_id, group_id}');
call herald.keep_identity(
  'whatsapp_messages', '{organization_id, session_id, conversation_id, direction, wa_message_id}'
);
call herald.keep_identity('whatsapp_cloud_accounts', '{organization_id, session_id, phone_number_id}');
call herald.keep_identity('whatsapp_webhook_events', '{dedup_key, kind}', '{}', '{organization_id}');
call herald.keep_identity('whatsapp_session_users', '{organization_id, session_id, user_id}');
call herald.keep_identity('whatsapp_alerts', '{organization_id, session_id, kind}');
call herald.keep_identity('whatsapp_webhook_endpoints', '{organization_id}');
call herald.keep_identity('whatsapp_automation_tasks', '{organization_id, workshop_id, rule}');
call herald.keep_identity('workshop_automation_config', '{organization_id}');

-- == references that no composite foreign key holds ==
-- Not checked: who is named in owner_id and whatsapp_session_users. Somebody outside of the organisation sees nothing by it,
-- because the policies ask for membership first; and who is in it, the adapter tells of the caller only.

-- herald.template_theirs: a template is the organisation's own or the system's.
create function herald.template_theirs() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if not exists (
    select 1 from public.whatsapp_message_templates as t
    where t.id = new.template_id and (t.organization_id = new.organization_id or t.organization_id is null)
  ) then
    raise exception 'There is no template with this id for the organisation.'
      using errcode = '23503', hint = 'Choose one of its own templates or one of the system''s.';
  end if;
  return new;
end
$$;
-- After the row policies: who may not write here learns nothing of templates.
create trigger template_theirs after insert or update of template_id on public.whatsapp_campaigns
for each row when (new.template_id is not null) execute function herald.template_theirs();
-- A new message's template is looked up by herald.message_new, a task's by herald.task_guard.
create trigger template_theirs before update of template_id on public.scheduled_whatsapp_messages
for each row when (new.template_id is not null and new.template_id is distinct from old.template_id)
execute function herald.template_theirs();

-- herald.scheduled_theirs: the queue's row that an inbox message was sent by is of the same account.
create function herald.scheduled_theirs() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if not exists (
    select 1 from public.scheduled_whatsapp_messages as m
    where m.id = new.scheduled_message_id and m.organization_id = new.organization_id and m.session_id = new.session_id
  ) then
    raise exception 'scheduled_message_id names no message of this account.' using errcode = '23503';
  end if;
  return new;
end
$$;
create trigger scheduled_theirs before insert or update of scheduled_message_id on public.whatsapp_messages
for each row when (new.scheduled_message_id is not null) execute function herald.scheduled_theirs();

revoke execute on function herald.immutable(), herald.template_theirs(), herald.scheduled_theirs() from public;
revoke execute on procedure herald.keep_identity(text, text[], text[], text[]) from public;
