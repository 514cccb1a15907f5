-- After a crash: claims that a dead holder or a lost answer left, and messages whose time has passed. For service_role only.

-- whatsapp_claims_adopt(run, session, epoch) → claims that an earlier holder left, now this run's under new tokens. Each
-- is to be looked up in the store and settled, never sent: incarnation and former_token are those of the send.
-- Called again (a lost answer, a session that begins anew) it gives the same claims as long as they are not settled.
create function public.whatsapp_claims_adopt(p_run uuid, p_session uuid, p_epoch bigint) returns jsonb
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
  select jsonb_agg(herald.claim_json(m, c)) into answer
  from herald.message_claims as c
  join public.scheduled_whatsapp_messages as m on m.id = c.message_id
  where c.session_id = p_session and c.former_token is not null;
  return coalesce(answer, '[]'::jsonb);
end
$$;

-- whatsapp_claims_return(run, in hand) → how many. Claims of this run that it does not know of (the answer to a claim
-- was lost on the way) were never given to a transport: they are pending again. Not so adopted ones: those may be out.
create function public.whatsapp_claims_return(p_run uuid, p_in_hand uuid[]) returns integer
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
declare
  many integer;
begin
  with lost as (
    delete from herald.message_claims as c
    where c.run_id = p_run and c.former_token is null and c.message_id <> all(p_in_hand)
    returning c.message_id
  )
  update public.scheduled_whatsapp_messages as m set status = 'pending'
  from lost as c where m.id = c.message_id and m.status = 'sending';
  get diagnostics many = row_count;
  return many;
end
$$;

-- whatsapp_reap() → {"expired": n, "in_doubt": n}. Fails what is past its time; puts in doubt what a worker claimed
-- that is gone and that nobody has taken over for ten minutes; applies receipts that crossed with their message's
-- settle; forgets receipts older than a day.
create function public.whatsapp_reap() returns jsonb
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
    select e.id from public.scheduled_whatsapp_messages as e
    where e.status = 'pending' and e.expires_at <= moment limit 1000 for update skip locked
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
    delete from herald.early_receipts as e using public.scheduled_whatsapp_messages as m
    where m.session_id = e.session_id and m.wa_message_id = e.wa_message_id and m.status <> 'sending'
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

revoke execute on function
  public.whatsapp_claims_adopt(uuid, uuid, bigint),
  public.whatsapp_claims_return(uuid, uuid[]),
  public.whatsapp_reap()
from public, anon, authenticated;
grant execute on function
  public.whatsapp_claims_adopt(uuid, uuid, bigint),
  public.whatsapp_claims_return(uuid, uuid[]),
  public.whatsapp_reap()
to service_role;
