"""The small world that each walk begins with, a clock that stands still, and a look at everything at once."""

import hashlib
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from tests.kit.database import Db, Row

START = datetime.fromisoformat("2026-03-28T20:00:00+00:00")  #: clocks in Berlin go forward five hours later


def known(name: str) -> UUID:
    """The id of what `herald.test_begin` calls by this name."""
    return UUID(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest())


ORGANISATIONS = {name: known(name) for name in ("org-a", "org-b")}
WEB = [known(name) for name in ("a1", "a2", "b1")]
CLOUD = known("a-cloud")
SESSIONS = [*WEB, CLOUD]
GROUPS = {known("g1"): WEB[0], known("g2"): WEB[0], known("g3"): WEB[1], known("g4"): WEB[2]}
OWNER = {session: ORGANISATIONS["org-b" if session == known("b1") else "org-a"] for session in SESSIONS}
CONTACTS = {known("p1"): "+491700000001", known("p2"): "+491700000002"}  #: of organisation A
PHONES = [*CONTACTS.values(), "+491700000003"]
CAMPAIGN, WORKSHOP, ADMIN = known("spring"), known("glazing"), known("admin")

#: Every connection sees the same moment, and it moves only when the walk moves it.
STANDING_CLOCK: LiteralString = """
create table herald.test_clock (at timestamptz not null);
insert into herald.test_clock values (now());
create or replace function herald.clock() returns timestamptz language plpgsql stable set search_path = ''
as $$ begin return (select c.at from herald.test_clock as c); end $$;
grant select on herald.test_clock to public;
create table herald.witness (
  id bigint generated always as identity primary key, message_id uuid, old_status text, new_status text
);
create function herald.witness() returns trigger language plpgsql security definer as $$
begin
  insert into herald.witness (message_id, old_status, new_status) values (new.id, old.status, new.status);
  return null;
end $$;
create trigger witness after update of status on public.scheduled_whatsapp_messages
for each row when (old.status <> new.status) execute function herald.witness();
"""

BEGIN: LiteralString = """
create function herald.test_begin(p_start timestamptz) returns void language plpgsql as $$
declare
  a uuid := md5('org-a')::uuid;
  b uuid := md5('org-b')::uuid;
begin
  update herald.test_clock set at = p_start;
  delete from public.organizations;
  delete from auth.users;
  delete from herald.workers;
  delete from herald.send_counts;
  delete from herald.cloud_recipients;
  delete from public.whatsapp_alerts;
  delete from herald.witness;
  insert into public.organizations (id, name) values (a, 'Pottery'), (b, 'Weaving');
  insert into auth.users (id, email) values (md5('admin')::uuid, 'admin@py.test');
  insert into public.profiles (id, organization_id, role) values (md5('admin')::uuid, a, 'admin');
  insert into public.whatsapp_sessions
  (id, organization_id, provider, desired_state, min_gap_ms, per_group_per_minute, daily_limit, status,
    connected_at, whatsapp_id)
  values
    (md5('a1')::uuid, a, 'web', 'connected', 0, 2, 200, 'connecting', null, null),
    (md5('a2')::uuid, a, 'web', 'connected', 5000, 30, 4, 'connecting', null, null),
    (md5('b1')::uuid, b, 'web', 'connected', 0, 1, 5, 'connecting', null, null),
    (md5('a-cloud')::uuid, a, 'cloud', 'connected', 0, 30, 200, 'connected', p_start, '1');
  insert into public.whatsapp_cloud_accounts
  (organization_id, session_id, phone_number_id, business_account_id, rate_limit_tier)
  values (a, md5('a-cloud')::uuid, '1', '4711', 'unlimited');
  insert into public.whatsapp_groups (id, organization_id, session_id, group_jid)
  select md5(g)::uuid, o, md5(s)::uuid, '1' || right(g, 1) || '@g.us'
  from (values ('g1', a, 'a1'), ('g2', a, 'a1'), ('g3', a, 'a2'), ('g4', b, 'b1')) as x (g, o, s);
  insert into public.whatsapp_contacts (id, organization_id, phone, opted_in_at)
  values (md5('p1')::uuid, a, '+491700000001', p_start), (md5('p2')::uuid, a, '+491700000002', null);
  insert into public.whatsapp_conversations (organization_id, session_id, contact_id, last_inbound_at)
  values (a, md5('a-cloud')::uuid, md5('p1')::uuid, p_start - interval '20 hours');
  insert into public.whatsapp_campaigns (id, organization_id, name) values (md5('spring')::uuid, a, 'Spring');
  insert into public.workshops (id, organization_id, title, starts_at, timezone)
  values (md5('glazing')::uuid, a, 'Glazing', p_start + interval '90 minutes', 'Europe/Berlin');
end $$;
"""

