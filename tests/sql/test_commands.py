"""What people ask of an account: checked, done once by its holder, ended in time, forgotten."""

from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import DENIED, Db, Organisation, Row, Run
from tests.kit.people import contact, opt_out, refused

GROUP = "120363000000000001@g.us"
ASK: LiteralString = (
    "insert into public.whatsapp_commands (organization_id, session_id, kind, arguments) values (%s, %s, %s, %s)"
    " returning id"
)


def ask(org: Organisation, kind: str, session: UUID | None = None, by: str = "admin", **arguments: Any) -> UUID:
    with org.db.speaking_as("authenticated", org.people[by]):
        made = org.db.value(ASK, org.id, session or org.session, kind, Jsonb(arguments))
    assert isinstance(made, UUID)
    return made


def look(org: Organisation, command: UUID) -> Row:
    return org.db.row("select * from public.whatsapp_commands where id = %s", command)


def take(run: Run) -> list[Row]:
    taken: list[Row] = run.db.call("whatsapp_commands_take", p_run=run.id)
    return taken


def finish(run: Run, command: UUID | str, result: Row | None = None, error: str | None = None) -> None:
    told = None if result is None else Jsonb(result)
    run.db.call("whatsapp_command_finish", p_run=run.id, p_command=command, p_result=told, p_error=error)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("create_group", {"name": "Töpfern ☕"}),
        ("create_group", {"name": "x", "participants": ["+491709876567", "123@lid"]}),
        ("group_invite", {"group_jid": GROUP, "reset": True}),
        ("group_members", {"group_jid": GROUP, "action": "promote", "members": ["+491709876567"]}),
        ("update_group", {"group_jid": GROUP, "description": "Two\nlines"}),
        ("update_group", {"group_jid": GROUP, "description": "", "locked": False}),
        ("sync_contacts", {"group_jid": "4917012345-1600000000@g.us"}),
    ],
)
def test_what_can_be_asked_of_a_group(org: Organisation, run: Run, kind: str, arguments: Row) -> None:
    ask(org, kind, **arguments)
    (taken,) = take(run)
    assert (taken["kind"], taken["arguments"]) == (kind, arguments)


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        ("create_group", {}, '"name" must be a text'),
        ("create_group", {"name": "  "}, "1 to 100 characters"),
        ("create_group", {"name": "n" * 101}, "1 to 100 characters"),
        ("create_group", {"name": "a\u0007b"}, "control characters"),
        ("create_group", {"name": "two\nlines"}, "control characters"),
        ("create_group", {"name": 7}, '"name" must be a text'),
        ("create_group", {"name": "x", "participants": "+491709876567"}, "list of 0 to 256 people"),
        ("create_group", {"name": "x", "participants": ["+491709876567"] * 257}, "list of 0 to 256 people"),
        ("create_group", {"name": "x", "participants": ["0170"]}, "nor a LID, like 123@lid: 0170"),
        ("create_group", {"name": "x", "participants": [None]}, "nor a LID, like 123@lid: null"),
        ("create_group", {"name": "x", "participants": ["1@s.whatsapp.net"]}, "neither a phone number"),
        ("create_group", {"name": "x", "photo": "y"}, 'no argument "photo". It takes: name, participants'),
        ("group_invite", {}, "must be the id of a group"),
        ("group_invite", {"group_jid": "1@g.us\n"}, "must be the id of a group"),
        ("group_invite", {"group_jid": "1@s.whatsapp.net"}, "must be the id of a group"),
        ("group_invite", {"group_jid": GROUP, "reset": "yes"}, '"reset" must be true or false'),
        ("group_members", {"group_jid": GROUP, "action": "ban", "members": ["1@lid"]}, "add, remove, promote"),
        ("group_members", {"group_jid": GROUP, "action": "add", "members": []}, "list of 1 to 256 people"),
        ("group_members", {"group_jid": GROUP, "action": "add"}, "list of 1 to 256 people"),
        ("update_group", {"group_jid": GROUP}, "Nothing to change"),
        ("update_group", {"group_jid": GROUP, "announce_only": 1}, "must be true or false"),
        ("update_group", {"group_jid": GROUP, "description": "d" * 2049}, "0 to 2048 characters"),
        ("update_group", {"group_jid": GROUP, "description": "bell\u0007"}, "control characters"),
        ("sync_contacts", {"group_jid": None}, "must be the id of a group"),
        ("make_tea", {}, "no request of this kind"),
    ],
)
def test_what_can_not_be_asked_is_refused_in_words(
    db: Db, org: Organisation, kind: str, arguments: Row, words: str
) -> None:
    with refused(db, words):
        ask(org, kind, **arguments)
    assert db.value("select count(*) from public.whatsapp_commands") == 0


