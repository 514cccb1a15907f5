"""Private accounts: members see what they own or are assigned to, admins all, wherever an account shows."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from tests.kit.database import Db, Organisation
from tests.kit.holds import configure, contact


@pytest.fixture
def accounts(db: Db, org: Organisation) -> dict[str, UUID]:
    """One account of the member, one assigned to them, one of neither; each with one of everything."""
    configure(org, private_sessions=True)
    member = org.people["member"]
    accounts = {
        "owned": org.add_session(owner_id=member),
        "assigned": org.add_session(owner_id=org.people["admin"]),
        "hidden": org.session,
    }
    db.insert(
        "public.whatsapp_session_users", organization_id=org.id, session_id=accounts["assigned"], user_id=member
    )
    person = contact(org)
    for session in accounts.values():
        fill(org, session, person)
    return accounts


def fill(org: Organisation, session: UUID, person: UUID) -> None:
    db, now = org.db, org.db.now()
    place: dict[str, object] = {"organization_id": org.id, "session_id": session}
    group = org.add_group(session)
    db.insert("public.whatsapp_group_members", organization_id=org.id, group_id=group, contact_id=person)
    org.schedule(session_id=session)
    sent = org.schedule(
        session_id=session, status="sent", sent_at=now - timedelta(seconds=1), wa_message_id="3EB0A1"
    )
    db.insert("public.whatsapp_delivery_logs", **place, message_id=sent, recipient="x")
    talk = db.insert("public.whatsapp_conversations", **place, group_id=group)
    db.insert(
        "public.whatsapp_messages",
        **place,
        conversation_id=talk,
        direction="inbound",
        wa_message_id="3EB0A2",
        sent_at=now,
    )
    db.insert("public.whatsapp_alerts", **place, kind="banned", message="Banned.")


SESSIONS_OF: dict[str, str] = {
    "groups": "select session_id from public.whatsapp_groups",
    "members": "select g.session_id from public.whatsapp_group_members as m"
    " join public.whatsapp_groups as g on g.id = m.group_id",
    "queue": "select session_id from public.scheduled_whatsapp_messages",
    "logs": "select session_id from public.whatsapp_delivery_logs",
    "conversations": "select session_id from public.whatsapp_conversations",
    "messages": "select session_id from public.whatsapp_messages",
    "alerts": "select session_id from public.whatsapp_alerts where session_id is not null",
    "overview": "select id as session_id from public.whatsapp_session_overview",
    "analytics": "select session_id from public.whatsapp_analytics",
}


def shown(db: Db, what: str) -> set[UUID]:
    found = db.connection.execute(SESSIONS_OF[what].encode()).fetchall()
    return {row["session_id"] for row in found}


@pytest.mark.parametrize("what", SESSIONS_OF)
def test_a_member_sees_what_is_theirs_and_admins_see_all(
    db: Db, org: Organisation, accounts: dict[str, UUID], what: str
) -> None:
    everything = set(accounts.values())
    with db.speaking_as("authenticated", org.people["member"]):
        assert shown(db, what) == everything - {accounts["hidden"]}
    for role in ("admin", "owner", "super_admin"):
        with db.speaking_as("authenticated", org.people[role]):
            assert shown(db, what) >= everything
    with db.speaking_as("authenticated", Organisation(db).people["admin"]):
        assert shown(db, what) & everything == set()
    configure(org, private_sessions=False)
    with db.speaking_as("authenticated", org.people["member"]):
        assert shown(db, what) == everything


@pytest.mark.parametrize("what", SESSIONS_OF)
def test_a_member_who_loses_an_account_sees_nothing_of_it_any_more(
    db: Db, org: Organisation, accounts: dict[str, UUID], what: str
) -> None:
    db.run("update public.whatsapp_sessions set owner_id = null where id = %s", accounts["owned"])
    db.run("delete from public.whatsapp_session_users where session_id = %s", accounts["assigned"])
    with db.speaking_as("authenticated", org.people["member"]):
        assert shown(db, what) == set()


def queue_overview(db: Db, org: Organisation) -> object:
    row = db.row("select * from public.whatsapp_queue_overview where organization_id = %s", org.id)
    return row["pending"], row["accounts"]


def stats(db: Db, org: Organisation) -> object:
    told = db.call("whatsapp_stats", p_organization=org.id)
    return told["queue"]["pending"], told["accounts"]["total"]


@pytest.mark.parametrize("count", [queue_overview, stats])
def test_what_is_counted_is_what_is_seen(
    db: Db, org: Organisation, accounts: dict[str, UUID], count: Callable[[Db, Organisation], object]
) -> None:
    assert len(accounts) == 3
    told = {}
    for role in ("member", "admin", "owner"):
        with db.speaking_as("authenticated", org.people[role]):
            told[role] = count(db, org)
    assert told == {"member": (2, 2), "admin": (3, 3), "owner": (3, 3)}


def test_why_a_message_waits_is_told_to_who_sees_it(db: Db, org: Organisation, accounts: dict[str, UUID]) -> None:
    def asked(role: str) -> set[str]:
        with db.speaking_as("authenticated", org.people[role]):
            return {
                name
                for name, session in accounts.items()
                if db.rows("select * from public.why_not_sent(%s)", pending[session])
            }

    rows = db.rows("select id, session_id from public.scheduled_whatsapp_messages where status = 'pending'")
    pending = {row["session_id"]: row["id"] for row in rows}
    assert asked("member") == {"owned", "assigned"}
    assert asked("admin") == asked("owner") == asked("super_admin") == set(accounts)


def test_an_alert_without_an_account_is_for_every_member(
    db: Db, org: Organisation, accounts: dict[str, UUID]
) -> None:
    assert accounts
    db.insert("public.whatsapp_alerts", organization_id=org.id, kind="quota", message="Soon full.")
    with db.speaking_as("authenticated", org.people["member"]):
        assert len(db.rows("select 1 from public.whatsapp_alerts where session_id is null")) == 1


def test_a_member_of_one_organisation_is_not_let_in_by_an_assignment_in_another(
    db: Db, org: Organisation, accounts: dict[str, UUID]
) -> None:
    stranger = Organisation(db).people["member"]
    db.insert(
        "public.whatsapp_session_users", organization_id=org.id, session_id=accounts["hidden"], user_id=stranger
    )
    with db.speaking_as("authenticated", stranger):
        assert all(accounts["hidden"] not in shown(db, what) for what in SESSIONS_OF)
