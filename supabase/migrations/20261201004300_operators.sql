-- What the operator asks and does with the herald command. For service_role only, over all organisations. It shows the
-- last two digits of numbers and no message texts. What can't be done is answered with {"problem": words}.

-- herald.session_named(name) → the account with this id, or the only one whose id begins with it (at least four
-- characters); else null.
create function herald.session_named(p_name text) returns uuid
language sql stable set search_path = ''
as $$
  select (array_agg(s.id))[1] from public.whatsapp_sessions as s
  where length(p_name) >= 4 and s.id::text like translate(lower(p_name), '%_\', '') || '%'
  having count(*) = 1
$$;
revoke execute on function herald.session_named(text) from public;

-- herald.message_facts(message) → all that the operator sees of a message.
create function herald.message_facts(m public.scheduled_whatsapp_messages) returns jsonb
language sql stable set search_path = ''
as $$
  select jsonb_build_object(
    'id', m.id, 'organization_id', m.organization_id, 'session_id', m.session_id, 'status', m.status,
    'type', m.message_type, 'group_id', m.group_id, 'phone', herald.number_end(m.recipient_phone),
    'due_at', greatest(m.scheduled_for, m.next_attempt_at), 'expires_at', m.expires_at, 'retry_count', m.retry_count,
    'error_code', m.error_code, 'error_message', m.error_message, 'sent_at', m.sent_at, 'delivered_at', m.delivered_at,
    'read_at', m.read_at, 'delivered_count', m.delivered_count, 'read_count', m.read_count,
    'unreadable_count', m.unreadable_count, 'resent_count', m.resent_count, 'updated_at', m.updated_at
  )
$$;
revoke execute on function herald.message_facts(public.scheduled_whatsapp_messages) from public;

-- whatsapp_operator_overview(organisation) → {"now", "workers": […], "organizations": […], "sessions": […]}, of one or
-- (null) all organisations. A session's worker is who holds its lease now.
create function public.whatsapp_operator_overview(p_organization uuid default null) returns jsonb
language sql stable security definer set search_path = '' set jit = off
as $$
  select jsonb_build_object(
    'now', herald.clock(),
    'workers', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'worker_id', w.worker_id, 'version', w.version, 'started_at', w.started_at,
        'seconds', round(extract(epoch from herald.clock() - w.heartbeat_at), 1),
        'sessions', (
          select count(*) from herald.session_leases as l where l.run_id = w.run_id and l.expires_at > herald.clock()
        )
      ) order by w.worker_id), '[]')
      from herald.workers as w
    ),
    'organizations', (
      select coalesce(jsonb_agg(to_jsonb(o) order by o.oldest_due_at, o.organization_id), '[]')
      from herald.queue_overview() as o where p_organization is null or o.organization_id = p_organization
    ),
    'sessions', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'id', s.id, 'organization_id', s.organization_id, 'name', s.display_name, 'provider', s.provider,
        'phone', herald.number_end(s.phone_number), 'status', s.status, 'desired_state', s.desired_state,
        'enabled', s.enabled, 'paused_until', case when s.paused_until > herald.clock() then s.paused_until end,
        'pause_reason', case when s.paused_until > herald.clock() then s.pause_reason end, 'last_error', s.last_error,
        'health', s.health_score, 'health_reasons', s.health_reasons, 'connected_at', s.connected_at,
        'worker', case when l.expires_at > herald.clock() then l.worker_id end,
        'lease_seconds', case when l.expires_at > herald.clock()
          then round(extract(epoch from l.expires_at - herald.clock()), 1) end,
        'ready', coalesce(l.ready and l.expires_at > herald.clock(), false), 'epoch', l.epoch,
        'waiting', q.waiting, 'due', q.due, 'sending', q.sending, 'in_doubt', q.in_doubt,
        'sent', herald.used('account', s.id), 'daily_limit', s.daily_limit
      ) order by s.organization_id, s.created_at), '[]')
      from public.whatsapp_sessions as s
      left join herald.session_leases as l on l.session_id = s.id
      left join (
        select o.session_id, count(*) filter (where o.status = 'pending') as waiting,
          count(*) filter (where o.status = 'pending' and o.due_at <= herald.clock()) as due,
          count(*) filter (where o.status = 'sending') as sending, count(*) filter (where o.status = 'in_doubt') as in_doubt
        from herald.open_messages as o group by o.session_id
      ) as q on q.session_id = s.id
      where p_organization is null or s.organization_id = p_organization
    )
  )
