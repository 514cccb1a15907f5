-- The rules of a message in the queue: its legal steps, who may edit what, and what a retry starts over.
-- A person is a caller with the role `authenticated`. Herald's own functions run as their owner, even when a person
-- triggered them, and may do more than a person.

-- == legal steps ==

create table herald.message_status_steps (
  old_status text not null,
  new_status text not null,
  by_person boolean not null,
  primary key (old_status, new_status)
);
comment on table herald.message_status_steps is
'Every legal step of a message; by_person: a CRM user may take it. worker/message.py has the same table.';

alter table herald.message_status_steps enable row level security;
insert into herald.message_status_steps (old_status, new_status, by_person) values
('pending', 'sending', false), ('pending', 'cancelled', true), ('pending', 'failed', false),
-- a late receipt for what was about to go out again (unreadable.sql)
('pending', 'sent', false), ('failed', 'sent', false),
('sending', 'sent', false), ('sending', 'failed', false), ('sending', 'pending', false),
('sending', 'in_doubt', false),
('in_doubt', 'sent', false), ('in_doubt', 'pending', true), ('in_doubt', 'failed', true),
('sent', 'delivered', false), ('sent', 'read', false), ('sent', 'failed', false), ('sent', 'pending', false),
('delivered', 'read', false),
('failed', 'pending', true);

-- == edits, retries and steps ==

-- herald.message_guard: enforces the legal steps for everyone, and for CRM users what they may change and when. A message
-- that is retried starts over: nothing of its first try, receipts included, may count for the second. A recipient who has
-- opted out since gets nothing. Text that a person writes by hand detaches the template; new values render it again.
create function herald.message_guard() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  person boolean := tg_argv[0] = 'person';
  held text;
begin
  if new.status <> old.status then
    if not exists (
      select 1 from herald.message_status_steps as s
      where s.old_status = old.status and s.new_status = new.status and (s.by_person or not person)
    ) then
      raise exception 'A message that is % can''t become %.', old.status, new.status
        using errcode = '23514', hint = 'Reload the message: its status has changed since you saw it.',
        detail = 'herald:message-step-unknown';
    end if;
    if old.status in ('failed', 'in_doubt') and new.status = 'pending' then
      if new.group_id is null then
        held := herald.suppression(new.organization_id, new.contact_id, new.recipient_phone);
      end if;
      if person and exists (
        select 1 from public.whatsapp_campaigns as c where c.id = new.campaign_id and c.state = 'cancelled'
      ) then
        raise exception 'The campaign of this message was cancelled: it can''t be sent again.'
          using errcode = '23514', hint = 'Schedule a new message instead.', detail = 'herald:campaign-cancelled';
      end if;
      if held is not null and (person or old.status = 'failed') then
        raise exception '%', held
          using errcode = '23514', hint = 'This message can''t be sent again.', detail = 'herald:recipient-suppressed';
      end if;
      new.error_code := case when held is not null then 'suppressed' end;
      new.error_message := held;
      new.status := case when held is not null then 'failed' else 'pending' end;
      new.next_attempt_at := null;
      new.retry_count := 0;
      new.wa_message_id := null;
      new.sent_at := null;
      new.delivered_at := null;
      new.read_at := null;
      new.responded_at := null;
      new.delivered_count := 0;
      new.read_count := 0;
      new.unreadable_count := 0;
      new.resent_count := 0;
      delete from herald.earlier_ids as e where e.message_id = old.id;
      delete from public.whatsapp_delivery_logs as d where d.message_id = old.id;
    end if;
    if person and new.status = 'failed' then
      new.error_code := 'settled-by-person';
      new.error_message := 'Marked as not sent by a person.';
    end if;
  end if;
  if person then
    if old.status <> 'pending' and not (old.status in ('failed', 'in_doubt') and new.status = 'pending')
      and (new.message_content, new.template_variables, new.scheduled_for, new.priority, new.media_url, new.media_kind,
        new.expires_at)
      is distinct from
      (old.message_content, old.template_variables, old.scheduled_for, old.priority, old.media_url, old.media_kind,
        old.expires_at) then
      raise exception 'A message that is % can''t be edited any more.', old.status
        using errcode = '23514', hint = 'Only pending messages can be edited. Schedule a new one instead.',
        detail = 'herald:message-not-pending';
    end if;
    if new.status = 'pending' and new.expires_at <= herald.clock()
      and (old.status <> 'pending' or new.expires_at is distinct from old.expires_at) then
      raise exception 'The time of this message has passed: it would expire at once.'
        using errcode = '23514', hint = 'Set a new expires_at that lies ahead, or none, in the same update.',
        detail = 'herald:message-time-passed';
    end if;
    if new.message_content is distinct from old.message_content then
      new.template_id := null;
    end if;
  end if;
  if new.status = 'pending' and new.template_id is not null
    and new.template_variables is distinct from old.template_variables
    and new.message_content is not distinct from old.message_content then
    select herald.message_text(new, t) into new.message_content
    from public.whatsapp_message_templates as t where t.id = new.template_id;
  end if;
  new.updated_at := herald.clock();
  return new;
end
$$;
revoke execute on function herald.message_guard() from public;
create trigger message_guard before update on public.scheduled_whatsapp_messages
for each row when (current_user <> 'authenticated') execute function herald.message_guard('rule');
create trigger message_guard_person before update on public.scheduled_whatsapp_messages
for each row when (current_user = 'authenticated') execute function herald.message_guard('person');

-- herald.template_theirs: a template must be the organisation's own or the system's. A composite foreign key can't
-- express that.
create function herald.template_theirs() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if not exists (
    select 1 from public.whatsapp_message_templates as t
    where t.id = new.template_id and (t.organization_id = new.organization_id or t.organization_id is null)
  ) then
    raise exception 'There is no template with this id for the organisation.'
      using errcode = '23503', hint = 'Choose one of its own templates or one of the system''s.',
      detail = 'herald:template-unknown';
  end if;
  return new;
end
$$;
revoke execute on function herald.template_theirs() from public;
-- Runs after the row policies, so that a caller who may not write here learns nothing of templates. herald.message_new
-- looks up a new message's template, herald.task_guard a task's.
create trigger template_theirs after insert or update of template_id on public.whatsapp_campaigns
for each row when (new.template_id is not null) execute function herald.template_theirs();
create trigger template_theirs before update of template_id on public.scheduled_whatsapp_messages
for each row when (new.template_id is not null and new.template_id is distinct from old.template_id)
execute function herald.template_theirs();