LOOK: LiteralString = """
select jsonb_build_object(
  'now', herald.clock(),
  'messages', (select coalesce(jsonb_object_agg(m.id, to_jsonb(m)), '{}') from (
    select id, organization_id, session_id, group_id, contact_id, recipient_phone, message_type, campaign_id,
      workshop_id, template_id, message_content, priority, scheduled_for, next_attempt_at, expires_at, status,
      retry_count, max_retries, wa_message_id, error_code, sent_at, delivered_count, read_count
    from public.scheduled_whatsapp_messages
  ) as m),
  'claims', (select coalesce(jsonb_object_agg(c.message_id, to_jsonb(c)), '{}') from herald.message_claims as c),
  'leases', (select coalesce(jsonb_object_agg(l.session_id, to_jsonb(l)), '{}') from herald.session_leases as l),
  'steps', (
    select coalesce(jsonb_agg(jsonb_build_array(w.message_id, w.old_status, w.new_status) order by w.id), '[]')
    from herald.witness as w where w.id > %s
  ),
  'witnessed', (select coalesce(max(w.id), 0) from herald.witness as w)
) as everything
"""


#: What only people change; and the counts of what was sent, which cost more to ask for.
SETTINGS: LiteralString = """
select jsonb_build_object(
  'sessions', (select jsonb_object_agg(s.id, to_jsonb(s)) from (
    select id, organization_id, provider, enabled, desired_state, status, paused_until, daily_limit, health_score,
      per_group_per_minute, min_gap_ms
    from public.whatsapp_sessions
  ) as s),
  'configs', (select jsonb_object_agg(c.organization_id, to_jsonb(c)) from (
    select organization_id, quiet_hours, timezone, require_opt_in, paused_until
    from public.workshop_automation_config
  ) as c),
  'contacts', (select jsonb_agg(to_jsonb(p)) from (
    select id, organization_id, phone, opted_in_at, opted_out_at from public.whatsapp_contacts
  ) as p),
  'talks', (select jsonb_agg(to_jsonb(v)) from (
    select session_id, contact_id, last_inbound_at from public.whatsapp_conversations
  ) as v),
  'campaigns', (select jsonb_object_agg(k.id, k.state) from public.whatsapp_campaigns as k),
  'sent_by_account', (
    select jsonb_object_agg(s.id, herald.used('account', s.id)) from public.whatsapp_sessions as s
  ),
  'sent_to_group', (select jsonb_object_agg(g.id, herald.used('group', g.id)) from public.whatsapp_groups as g)
) as settings
"""


def prepare(db: Db) -> None:
    """Once a database: the clock, the witness of steps and the beginning."""
    db.connection.execute(STANDING_CLOCK)
    db.connection.execute(BEGIN)


def look(db: Db, witnessed: int) -> dict[str, Any]:
    """All that the model judges beside the settings, as one statement sees it."""
    everything: dict[str, Any] = db.value(LOOK, witnessed)
    return everything


def look_at_settings(db: Db) -> dict[str, Any]:
    settings: dict[str, Any] = db.value(SETTINGS)
    return settings


def at(value: str | None) -> datetime | None:
    """A moment as JSON tells it; minus infinity is long ago."""
    if value is None or value == "infinity":
        return None
    return START.replace(year=1) if value == "-infinity" else datetime.fromisoformat(value)


def due(message: Row) -> datetime:
    """Not before this may it go."""
    first, again = at(message["scheduled_for"]), at(message["next_attempt_at"])
    assert first
    return max(first, again) if again else first