$$;
comment on function public.whatsapp_operator_overview(uuid) is
'For the herald command: workers, organisations'' queues and accounts, who holds which and how they are.';
revoke execute on function public.whatsapp_operator_overview(uuid) from public, anon, authenticated;
grant execute on function public.whatsapp_operator_overview(uuid) to service_role;

-- whatsapp_operator_queue(status, organisation, account, limit) → messages, as a JSON array of at most 200. status: due
-- (the time has come; the oldest first), pending, sending, stuck (the claim has run out), in_doubt, or failed (the
-- newest first, of the last seven days). account: an id or the start of one.
create function public.whatsapp_operator_queue(
  p_status text, p_organization uuid default null, p_session text default null, p_limit integer default 50
) returns jsonb
language plpgsql stable security definer set search_path = '' set jit = off
as $$
declare
  moment timestamptz := herald.clock();
  account uuid := herald.session_named(p_session);
  most integer := least(greatest(p_limit, 0), 200);
  answer jsonb;
begin
  if p_session is not null and account is null then
    return jsonb_build_object('problem', 'No account, or more than one, has an id that begins so: herald sessions lists them.');
  elsif p_status = 'failed' then
    select jsonb_agg(herald.message_facts(f) order by f.scheduled_for desc, f.id) into answer
    from (
      select m.* from public.organizations as o
      cross join lateral (
        select x.* from public.scheduled_whatsapp_messages as x
        where x.organization_id = o.id and x.status = 'failed' and x.scheduled_for > moment - interval '7 days'
          and (account is null or x.session_id = account)
        order by x.scheduled_for desc, x.id limit most
      ) as m
      where p_organization is null or o.id = p_organization
      order by m.scheduled_for desc, m.id limit most
    ) as f;
    return coalesce(answer, '[]');
  end if;
  select jsonb_agg(herald.message_facts(m) order by w.due_at, m.id) into answer
  from (
    select o.message_id, o.due_at
    from herald.open_messages as o
    left join herald.message_claims as c on c.message_id = o.message_id
    where (p_organization is null or o.organization_id = p_organization) and (account is null or o.session_id = account)
      and case p_status
        when 'due' then o.status = 'pending' and o.due_at <= moment
        when 'stuck' then o.status = 'sending' and (c.message_id is null or c.claimed_until <= moment)
        else o.status = p_status
      end
    order by o.due_at, o.message_id limit most
  ) as w
  join public.scheduled_whatsapp_messages as m on m.id = w.message_id;
  return coalesce(answer, '[]');
end
$$;
comment on function public.whatsapp_operator_queue(text, uuid, text, integer) is
'For the herald command: messages that are due, stuck, in doubt or failed, without their texts.';
revoke execute on function public.whatsapp_operator_queue(text, uuid, text, integer) from public, anon, authenticated;
grant execute on function public.whatsapp_operator_queue(text, uuid, text, integer) to service_role;

-- whatsapp_operator_message(message) → all that is known of a message, with "reasons": why it has not gone out; null if
-- there is no such message.
create function public.whatsapp_operator_message(p_message uuid) returns jsonb
language sql stable security definer set search_path = '' set jit = off
as $$
  select herald.message_facts(m) || jsonb_build_object(
    'reasons', (select jsonb_agg(to_jsonb(r)) from public.why_not_sent(m.id) as r),
    'worker', (
      select l.worker_id from herald.message_claims as c
      join herald.session_leases as l on l.session_id = c.session_id and l.run_id = c.run_id
      where c.message_id = m.id
    )
  )
  from public.scheduled_whatsapp_messages as m where m.id = p_message
$$;
comment on function public.whatsapp_operator_message(uuid) is
'For the herald command: one message, why it has not gone, and who sends it.';
revoke execute on function public.whatsapp_operator_message(uuid) from public, anon, authenticated;
grant execute on function public.whatsapp_operator_message(uuid) to service_role;

