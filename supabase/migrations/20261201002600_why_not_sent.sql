-- Why has this message not gone out yet? For every message, in words.

-- herald.hold_explained(rule) → what a person reads, and what they can do.
create function herald.hold_explained(p_rule text) returns text
language sql immutable set search_path = ''
as $$
  select case p_rule
    when 'account-disabled' then 'The account is disabled. Enable it to send.'
    when 'account-off' then 'The account is switched off. Connect it to send.'
    when 'account-paused' then 'The account is paused.'
    when 'organization-paused' then 'Sending is paused for the whole organisation.'
    when 'quiet-hours' then 'It is quiet hours now; messages go out when they end.'
    when 'account-limit' then 'The account has reached its limit of messages in 24 hours.'
    when 'group-limit' then 'The group has had as many messages in a minute as the account''s limit allows.'
    when 'new-chats' then 'WhatsApp does not let this account write to people it has no chat with now. Herald tries again then.'
    when 'number-limit' then 'The number has sent as much in this second as WhatsApp allows.'
    when 'campaign' then 'Its campaign is not running. Start or resume it to send.'
    when 'suppressed' then 'The recipient has opted out, or has not opted in where that is required.'
    when 'window' then 'The recipient has not written within 24 hours: only a template may be sent to them now.'
    when 'pair-limit' then 'This person has had messages in quick succession; WhatsApp asks for a pause.'
    when 'tier-limit' then 'The business has reached WhatsApp''s limit of different people in 24 hours.'
  end
$$;
revoke execute on function herald.hold_explained(text) from public;

-- herald.waiting_reasons(message): all that holds a pending message back now, in the order in which to fix them.
create function herald.waiting_reasons(m public.scheduled_whatsapp_messages)
returns table (rule text, explanation text, until timestamptz)
language plpgsql stable set search_path = '' set jit = off
as $$
declare
  moment timestamptz := herald.clock();
  account public.whatsapp_sessions;
  lease herald.session_leases;
  served boolean;
  ahead bigint;
begin
  select s.* into account from public.whatsapp_sessions as s where s.id = m.session_id;
  select l.* into lease from herald.session_leases as l where l.session_id = m.session_id;
  if m.expires_at <= moment then
    return query select 'expired', 'Its time has passed; it will be marked as failed and not be sent.', null::timestamptz;
    return;
  end if;
  if m.scheduled_for > moment then
    return query select 'not-due', 'It is scheduled for later.', m.scheduled_for;
  end if;
  if m.next_attempt_at > moment then
    return query select 'retry',
      format('An attempt failed (%s); it will be tried again.', coalesce(m.error_message, m.error_code, 'no reason told')),
      m.next_attempt_at;
  end if;
  return query
    select a.hold, herald.hold_explained(a.hold), a.hold_until
    from herald.account_holds as a where a.session_id = m.session_id and a.hold is not null;
  if account.enabled and account.desired_state = 'connected' then
    served := coalesce(lease.expires_at > moment, false);
    if not served then
      return query select 'no-worker', 'No worker serves the account at the moment. It goes out as soon as one does.',
        null::timestamptz;
    end if;
    if account.status in ('qr_pending', 'logged_out', 'banned') or served and account.status <> 'connected' then
      return query select 'account-' || replace(account.status, '_', '-'), case account.status
          when 'qr_pending' then 'The account waits for its QR code to be scanned.'
          when 'logged_out' then 'The account was logged out on the phone. Connect it and scan the QR code again.'
          when 'banned' then 'WhatsApp has banned the account. It can''t send.'
          else format('The account is not connected (%s).', coalesce(account.last_error, account.status))
        end, null::timestamptz;
    elsif served and not exists (select 1 from herald.serving as v where v.session_id = m.session_id) then
      return query select 'account-connecting', 'A worker has taken the account over and is connecting it.',
        null::timestamptz;
    end if;
  end if;
  return query
    select h.hold, herald.hold_explained(h.hold), h.hold_until
    from herald.message_holds as h
    where h.id = m.id and h.hold is not null
      and not exists (select 1 from herald.account_holds as a where a.session_id = m.session_id and a.hold = h.hold);
  if lease.next_send_at > moment then
    return query select 'pace', 'The account leaves a little time between two messages.', lease.next_send_at;
  end if;
  select count(*) into ahead from (
    select 1 from herald.due_messages as o join herald.message_holds as h on h.id = o.message_id
    where o.session_id = m.session_id and o.message_id <> m.id
      and (o.priority > m.priority or o.priority = m.priority and (o.scheduled_for, o.message_id) < (m.scheduled_for, m.id))
      and h.hold is null
    limit 1000
  ) as before;
  if ahead > 0 then
    return query select 'queue',
      format('%s of the same account go first.', case ahead when 1 then 'One message' when 1000 then 'A thousand messages or more'
        else ahead || ' messages' end), null::timestamptz;
  end if;
  if exists (select 1 from herald.full_accounts as f where f.session_id = m.session_id) then
    return query select 'in-flight', 'The account is sending another message right now.', null::timestamptz;
  end if;
end
$$;
revoke execute on function herald.waiting_reasons(public.scheduled_whatsapp_messages) from public;

-- why_not_sent(message) → (rule, explanation, until): each rule that holds the message back, and until when, if known
-- (null: until somebody changes it). A message that is not waiting has one row that tells its state. No row: the caller
-- can see no such message.
create function public.why_not_sent(p_message uuid)
returns table (rule text, explanation text, until timestamptz)
language plpgsql stable security definer set search_path = '' set jit = off
as $$
declare
  m public.scheduled_whatsapp_messages;
begin
  select x.* into m from public.scheduled_whatsapp_messages as x
  where x.id = p_message and (
      coalesce((select auth.role()), '') <> 'authenticated'
      or (select herald.is_super_admin())
      or x.organization_id in (select herald.my_organizations())
      and x.session_id not in (select herald.my_hidden_sessions())
    );
  if m.id is null then
    return;
  end if;
  if m.status = 'pending' then
    return query select r.rule, r.explanation, r.until from herald.waiting_reasons(m) as r;
    if not found then
      return query select 'next', 'Nothing holds it back: it goes out in a moment.', null::timestamptz;
    end if;
    return;
  end if;
  return query select m.status, case m.status
      when 'sending' then 'It is being sent right now.'
      when 'failed' then coalesce(m.error_message, 'It failed: ' || m.error_code)
      when 'cancelled' then coalesce(m.error_message, 'It was cancelled.')
      when 'in_doubt' then coalesce(m.error_message, 'It may or may not have gone out.')
        || ' Look at the chat on the phone, then mark it as failed or set it back to pending.'
      else 'It was sent.'
    end, null::timestamptz;
end
$$;
comment on function public.why_not_sent(uuid) is
'Why a message has not gone out yet: each rule that holds it back, in words, and until when (null: until somebody acts).';
revoke execute on function public.why_not_sent(uuid) from public, anon;
grant execute on function public.why_not_sent(uuid) to authenticated, service_role;
