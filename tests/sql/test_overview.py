"""The queue at a glance: what waits, is due, is stuck or in doubt, per organisation."""

from datetime import timedelta
from typing import LiteralString
from uuid import UUID

import pytest

from tests.kit.database import Db, Organisation, Row, Run
from tests.kit.holds import LONG

VIEW: LiteralString = "select * from public.whatsapp_queue_overview order by organization_id"


def overview(db: Db, organization: UUID) -> Row:
    (row,) = [row for row in db.rows(VIEW) if row["organization_id"] == organization]
    return row


def test_each_number_is_what_its_name_says(db: Db, org: Organisation, run: Run) -> None:
    now = db.now()
    second = org.add_session()
    run.connect(second)
    run.heartbeat(lease=LONG)
    org.schedule(scheduled_for=now + timedelta(hours=1))  # waits
    org.schedule(scheduled_for=now - timedelta(hours=3), next_attempt_at=now + timedelta(hours=1))  # backs off
    org.schedule(scheduled_for=now - timedelta(minutes=20), priority=1)  # due
    org.schedule(scheduled_for=now - timedelta(minutes=30), next_attempt_at=now - timedelta(minutes=5), priority=1)
    org.schedule(status="in_doubt", error_code="x")
    org.schedule(status="failed", error_code="x")
    org.schedule(priority=9)
    org.schedule(session_id=second, priority=9)
    assert len(run.claim()) == 2
    db.pass_time(151)
    (mine,) = db.rows("select message_id from herald.message_claims where session_id = %s", second)
    db.call("whatsapp_claims_extend", p_run=run.id, p_messages=[mine["message_id"]])
    db.run("update public.whatsapp_sessions set status = 'disconnected' where id = %s", second)
    assert overview(db, org.id) == {
        "organization_id": org.id,
        "pending": 4,
        "due": 2,
        "oldest_due_at": now - timedelta(minutes=20),
        "sending": 2,
        "stuck": 1,
        "in_doubt": 1,
        "accounts": 2,
        "accounts_connected": 1,
    }


def test_a_message_that_is_sending_without_a_claim_is_stuck(db: Db, org: Organisation) -> None:
    org.schedule(status="sending")
    assert overview(db, org.id)["stuck"] == 1


def test_an_organisation_with_nothing_has_a_row_of_nothing(db: Db, org: Organisation) -> None:
    row = overview(db, org.id)
    assert (row["pending"], row["oldest_due_at"], row["accounts"]) == (0, None, 1)


@pytest.mark.parametrize("role", ["owner", "admin", "member"])
def test_people_see_their_own_organisation_and_super_admins_all(db: Db, org: Organisation, role: str) -> None:
    other = Organisation(db)
    with db.speaking_as("authenticated", org.people[role]):
        assert [row["organization_id"] for row in db.rows(VIEW)] == [org.id]
    for speaker, user in (("authenticated", org.people["super_admin"]), ("service_role", None)):
        with db.speaking_as(speaker, user):
            assert {org.id, other.id} <= {row["organization_id"] for row in db.rows(VIEW)}
    assert db.value("select has_table_privilege('anon', 'public.whatsapp_queue_overview', 'select')") is False