def test_a_reconnection_waits_for_no_other_request_and_the_others_wait_for_it(org: Organisation, run: Run) -> None:
    stuck = ask(org, "create_group", name="stuck")
    take(run)
    behind = ask(org, "refresh_groups")
    first = ask(org, "reconnect")
    assert [one["id"] for one in take(run)] == [str(first)]
    finish(run, stuck, error="It was cut off.")
    assert take(run) == [], "a request goes to an account that is being closed"
    second = ask(org, "reconnect")
    assert take(run) == [], "an account is closed twice at once"
    finish(run, first, {})
    assert str(second) in [one["id"] for one in take(run)]
    finish(run, second, {})
    take(run)
    assert look(org, behind)["state"] == "running"


def test_a_cloud_number_has_nothing_to_reconnect(db: Db, org: Organisation) -> None:
    cloud = org.add_session(provider="cloud")
    with refused(db, "no connection that could be opened again"):
        ask(org, "reconnect", session=cloud)


def test_a_reconnection_whose_worker_died_leaves_the_account_wanted(db: Db, org: Organisation, run: Run) -> None:
    command = ask(org, "reconnect")
    take(run)
    db.pass_time(21)
    assert take(Run(db).connect(org.session)) == []
    assert "connected as soon as one serves it" in look(org, command)["error_message"]
    wanted = db.value("select desired_state from public.whatsapp_sessions where id = %s", org.session)
    assert wanted == "connected"
    (told,) = db.rows("select event_data from public.whatsapp_audit_logs where event_type = 'session.asked'")
    assert told["event_data"]["kind"] == "reconnect"


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("by", ["member", "outsider"])
def test_who_is_no_admin_asks_nothing_and_changes_nothing(db: Db, org: Organisation, by: str) -> None:
    org.people["outsider"] = Organisation(db).people["admin"]
    with db.speaking_as("authenticated", org.people[by]):
        for kind in ("logout", "reconnect"):
            assert db.refusal(ASK, org.id, org.session, kind, Jsonb({})) == DENIED
    wanted = db.value("select desired_state from public.whatsapp_sessions where id = %s", org.session)
    assert wanted == "connected"


@pytest.mark.usefixtures("run")
def test_an_account_has_fifty_open_requests_at_most(db: Db, org: Organisation) -> None:
    for _ in range(50):
        ask(org, "refresh_groups")
    with refused(db, "fifty requests waiting"):
        ask(org, "refresh_groups")


def test_requests_to_one_account_are_taken_one_after_the_other(org: Organisation, run: Run) -> None:
    other = org.add_session()
    run.connect(org.session, other)
    mine = {ask(org, "create_group", name=name) for name in ("first", "second")}
    elsewhere = ask(org, "refresh_groups", session=other)
    taken = {UUID(one["id"]) for one in take(run)}
    assert elsewhere in taken
    (first,) = taken & mine
    assert take(run) == []
    finish(run, first, {"group_jid": GROUP})
    assert {UUID(one["id"]) for one in take(run)} == mine - {first}


def test_what_was_asked_of_a_person_goes_with_their_data(db: Db, org: Organisation) -> None:
    person = "+491709876567"
    kept = ask(org, "group_members", group_jid=GROUP, action="remove", members=["+491701111111"])
    for member in (person, "5@lid"):
        ask(org, "group_members", group_jid=GROUP, action="remove", members=["+491702222222", member])
    contact(org, phone=person, lid="5@lid")
    db.call("whatsapp_erase_contact", p_organization=org.id, p_phone=person)
    assert [row["id"] for row in db.rows("select id from public.whatsapp_commands")] == [kept]


def test_a_request_whose_worker_died_says_that_it_may_have_been_done(db: Db, org: Organisation, run: Run) -> None:
    command = ask(org, "create_group", name="x")
    take(run)
    db.pass_time(21)
    successor = Run(db).connect(org.session)
    assert take(successor) == []
    row = look(org, command)
    assert (row["state"], row["result"]) == ("failed", None)
    assert "may have been done" in row["error_message"]
    finish(run, command, {"group_jid": GROUP})
    assert look(org, command)["state"] == "failed"


def test_a_running_request_has_two_minutes_of_its_own(db: Db, org: Organisation, run: Run) -> None:
    command = ask(org, "create_group", name="x")
    for _ in range(7):
        db.pass_time(15)
        run.heartbeat()
    take(run)
    for _ in range(7):
        db.pass_time(15)
        run.heartbeat()
    assert take(run) == []
    assert look(org, command)["state"] == "running"
    db.pass_time(16)
    run.heartbeat()
    take(run)
    assert look(org, command)["state"] == "failed"


