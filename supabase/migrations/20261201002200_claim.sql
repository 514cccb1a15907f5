-- The claim: which messages may go out now, leased to one worker, with every rule applied. For service_role only. jit
-- is off: planning cost about 7 ms of an 8.5 ms claim on ten million rows. Small functions of the hot path are plpgsql,
-- which keeps their plans: an SQL function with a search_path of its own is parsed and planned for every row (18 ms of
-- a claim of 50). Plans are generic, because PostgREST's pool hands the calls out in turn, and each connection would
-- plan its first five anew (27.5 → 20 ms for settle and claim of 50). enable_seqscan is off: message_claims and
-- open_messages hold few rows and, between two vacuums, pages of dead ones. At 3,000 messages a second a plan made
-- while the table was small reads 2,000 such pages in each call a minute later.

create table herald.message_claims (
  message_id uuid primary key references public.scheduled_whatsapp_messages (id) on delete cascade,
  session_id uuid not null, -- no key of its own: the message's goes with the account's, and each claim would ask both
  slot smallint not null default 1 constraint claim_slot_is_small check (slot between 1 and 50),
  token uuid not null,
  former_token uuid,
  run_id uuid not null,
  epoch bigint not null,
  incarnation uuid not null,
  secret bytea not null check (length(secret) = 32),
  claimed_at timestamptz not null default herald.clock(),
  claimed_until timestamptz not null
);
create unique index message_claims_session_slot_key on herald.message_claims (session_id, slot);
comment on table herald.message_claims is
'Messages that are being sent. token fences settles; secret and incarnation show after a crash whether it left.';
comment on column herald.message_claims.slot is 'One message per slot of an account, also when two calls of a run cross.';
comment on column herald.message_claims.token is 'Fences the settle: a result with another token is ignored.';
comment on column herald.message_claims.former_token is
'Set when adopted from an earlier holder: the token under which it may have been sent. Looked up, never sent again.';
comment on column herald.message_claims.run_id is 'The worker process that holds the claim.';
comment on column herald.message_claims.epoch is 'That of the session''s lease when it was claimed.';
comment on column herald.message_claims.incarnation is 'The live store that it was sent from.';
comment on column herald.message_claims.secret is
'Put into the message before it is sent: found in the store after a crash, it proves that the send began.';

alter table herald.message_claims enable row level security;

-- Claims as the worker reads them. kind: text, a kind of media, or what payload, quote and mentions make of it.
create view herald.claim_bodies as
select c.message_id, c.session_id, c.former_token, jsonb_build_object(
    'message_id', m.id, 'token', c.token, 'former_token', c.former_token,
    'organization_id', m.organization_id, 'session_id', m.session_id,
    'until', c.claimed_until, 'secret', encode(c.secret, 'base64'), 'incarnation', c.incarnation,
    'to', coalesce(m.recipient_phone, g.group_jid, p.phone, p.jid, p.lid),
    'kind', coalesce(m.payload ->> 'kind', m.media_kind, case
      when m.quoted_message_id is not null then 'reply'
      when m.mentions is not null then 'mention'
      else 'text'
    end),
    'text', m.message_content, 'media_url', m.media_url, 'attempt', m.retry_count + 1
  ) as body
from herald.message_claims as c
join public.scheduled_whatsapp_messages as m on m.id = c.message_id
left join public.whatsapp_groups as g on g.id = m.group_id
left join public.whatsapp_contacts as p on p.id = m.contact_id;
comment on view herald.claim_bodies is 'Messages that are being sent, as the worker reads them.';
comment on column herald.claim_bodies.body is 'A claimed message as the worker''s Claim reads it.';

-- == choosing ==

-- herald.slots(provider) → how many messages of an account may be in flight at once.
create function herald.slots(p_provider text) returns integer
language plpgsql immutable set search_path = ''
as $$
begin
  return case p_provider when 'cloud' then 20 else 1 end;
end
$$;
revoke execute on function herald.slots(text) from public;

