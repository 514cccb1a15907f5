"""A CRM that keeps people in user_roles, local dates in its workshops and attendees in bookings."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from localstack.client import LocalStack, Stack
from localstack.layout import LocalStackError
from localstack.migrations import migrate
from tests.kit.database import DENIED, Db, Row
from tests.sql.projects.folders import documented_adapter, documented_trigger, with_adapter

CRM = Path(__file__).with_name("user_roles.sql").read_bytes()
POTTERY, WEAVING = (UUID(f"00000000-0000-0000-0000-0000000000a{n}") for n in (1, 2))
OWNER, STAFF, BOTH, SUPER, NOBODY = (UUID(f"00000000-0000-0000-0000-0000000000b{n}") for n in range(1, 6))
GLAZING, THROWING, RAKU, FELTING, GLASS = (UUID(f"00000000-0000-0000-0000-0000000000c{n}") for n in range(1, 6))

IN_BERLIN: LiteralString = "update public.workshop_automation_config set timezone = 'Europe/Berlin'"
#: The example's facts, but for a date that stands in another table.
DATE_ELSEWHERE = b"""
create or replace function herald.workshop_facts(p_workshop uuid)
returns table (workshop_id uuid, organization_id uuid, title text, starts_at timestamptz, timezone text)
language sql stable security definer set search_path = ''
as $$
  select w.id, w.organization_id, w.name, herald.local_instant(s.day, '19:00', 'Europe/Berlin'), 'Europe/Berlin'
  from public.workshops as w left join public.sessions as s on s.workshop_id = w.id where w.id = p_workshop
$$
"""
#: The CRM's own objects; nothing of Herald may touch them.
OWN = """
select jsonb_build_object(
  'organizations', (select jsonb_agg(to_jsonb(o) order by o.id) from public.organizations as o),
  'profiles', (select jsonb_agg(to_jsonb(p) order by p.id) from public.profiles as p),
  'roles', (select jsonb_agg(to_jsonb(r) order by r.id) from public.user_roles as r),
  'workshops', (
    select jsonb_agg(to_jsonb(w) - '{whatsapp_group_id,automation_status}'::text[] order by w.id)
    from public.workshops as w
  ),
  'bookings', (select jsonb_agg(to_jsonb(b) order by b.id) from public.bookings as b),
  'columns', (
    select jsonb_agg(jsonb_build_array(a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
      col_description(a.attrelid, a.attnum)) order by a.attrelid, a.attnum)
    from pg_attribute as a
    where a.attnum > 0 and a.attname not in ('whatsapp_group_id', 'automation_status') and a.attrelid = any (
      '{organizations,profiles,user_roles,workshops,bookings,notification_queue}'::regclass[]
    )
  ),
  'policies', (
    select jsonb_agg(to_jsonb(p) order by p.tablename, p.policyname) from pg_policies as p
    where p.tablename
      in ('organizations', 'profiles', 'user_roles', 'workshops', 'bookings', 'notification_queue')
  ),
  'triggers', (
    select jsonb_agg(pg_get_triggerdef(t.oid) order by t.tgname) from pg_trigger as t
    where not t.tgisinternal and (t.tgfoid = 'public.count_changes'::regproc or t.tgrelid = any (
      '{profiles,user_roles,bookings,notification_queue}'::regclass[]
    ))
  ),
  'grants', (
    select jsonb_agg(to_jsonb(g) order by g.table_name, g.grantee, g.privilege_type)
    from information_schema.role_table_grants as g
    where g.table_name
      in ('organizations', 'profiles', 'user_roles', 'workshops', 'bookings', 'notification_queue')
  )
)
"""


@pytest.fixture(scope="module")
def before_and_after(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Row, str, Stack]]:
    """What was the CRM's own before, what a push without an edited adapter said, and the project after."""
    folder = tmp_path_factory.mktemp("user-roles")
    with LocalStack.start(folder / "stack", migrate=False) as stack:
        with Db.connect(stack.database_url, autocommit=True) as db:
            db.connection.execute(CRM)
            own = db.value(OWN)
        with pytest.raises(LocalStackError) as refused:
            migrate(stack.database_url)
        migrate(stack.database_url, with_adapter(folder / "migrations", documented_adapter()))
        yield own, str(refused.value), stack


@pytest.fixture
def crm(before_and_after: tuple[Row, str, Stack]) -> Iterator[Db]:
    with Db.connect(before_and_after[2].database_url) as db:
        yield db


def test_a_push_without_the_edit_says_what_is_missing(before_and_after: tuple[Row, str, Stack]) -> None:
    assert "column p.role does not exist" in before_and_after[1]


def test_all_that_is_the_crms_own_stays(before_and_after: tuple[Row, str, Stack], crm: Db) -> None:
    assert crm.value(OWN) == before_and_after[0]


@pytest.mark.parametrize(
    ("person", "member_of", "admin_of", "is_super"),
    [
        (OWNER, {POTTERY}, {POTTERY}, False),
        (STAFF, {POTTERY}, set(), False),
        (BOTH, {POTTERY, WEAVING}, {WEAVING}, False),
        (SUPER, set(), set(), True),
        (NOBODY, set(), set(), False),
    ],
)
def test_people_have_the_rights_of_their_roles(
    crm: Db, person: UUID, member_of: set[UUID], admin_of: set[UUID], is_super: bool
) -> None:
    accounts = {
        org: crm.insert("public.whatsapp_sessions", organization_id=org, display_name="Front desk")
        for org in (POTTERY, WEAVING)
    }
    for org, session in accounts.items():
        crm.insert("public.whatsapp_groups", organization_id=org, session_id=session, group_jid="1@g.us")
    with crm.speaking_as("authenticated", person):
        groups = crm.rows("select organization_id from public.whatsapp_groups")
        sessions = crm.rows("select organization_id from public.whatsapp_sessions")
        assert {row["organization_id"] for row in groups} == (set(accounts) if is_super else member_of)
        assert {row["organization_id"] for row in sessions} == (set(accounts) if is_super else admin_of)
        for org in accounts:
            added = crm.refusal("insert into public.whatsapp_sessions (organization_id) values (%s)", org)
            assert added == (None if org in admin_of or is_super else DENIED)


