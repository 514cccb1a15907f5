-- Limits: how many messages an account, a group and a number sent, and whether they may have another. Counted in the
-- database, so that limits hold over several workers and the fallback. holds.sql names the limit that holds a message back.

create table herald.limit_windows (
  rule text primary key,
  span interval not null,
  width interval not null check (width < span)
);
comment on table herald.limit_windows is
'How far back a limit counts (span), in steps of width. A step counts until all of it is past: rather a little too long.';
comment on column herald.limit_windows.span is 'Over how long a limit counts.';
comment on column herald.limit_windows.width is
'The step in which it counts; a send leaves the count up to one step late.';

alter table herald.limit_windows enable row level security;
insert into herald.limit_windows (rule, span, width) values
('account', '24 hours', '10 minutes'),
('group', '1 minute', '5 seconds'),
('number', '1 second', '250 milliseconds'),
('direct_send', '1 minute', '5 seconds'),
('api', '1 minute', '5 seconds');

create table herald.send_counts (
  rule text not null,
  subject uuid not null,
  bucket timestamptz not null,
  sent integer not null check (sent >= 0),
  primary key (rule, subject, bucket)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index send_counts_bucket_idx on herald.send_counts (bucket);
comment on table herald.send_counts is
'How many messages an account, a group or an organisation''s direct calls sent in each step. Old steps are removed.';
comment on column herald.send_counts.subject is
'The id of the account, group or organisation that the rule counts for.';
comment on column herald.send_counts.sent is 'How many within this step.';

alter table herald.send_counts enable row level security;

-- What counts against each limit now. A joined view costs 4 µs per account or group; a function costs 15.
create view herald.sends_counted as
select c.rule, c.subject, sum(c.sent) as sent
from herald.limit_windows as w
join herald.send_counts as c on c.rule = w.rule and c.bucket > herald.clock() - w.span - w.width
group by c.rule, c.subject;
comment on view herald.sends_counted is 'How many sends count against a limit of an account, group, number or organisation now.';

-- herald.used(rule, subject) → how many count against the limit now.
create function herald.used(p_rule text, p_subject uuid) returns bigint
language plpgsql stable set search_path = '' set jit = off
as $$
begin
  return coalesce((select u.sent from herald.sends_counted as u where u.rule = p_rule and u.subject = p_subject), 0);
end
$$;
revoke execute on function herald.used(text, uuid) from public;

-- herald.room_at(rule, subject, limit) → when there is room for one more; null: never (a limit of 0).
create function herald.room_at(p_rule text, p_subject uuid, p_limit bigint) returns timestamptz
language sql stable set search_path = ''
as $$
  select case
    when p_limit <= 0 then null
    when herald.used(p_rule, p_subject) < p_limit then herald.clock()
    else (
      select min(later.bucket) + w.span + w.width from (
        select c.bucket, sum(c.sent) over (order by c.bucket desc) - c.sent as newer
        from herald.send_counts as c
        where c.rule = w.rule and c.subject = p_subject and c.bucket > herald.clock() - w.span - w.width
      ) as later
      where later.newer < p_limit
    )
  end
  from herald.limit_windows as w where w.rule = p_rule
$$;
revoke execute on function herald.room_at(text, uuid, bigint) from public;

-- Groups that have had as many messages in a minute as their account's per_group_per_minute (30) allows.
create view herald.full_groups as
select g.id, g.session_id, s.per_group_per_minute as most
from public.whatsapp_groups as g
join public.whatsapp_sessions as s on s.id = g.session_id
where coalesce((
    select u.sent from herald.sends_counted as u where u.rule = 'group' and u.subject = g.id
  ), 0) >= s.per_group_per_minute;
comment on view herald.full_groups is 'Groups that may have no message this minute.';
comment on column herald.full_groups.most is 'How many messages the group may have in a minute.';

-- herald.daily_limit(account) → how many it may send in 24 hours today: the limit that was set, less while the account
-- warms up or isn't well.
create function herald.daily_limit(s public.whatsapp_sessions) returns integer
language plpgsql stable set search_path = ''
as $$
begin
  return ceil(
    case
      when s.warmup_started_at is null or s.daily_limit <= 20 then s.daily_limit
      else 20 + (s.daily_limit - 20) * greatest(0, least(1, extract(epoch from herald.clock()
          - least(greatest(s.warmup_started_at, herald.clock() - interval '100 days'), herald.clock()))
          / (86400.0 * s.warmup_days)))
    end * case when s.health_score < 30 then 0.25 when s.health_score < 60 then 0.5 else 1 end
  );
end
$$;
revoke execute on function herald.daily_limit(public.whatsapp_sessions) from public;

-- herald.count_sent(rule, subject, many): counts `many` more sends against the limit.
create function herald.count_sent(p_rule text, p_subject uuid, p_many integer) returns void
language sql volatile set search_path = ''
as $$
  insert into herald.send_counts as c (rule, subject, bucket, sent)
  select w.rule, p_subject, date_bin(w.width, herald.clock(), 'epoch'), p_many
  from herald.limit_windows as w where w.rule = p_rule
  on conflict (rule, subject, bucket) do update set sent = c.sent + excluded.sent
$$;
revoke execute on function herald.count_sent(text, uuid, integer) from public;

-- herald.take(rule, subject, limit, wanted) → (granted, retry_after): grants and counts as many of those wanted as the
-- limit allows. If none is granted, retry_after is the seconds until there is room.
create function herald.take(
  p_rule text, p_subject uuid, p_limit integer, p_wanted integer, out granted integer, out retry_after double precision
)
language plpgsql volatile set search_path = '' set jit = off
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(p_rule || ':' || p_subject, 0));
  granted := greatest(least(p_wanted, p_limit - herald.used(p_rule, p_subject)), 0);
  retry_after := 0;
  if granted > 0 then
    perform herald.count_sent(p_rule, p_subject, granted);
  else
    retry_after := greatest(extract(epoch from
      coalesce(herald.room_at(p_rule, p_subject, p_limit), herald.clock() + interval '1 minute') - herald.clock()
    ), 0.001);
  end if;
end
$$;
revoke execute on function herald.take(text, uuid, integer, integer) from public;

-- whatsapp_direct_send_take(organisation, limit) → 0 if the call may go (it is counted then), else the seconds until
-- there is room. The worker's API asks before it queues a direct call; limit is its setting API_SENDS_PER_MINUTE.
create function public.whatsapp_direct_send_take(p_organization uuid, p_limit integer) returns double precision
language sql volatile security definer set search_path = ''
as $$
  select t.retry_after from herald.take('direct_send', p_organization, p_limit, 1) as t
$$;
comment on function public.whatsapp_direct_send_take(uuid, integer) is
'For the worker''s API: counts one direct call of the organisation, or says in how many seconds there is room (0: counted).';
revoke execute on function public.whatsapp_direct_send_take(uuid, integer) from public, anon, authenticated;
grant execute on function public.whatsapp_direct_send_take(uuid, integer) to service_role;