-- herald.count_sends(claims, by): what was claimed counts against the limits of its account, its group and its number.
-- by -1 takes it back, in the step in which it was counted, because it was surely not sent.
create function herald.count_sends(p_claims herald.message_claims[], p_by integer) returns void
language plpgsql volatile set search_path = '' set jit = off
as $$
begin
  insert into herald.send_counts as x (rule, subject, bucket, sent)
  select n.rule, n.subject, date_bin(w.width, n.claimed_at, 'epoch'), count(*)
  from (
    select 'account' as rule, c.session_id as subject, c.claimed_at from unnest(p_claims) as c
    union all
    select 'group', m.group_id, c.claimed_at from unnest(p_claims) as c
    join public.scheduled_whatsapp_messages as m on m.id = c.message_id and m.group_id is not null
    union all
    select 'number', c.session_id, c.claimed_at from unnest(p_claims) as c
    join public.whatsapp_sessions as s on s.id = c.session_id and s.provider = 'cloud'
  ) as n
  join herald.limit_windows as w on w.rule = n.rule
  group by n.rule, n.subject, date_bin(w.width, n.claimed_at, 'epoch')
  order by n.rule, n.subject
  on conflict (rule, subject, bucket) do update set sent = greatest(x.sent + p_by * excluded.sent, 0);
end
$$;
revoke execute on function herald.count_sends(herald.message_claims[], integer) from public;

-- herald.accounts_to_serve(run, limit) → accounts of the run that may have something to send, locked. Fair: each
-- organisation's turn first, within it the account that has waited longest since it was last looked at. Most often the
-- first turns are enough: then one account per organisation is asked for what is due, and not all of them.
create function herald.accounts_to_serve(p_run uuid, p_limit integer) returns uuid[]
language plpgsql volatile set search_path = '' set jit = off set enable_seqscan = off
as $$
declare
  moment timestamptz := herald.clock();
  wanted integer := least(greatest(p_limit, 0), 500);
  turns integer;
  found_ones uuid[];
begin
  foreach turns in array array[1, 1000000] loop
    with busy as materialized (
      select c.session_id, count(*) as many from herald.message_claims as c group by c.session_id
    ), organizations as materialized (
      select s.organization_id, array_agg(l.session_id order by l.looked_at) as accounts,
        array_agg(l.looked_at order by l.looked_at) as looked
      from herald.session_leases as l
      join public.whatsapp_sessions as s on s.id = l.session_id
      left join busy as b on b.session_id = l.session_id
      where l.run_id = p_run and l.expires_at > moment and l.ready and l.incarnation is not null
        and l.next_send_at <= moment and l.look_again_at <= moment
        and (b.many is null or b.many < herald.slots(s.provider))
      group by s.organization_id
    ), waiting as (
      select w.session_id, w.looked_at, w.turn
      from organizations as o
      cross join lateral (
        select a.session_id, a.looked_at, row_number() over (order by a.place) as turn
        from unnest(o.accounts, o.looked) with ordinality as a (session_id, looked_at, place)
        cross join lateral ( -- not exists(): that would be a hash of all that is due, for everyone
          select 1 from herald.open_messages as m
          where m.session_id = a.session_id and m.status = 'pending'
            and greatest(m.scheduled_for, m.next_attempt_at) <= moment
            and (m.expires_at is null or m.expires_at > moment)
          order by greatest(m.scheduled_for, m.next_attempt_at) limit 1
        ) as due
        order by a.place
        limit turns
      ) as w
      order by w.turn, w.looked_at
      limit wanted
    )
    select array_agg(w.session_id) into found_ones from waiting as w;
    exit when cardinality(found_ones) >= wanted;
  end loop;
  return (
    with locked as ( -- by its key alone: with the run beside it, all leases of the run are read for each
      select l.session_id, l.run_id, l.next_send_at from herald.session_leases as l
      where l.session_id = any(found_ones)
      for update of l skip locked
    )
    select array_agg(k.session_id) from locked as k where k.run_id = p_run and k.next_send_at <= moment
  );
end
$$;
revoke execute on function herald.accounts_to_serve(uuid, integer) from public;