@pytest.mark.usefixtures("run")
def test_what_was_asked_hours_ago_is_not_done(db: Db, org: Organisation) -> None:
    command = ask(org, "group_members", group_jid=GROUP, action="remove", members=["+491709876567"])
    db.pass_time(7200)
    assert take(Run(db).connect(org.session)) == []
    assert "No worker served this in time" in look(org, command)["error_message"]


def test_who_took_it_answers_also_after_a_handover(db: Db, org: Organisation, run: Run) -> None:
    command = ask(org, "create_group", name="x")
    take(run)
    db.call("whatsapp_lease_release", **run.fence(org.session))
    finish(run, command, {"group_jid": GROUP})
    assert (look(org, command)["state"], look(org, command)["result"]) == ("done", {"group_jid": GROUP})


def test_an_account_that_is_switched_off_refuses_at_the_next_look(org: Organisation, run: Run) -> None:
    off = org.add_session(desired_state="disconnected")
    command = ask(org, "refresh_groups", session=off)
    take(run)
    assert "Press connect first" in look(org, command)["error_message"]


def test_logging_out_is_done_when_the_account_is(org: Organisation, run: Run) -> None:
    command = ask(org, "logout")
    assert take(run) == []
    assert look(org, command)["state"] == "pending"
    (held,) = [row for row in run.heartbeat() if row["session_id"] == str(org.session)]
    assert held["desired_state"] == "logged_out"
    run.report(org.session, status="logged_out", desired_state="disconnected")
    assert look(org, command)["state"] == "done"
    assert look(org, ask(org, "logout"))["state"] == "done"


def test_a_logout_outlives_its_request_until_somebody_connects(db: Db, org: Organisation, run: Run) -> None:
    command = ask(org, "logout")
    db.pass_time(121)
    take(run)
    assert "as soon as one serves it" in look(org, command)["error_message"]
    again = ask(org, "logout")
    db.run("update public.whatsapp_sessions set desired_state = 'connected' where id = %s", org.session)
    take(run)
    assert "wanted otherwise" in look(org, again)["error_message"]


def test_who_opted_out_is_not_put_into_a_group(org: Organisation, run: Run) -> None:
    gone = "+491701111111"
    opt_out(org, contact(org, phone=gone, lid="77@lid"))
    ask(org, "create_group", name="x", participants=[gone, "+491702222222"])
    (taken,) = take(run)
    assert list(taken["held_back"]) == [gone]
    assert "has opted out" in taken["held_back"][gone]
    finish(run, taken["id"], {})
    ask(org, "group_members", group_jid=GROUP, action="add", members=["77@lid"])
    (taken,) = take(run)
    assert list(taken["held_back"]) == ["77@lid"]
    finish(run, taken["id"], {})
    ask(org, "group_members", group_jid=GROUP, action="remove", members=[gone])
    (taken,) = take(run)
    assert taken["held_back"] == {}


@pytest.mark.usefixtures("run")
def test_what_is_asked_is_written_down_without_numbers(db: Db, org: Organisation) -> None:
    ask(org, "group_members", group_jid=GROUP, action="add", members=["+491709876567"])
    told = db.row("select actor_id, event_data from public.whatsapp_audit_logs where event_type = 'session.asked'")
    assert told["actor_id"] == org.people["admin"]
    assert told["event_data"] == {"kind": "group_members", "group": GROUP, "action": "add", "people": 1}


def test_what_has_ended_is_forgotten_after_a_week(db: Db, org: Organisation, run: Run) -> None:
    command = ask(org, "refresh_groups")
    take(run)
    finish(run, command, {"groups": 1})
    db.pass_time(6 * 86400)
    take(run)
    assert look(org, command)
    db.pass_time(86400 + 121)
    take(run)
    assert db.value("select count(*) from public.whatsapp_commands") == 0


def test_a_pairing_code_is_not_kept(db: Db, org: Organisation, run: Run) -> None:
    command = ask(org, "pairing_code", phone="+491709876567")
    take(run)
    finish(run, command, {"code": "ABCD-EFGH"})
    db.pass_time(119)
    take(run)
    assert look(org, command)["result"] == {"code": "ABCD-EFGH"}
    db.pass_time(2)
    take(run)
    assert (look(org, command)["state"], look(org, command)["result"]) == ("done", None)


@pytest.mark.usefixtures("run")
def test_nobody_writes_an_answer_but_the_worker(db: Db, org: Organisation) -> None:
    command = ask(org, "refresh_groups")
    with db.speaking_as("authenticated", org.people["admin"]):
        refusal = db.refusal("update public.whatsapp_commands set state = 'done' where id = %s", command)
        assert refusal == psycopg.errors.InsufficientPrivilege.sqlstate
