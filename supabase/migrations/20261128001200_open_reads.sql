-- Who else asks for what is open, or for the message of an id of WhatsApp's, asks the small tables.

-- herald.matched_receipts(receipts) → the receipts with the message that each is about (null: not known yet).
create or replace function herald.matched_receipts(p_receipts jsonb)
returns table (
  message_id uuid, organization_id uuid, session_id uuid, wa_message_id text, recipient text, kind text, at timestamptz
)
language sql stable set search_path = ''
as $$
  select m.id, m.organization_id, x.session_id, x.wa_message_id, x.recipient, x.kind, x.at
  from jsonb_to_recordset(p_receipts)
    as x (session_id uuid, wa_message_id text, recipient text, kind text, at timestamptz)
  left join (
    herald.sent_ids as s join public.scheduled_whatsapp_messages as m on m.id = s.message_id and m.status <> 'sending'
  ) on s.session_id = x.session_id and s.wa_message_id = x.wa_message_id
$$;

-- whatsapp_reap() → {"expired": n, "in_doubt": n}. Fails what is past its time; puts in doubt what a worker claimed
-- that is gone and that nobody has taken over for ten minutes; applies receipts that crossed with their message's
-- settle; forgets receipts older than a day.
create or replace function public.whatsapp_reap() returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  moment timestamptz := herald.clock();
  expired integer;
  doubtful integer;
  crossed jsonb;
begin
  update public.scheduled_whatsapp_messages as m
  set status = 'failed', error_code = 'expired', error_message = 'Its time had passed before it could be sent.'
  where m.id in (
    select q.id from herald.open_messages as e join public.scheduled_whatsapp_messages as q on q.id = e.message_id
    where e.status = 'pending' and e.expires_at <= moment and q.status = 'pending' and q.expires_at <= moment
    limit 1000 for update of q skip locked
  );
  get diagnostics expired = row_count;
  with left_alone as (
    delete from herald.message_claims as c using herald.session_leases as l
    where l.session_id = c.session_id and c.claimed_until < moment - interval '10 minutes'
      and (l.expires_at <= moment or l.epoch <> c.epoch)
    returning c.message_id
  )
  update public.scheduled_whatsapp_messages as m
  set status = 'in_doubt', error_code = 'worker-lost',
    error_message = 'The worker that was sending this is gone; it may or may not have gone out.'
  from left_alone as c where m.id = c.message_id and m.status = 'sending';
  get diagnostics doubtful = row_count;
  with found as (
    delete from herald.early_receipts as e using herald.sent_ids as s, public.scheduled_whatsapp_messages as m
    where s.session_id = e.session_id and s.wa_message_id = e.wa_message_id
      and m.id = s.message_id and m.status <> 'sending'
    returning e.session_id, e.wa_message_id, e.recipient, e.kind, e.at
  )
  select jsonb_agg(to_jsonb(f)) into crossed from found as f;
  if crossed is not null then
    perform herald.apply_receipts(crossed);
  end if;
  delete from herald.early_receipts as e where e.received_at < moment - interval '1 day';
  return jsonb_build_object('expired', expired, 'in_doubt', doubtful);
end
$$;

-- herald.settle_doubts() → how many went back to the queue. Where the organisation trusts its phones: a message that has
-- been in doubt for two minutes goes back if the phone confirmed one that was sent after the doubt arose, and has had a
-- minute to confirm this one too. One whose id nobody knows stays while there is a confirmation that might be its own.
create or replace function herald.settle_doubts() returns integer
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  moment timestamptz := herald.clock();
  many integer;
begin
  with unsent as (
    select m.id from herald.open_messages as d
    join public.scheduled_whatsapp_messages as m on m.id = d.message_id
    join public.workshop_automation_config as c
      on c.organization_id = m.organization_id and c.in_doubt_policy = 'own_phone'
    join herald.own_phones as o on o.session_id = m.session_id
    where d.status = 'in_doubt' and m.status = 'in_doubt' and m.updated_at < moment - interval '2 minutes'
      and o.confirmed_sent_at > m.updated_at and o.noted_at < moment - interval '1 minute'
      and (m.wa_message_id is not null or not exists (
        select 1 from herald.early_receipts as e
        where e.session_id = m.session_id and e.kind = 'sender' and e.received_at > m.updated_at - interval '1 hour'
      ))
    order by m.id
    limit 500
    for update of m skip locked
  ), requeued as (
    update public.scheduled_whatsapp_messages as m set status = 'pending'
    from unsent as u where m.id = u.id
    returning m.id, m.organization_id, m.session_id
  ), told as (
    insert into public.whatsapp_audit_logs (organization_id, session_id, event_type, event_data)
    select r.organization_id, r.session_id, 'message.doubt_settled',
      jsonb_build_object('message_id', r.id, 'evidence', 'own_phone', 'status', 'pending')
    from requeued as r
  )
  select count(*) into many from requeued;
  return many;
