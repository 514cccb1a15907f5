-- Settling, now that sends are counted (what was surely not sent is taken out of the counts again), receipts, whose
-- rows name the account, and adoption, which reads claims by the same view.

-- whatsapp_settle(run, results) → ids of the messages that were settled. Idempotent by token: a claim that is gone (settled
-- before, or taken over) is left alone. Results: [{message_id, token, outcome: accepted|rejected|unavailable|indeterminate,
-- wa_message_id, at, code, reason, retry, retry_after (seconds)}]. What was surely not sent (unavailable) does not count
-- against the limits.
create or replace function public.whatsapp_settle(p_run uuid, p_results jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  moment timestamptz := herald.clock();
  settled jsonb;
  early jsonb;
  unsent herald.message_claims[];
begin
  with result as materialized (
    select * from jsonb_to_recordset(p_results) as x (
      message_id uuid, token uuid, outcome text, wa_message_id text, at timestamptz,
      code text, reason text, retry boolean, retry_after double precision
    )
  ), mine as (
    delete from herald.message_claims as c
    using result as r, herald.session_leases as l
    where c.message_id = r.message_id and c.token = r.token and c.run_id = p_run
      and l.session_id = c.session_id and l.run_id = c.run_id and l.epoch = c.epoch
    returning c as claim, r.*
  ), written as (
    update public.scheduled_whatsapp_messages as m set
      status = case
        when r.outcome = 'accepted' then 'sent'
        when r.outcome = 'indeterminate' then 'in_doubt'
        when r.outcome = 'unavailable' then 'pending'
        when coalesce(r.retry, false) and m.retry_count < m.max_retries then 'pending'
        else 'failed'
      end,
      wa_message_id = r.wa_message_id,
      sent_at = case when r.outcome = 'accepted' then coalesce(r.at, moment) end,
      retry_count = m.retry_count
        + case when r.outcome = 'rejected' and r.retry and m.retry_count < m.max_retries then 1 else 0 end,
      next_attempt_at = case
        when r.outcome = 'unavailable' then moment + make_interval(secs => coalesce(r.retry_after, 0))
        when r.outcome = 'rejected' and r.retry and m.retry_count < m.max_retries
          then moment + make_interval(secs => least(5 * 2 ^ m.retry_count, 300) * (0.8 + 0.4 * random()))
      end,
      error_code = case when r.outcome <> 'accepted' then coalesce(r.code, r.outcome) end,
      error_message = case when r.outcome <> 'accepted' then r.reason end
    from mine as r where m.id = r.message_id and m.status = 'sending'
    returning m.session_id, m.wa_message_id
  ), active as (
    update public.whatsapp_sessions as s set last_active_at = moment
    where s.id in (select w.session_id from written as w where w.wa_message_id is not null)
      and (s.last_active_at is null or s.last_active_at < moment - interval '1 minute')
  ), waiting as (
    delete from herald.early_receipts as e using written as w
    where e.session_id = w.session_id and e.wa_message_id = w.wa_message_id
    returning e.session_id, e.wa_message_id, e.recipient, e.kind, e.at
  )
  select
    (select coalesce(jsonb_agg(c.message_id), '[]'::jsonb) from mine as c),
    (select jsonb_agg(to_jsonb(e)) from waiting as e),
    (select array_agg(c.claim) from mine as c where c.outcome = 'unavailable')
  into settled, early, unsent;
  if unsent is not null then
    perform herald.count_sends(unsent, -1);
  end if;
  if early is not null then
    perform herald.apply_receipts(early);
  end if;
  return settled;
end
$$;

-- whatsapp_claims_return(run, in hand) → how many. Claims of this run that it does not know of (the answer to a claim
-- was lost on the way) were never given to a transport: they are pending again. Not so adopted ones: those may be out.
create or replace function public.whatsapp_claims_return(p_run uuid, p_in_hand uuid[]) returns integer
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  lost herald.message_claims[];
begin
  with gone as (
    delete from herald.message_claims as c
    where c.run_id = p_run and c.former_token is null and c.message_id <> all(p_in_hand)
    returning c
  )
  select array_agg(g.c) into lost from gone as g;
  if lost is null then
    return 0;
  end if;
  update public.scheduled_whatsapp_messages as m set status = 'pending'
  from unnest(lost) as c where m.id = c.message_id and m.status = 'sending';
  perform herald.count_sends(lost, -1);
  return cardinality(lost);
end
$$;

-- herald.apply_receipts(receipts) writes who has a message and who read it. Receipts of unknown messages wait a day for
-- their message to be settled. Any receipt is evidence that an in_doubt message went out. Forward only, idempotent.
-- The worker sends settles and receipts of a session one after the other, so that none falls between the two; one that
-- crosses with a settle whose answer was lost is applied by whatsapp_reap.
create or replace function herald.apply_receipts(p_receipts jsonb) returns void
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  confirmed uuid[];
begin
  insert into herald.early_receipts as e (session_id, wa_message_id, recipient, kind, at, received_at)
  select r.session_id, r.wa_message_id, r.recipient, r.kind, r.at, herald.clock()
  from herald.matched_receipts(p_receipts) as r join public.whatsapp_sessions as s on s.id = r.session_id
  where r.message_id is null
  on conflict do nothing;

  -- One after the other for a message, in one order: each counts what the one before it has written.
  perform 1 from public.scheduled_whatsapp_messages as m
  where m.id in (select r.message_id from herald.matched_receipts(p_receipts) as r)
  order by m.id
  for no key update;

  update public.scheduled_whatsapp_messages as m
  set status = 'sent', sent_at = coalesce(m.sent_at, r.at), error_code = null, error_message = null
  from (
    select t.message_id, min(t.at) as at from herald.matched_receipts(p_receipts) as t group by t.message_id
  ) as r
  where m.id = r.message_id and m.status = 'in_doubt';

  perform herald.note_own_phones(p_receipts);

  with logged as (
    insert into public.whatsapp_delivery_logs as d
    (organization_id, session_id, message_id, recipient, sent_at, delivered_at, read_at)
    select r.organization_id, r.session_id, r.message_id, r.recipient, min(m.sent_at), min(r.at),
      min(r.at) filter (where r.kind in ('read', 'played'))
    from herald.matched_receipts(p_receipts) as r
    join public.scheduled_whatsapp_messages as m on m.id = r.message_id
    where r.message_id is not null and r.kind in ('delivered', 'read', 'played')
    group by r.organization_id, r.session_id, r.message_id, r.recipient
    order by r.message_id, r.recipient
    on conflict (message_id, recipient) do update
    set delivered_at = coalesce(d.delivered_at, excluded.delivered_at),
      read_at = coalesce(d.read_at, excluded.read_at)
    returning d.message_id
  )
  select array_agg(distinct l.message_id) into confirmed from logged as l;

  update public.scheduled_whatsapp_messages as m
  set delivered_count = d.delivered, read_count = d.read,
    delivered_at = coalesce(m.delivered_at, d.first_delivered), read_at = coalesce(m.read_at, d.first_read),
    status = case
      when m.status in ('sent', 'delivered') and d.read > 0 then 'read'
      when m.status = 'sent' then 'delivered'
      else m.status
    end
  from (
    select l.message_id, count(l.delivered_at)::integer as delivered, count(l.read_at)::integer as read,
      min(l.delivered_at) as first_delivered, min(l.read_at) as first_read
    from public.whatsapp_delivery_logs as l
    where l.message_id = any(confirmed)
    group by l.message_id
  ) as d
  where m.id = d.message_id and m.status in ('sent', 'delivered', 'read')
    and (m.status = 'sent' or (m.delivered_count, m.read_count) is distinct from (d.delivered, d.read));
end
$$;

-- whatsapp_claims_adopt(run, session, epoch) → claims that an earlier holder left, now this run's under new tokens. Each
-- is to be looked up in the store and settled, never sent: incarnation and former_token are those of the send.
-- Called again (a lost answer, a session that begins anew) it gives the same claims as long as they are not settled.
create or replace function public.whatsapp_claims_adopt(p_run uuid, p_session uuid, p_epoch bigint) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  answer jsonb;
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  update herald.message_claims as c
  set token = gen_random_uuid(), former_token = coalesce(c.former_token, c.token), run_id = p_run, epoch = p_epoch,
    claimed_until = herald.clock() + interval '150 seconds'
  where c.session_id = p_session and (c.run_id, c.epoch) is distinct from (p_run, p_epoch);
  select jsonb_agg(b.body) into answer from herald.claim_bodies as b
  where b.session_id = p_session and b.former_token is not null;
  return coalesce(answer, '[]'::jsonb);
end
$$;

drop function herald.claim_json(public.scheduled_whatsapp_messages, herald.message_claims);