def test_a_local_date_is_told_as_an_instant(crm: Db) -> None:
    def told(workshop: UUID) -> list[Row]:
        return crm.rows("select title, starts_at, timezone from herald.workshop_facts(%s)", workshop)

    crm.run(IN_BERLIN)
    (summer,), (winter,) = told(GLAZING), told(THROWING)
    assert summer["starts_at"] == datetime(2030, 7, 1, 16, 30, tzinfo=UTC)
    assert winter["starts_at"] == datetime(2030, 1, 15, 18, 0, tzinfo=UTC)
    assert (summer["title"], summer["timezone"]) == ("Glazing", None)
    assert told(RAKU) == []
    assert [row["starts_at"] for row in told(FELTING)] == [None]


def test_bookings_are_told_as_attendees_with_their_facts(crm: Db) -> None:
    assert crm.rows("select * from herald.workshop_attendees(%s) order by name", GLAZING) == [
        {"phone": "+491701234567", "name": "Mira", "attributes": {"state": "confirmed", "ticket": "vip"}},
        {"phone": "+491717654321", "name": "Noah", "attributes": {"state": "waiting", "ticket": "standard"}},
    ]
    assert crm.value("select herald.workshop_variables(%s)", GLAZING) == {"trainer": "Asha"}


def test_nobody_asks_for_the_facts_by_themselves(crm: Db) -> None:
    with crm.speaking_as("authenticated", OWNER):
        for function in ("workshop_facts", "workshop_variables", "workshop_attendees"):
            assert crm.refusal(f"select herald.{function}(%s)", GLAZING) == DENIED


@pytest.fixture
def group(crm: Db) -> UUID:
    """A group of Pottery's, whose workshops are in Berlin."""
    crm.run(IN_BERLIN)
    session = crm.insert("public.whatsapp_sessions", organization_id=POTTERY)
    return crm.insert("public.whatsapp_groups", organization_id=POTTERY, session_id=session, group_jid="1@g.us")


def goes_live(crm: Db, workshop: UUID) -> datetime | None:
    """When the message of a workshop's start goes out, as it stands now."""
    rows = crm.rows(
        "select scheduled_for from public.scheduled_whatsapp_messages"
        " where workshop_id = %s and message_type = 'we_are_live' and status = 'pending'",
        workshop,
    )
    return rows[0]["scheduled_for"] if rows else None


def test_messages_follow_the_crms_own_date_time_and_status(crm: Db, group: UUID) -> None:
    crm.run("update public.workshops set whatsapp_group_id = %s where id = %s", group, GLAZING)
    assert goes_live(crm, GLAZING) == datetime(2030, 7, 1, 16, 30, tzinfo=UTC)
    crm.run("update public.workshops set event_date = '2030-12-01', event_time = null where id = %s", GLAZING)
    assert goes_live(crm, GLAZING) == datetime(2030, 12, 1, 18, 0, tzinfo=UTC)
    crm.run("update public.workshop_automation_config set default_workshop_time = '20:15'")
    assert goes_live(crm, GLAZING) == datetime(2030, 12, 1, 19, 15, tzinfo=UTC)
    crm.run("update public.workshops set status = 'cancelled' where id = %s", GLAZING)
    assert goes_live(crm, GLAZING) is None


def test_a_date_in_another_table_is_followed_by_the_documented_trigger(crm: Db, group: UUID) -> None:
    crm.run("create table public.sessions (id serial primary key, workshop_id uuid, day date)")
    crm.connection.execute(documented_trigger().encode())
    crm.connection.execute(DATE_ELSEWHERE)
    crm.run("update public.workshops set whatsapp_group_id = %s where id = %s", group, GLASS)
    assert goes_live(crm, GLASS) is None
    crm.run("insert into public.sessions (workshop_id, day) values (%s, '2030-07-01')", GLASS)
    assert goes_live(crm, GLASS) == datetime(2030, 7, 1, 17, tzinfo=UTC)


@pytest.mark.usefixtures("group")
def test_a_task_writes_to_the_bookings_that_match(crm: Db) -> None:
    task = crm.insert(
        "public.whatsapp_automation_tasks",
        **{"organization_id": POTTERY, "workshop_id": GLAZING, "task_type": "send_reminder"},
        **{"scheduled_for": crm.now(), "recipient_filter": Jsonb({"ticket": "vip"})},
    )
    crm.run("update public.whatsapp_automation_tasks set status = 'executing' where id = %s", task)
    messages = crm.rows(
        "select recipient_phone, recipient_name from public.scheduled_whatsapp_messages where workshop_id = %s",
        GLAZING,
    )
    assert messages == [{"recipient_phone": "+491701234567", "recipient_name": "Mira"}]


def test_a_notification_queue_of_another_shape_is_the_crms_own_business(crm: Db) -> None:
    crm.run(
        "insert into public.notification_queue (organization_id, type, template, recipient_phone)"
        " values (%s, 'whatsapp', 'trial_welcome', '+491701234567')",
        POTTERY,
    )
    assert crm.value("select status from public.notification_queue") == "pending"
    assert crm.rows("select 1 from public.scheduled_whatsapp_messages") == []
