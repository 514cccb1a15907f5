"""What the queue bench writes: organisations, accounts, groups, people, finished and open messages."""

from typing import LiteralString

ORGANIZATIONS, ACCOUNTS_EACH = 100, 5
ACCOUNTS = ORGANIZATIONS * ACCOUNTS_EACH
DAYS = 90  #: over which the finished rows are spread, evenly

# Organisations with every rule on and nothing held back by it: limits at their highest, quiet hours that are
# not now, and people who opted in, because they must have.
FOUND: LiteralString = """
create schema bench;
insert into public.organizations (name) select 'Bench ' || n from generate_series(1, %(organizations)s) as n;
insert into public.whatsapp_sessions
(organization_id, display_name, desired_state, min_gap_ms, daily_limit, per_group_per_minute)
select o.id, 'Account ' || n, 'connected', 0, 100000, 100000
from public.organizations as o cross join generate_series(1, %(accounts_each)s) as n;
create table bench.accounts as
select row_number() over (order by s.organization_id, s.id) - 1 as n, s.organization_id, s.id as session_id,
  dense_rank() over (order by s.organization_id) - 1 as organization_n
from public.whatsapp_sessions as s;
insert into public.whatsapp_groups (organization_id, session_id, group_jid, group_name)
select a.organization_id, a.session_id, 120363000000000000 + a.n * 8 + k || '@g.us', 'Group ' || k
from bench.accounts as a cross join generate_series(0, 7) as k;
create table bench.groups as
select a.n * 8 + row_number() over (partition by a.n order by g.group_jid) - 1 as n, g.id as group_id
from public.whatsapp_groups as g join bench.accounts as a on a.session_id = g.session_id;
insert into public.whatsapp_contacts (organization_id, phone, display_name, opted_in_at, opt_in_source)
select o.organization_id, '+49151' || 10000000 + o.organization_n * 400 + k, 'Person ' || k,
  herald.clock() - interval '100 days', 'form'
from (select distinct a.organization_id, a.organization_n from bench.accounts as a) as o
cross join generate_series(0, 399) as k;
create table bench.people as
select o.organization_n * 400 + row_number() over (partition by o.organization_n order by c.phone) - 1 as n,
  c.id as contact_id, c.phone
from public.whatsapp_contacts as c
join (select distinct a.organization_id, a.organization_n from bench.accounts as a) as o
on o.organization_id = c.organization_id;
create table bench.loaded (rows bigint not null, until timestamptz not null);
create sequence bench.open minvalue 0;
insert into bench.loaded values (0, date_trunc('minute', herald.clock()) - interval '1 hour');
"""

RULES_ON: LiteralString = """
update public.workshop_automation_config
set timezone = 'UTC', quiet_hours = %s, require_opt_in = true
"""
RULES_OFF: LiteralString = """
update public.workshop_automation_config set quiet_hours = null, require_opt_in = false
"""

# One finished row a number: who, to whom and how it ended are hashes of the number; when follows the number,
# as the rows of a table that grew did. The random ids of a batch are handed out in order: the primary key would
# else be read and written all over for every row.
FINISHED: LiteralString = """
insert into public.scheduled_whatsapp_messages (
  id, organization_id, session_id, group_id, contact_id, recipient_phone, message_type, message_content, priority,
  scheduled_for, status, retry_count, wa_message_id, error_code, error_message, sent_at, delivered_at, read_at,
  delivered_count, read_count, idempotency_key, created_at, updated_at
)
select
  u.id, a.organization_id, a.session_id,
  case when r.way < 40 then g.group_id end,
  case when r.way between 40 and 69 then p.contact_id end,
  case when r.way >= 70 then p.phone end,
  case when r.way < 40 then '1hr_before' else 'custom' end,
  'Hello! Your workshop number ' || r.i || ' starts soon; bring an apron, the clay and the glazes are here.',
  5, r.due, r.status, case when r.status = 'failed' then 3 else 0 end,
  case when r.went then '3EB0' || upper(to_hex(r.i)) || 'C0FFEE' end,
  case when r.status = 'failed' then 'wa-not-on-whatsapp' end,
  case when r.status = 'failed' then 'This number is not on WhatsApp.' end,
  case when r.went then r.due + interval '3 seconds' end,
  case when r.status in ('delivered', 'read') then r.due + interval '5 seconds' end,
  case when r.status = 'read' then r.due + interval '7 minutes' end,
  case when r.status in ('delivered', 'read') then 1 else 0 end, case when r.status = 'read' then 1 else 0 end,
  case when r.way < 40 then 'schedule-' || r.i end,
  r.due - interval '1 day', r.due + interval '7 minutes'
from (
  select d.*, d.status in ('sent', 'delivered', 'read') as went from (
    select i, (hashint8extended(i, 1) & 1048575) %% %(accounts)s as account,
      (hashint8extended(i, 2) & 1048575) %% 100 as way, hashint8extended(i, 3) & 1048575 as pick,
      %(until)s::timestamptz - interval '1 second' * (%(days)s * 86400.0 * (%(total)s - i) / %(total)s) as due,
      case
        when f.fate < 5 then 'sent' when f.fate < 35 then 'delivered' when f.fate < 85 then 'read'
        when f.fate < 95 then 'failed' else 'cancelled'
      end as status
    from generate_series(%(first)s::bigint, %(last)s::bigint) as i
    cross join lateral (select (hashint8extended(i, 4) & 1048575) %% 100 as fate) as f
  ) as d
) as r
join (
  select row_number() over (order by x.id) as n, x.id
  from (select gen_random_uuid() as id from generate_series(%(first)s::bigint, %(last)s::bigint)) as x
) as u on u.n = r.i - %(first)s + 1
join bench.accounts as a on a.n = r.account
join bench.groups as g on g.n = r.account * 8 + r.pick %% 8
join bench.people as p on p.n = a.organization_n * 400 + r.pick %% 400
order by r.i
"""

