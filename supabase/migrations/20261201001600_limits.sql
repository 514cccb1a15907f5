-- Limits: how many messages were sent, and how many may be. Counted in the database, so that limits hold over several
-- workers and the fallback. holds.sql applies them.

create table herald.limit_windows (
  rule text primary key,
  span interval not null,
  width interval not null check (width < span)
);
comment on table herald.limit_windows is
'How far back a limit counts (span), and in what steps (width). A step counts until all of it is past, so that never too little is counted.';
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

-- herald.bucket(rule, moment) → the step that a moment falls into.
create function herald.bucket(p_rule text, p_moment timestamptz) returns timestamptz
language plpgsql stable set search_path = ''
as $$
begin
  return (select date_bin(w.width, p_moment, 'epoch') from herald.limit_windows as w where w.rule = p_rule);
end
$$;
revoke execute on function herald.bucket(text, timestamptz) from public;

-- What counts against each limit now. A view, because a function is called, and its plan started, for each account and
-- group: 15 µs against 4.
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

-- herald.daily_limit(account) → how many it may send in 24 hours today: the limit that was set, less while the account
-- warms up or isn't well.
create function herald.daily_limit(s public.whatsapp_sessions) returns integer
language plpgsql stable set search_path = ''
as $$
begin
  return ceil(
    case
      when s.warmup_started_at is null or s.daily_limit <= 20 then s.daily_limit
      else 20 + (s.daily_limit - 20) * greatest(0, least(1, extract(epoch from herald.clock() - s.warmup_started_at)
          / (86400.0 * s.warmup_days)))
    end * case when s.health_score < 30 then 0.25 when s.health_score < 60 then 0.5 else 1 end
  );
end
$$;
revoke execute on function herald.daily_limit(public.whatsapp_sessions) from public;

-- whatsapp_direct_send_take(organisation, limit) → 0 and it counts, or the seconds until there is room. The worker's
-- API asks before it queues a direct call: 10 a minute per organisation.
create function public.whatsapp_direct_send_take(p_organization uuid, p_limit integer default 10)
returns double precision
language plpgsql volatile security definer set search_path = '' set jit = off
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('direct_send:' || p_organization, 0));
  if herald.used('direct_send', p_organization) >= p_limit then
    return greatest(extract(epoch from
      coalesce(herald.room_at('direct_send', p_organization, p_limit), herald.clock() + interval '1 minute')
      - herald.clock()), 0.001);
  end if;
  insert into herald.send_counts as c (rule, subject, bucket, sent)
  values ('direct_send', p_organization, herald.bucket('direct_send', herald.clock()), 1)
  on conflict (rule, subject, bucket) do update set sent = c.sent + 1;
  return 0;
end
$$;
comment on function public.whatsapp_direct_send_take(uuid, integer) is
'For the worker''s API: counts one direct call of the organisation, or says in how many seconds there is room (0: counted).';
revoke execute on function public.whatsapp_direct_send_take(uuid, integer) from public, anon, authenticated;
grant execute on function public.whatsapp_direct_send_take(uuid, integer) to service_role;
