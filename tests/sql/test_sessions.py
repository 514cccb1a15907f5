"""What the holder of an account reports and what a person asks of it."""

from typing import LiteralString

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation, Row, Run
from tests.sql.test_leases import refused

PNG = "data:image/png;base64,AAAA"
DISCONNECT: LiteralString = "update public.whatsapp_sessions set desired_state = 'disconnected'"
CONNECT: LiteralString = "update public.whatsapp_sessions set desired_state = 'connected'"


def session(org: Organisation) -> Row:
    return org.db.row("select * from public.whatsapp_sessions where id = %s", org.session)


@pytest.mark.parametrize("status", ["disconnected", "logged_out", "banned", "error"])
def test_asking_for_a_connection_clears_what_went_wrong(db: Db, org: Organisation, status: str) -> None:
    db.run(
        "update public.whatsapp_sessions set desired_state = 'disconnected', status = %s, last_error = 'Banned.',"
        " retry_count = 5",
        status,
    )
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run(CONNECT)
    row = session(org)
    assert (row["status"], row["last_error"], row["retry_count"]) == ("connecting", None, 0)


def test_a_wish_taken_back_at_once_leaves_a_served_account_as_it_is(db: Db, org: Organisation, run: Run) -> None:
    for shown in ("connected", "qr_pending"):
        if shown == "qr_pending":
            run.report(org.session, status="qr_pending", qr_code=PNG, qr_expires_at=db.now().isoformat())
        db.run(DISCONNECT)
        db.run(CONNECT)
        assert session(org)["status"] == shown


def test_a_qr_is_there_only_while_it_is_to_be_scanned(db: Db, org: Organisation, run: Run) -> None:
    run.report(org.session, status="qr_pending", qr_code=PNG, qr_expires_at=db.now().isoformat())
    assert session(org)["qr_code"] == PNG
    run.report(org.session, status="connected", whatsapp_id="49170@s.whatsapp.net")
    assert (session(org)["qr_code"], session(org)["qr_expires_at"]) == (None, None)
    with refused(db, "23514"):
        run.report(org.session, status="connecting", qr_code=PNG)


def test_an_account_is_not_linked_by_another_number(org: Organisation, run: Run) -> None:
    assert run.report(org.session, status="connected", phone_number="+491709876567")
    assert not run.report(org.session, status="error", phone_number="+491707654321")
    assert (session(org)["status"], session(org)["phone_number"]) == ("connected", "+491709876567")


def test_a_report_keeps_what_it_does_not_name_and_the_name_that_a_person_gave(
    db: Db, org: Organisation, run: Run
) -> None:
    db.run("update public.whatsapp_sessions set display_name = 'Front desk'")
    run.report(org.session, status="connected", phone_number="+491709876567", display_name="Asha")
    run.report(org.session, status="connecting", last_error="Network lost.", retry_count=1)
    row = session(org)
    assert (row["display_name"], row["phone_number"], row["last_error"]) == (
        "Front desk",
        "+491709876567",
        "Network lost.",
    )
    assert (row["last_connected_at"], row["last_disconnected_at"]) == (db.now(), db.now())


def test_groups_are_written_and_those_that_are_gone_become_inactive(db: Db, org: Organisation, run: Run) -> None:
    groups = [{"jid": "1@g.us", "name": "Pottery", "participants": 12, "is_admin": True, "announce_only": False}]
    assert db.call("whatsapp_groups_sync", **run.fence(org.session), p_groups=Jsonb(groups)) == 1
    rows = db.rows(
        "select group_name, participant_count, is_active from public.whatsapp_groups order by is_active"
    )
    assert [tuple(row.values()) for row in rows] == [("", 0, False), ("Pottery", 12, True)]
    assert db.call("whatsapp_groups_sync", **run.fence(org.session), p_groups=Jsonb([])) == 0
    assert db.value("select bool_or(is_active) from public.whatsapp_groups") is False


def command(db: Db, org: Organisation, kind: str = "refresh_groups", **arguments: str) -> None:
    with db.speaking_as("authenticated", org.people["admin"]), db.connection.transaction():
        db.run(
            "insert into public.whatsapp_commands (organization_id, session_id, kind, arguments)"
            " values (%s, %s, %s, %s)",
            org.id,
            org.session,
            kind,
            Jsonb(arguments),
        )


def finish(db: Db, run: Run, command_id: str, error: str | None = None) -> str:
    result = None if error else Jsonb({"groups": 3})
    db.call("whatsapp_command_finish", p_run=run.id, p_command=command_id, p_result=result, p_error=error)
    return str(db.value("select state from public.whatsapp_commands where id = %s", command_id))


