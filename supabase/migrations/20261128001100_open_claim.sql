-- The claim looks at open messages in their own table; its rules are as they were.

-- herald.accounts_to_serve(run, limit) → accounts of the run that may have something to send, locked. Fair: each
-- organisation's turn first, within it the account that has waited longest since it was last looked at. Most often the
-- first turns are enough: then one account an organisation is asked for what is due, and not all of them.
create or replace function herald.accounts_to_serve(p_run uuid, p_limit integer) returns uuid[]
language plpgsql volatile set search_path = '' set jit = off
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

-- herald.message_to_send(account) → what this account may send now, however many messages in front are held back. Leaves
-- out at once what three rules hold by the thousand, with what is the same for all of them asked once: campaigns that don't
-- run, quiet hours, full groups. What it finds is asked of all rules like any other.
create or replace function herald.message_to_send(p_account uuid) returns uuid
language plpgsql stable set search_path = '' set jit = off set enable_sort = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off
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

-- herald.messages_to_send(accounts) → what each of these accounts may send now: highest priority first, then oldest; one of
-- a web account. Nothing that a rule holds back, that is not due or that has expired. Looks at the first 20 messages of
-- each, which is where it nearly always lies, and for the others where these are all held back.
create or replace function herald.messages_to_send(p_accounts uuid[]) returns uuid[]
language plpgsql stable set search_path = '' set jit = off set enable_sort = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off
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

-- herald.cloud_messages_to_send(account, limit): as above for a Cloud API account, several at a time. One after the other,
-- because each counts for the next: the person's pace, the business' tier, the number's rate.
create or replace function herald.cloud_messages_to_send(p_account uuid, p_limit integer) returns uuid[]
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

-- herald.next_due(run) → seconds until this run may have something to claim, or null: so that a worker sleeps no
-- longer than it must. Accounts with all their slots in flight don't count: a settle is what wakes the worker. Volatile,
-- to see what the caller has claimed a moment ago.
create or replace function herald.next_due(p_run uuid) returns double precision
language plpgsql volatile set search_path = '' set jit = off
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

-- whatsapp_claim(run, limit) → JSON array of messages that may go out now, leased to this run for 150 s (the library's
-- own send timeout is 75 s and it may retry once). Fair between organisations and accounts; as many in flight per account
-- as its provider allows (web 1); highest priority, then oldest, first. Never returns what a rule holds back.
-- What it looks at is decided once the accounts are locked, in a new statement, so that it sees what a call that crossed
-- with this one has claimed and counted. An account whose due messages are all held back is looked at again in a second.
-- Businesses are locked one after the other in one order, so that two calls don't wait for each other.
create or replace function public.whatsapp_claim(p_run uuid, p_limit integer default 50) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off set plan_cache_mode = force_generic_plan
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