-- whatsapp_operator_settle(message, status, operator) → {"was", "status"} or {"problem"}. The steps that a person may
-- take: cancel a pending message, retry a failed one, and settle one in doubt as sent, as failed, or to be sent again.
-- Idempotent.
create function public.whatsapp_operator_settle(p_message uuid, p_status text, p_operator text) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  m public.scheduled_whatsapp_messages;
begin
  select x.* into m from public.scheduled_whatsapp_messages as x where x.id = p_message for update;
  if m.id is null then
    return jsonb_build_object('problem', 'There is no such message.');
  elsif m.status = p_status then
    return jsonb_build_object('was', m.status, 'status', m.status);
  elsif not exists (
    select 1 from herald.message_status_steps as s
    where s.old_status = m.status and s.new_status = p_status and (s.by_person or m.status = 'in_doubt' and p_status = 'sent')
  ) then
    return jsonb_build_object('problem', format('A message that is %s can''t become %s.', m.status, p_status));
  end if;
  begin
    update public.scheduled_whatsapp_messages as x set
      status = p_status,
      error_code = case p_status when 'failed' then 'settled-by-person' end,
      error_message = case p_status when 'failed' then 'Marked as not sent by the operator.' end,
      sent_at = case p_status when 'sent' then coalesce(x.sent_at, x.updated_at) else x.sent_at end,
      -- Nobody knows WhatsApp's id of it, so no receipt can find it.
      wa_message_id = case p_status when 'sent' then coalesce(x.wa_message_id, 'operator:' || x.id) else x.wa_message_id end
    where x.id = m.id;
  exception when check_violation then
    return jsonb_build_object('problem', coalesce(public.whatsapp_explain(sqlerrm), sqlerrm));
  end;
  perform herald.audit(m.organization_id, case p_status when 'cancelled' then 'message.cancelled'
    when 'pending' then 'message.retried' else 'message.settled' end, m.session_id, jsonb_build_object(
      'message_id', m.id, 'from', m.status, 'to', p_status, 'phone', herald.number_end(m.recipient_phone), 'group_id', m.group_id,
      'contact_id', m.contact_id, 'operator', left(p_operator, 100)
    ));
  return jsonb_build_object('was', m.status, 'status', p_status);
end
$$;
comment on function public.whatsapp_operator_settle(uuid, text, text) is
'For the herald command: a person''s step with a message, audited under the operator''s name.';
revoke execute on function public.whatsapp_operator_settle(uuid, text, text) from public, anon, authenticated;
grant execute on function public.whatsapp_operator_settle(uuid, text, text) to service_role;

-- whatsapp_operator_session(account, change, operator) → the account as it is then, or {"problem"}. change: desired_state, or
-- paused_until with pause_reason (null: it goes on). account: its id or the start of it.
create function public.whatsapp_operator_session(p_session text, p_change jsonb, p_operator text) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  s public.whatsapp_sessions;
begin
  select x.* into s from public.whatsapp_sessions as x where x.id = herald.session_named(p_session) for no key update;
  if s.id is null then
    return jsonb_build_object('problem', 'No account, or more than one, has an id that begins so: herald sessions lists them.');
  elsif p_change ->> 'desired_state' = 'connected' and not s.enabled then
    return jsonb_build_object('problem', 'The organisation has disabled this account. Its admins can enable it.');
  end if;
  begin
    update public.whatsapp_sessions as x set
      desired_state = coalesce(p_change ->> 'desired_state', x.desired_state),
      paused_until = case when p_change ? 'paused_until' then (p_change ->> 'paused_until')::timestamptz else x.paused_until end,
      pause_reason = case when p_change ? 'paused_until' then p_change ->> 'pause_reason' else x.pause_reason end
    where x.id = s.id
    returning x.* into s;
  exception when check_violation then
    return jsonb_build_object('problem', coalesce(public.whatsapp_explain(sqlerrm), sqlerrm));
  end;
  perform herald.audit(s.organization_id, 'session.operated', s.id, p_change || jsonb_build_object(
    'operator', left(p_operator, 100)
  ));
  return jsonb_build_object(
    'id', s.id, 'status', s.status, 'desired_state', s.desired_state, 'paused_until', s.paused_until
  );
end
$$;
comment on function public.whatsapp_operator_session(text, jsonb, text) is
'For the herald command: connects, disconnects, pauses or resumes an account, audited under the operator''s name.';
revoke execute on function public.whatsapp_operator_session(text, jsonb, text) from public, anon, authenticated;
grant execute on function public.whatsapp_operator_session(text, jsonb, text) to service_role;