# Due a moment ago, evenly over the accounts. ruled: to groups, contacts and contacts' numbers; else to numbers
# that no rule knows anything about.
OPEN: LiteralString = """
insert into public.scheduled_whatsapp_messages
(organization_id, session_id, group_id, contact_id, recipient_phone, message_type, message_content, scheduled_for)
select a.organization_id, a.session_id,
  case when %(ruled)s and r.way < 40 then g.group_id end,
  case when %(ruled)s and r.way between 40 and 69 then p.contact_id end,
  case when not %(ruled)s then '+49152' || 10000000 + r.i when r.way >= 70 then p.phone end,
  'bench', 'Open message ' || r.i, herald.clock() - interval '10 minutes' + interval '1 millisecond' * r.n
from (
  select n, i, (hashint8extended(i, 2) & 1048575) %% 100 as way, hashint8extended(i, 3) & 1048575 as pick
  from (select n, nextval('bench.open') as i from generate_series(1, %(count)s) as n) as numbered
) as r
join bench.accounts as a on a.n = r.i %% %(accounts)s
join bench.groups as g on g.n = a.n * 8 + r.pick %% 8
join bench.people as p on p.n = a.organization_n * 400 + r.pick %% 400
returning id
"""

# What the queue's triggers would have written of them; the load runs without triggers.
SENT_IDS: LiteralString = """
insert into herald.sent_ids (message_id, session_id, wa_message_id)
select m.id, m.session_id, m.wa_message_id from public.scheduled_whatsapp_messages as m
where m.wa_message_id is not null
on conflict do nothing
"""

# What a run that was given up, or a look at waiting messages, left in a kept stack.
FORGET_OPEN: LiteralString = """
delete from public.scheduled_whatsapp_messages as m using herald.open_messages as o
where m.id = o.message_id and m.message_type = 'bench'
"""

# The columns are computed from left to right.
CLAIM: LiteralString = """
select clock_timestamp() as begun, public.whatsapp_claim(%s, %s) as claims, clock_timestamp() as ended
"""

SIZES: LiteralString = """
select c.relname as name, pg_relation_size(c.oid) as bytes
from pg_class as c left join pg_index as i on i.indexrelid = c.oid
where coalesce(i.indrelid, c.oid) = any(array[
  'public.scheduled_whatsapp_messages', 'herald.open_messages', 'herald.sent_ids'
]::regclass[])
order by 2 desc
"""

PREWARM: LiteralString = """
select extensions.pg_prewarm(i.indexrelid) from pg_index as i
where i.indrelid in ('public.scheduled_whatsapp_messages'::regclass, 'herald.sent_ids'::regclass)
"""

# Indexes that no constraint stands on: made anew after a large load, which takes a tenth of the time.
LOOSE_INDEXES: LiteralString = """
select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
from pg_index as i
where i.indrelid in ('public.scheduled_whatsapp_messages'::regclass, 'herald.sent_ids'::regclass)
  and not exists (select 1 from pg_constraint as c where c.conindid = i.indexrelid)
"""