def test_a_command_is_taken_once_by_the_holder_and_finished(db: Db, org: Organisation, run: Run) -> None:
    command(db, org)
    other = Run(db)
    assert db.call("whatsapp_commands_take", p_run=other.id) == []
    (taken,) = db.call("whatsapp_commands_take", p_run=run.id)
    assert set(taken) == {"id", "session_id", "kind", "arguments", "held_back"}
    assert db.call("whatsapp_commands_take", p_run=run.id) == []
    assert finish(db, other, taken["id"]) == "running"
    assert finish(db, run, taken["id"]) == "done"
    assert finish(db, run, taken["id"], "late") == "done"


def test_a_command_that_failed_says_why(db: Db, org: Organisation, run: Run) -> None:
    command(db, org)
    (taken,) = db.call("whatsapp_commands_take", p_run=run.id)
    assert finish(db, run, taken["id"], "Not connected.") == "failed"


def test_a_command_that_nobody_serves_in_time_fails(db: Db, org: Organisation) -> None:
    command(db, org)
    db.pass_time(121)
    assert db.call("whatsapp_commands_take", p_run=Run(db).id) == []
    row = db.row("select state, error_message from public.whatsapp_commands")
    assert row["state"] == "failed"
    assert "try again" in row["error_message"]


def test_a_pairing_code_needs_a_phone(db: Db, org: Organisation) -> None:
    command(db, org, "pairing_code", phone="+491709876567")
    for arguments in ({}, {"phone": "0170"}):
        with pytest.raises(psycopg.errors.CheckViolation), db.connection.transaction():
            command(db, org, "pairing_code", **arguments)


def test_an_account_with_messages_stays_and_the_refusal_says_what_to_do(db: Db, org: Organisation) -> None:
    message = org.schedule()
    delete: LiteralString = "delete from public.whatsapp_sessions where id = %s"
    with (
        pytest.raises(psycopg.errors.ForeignKeyViolation, match="This account has messages") as caught,
        db.speaking_as("authenticated", org.people["admin"]),
    ):
        db.run(delete, org.session)
    assert "disable it instead" in str(caught.value.diag.message_hint)
    db.run("delete from public.scheduled_whatsapp_messages where id = %s", message)
    with db.speaking_as("authenticated", org.people["admin"]):
        assert db.run(delete, org.session) == 1
    assert db.rows("select 1 from public.whatsapp_groups where id = %s", org.group) == []


def test_a_deleted_organisation_takes_everything_along(db: Db, org: Organisation, run: Run) -> None:
    workshop = db.insert(
        "public.workshops",
        organization_id=org.id,
        title="Glazing",
        starts_at="2030-01-01T10:00:00Z",
        whatsapp_group_id=org.group,
    )
    message = org.schedule(group_id=org.group, workshop_id=workshop)
    run.claim_one()
    run.receipt(org.session, "3EB0", "x", "read")
    db.insert(
        "public.whatsapp_delivery_logs",
        organization_id=org.id,
        session_id=org.session,
        message_id=message,
        recipient="x",
    )
    command(db, org)
    db.run("delete from public.organizations where id = %s", org.id)
    db.connection.execute("set constraints all immediate")
    left = db.rows(
        "select 1 from public.whatsapp_sessions union all select 1 from public.scheduled_whatsapp_messages"
        " union all select 1 from public.whatsapp_groups union all select 1 from public.whatsapp_commands"
        " union all select 1 from public.whatsapp_delivery_logs union all select 1 from public.workshops"
        " union all select 1 from herald.message_claims union all select 1 from herald.session_leases"
        " union all select 1 from herald.early_receipts"
    )
    assert left == []


def test_a_deleted_workshop_or_group_link_leaves_the_rest(db: Db, org: Organisation) -> None:
    workshop = db.insert(
        "public.workshops", organization_id=org.id, title="Glazing", starts_at="2030-01-01T10:00:00Z"
    )
    message = org.schedule(workshop_id=workshop)
    db.run("delete from public.workshops where id = %s", workshop)
    assert (org.message(message)["workshop_id"], org.message(message)["organization_id"]) == (None, org.id)


def test_one_phone_is_one_account_of_an_organisation(db: Db, org: Organisation, run: Run) -> None:
    linked = {"status": "connected", "whatsapp_id": "49170@s.whatsapp.net", "phone_number": "+491709876567"}
    assert run.report(org.session, **linked)
    second = org.add_session()
    run.connect(second)
    assert not run.report(second, **linked)
    assert db.value("select phone_number from public.whatsapp_sessions where id = %s", second) is None
    assert run.report(org.session, **linked), "the first goes on"
    db.run("update public.whatsapp_sessions set status = 'logged_out' where id = %s", org.session)
    assert run.report(second, **linked), "the first is not linked any more"