-- herald.message_to_send(account) → what this account may send now, however many messages in front are held back.
-- Leaves out at once what three rules hold by the thousand (campaigns that don't run, quiet hours, full groups): what
-- is the same for all of them is asked once. What it finds is asked of all rules like any other.
create function herald.message_to_send(p_account uuid) returns uuid
language plpgsql stable set search_path = '' set jit = off set enable_sort = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
declare
  moment timestamptz := herald.clock();
  account public.whatsapp_sessions;
  config public.workshop_automation_config;
  resting uuid[];
  full_groups uuid[];
  quiet boolean;
  answer uuid;
begin
  select s.* into account from public.whatsapp_sessions as s where s.id = p_account;
  select c.* into config from public.workshop_automation_config as c where c.organization_id = account.organization_id;
  quiet := herald.quiet_until(config.quiet_hours, config.timezone) is not null;
  resting := array(
    select k.id from public.whatsapp_campaigns as k
    where k.organization_id = account.organization_id and k.state in ('draft', 'paused')
  );
  full_groups := array(
    select g.id from public.whatsapp_groups as g
    where g.session_id = p_account and herald.used('group', g.id) >= account.per_group_per_minute
  );
  select h.id into answer
  from herald.open_messages as m join herald.message_holds as h on h.id = m.message_id
  where m.session_id = p_account and m.status = 'pending' and m.scheduled_for <= moment
    and (m.next_attempt_at is null or m.next_attempt_at <= moment)
    and (m.expires_at is null or m.expires_at > moment)
    and (m.campaign_id is null or m.campaign_id <> all(resting))
    and (m.group_id is null or m.group_id <> all(full_groups))
    and (not quiet or config.quiet_hours -> 'exempt' ? m.message_type)
    and h.hold is null
  order by m.priority desc, m.scheduled_for, m.message_id
  limit 1;
  return answer;
end
$$;
revoke execute on function herald.message_to_send(uuid) from public;

-- herald.messages_to_send(accounts) → what each of these accounts may send now, one each: highest priority first, then
-- oldest. Nothing that a rule holds back, that is not due or that has expired. Looks at the first 20 messages of each
-- account, which is nearly always enough, and further only where all of these are held back.
create function herald.messages_to_send(p_accounts uuid[]) returns uuid[]
language plpgsql stable set search_path = '' set jit = off set enable_sort = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
declare
  moment timestamptz := herald.clock();
  answer uuid[];
begin
  select array_agg(coalesce(q.id, case when crowd.waits then herald.message_to_send(a.session_id) end)) into answer
  from herald.account_holds as a
  left join lateral (
    select h.id
    from (
      select m.message_id as id, m.priority, m.scheduled_for from herald.open_messages as m
      where m.session_id = a.session_id and m.status = 'pending' and m.scheduled_for <= moment
        and (m.next_attempt_at is null or m.next_attempt_at <= moment)
        and (m.expires_at is null or m.expires_at > moment)
      order by m.priority desc, m.scheduled_for, m.message_id
      limit 20
    ) as head
    join herald.message_holds as h on h.id = head.id
    where h.hold is null
    order by head.priority desc, head.scheduled_for, head.id
    limit 1
  ) as q on true
  left join lateral (
    select true as waits from herald.open_messages as m
    where q.id is null and m.session_id = a.session_id and m.status = 'pending'
      and greatest(m.scheduled_for, m.next_attempt_at) <= moment
    offset 20 limit 1
  ) as crowd on true
  where a.session_id = any(p_accounts) and a.hold is null;
  return array_remove(answer, null);
end
$$;
revoke execute on function herald.messages_to_send(uuid[]) from public;

-- herald.cloud_messages_to_send(account, limit): the same for a Cloud API account, several at a time. One after the
-- other, because each counts for the next: the person's pace, the business's tier, the number's rate.
create function herald.cloud_messages_to_send(p_account uuid, p_limit integer) returns uuid[]
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  moment timestamptz := herald.clock();
  business text;
  room integer;
  candidate public.scheduled_whatsapp_messages;
  chosen uuid[] := '{}';
begin
  select c.business_account_id into business from public.whatsapp_cloud_accounts as c where c.session_id = p_account;
  if business is null or exists (
    select 1 from herald.account_holds as a where a.session_id = p_account and a.hold is not null
  ) then
    return chosen;
  end if;
  perform pg_advisory_xact_lock(hashtextextended('cloud:' || business, 0));
  room := least(
    p_limit, 80 - herald.used('number', p_account),
    (select a.day_limit from herald.account_holds as a where a.session_id = p_account)
      - herald.used('account', p_account),
    herald.slots('cloud') - (select count(*) from herald.message_claims as c where c.session_id = p_account)
  );
  for candidate in
    select q.* from herald.open_messages as m join public.scheduled_whatsapp_messages as q on q.id = m.message_id
    where m.session_id = p_account and m.status = 'pending' and m.scheduled_for <= moment
      and (m.next_attempt_at is null or m.next_attempt_at <= moment)
      and (m.expires_at is null or m.expires_at > moment)
    order by m.priority desc, m.scheduled_for, m.message_id
  loop
    exit when cardinality(chosen) >= room;
    continue when exists (select 1 from herald.message_holds as h where h.id = candidate.id and h.hold is not null);
    chosen := chosen || candidate.id;
    insert into herald.cloud_recipients as r (business_account_id, recipient, last_at)
    values (business, herald.recipient_address(candidate), moment)
    on conflict (business_account_id, recipient) do update set last_at = excluded.last_at;
    insert into herald.cloud_pairs as r (session_id, recipient, paid_until)
    values (p_account, herald.recipient_address(candidate), moment + interval '6 seconds')
    on conflict (session_id, recipient) do update
    set paid_until = greatest(r.paid_until, moment) + interval '6 seconds';
  end loop;
  return chosen;
end
$$;
revoke execute on function herald.cloud_messages_to_send(uuid, integer) from public;

-- == claiming ==

-- whatsapp_claim(run, limit) → JSON array of messages that may go out now, leased to this run for 150 s (the library's
-- own send timeout is 75 s and it may retry once). Fair between organisations and accounts; as many in flight per
-- account as its provider allows (web 1); highest priority, then oldest, first. Never returns what a rule holds back.
-- It chooses messages once the accounts are locked, in a new statement, so that it sees what a call that crossed with
-- this one has claimed and counted. An account whose due messages are all held back is looked at again in a second.
-- Businesses are locked one after the other in one order, so that two calls don't wait for each other.
create function public.whatsapp_claim(p_run uuid, p_limit integer default 50) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  moment timestamptz := herald.clock();
  accounts uuid[] := herald.accounts_to_serve(p_run, p_limit);
  chosen uuid[];
  cloud uuid;
  claims herald.message_claims[];
begin
  if accounts is null then
    return '[]'::jsonb;
  end if;
  chosen := herald.messages_to_send((
    select array_agg(s.id) from public.whatsapp_sessions as s where s.id = any(accounts) and s.provider = 'web'
  ));
  for cloud in
    select s.id from public.whatsapp_sessions as s
    join public.whatsapp_cloud_accounts as c on c.session_id = s.id
    where s.id = any(accounts) and s.provider = 'cloud'
    order by c.business_account_id
  loop
    chosen := chosen || herald.cloud_messages_to_send(cloud, p_limit - coalesce(cardinality(chosen), 0));
  end loop;

  with picked as materialized (
    select m.id, m.session_id, s.provider from public.scheduled_whatsapp_messages as m
    join public.whatsapp_sessions as s on s.id = m.session_id
    where m.id = any(chosen) and m.status = 'pending'
    for update of m skip locked
  ), slotted as (
    select p.id, p.session_id, 1 as slot from picked as p
    where p.provider = 'web'
      and not exists (select 1 from herald.message_claims as c where c.session_id = p.session_id)
    union all
    select p.id, p.session_id, free.slot
    from (
      select x.id, x.session_id, row_number() over (partition by x.session_id) as place
      from picked as x where x.provider <> 'web'
    ) as p
    cross join lateral (
      select n as slot from generate_series(1, herald.slots('cloud')) as n
      where not exists (select 1 from herald.message_claims as c where c.session_id = p.session_id and c.slot = n)
      order by n offset p.place - 1 limit 1
    ) as free
  ), claimed as (
    insert into herald.message_claims as x
    (message_id, session_id, slot, token, run_id, epoch, incarnation, secret, claimed_at, claimed_until)
    select p.id, p.session_id, p.slot, gen_random_uuid(), l.run_id, l.epoch, l.incarnation,
      extensions.gen_random_bytes(32), moment, moment + interval '150 seconds'
    from slotted as p join herald.session_leases as l on l.session_id = p.session_id
    returning x.*
  ), looked as (
    update herald.session_leases as l
    set looked_at = moment,
      look_again_at = case
        when c.session_id is null and herald.slots(s.provider) > (
          select count(*) from herald.message_claims as x where x.session_id = l.session_id
        ) then moment + interval '1 second'
        else '-infinity'
      end,
      next_send_at = case
        when c.session_id is null or s.min_gap_ms = 0 or s.provider = 'cloud' then l.next_send_at
        else moment + make_interval(secs => s.min_gap_ms / 1000.0 * (0.8 + 0.6 * random()))
      end
    from public.whatsapp_sessions as s
    left join (select distinct x.session_id from claimed as x) as c on c.session_id = s.id
    where l.session_id = any(accounts) and s.id = l.session_id
  ), marked as (
    update public.scheduled_whatsapp_messages as m
    set status = 'sending', error_code = null, error_message = null
    from claimed as c where m.id = c.message_id
    returning m.id
  )
  select array_agg(c::herald.message_claims) into claims from marked as m join claimed as c on c.message_id = m.id;
  if claims is null then
    return '[]'::jsonb;
  end if;
  perform herald.count_sends(claims, 1);
  return (
    select jsonb_agg(b.body) from herald.claim_bodies as b
    where b.message_id = any(array(select c.message_id from unnest(claims) as c))
  );
end
$$;
comment on function public.whatsapp_claim(uuid, integer) is
'For the worker: messages that may go out now, leased to this run; every rule applied.';
revoke execute on function public.whatsapp_claim(uuid, integer) from public, anon, authenticated;
grant execute on function public.whatsapp_claim(uuid, integer) to service_role;

-- herald.next_due(run) → seconds until this run may have something to claim, or null: so that a worker sleeps no longer
-- than it must. Accounts with all their slots in flight don't count: a settle wakes the worker. Volatile, to see what
-- the caller has claimed a moment ago.
create function herald.next_due(p_run uuid) returns double precision
language plpgsql volatile set search_path = '' set jit = off set enable_seqscan = off
as $$
declare
  moment timestamptz := herald.clock();
begin
  return (
    with busy as materialized (
      select c.session_id, count(*) as many from herald.message_claims as c group by c.session_id
    )
    select extract(epoch from min(greatest(l.next_send_at, l.look_again_at, q.due, s.paused_until)) - moment)
    from herald.session_leases as l
    join public.whatsapp_sessions as s on s.id = l.session_id
    left join busy as b on b.session_id = l.session_id
    cross join lateral (
      select greatest(m.scheduled_for, m.next_attempt_at) as due
      from herald.open_messages as m
      where m.session_id = l.session_id and m.status = 'pending'
        and (m.expires_at is null or m.expires_at > greatest(moment, m.scheduled_for, m.next_attempt_at))
      order by greatest(m.scheduled_for, m.next_attempt_at) limit 1
    ) as q
    where l.run_id = p_run and l.expires_at > moment and l.ready and l.incarnation is not null
      and s.enabled and s.desired_state = 'connected'
      and (b.many is null or b.many < herald.slots(s.provider))
  );
end
$$;
revoke execute on function herald.next_due(uuid) from public;

-- == claims in hand ==

-- whatsapp_claims_extend(run, messages) → those still held, now until 150 s from now.
create function public.whatsapp_claims_extend(p_run uuid, p_messages uuid[]) returns jsonb
language sql volatile security definer set search_path = '' set jit = off set enable_seqscan = off
as $$
  with extended as (
    update herald.message_claims as c set claimed_until = herald.clock() + interval '150 seconds'
    from herald.session_leases as l
    where c.message_id = any(p_messages) and c.run_id = p_run
      and l.session_id = c.session_id and l.run_id = c.run_id and l.epoch = c.epoch
    returning c.message_id
  )
  select coalesce(jsonb_agg(e.message_id), '[]'::jsonb) from extended as e
$$;
comment on function public.whatsapp_claims_extend(uuid, uuid[]) is
'Extends claims that are still being sent. Returns those still held.';
revoke execute on function public.whatsapp_claims_extend(uuid, uuid[]) from public, anon, authenticated;
grant execute on function public.whatsapp_claims_extend(uuid, uuid[]) to service_role;

-- whatsapp_claims_adopt(run, session, epoch) → claims that an earlier holder left, now this run's under new tokens.
-- Each is to be looked up in the store and settled, never sent: incarnation and former_token are those of the send.
-- Called again (a lost answer, a session that starts over) it gives the same claims until they are settled.
create function public.whatsapp_claims_adopt(p_run uuid, p_session uuid, p_epoch bigint) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off set enable_seqscan = off
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
comment on function public.whatsapp_claims_adopt(uuid, uuid, bigint) is
'Claims that an earlier holder of the session left, now this run''s: to be looked up and settled, never sent.';
revoke execute on function public.whatsapp_claims_adopt(uuid, uuid, bigint) from public, anon, authenticated;
grant execute on function public.whatsapp_claims_adopt(uuid, uuid, bigint) to service_role;

-- whatsapp_claims_return(run, in hand) → how many. Claims of this run that it does not know of (the answer to a claim
-- was lost on the way) were never given to a transport: they are pending again. Not so adopted ones: those may have
-- gone out.
create function public.whatsapp_claims_return(p_run uuid, p_in_hand uuid[]) returns integer
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
comment on function public.whatsapp_claims_return(uuid, uuid[]) is
'Sends back to pending the claims that this run does not know of, because the answer to its claim was lost.';
revoke execute on function public.whatsapp_claims_return(uuid, uuid[]) from public, anon, authenticated;
grant execute on function public.whatsapp_claims_return(uuid, uuid[]) to service_role;