end
$$;

-- herald.organization_queue(organisation) → one row for it, or per organisation (null), that the caller may see, without accounts that are private to others.
create function herald.organization_queue(p_organization uuid)
returns table (
  organization_id uuid, pending bigint, due bigint, oldest_due_at timestamptz, sending bigint, stuck bigint,
  in_doubt bigint, accounts bigint, accounts_connected bigint
)
language sql stable security definer set search_path = '' set jit = off
as $$
  select o.id, q.pending, q.due, q.oldest_due_at, q.sending, q.stuck, d.in_doubt, a.accounts, a.connected
  from public.organizations as o
  cross join lateral (
    select count(*) filter (where m.status = 'pending') as pending,
      count(*) filter (where m.status = 'pending' and greatest(m.scheduled_for, m.next_attempt_at) <= herald.clock()) as due,
      min(greatest(m.scheduled_for, m.next_attempt_at)) filter (
        where m.status = 'pending' and greatest(m.scheduled_for, m.next_attempt_at) <= herald.clock()
      ) as oldest_due_at,
      count(*) filter (where m.status = 'sending') as sending,
      count(*) filter (where m.status = 'sending' and (c.message_id is null or c.claimed_until <= herald.clock())) as stuck
    from herald.open_messages as m
    left join herald.message_claims as c on c.message_id = m.message_id
    where m.organization_id = o.id and m.status in ('pending', 'sending')
      and m.session_id not in (select herald.my_hidden_sessions())
  ) as q
  cross join lateral (
    select count(*) as in_doubt from herald.open_messages as m
    where m.organization_id = o.id and m.status = 'in_doubt'
      and m.session_id not in (select herald.my_hidden_sessions())
  ) as d
  cross join lateral (
    select count(*) as accounts, count(*) filter (where s.status = 'connected') as connected
    from public.whatsapp_sessions as s
    where s.organization_id = o.id and s.id not in (select herald.my_hidden_sessions())
  ) as a
  where (p_organization is null or o.id = p_organization)
    and (
      coalesce((select auth.role()), '') <> 'authenticated'
      or o.id in (select herald.my_organizations()) or (select herald.is_super_admin())
    )
$$;
revoke execute on function herald.organization_queue(uuid) from public;
grant execute on function herald.organization_queue(uuid) to authenticated, service_role;

create or replace function herald.queue_overview()
returns table (
  organization_id uuid, pending bigint, due bigint, oldest_due_at timestamptz, sending bigint, stuck bigint,
  in_doubt bigint, accounts bigint, accounts_connected bigint
)
language sql stable security definer set search_path = '' set jit = off
as $$
  select * from herald.organization_queue(null)
$$;

-- whatsapp_stats(organisation) → what the CRM's dashboard shows, as far as the caller may see the organisation's rows.
create or replace function public.whatsapp_stats(p_organization uuid) returns jsonb
language sql stable set search_path = '' set jit = off
as $$
  select jsonb_build_object(
    'today', herald.period_stats(p_organization, (herald.clock() at time zone 'UTC')::date),
    'last_7_days', herald.period_stats(p_organization, (herald.clock() at time zone 'UTC')::date - 6),
    'queue', jsonb_build_object(
      'pending', coalesce(q.pending, 0), 'due', coalesce(q.due, 0), 'sending', coalesce(q.sending, 0)
    ),
    'in_doubt', coalesce(q.in_doubt, 0),
    'accounts', (
      select jsonb_build_object('total', count(*), 'connected', count(*) filter (where s.status = 'connected'))
      from public.whatsapp_session_overview as s where s.organization_id = p_organization
    ),
    'groups', (
      select count(*) from public.whatsapp_groups as g where g.organization_id = p_organization and g.is_active
    ),
    'contacts', (
      select jsonb_build_object('total', count(*), 'opted_out', count(p.opted_out_at))
      from public.whatsapp_contacts as p where p.organization_id = p_organization
    )
  )
  from (select 1) as always left join herald.organization_queue(p_organization) as q on true
