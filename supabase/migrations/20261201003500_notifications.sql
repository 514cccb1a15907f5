-- A CRM's own notifications: rows of type whatsapp in notification_queue become messages of THE queue, and the result
-- is written back. The triggers are installed only if the table has the columns listed below, of any type that casts;
-- id must be a uuid. recipient_name and scheduled_for are optional. For users: docs/connect-a-crm.md.

-- herald.notification_key(notification) → the idempotency key of its message.
create function herald.notification_key(p_id uuid) returns text
language sql immutable set search_path = ''
as $$ select 'notification:' || p_id $$;
revoke execute on function herald.notification_key(uuid) from public;

-- herald.queue_notification(notification as JSON) → what went wrong in words, null if it is queued. Replaces a pending
-- message that it queued before; a message that was tried before stays, under another key. Raises if that message is on
-- its way or was sent.
create function herald.queue_notification(n jsonb) returns text
language plpgsql volatile set search_path = ''
as $$
declare
  organization uuid := n ->> 'organization_id';
  key text := herald.notification_key((n ->> 'id')::uuid);
  template public.whatsapp_message_templates;
  held text;
begin
  delete from public.scheduled_whatsapp_messages as m
  where m.organization_id = organization and m.idempotency_key = key and m.status = 'pending';
  update public.scheduled_whatsapp_messages as m set idempotency_key = key || ':' || m.id
  where m.organization_id = organization and m.idempotency_key = key and m.status in ('failed', 'cancelled');
  select m.status into held from public.scheduled_whatsapp_messages as m
  where m.organization_id = organization and m.idempotency_key = key;
  if found then
    raise exception 'This notification is % already and can''t be changed any more.', held
      using errcode = '23514', hint = 'Queue a new notification instead.', detail = 'herald:notification-not-pending';
  end if;
  begin
    template := herald.template(organization, n ->> 'template');
    if template.id is null then
      return format('There is no active template "%s".', left(n ->> 'template', 200));
    end if;
    insert into public.scheduled_whatsapp_messages as m (
      organization_id, recipient_phone, recipient_name, message_type, template_id, template_variables, priority, max_retries,
      scheduled_for, idempotency_key
    ) values (
      organization, n ->> 'recipient_phone', n ->> 'recipient_name', 'notification', template.id,
      coalesce(nullif(n -> 'message_data', 'null'), '{}'), least(greatest((n ->> 'priority')::integer, 1), 10),
      least(greatest((n ->> 'max_attempts')::integer - 1, 0), 20),
      coalesce((n ->> 'scheduled_for')::timestamptz, herald.clock()), key
    ) returning case when m.status = 'failed' then m.error_message end into held;
    return held;
  exception when others then
    return left(coalesce(public.whatsapp_explain(sqlerrm), sqlerrm), 1000);
  end;
end
$$;
revoke execute on function herald.queue_notification(jsonb) from public;

-- herald.notification_changed: queues a notification that is new or retried; cancels the message of one that is
-- cancelled or removed; queues again one that is edited while it waits. If it can't be queued, it is marked failed with
-- the reason, and the CRM's own statement succeeds. It ignores what this file's other trigger writes back.
create function herald.notification_changed() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  wanted constant text[] := array['template', 'recipient_phone', 'recipient_name', 'message_data', 'priority',
    'max_attempts', 'scheduled_for'];
  before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  fresh jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  waiting boolean;
  problem text;
begin
  if tg_op = 'DELETE' or fresh ->> 'status' = 'cancelled' then
    update public.scheduled_whatsapp_messages as m set status = 'cancelled'
    where m.organization_id = (before ->> 'organization_id')::uuid
      and m.idempotency_key = herald.notification_key((before ->> 'id')::uuid) and m.status = 'pending';
    return null;
  end if;
  if fresh ->> 'status' <> 'pending' then
    return null;
  end if;
  if before ->> 'status' in ('pending', 'failed', 'cancelled') then
    waiting := exists (
      select 1 from public.scheduled_whatsapp_messages as m
      where m.organization_id = (fresh ->> 'organization_id')::uuid
        and m.idempotency_key = herald.notification_key((fresh ->> 'id')::uuid) and m.status = 'pending'
    );
    if waiting and not exists (select 1 from unnest(wanted) as w where fresh -> w is distinct from before -> w) then
      return null;
    end if;
  elsif before is not null then
    return null;
  end if;
  problem := herald.queue_notification(fresh);
  if problem is not null then
    update public.notification_queue as n set status = 'failed', error_message = problem where n.id = (fresh ->> 'id')::uuid;
  end if;
  return null;
end
$$;
revoke execute on function herald.notification_changed() from public;

-- herald.notification_told: writes the message's result back, in the notification's own statuses. If the CRM's table
-- refuses that, the worker's settle must still succeed, so it raises an alert instead.
create function herald.notification_told() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  update public.notification_queue as n
  set status = case new.status
      when 'sending' then 'processing' when 'in_doubt' then 'processing' when 'read' then 'delivered' else new.status
    end,
    attempts = new.retry_count
      + case when new.status in ('sending', 'in_doubt', 'sent', 'delivered', 'read') or old.status = 'sending'
          and new.status = 'failed' then 1 else 0 end,
    error_message = new.error_message, sent_at = new.sent_at
  where n.organization_id = old.organization_id
    and n.id = substr(old.idempotency_key, 14)::uuid;
  return null;
exception when others then
  perform herald.raise_alert(
    new.organization_id, null, 'notification-refused', 'warning',
    'notification_queue does not take the status of a message: ' || left(sqlerrm, 900)
  );
  return null;
end
$$;
revoke execute on function herald.notification_told() from public;

do $$
declare
  needed constant text[] := array['id', 'organization_id', 'type', 'template', 'recipient_phone', 'message_data', 'priority',
    'status', 'attempts', 'max_attempts', 'error_message', 'sent_at'];
begin
  if to_regclass('public.notification_queue') is null or exists (
    select 1 from unnest(needed) as c where not exists (
      select 1 from information_schema.columns as i
      where i.table_schema = 'public' and i.table_name = 'notification_queue' and i.column_name = c
        and (c <> 'id' or i.udt_name = 'uuid')
    )
  ) then
    raise notice 'notification_queue is absent or of another shape: Herald leaves it alone.';
    return;
  end if;
  create trigger whatsapp_notification after insert or update on public.notification_queue
  for each row when (new.type = 'whatsapp') execute function herald.notification_changed();
  create trigger whatsapp_notification_removed after delete on public.notification_queue
  for each row when (old.type = 'whatsapp') execute function herald.notification_changed();
  create trigger notification_told after update on public.scheduled_whatsapp_messages
  for each row when (old.idempotency_key like 'notification:%'
    and old.idempotency_key ~ '^notification:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' and (
    new.status <> old.status or new.error_message is distinct from old.error_message
  )) execute function herald.notification_told();
end
$$;