-- whatsapp_operator_send(account, phone, group, text, key, operator) → {"id"} or {"problem"}: queues a text under an
-- idempotency key, by the rules that hold for everybody. account: its id or the start of it; phone or group, not both.
create function public.whatsapp_operator_send(
  p_session text, p_phone text, p_group uuid, p_text text, p_key text, p_operator text
) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  s public.whatsapp_sessions;
  made uuid;
begin
  select x.* into s from public.whatsapp_sessions as x where x.id = herald.session_named(p_session);
  if s.id is null then
    return jsonb_build_object('problem', 'No account, or more than one, has an id that begins so: herald sessions lists them.');
  end if;
  begin
    insert into public.scheduled_whatsapp_messages
    (organization_id, session_id, recipient_phone, group_id, message_content, message_type, idempotency_key, expires_at)
    values (s.organization_id, s.id, p_phone, p_group, p_text, 'operator_test', p_key, herald.clock() + interval '1 hour')
    on conflict (organization_id, idempotency_key) do nothing
    returning id into made;
  exception when check_violation or foreign_key_violation or raise_exception then
    return jsonb_build_object('problem', coalesce(public.whatsapp_explain(sqlerrm), sqlerrm));
  end;
  if made is null then
    select m.id into made from public.scheduled_whatsapp_messages as m
    where m.organization_id = s.organization_id and m.idempotency_key = p_key;
  else
    perform herald.audit(s.organization_id, 'message.queued', s.id, jsonb_build_object(
      'count', 1, 'message_ids', jsonb_build_array(made), 'operator', left(p_operator, 100)
    ));
  end if;
  return jsonb_build_object('id', made);
end
$$;
comment on function public.whatsapp_operator_send(text, text, uuid, text, text, text) is
'For the herald command: queues a test message by the rules that hold for everybody.';
revoke execute on function public.whatsapp_operator_send(text, text, uuid, text, text, text)
from public, anon, authenticated;
grant execute on function public.whatsapp_operator_send(text, text, uuid, text, text, text) to service_role;

-- whatsapp_operator_audit(organisation, event, account, since, after, limit) → rows of the audit, the oldest first, as
-- a JSON array of at most 500: the newest (after null), or those that follow an id. event: the start of its name.
create function public.whatsapp_operator_audit(
  p_organization uuid default null, p_event text default null, p_session text default null,
  p_since timestamptz default null, p_after uuid default null, p_limit integer default 50
) returns jsonb
language plpgsql stable security definer set search_path = '' set jit = off
as $$
declare
  account uuid := herald.session_named(p_session);
  most integer := least(greatest(p_limit, 0), 500);
  mark timestamptz := (select a.created_at from public.whatsapp_audit_logs as a where a.id = p_after);
  answer jsonb;
begin
  if p_session is not null and account is null then
    return jsonb_build_object('problem', 'No account, or more than one, has an id that begins so: herald sessions lists them.');
  end if;
  select jsonb_agg(to_jsonb(r) - 'updated_at' order by r.created_at, r.id) into answer
  from (
    select a.* from public.organizations as o
    cross join lateral (
      select x.* from public.whatsapp_audit_logs as x
      where x.organization_id = o.id
        and (p_event is null or starts_with(x.event_type, p_event)) and (account is null or x.session_id = account)
        and (p_since is null or x.created_at >= p_since)
        -- Rows of transactions that were still open come late, so it reads the last few seconds again.
        and (mark is null or x.created_at >= mark - interval '10 seconds')
      order by x.created_at desc, x.id limit most
    ) as a
    where p_organization is null or o.id = p_organization
    order by a.created_at desc, a.id limit most
  ) as r;
  return coalesce(answer, '[]');
end
$$;
comment on function public.whatsapp_operator_audit(uuid, text, text, timestamptz, uuid, integer) is
'For the herald command: the audit of one or all organisations.';
revoke execute on function public.whatsapp_operator_audit(uuid, text, text, timestamptz, uuid, integer)
from public, anon, authenticated;
grant execute on function public.whatsapp_operator_audit(uuid, text, text, timestamptz, uuid, integer) to service_role;
