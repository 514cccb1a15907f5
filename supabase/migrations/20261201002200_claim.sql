-- The claim: which messages may go out now, leased to one worker, with every rule applied. For service_role only. jit
-- is off: planning cost about 7 ms of an 8.5 ms claim on ten million rows. Small functions of the hot path are plpgsql,
-- which keeps their plans: an SQL function with its own search_path is parsed and planned for every row (18 ms of
-- a claim of 50). Plans are generic, because PostgREST spreads the calls over its pool, and each connection would
-- plan its first five calls anew (27.5 → 20 ms for settle and claim of 50). enable_seqscan is off, because message_claims
-- and open_messages hold few live rows but, between two vacuums, pages of dead ones. At 3,000 messages a second a plan
-- made while the table was small reads 2,000 such pages in each call a minute later.

create table herald.message_claims (
  message_id uuid primary key references public.scheduled_whatsapp_messages (id) on delete cascade,
  session_id uuid not null, -- no foreign key: the message's covers the account too, and each claim would check both
  slot smallint not null default 1 constraint claim_slot_is_small check (slot between 1 and 50),
  token uuid not null,
  former_token uuid,
  run_id uuid not null,
  epoch bigint not null,
  incarnation uuid,
  secret bytea check (length(secret) = 32),
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
comment on column herald.message_claims.incarnation is
'The live store that it is sent from; null for an account that has none (Cloud API).';
comment on column herald.message_claims.secret is
'Put into the message before it is sent: found in the live store after a crash, it proves that the send began.';

alter table herald.message_claims enable row level security;

-- Claims as the worker reads them. kind: text, a kind of media, or a kind derived from payload, quote and mentions.
create view herald.claim_bodies as
select c.message_id, c.session_id, c.former_token, jsonb_build_object(
    'message_id', m.id, 'token', c.token, 'former_token', c.former_token,
    'organization_id', m.organization_id, 'session_id', m.session_id, 'provider', s.provider,
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
join public.whatsapp_sessions as s on s.id = c.session_id
left join public.whatsapp_groups as g on g.id = m.group_id
left join public.whatsapp_contacts as p on p.id = m.contact_id;
comment on view herald.claim_bodies is 'Messages that are being sent, as the worker reads them.';
comment on column herald.claim_bodies.body is 'A claimed message as the worker''s Claim reads it.';

-- == what a send costs ==

-- herald.count_sends(claims, by): counts what was claimed against the limits of its account, group and number. by -1
-- takes it back, in the step in which it was counted.
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

-- herald.cloud_sends(claims) → of those that are Cloud API messages: the business, the person, when it was claimed.
create function herald.cloud_sends(p_claims herald.message_claims[])
returns table (session_id uuid, business_account_id text, recipient text, claimed_at timestamptz)
language plpgsql stable set search_path = '' set jit = off
as $$
begin
  return query
    select c.session_id, a.business_account_id, herald.recipient_address(m), c.claimed_at
    from unnest(p_claims) as c
    join public.whatsapp_cloud_accounts as a on a.session_id = c.session_id
    join public.scheduled_whatsapp_messages as m on m.id = c.message_id;
end
$$;
revoke execute on function herald.cloud_sends(herald.message_claims[]) from public;

-- herald.charge(claims): counts all that they cost, when they are claimed.
create function herald.charge(p_claims herald.message_claims[]) returns void
language plpgsql volatile set search_path = '' set jit = off
as $$
begin
  perform herald.count_sends(p_claims, 1);
  insert into herald.cloud_pairs as r (session_id, recipient, paid_until)
  select s.session_id, s.recipient, s.claimed_at + k.pair_cost
  from herald.cloud_sends(p_claims) as s cross join herald.constants as k where k.only_row
  on conflict (session_id, recipient) do update
  set paid_until = greatest(r.paid_until, herald.clock()) + (select k.pair_cost from herald.constants as k where k.only_row);
  insert into herald.cloud_recipients as r (business_account_id, recipient, last_at)
  select s.business_account_id, s.recipient, s.claimed_at from herald.cloud_sends(p_claims) as s
  on conflict (business_account_id, recipient) do update set earlier_at = r.last_at, last_at = excluded.last_at;
end
$$;
revoke execute on function herald.charge(herald.message_claims[]) from public;

-- herald.refund(claims): takes back the cost of what was certainly not sent. If a later message to the same person was
-- charged meanwhile, the tier goes on counting that person: up to a day too long, but never too short.
create function herald.refund(p_claims herald.message_claims[]) returns void
language plpgsql volatile set search_path = '' set jit = off
as $$
begin
  perform herald.count_sends(p_claims, -1);
  update herald.cloud_pairs as r
  set paid_until = r.paid_until - s.many * (select k.pair_cost from herald.constants as k where k.only_row)
  from (
    select x.session_id, x.recipient, count(*) as many from herald.cloud_sends(p_claims) as x group by 1, 2
  ) as s
  where r.session_id = s.session_id and r.recipient = s.recipient;
  update herald.cloud_recipients as r set last_at = coalesce(r.earlier_at, '-infinity'), earlier_at = null
  from herald.cloud_sends(p_claims) as s
  where r.business_account_id = s.business_account_id and r.recipient = s.recipient and r.last_at = s.claimed_at;
end
$$;
revoke execute on function herald.refund(herald.message_claims[]) from public;

-- == choosing ==

-- How many messages of an account may be in flight at once, by provider. A view, because the claim reads it for each
-- account, and a function would cost 5 µs each time.
create view herald.provider_slots as
select 'web' as provider, k.web_slots as slots from herald.constants as k where k.only_row
union all
select 'cloud', k.cloud_slots from herald.constants as k where k.only_row;
comment on view herald.provider_slots is 'How many messages of an account may be in flight at once.';
comment on column herald.provider_slots.slots is 'Messages of one account.';

-- Accounts that have as many messages in flight as their provider allows. Callers on the hot path read it into an array
-- first: in a join, it would be evaluated once per account.
create view herald.full_accounts as
select c.session_id from herald.message_claims as c
join public.whatsapp_sessions as s on s.id = c.session_id
group by c.session_id, s.provider
having count(*) >= (select p.slots from herald.provider_slots as p where p.provider = s.provider);
comment on view herald.full_accounts is 'Accounts that have as many messages in flight as their provider allows.';

-- Accounts that can send now, because a worker serves them.
create view herald.serving as
select l.session_id, l.run_id, l.next_send_at, l.look_again_at, l.looked_at, l.looked_past, s.organization_id, s.provider,
  s.enabled, s.desired_state, s.paused_until
from herald.session_leases as l
join public.whatsapp_sessions as s on s.id = l.session_id
where l.expires_at > (select herald.clock()) and l.ready and (l.incarnation is not null or s.provider <> 'web');
comment on view herald.serving is 'Accounts that can send now, because a worker serves them.';

-- herald.accounts_to_serve(run, limit) → accounts of the run that may have something to send, locked. Fair:
-- organisations take turns, and within one the account goes first whose last look is longest ago. Most often one turn is
-- enough: then it checks one account per organisation for due messages, not all of them.
create function herald.accounts_to_serve(p_run uuid, p_limit integer) returns uuid[]
language plpgsql volatile set search_path = '' set jit = off set enable_seqscan = off
as $$
declare
  moment timestamptz := herald.clock();
  wanted integer := least(greatest(p_limit, 0), 500);
  busy uuid[] := array(select f.session_id from herald.full_accounts as f);
  turns integer;
  found_ones uuid[];
begin
  foreach turns in array array[1, 1000000] loop
    with organizations as materialized (
      select v.organization_id, array_agg(v.session_id order by v.looked_at) as accounts,
        array_agg(v.looked_at order by v.looked_at) as looked
      from herald.serving as v
      where v.run_id = p_run and v.session_id <> all(busy) and v.next_send_at <= moment and v.look_again_at <= moment
      group by v.organization_id
    ), waiting as (
      select w.session_id, w.looked_at, w.turn
      from organizations as o
      cross join lateral (
        select a.session_id, a.looked_at, row_number() over (order by a.place) as turn
        from unnest(o.accounts, o.looked) with ordinality as a (session_id, looked_at, place)
        cross join lateral ( -- exists() would hash all due messages of everyone
          select 1 from herald.due_messages as m where m.session_id = a.session_id order by m.due_at limit 1
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
    with locked as ( -- by the key alone: with the run as a condition, each lookup reads all leases of the run
      select l.session_id, l.run_id, l.next_send_at from herald.session_leases as l
      where l.session_id = any(found_ones)
      for update of l skip locked
    )
    select array_agg(k.session_id) from locked as k where k.run_id = p_run and k.next_send_at <= moment
  );
end
$$;
revoke execute on function herald.accounts_to_serve(uuid, integer) from public;

-- herald.look_further(account, past, most) → the first message that may go, and how many it looked at. Three rules can
-- hold back thousands of messages (resting campaigns, quiet hours, full groups): it evaluates these once and leaves out
-- all due messages that they hold. Of the others it skips the first `past` and looks at the next `most` (null: all).
create function herald.look_further(
  p_account uuid, p_past integer, p_most integer, out message_id uuid, out looked_at integer
)
language plpgsql stable set search_path = '' set jit = off set enable_sort = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
declare
  resting uuid[];
  full_groups uuid[];
  exempt jsonb;
begin
  resting := array(
    select k.id from public.whatsapp_sessions as s
    join herald.resting_campaigns as k on k.organization_id = s.organization_id where s.id = p_account
  );
  full_groups := array(select f.id from herald.full_groups as f where f.session_id = p_account);
  exempt := (
    select n.exempt from herald.quiet_organizations as n
    where n.organization_id = (select s.organization_id from public.whatsapp_sessions as s where s.id = p_account)
  );
  looked_at := 0;
  for message_id in
    select m.message_id from herald.due_messages as m
    where m.session_id = p_account
      and (m.campaign_id is null or m.campaign_id <> all(resting))
      and (m.group_id is null or m.group_id <> all(full_groups))
      and (exempt is null or exempt ? m.message_type)
    order by m.priority desc, m.scheduled_for, m.message_id
    offset p_past limit p_most
  loop
    looked_at := looked_at + 1;
    if exists (select 1 from herald.message_holds as h where h.id = message_id and h.hold is null) then
      return;
    end if;
  end loop;
  message_id := null;
end
$$;
revoke execute on function herald.look_further(uuid, integer, integer) from public;

-- herald.pick(accounts, further) → one row per account that may send something now: its message, highest priority
-- first, then oldest. Nothing that a rule holds back, that is not due or that has expired. It looks at the first messages
-- of each account, which is nearly always enough. If rules hold all of these back, it looks at `further` more, from where
-- earlier picks stopped. message null: more are due after these, and looked_past says how many were passed.
create function herald.pick(p_accounts uuid[], p_further integer)
returns table (session_id uuid, message_id uuid, looked_past integer)
language plpgsql stable set search_path = '' set jit = off set enable_sort = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
declare
  first_look integer := (select k.first_look from herald.constants as k where k.only_row);
begin
  return query
  with found as materialized (
    select a.session_id, q.id, case when q.id is null then coalesce(l.looked_past, 0) end as past
    from herald.account_holds as a
    left join herald.session_leases as l on l.session_id = a.session_id
    left join lateral (
      select h.id
      from (
        select m.message_id as id, m.priority, m.scheduled_for from herald.due_messages as m
        where m.session_id = a.session_id
        order by m.priority desc, m.scheduled_for, m.message_id
        limit first_look
      ) as head
      join herald.message_holds as h on h.id = head.id
      where h.hold is null
      order by head.priority desc, head.scheduled_for, head.id
      limit 1
    ) as q on true
    where a.session_id = any(p_accounts) and a.hold is null
  ), further as materialized (
    select f.session_id, l.message_id as id, f.past + p_further as past, l.looked_at
    from found as f
    cross join lateral herald.look_further(f.session_id, f.past, p_further) as l
    where f.id is null and exists (
      select 1 from herald.due_messages as m where m.session_id = f.session_id offset first_look limit 1
    )
  )
  select f.session_id, f.id, null::integer from found as f where f.id is not null
  union all
  select f.session_id, f.id, case when f.id is null then f.past end from further as f
  where f.id is not null or f.looked_at = p_further;
end
$$;
revoke execute on function herald.pick(uuid[], integer) from public;

-- == claiming ==

-- herald.claim_from(limit, accounts) → JSON array of messages of these accounts, which the caller has locked, leased to
-- the run that holds them. It works in rounds, each at most one message per account and per business, until slots,
-- messages or the limit are used up: what a round claims counts in the next. It picks after the accounts are locked, in a
-- new statement, so that it sees what a concurrent call has claimed and counted. It locks businesses in one order, so that
-- two calls can't deadlock. If rules hold back all due messages of an account, it looks there again after a second. A
-- message that would make the answer larger than constants.largest_claim waits for the next call, which begins with it; a
-- message that is too large to be sent at all fails. It reads sizes without the texts (octet_length).
create function herald.claim_from(p_limit integer, p_accounts uuid[]) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  moment timestamptz := herald.clock();
  k herald.constants;
  accounts uuid[] := p_accounts;
  waiting uuid[] := accounts;
  room bigint;  -- bytes
  put_off uuid[];  -- accounts whose message has no room in this answer
  too_large uuid[];
  round uuid[];
  going_on uuid[] := '{}';  -- accounts that have more to look at
  passed integer[] := '{}';
  in_vain uuid[] := '{}';  -- accounts with nothing to send now
  taken herald.message_claims[];
  claims herald.message_claims[] := '{}';
begin
  select * into k from herald.constants as c where c.only_row;
  room := k.largest_claim;
  perform pg_advisory_xact_lock(hashtextextended('cloud:' || b.business_account_id, 0))
  from (
    select distinct c.business_account_id from public.whatsapp_cloud_accounts as c
    where c.session_id = any(accounts) order by c.business_account_id
  ) as b;

  while cardinality(waiting) > 0 and cardinality(claims) < p_limit loop
    round := array(
      select distinct on (coalesce(c.business_account_id, w.session_id::text)) w.session_id
      from unnest(waiting) as w (session_id)
      left join public.whatsapp_cloud_accounts as c on c.session_id = w.session_id
      limit p_limit - cardinality(claims)
    );
    with picked as materialized (
      select p.session_id, p.message_id, p.looked_past from herald.pick(round, k.further_look) as p
    ), locked as materialized (
      select m.id, m.session_id, octet_length(m.message_content) + coalesce(octet_length(m.media_url), 0) as bytes
      from public.scheduled_whatsapp_messages as m
      where m.id = any(array(select p.message_id from picked as p)) and m.status = 'pending'
      for update of m skip locked
    ), sized as materialized (
      select o.id, o.session_id, sum(o.bytes) over (order by o.id rows unbounded preceding) as total
      from locked as o where o.bytes <= k.largest_message
    ), claimed as (
      insert into herald.message_claims as x
      (message_id, session_id, slot, token, run_id, epoch, incarnation, secret, claimed_at, claimed_until)
      select o.id, o.session_id, free.slot, gen_random_uuid(), l.run_id, l.epoch, l.incarnation,
        case s.provider when 'web' then extensions.gen_random_bytes(32) end, moment, moment + k.claim_lasts
      from sized as o
      join herald.session_leases as l on l.session_id = o.session_id
      join public.whatsapp_sessions as s on s.id = o.session_id
      cross join lateral (
        select n as slot
        from generate_series(1, (select p.slots from herald.provider_slots as p where p.provider = s.provider)) as n
        where not exists (select 1 from herald.message_claims as c where c.session_id = o.session_id and c.slot = n)
        order by n limit 1
      ) as free
      where o.total <= room
      returning x.*
    ), marked as (
      update public.scheduled_whatsapp_messages as m
      set status = 'sending', error_code = null, error_message = null
      from claimed as c where m.id = c.message_id
      returning m.id
    )
    select
      (select array_agg(c::herald.message_claims) from marked as m join claimed as c on c.message_id = m.id),
      going_on || array(select p.session_id from picked as p where p.message_id is null order by p.session_id),
      passed || array(select p.looked_past from picked as p where p.message_id is null order by p.session_id),
      in_vain || array(select unnest(round) except select p.session_id from picked as p),
      room - coalesce((select max(o.total) from sized as o where o.total <= room), 0),
      array(select o.session_id from sized as o where o.total > room),
      (select array_agg(o.id) from locked as o where o.bytes > k.largest_message)
    into taken, going_on, passed, in_vain, room, put_off, too_large;
    if too_large is not null then
      update public.scheduled_whatsapp_messages as m
      set status = 'failed', error_code = 'too-large',
        error_message = 'The message is too large to be sent: its text and the address of its file have more than 2 MB.'
      where m.id = any(too_large);
    end if;
    if taken is not null then
      perform herald.charge(taken);
      claims := claims || taken;
    end if;
    if put_off <> '{}' then
      accounts := array(
        select unnest(accounts) except select unnest(put_off) except (select unnest(waiting) except select unnest(round))
      );
      exit;
    end if;
    waiting := array(
      select w.session_id from unnest(waiting) as w (session_id) where w.session_id <> all(round)
      union all
      select c.session_id from unnest(taken) as c
      where c.session_id <> all(array(select f.session_id from herald.full_accounts as f))
    );
  end loop;

  update herald.session_leases as l
  set looked_at = moment,
    looked_past = case when c.session_id is null then coalesce(g.past, 0) else l.looked_past end,
    look_again_at = case
      when c.session_id is null and l.session_id = any(in_vain) then moment + interval '1 second'
      else '-infinity'
    end,
    next_send_at = case
      when c.session_id is null or s.min_gap_ms = 0 or s.provider = 'cloud' then l.next_send_at
      else moment + make_interval(secs => s.min_gap_ms / 1000.0 * (0.8 + 0.6 * random()))
    end
  from public.whatsapp_sessions as s
  left join (select distinct x.session_id from unnest(claims) as x) as c on c.session_id = s.id
  left join unnest(going_on, passed) as g (session_id, past) on g.session_id = s.id
  where l.session_id = any(accounts) and s.id = l.session_id;
  return coalesce((
    select jsonb_agg(b.body) from herald.claim_bodies as b
    where b.message_id = any(array(select c.message_id from unnest(claims) as c))
  ), '[]'::jsonb);
end
$$;
revoke execute on function herald.claim_from(integer, uuid[]) from public;

-- whatsapp_claim(run, limit) → JSON array of messages that may go out now, leased to this run (constants.claim_lasts).
-- Fair between organisations and accounts; as many in flight per account as its provider allows; highest priority,
-- then oldest, first. Never returns what a rule holds back.
create function public.whatsapp_claim(p_run uuid, p_limit integer default 50) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  accounts uuid[] := herald.accounts_to_serve(p_run, p_limit);
begin
  return case when accounts is null then '[]' else herald.claim_from(p_limit, accounts) end;
end
$$;
comment on function public.whatsapp_claim(uuid, integer) is
'For the worker: messages that may go out now, leased to this run; every rule applied.';
revoke execute on function public.whatsapp_claim(uuid, integer) from public, anon, authenticated;
grant execute on function public.whatsapp_claim(uuid, integer) to service_role;

-- herald.next_due(run) → seconds until this run may have something to claim, or null: how long a worker may sleep.
-- Accounts with all their slots in flight don't count, because a settle wakes the worker. 20 ms if a claim has more to
-- look at. Volatile, to see what the caller has just claimed. At most 30 days, because a pause may last until infinity,
-- which is no number of seconds.
create function herald.next_due(p_run uuid) returns double precision
language plpgsql volatile set search_path = '' set jit = off set enable_seqscan = off
as $$
declare
  moment timestamptz := herald.clock();
  busy uuid[] := array(select f.session_id from herald.full_accounts as f);
begin
  return (
    select extract(epoch from min(least(greatest(
      v.next_send_at, v.look_again_at, q.due_at, v.paused_until, moment - interval '1 minute',
      case when v.looked_past > 0 then moment + interval '20 milliseconds' end
    ), moment + interval '30 days')) - moment)
    from herald.serving as v
    cross join lateral (
      select m.due_at from herald.open_messages as m
      where m.session_id = v.session_id and m.status = 'pending'
        and (m.expires_at is null or m.expires_at > greatest(moment, m.due_at))
      order by m.due_at limit 1
    ) as q
    where v.run_id = p_run and v.session_id <> all(busy) and v.enabled and v.desired_state = 'connected'
  );
end
$$;
revoke execute on function herald.next_due(uuid) from public;

-- == claims in hand ==

-- whatsapp_claims_extend(run, messages) → those still held, extended by their full time.
create function public.whatsapp_claims_extend(p_run uuid, p_messages uuid[]) returns jsonb
language sql volatile security definer set search_path = '' set jit = off set enable_seqscan = off
as $$
  with extended as (
    update herald.message_claims as c set claimed_until = herald.clock() + k.claim_lasts
    from herald.session_leases as l cross join herald.constants as k
    where k.only_row and c.message_id = any(p_messages) and c.run_id = p_run
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
-- The worker looks each up in the store and settles it, and never sends it: incarnation and former_token are those of the
-- send. Called again (a lost answer, a session that starts over), it returns the same claims until they are settled.
create function public.whatsapp_claims_adopt(p_run uuid, p_session uuid, p_epoch bigint) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off set enable_seqscan = off
as $$
declare
  answer jsonb;
begin
  perform herald.require_lease(p_run, p_session, p_epoch);
  update herald.message_claims as c
  set token = gen_random_uuid(), former_token = coalesce(c.former_token, c.token), run_id = p_run, epoch = p_epoch,
    claimed_until = herald.clock() + (select k.claim_lasts from herald.constants as k where k.only_row)
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

-- whatsapp_claims_return(run, in hand) → how many. Claims that this run does not know of (the answer to its claim was
-- lost) were never given to a transport, so they become pending again. Adopted claims stay: they may have gone out.
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
  perform herald.refund(lost);
  return cardinality(lost);
end
$$;
comment on function public.whatsapp_claims_return(uuid, uuid[]) is
'Sends back to pending the claims that this run does not know of, because the answer to its claim was lost.';
revoke execute on function public.whatsapp_claims_return(uuid, uuid[]) from public, anon, authenticated;
grant execute on function public.whatsapp_claims_return(uuid, uuid[]) to service_role;