$$;

-- herald.waiting_reasons(message): all that holds a pending message back now, in the order in which it has to be mended.
create or replace function herald.waiting_reasons(m public.scheduled_whatsapp_messages)
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
    elsif served and (not lease.ready or lease.incarnation is null) then
      return query select 'account-connecting', 'A worker has taken the account over and is connecting it.',
        null::timestamptz;
    end if;
  end if;
  return query
    select h.hold, herald.hold_explained(h.hold), case h.hold
        when 'quiet-hours' then (
          select herald.quiet_until(c.quiet_hours, c.timezone) from public.workshop_automation_config as c
          where c.organization_id = m.organization_id
        )
        when 'group-limit' then herald.room_at('group', m.group_id, account.per_group_per_minute)
        when 'pair-limit' then (
          select p.paid_until - 44 * interval '6 seconds' from herald.cloud_pairs as p
          where p.session_id = m.session_id and p.recipient = herald.recipient_address(m)
        )
        when 'tier-limit' then (
          select r.last_at + interval '24 hours'
          from public.whatsapp_cloud_accounts as c
          join herald.cloud_recipients as r on r.business_account_id = c.business_account_id
          where c.session_id = m.session_id
          order by r.last_at desc limit 1
          offset (select herald.tier_size(x.rate_limit_tier) from public.whatsapp_cloud_accounts as x
            where x.session_id = m.session_id) - 1
        )
      end
    from herald.message_holds as h
    where h.id = m.id and h.hold is not null
      and not exists (select 1 from herald.account_holds as a where a.session_id = m.session_id and a.hold = h.hold);
  if lease.next_send_at > moment then
    return query select 'pace', 'The account leaves a little time between two messages.', lease.next_send_at;
  elsif account.provider = 'cloud' and herald.used('number', account.id) >= 80 then
    return query select 'pace', 'The number has sent as much in this second as WhatsApp allows.',
      herald.room_at('number', account.id, 80);
  end if;
  select count(*) into ahead from (
    select 1 from herald.open_messages as o join herald.message_holds as h on h.id = o.message_id
    where o.session_id = m.session_id and o.status = 'pending' and o.scheduled_for <= moment and o.message_id <> m.id
      and (o.next_attempt_at is null or o.next_attempt_at <= moment) and (o.expires_at is null or o.expires_at > moment)
      and (o.priority > m.priority or o.priority = m.priority and (o.scheduled_for, o.message_id) < (m.scheduled_for, m.id))
      and h.hold is null
    limit 1000
  ) as before;
  if ahead > 0 then
    return query select 'queue',
      format('%s of the same account go first.', case ahead when 1 then 'One message' when 1000 then 'A thousand messages or more'
        else ahead || ' messages' end), null::timestamptz;
  end if;
  if exists (
    select 1 from herald.message_claims as c where c.session_id = m.session_id
    having count(*) >= herald.slots(account.provider)
  ) then
    return query select 'in-flight', 'The account is sending another message right now.', null::timestamptz;
  end if;
end
$$;

-- herald.opt_in_required: an organisation that begins to ask for opt-ins fails what waits for people who gave none.
create or replace function herald.opt_in_required() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
begin
  update public.scheduled_whatsapp_messages as m
  set status = 'failed', error_code = 'suppressed',
    error_message = coalesce(
      herald.suppression(m.organization_id, m.contact_id, m.recipient_phone), 'This person has not opted in.'
    )
  from herald.open_messages as w
  where w.organization_id = new.organization_id and w.status = 'pending' and m.id = w.message_id
    and m.status = 'pending' and m.group_id is null
    and not exists (
      select 1 from public.whatsapp_contacts as p
      where p.organization_id = m.organization_id and p.opted_in_at is not null
        and (p.id = m.contact_id or p.phone = m.recipient_phone)
    );
  return null;
end
$$;
