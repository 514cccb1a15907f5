"""What makes a claim, a settle or a step of housekeeping fail, fails alone and says why; everything else goes on."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation, Row, Run

MEGABYTE = 2**20


def one_each(db: Db, text: str, accounts: int) -> tuple[Run, list[UUID]]:
    """Organisations with one account and one message each, all due; the worker that serves them."""
    orgs = [Organisation(db) for _ in range(accounts)]
    run = Run(db).connect(*(org.session for org in orgs))
    return run, [org.schedule(message_content=text) for org in orgs]


def apart(run: Run, results: list[Row] | None = None, limit: int = 50) -> Row:
    answer: Row = run.db.call(
        "whatsapp_settle_and_claim_apart", p_run=run.id, p_results=Jsonb(results or []), p_limit=limit
    )
    return answer


def drained(run: Run) -> list[list[UUID]]:
    """What each exchange claims until nothing is left."""
    rounds = []
    while claims := run.exchange()["claims"]:
        rounds.append([UUID(claim["message_id"]) for claim in claims])
    return rounds


def test_an_answer_holds_as_many_messages_as_it_can_bear(db: Db) -> None:
    """Nine messages that are as large as they may be, 1.3 MB: the text has 4 bytes a character."""
    uri = "data:image/png;base64," + "A" * (MEGABYTE - 22)
    orgs = [Organisation(db) for _ in range(9)]
    run = Run(db).connect(*(org.session for org in orgs))
    messages = [
        org.schedule(message_content="\N{KNOT}" * 65_536, media_kind="image", media_url=uri) for org in orgs
    ]
    rounds = drained(run)
    assert sorted([m for one in rounds for m in one]) == sorted(messages)
    assert [len(one) for one in rounds] == [6, 3]


def test_what_had_no_room_goes_first_the_next_time(db: Db) -> None:
    db.run("update herald.constants set largest_claim = 4000")
    run, messages = one_each(db, "x" * 1000, 10)
    rounds = drained(run)
    assert [len(one) for one in rounds] == [4, 4, 2]
    assert sorted([m for one in rounds for m in one]) == sorted(messages)


def test_an_account_that_had_no_room_has_its_turn_before_those_that_had(db: Db) -> None:
    """Four accounts are looked at, three fit; the fourth is not at the end of the line for it."""
    db.run("update herald.constants set largest_claim = 3000")
    run, messages = one_each(db, "x" * 1000, 9)
    first = {UUID(claim["message_id"]) for claim in run.exchange(4)["claims"]}
    looked_at = {
        row["session_id"]
        for row in db.rows("select session_id from herald.session_leases where looked_at = %s", db.now())
    }
    sent_by = {
        db.value("select session_id from public.scheduled_whatsapp_messages where id = %s", m) for m in first
    }
    assert len(first) == 3
    assert looked_at == sent_by
    assert first < set(messages)


def test_files_that_are_there_already_and_too_large_fail_and_the_others_go(db: Db) -> None:
    db.run("alter table public.scheduled_whatsapp_messages drop constraint message_media_url_is_short")
    run, messages = one_each(db, "Hello", 3)
    large = [Organisation(db) for _ in range(6)]
    run.connect(*(org.session for org in large))
    culprits = [org.schedule(media_kind="image", media_url="data:,", priority=6) for org in large]
    db.run(
        "update public.scheduled_whatsapp_messages set media_url = 'data:,' || repeat('A', %s) where id = any(%s)",
        3 * MEGABYTE,
        culprits,
    )
    after = [org.schedule(message_content="And on") for org in large]
    claimed = [m for one in drained(run) for m in one]
    assert sorted(claimed) == sorted(messages + after)
    for org, culprit in zip(large, culprits, strict=True):
        row = org.message(culprit)
        assert (row["status"], row["error_code"]) == ("failed", "too-large")
        assert "too large" in row["error_message"]


def test_an_account_that_claims_fail_at_waits_and_the_others_go(db: Db, org: Organisation) -> None:
    """A time zone that the next version of Postgres does not know any more."""
    run, messages = one_each(db, "Hello", 2)
    run.connect(org.session)
    stuck = org.schedule()
    db.run("alter table public.workshop_automation_config drop constraint config_timezone_is_known")
    db.run(
        "update public.workshop_automation_config set timezone = 'Nowhere/Land',"
        ' quiet_hours = \'{"start": "01:00", "end": "02:00"}\' where organization_id = %s',
        org.id,
    )
    with pytest.raises(psycopg.Error), db.connection.transaction():
        run.exchange()
    assert sorted(UUID(claim["message_id"]) for claim in apart(run)["claims"]) == sorted(messages)
    assert org.status(stuck) == "pending"
    alert = db.row(
        "select message, details from public.whatsapp_alerts where session_id = %s and kind = 'messages-unreadable'",
        org.session,
    )
    assert (alert["details"], "22023" in alert["message"]) == ({"sqlstate": "22023"}, True)
    (lease,) = db.rows("select look_again_at from herald.session_leases where session_id = %s", org.session)
    assert lease["look_again_at"] == db.now() + timedelta(minutes=1)


def test_a_message_that_claims_fail_at_fails_and_the_next_goes(db: Db, org: Organisation, run: Run) -> None:
    """A CRM's own trigger that can't divide."""
    db.run(
        "create function public.crm_rule() returns trigger language plpgsql as $$ begin"
        " if new.status = 'sending' and new.message_content = 'poison' then perform 1 / 0; end if;"
        " return new; end $$"
    )
    db.run(
        "create trigger crm_rule before update on public.scheduled_whatsapp_messages"
        " for each row execute function public.crm_rule()"
    )
    poison = org.schedule(message_content="poison", priority=9)
    sound = org.schedule(message_content="sound")
    with pytest.raises(psycopg.errors.DivisionByZero), db.connection.transaction():
        run.exchange()
    assert apart(run)["claims"] == []
    row = org.message(poison)
    assert (row["status"], row["error_code"], "22012" in row["error_message"]) == ("failed", "unreadable", True)
    assert [claim["message_id"] for claim in run.exchange()["claims"]] == [str(sound)]


def result(claim: Row, **facts: Any) -> Row:
    return {"message_id": claim["message_id"], "token": claim["token"], "outcome": "accepted", **facts}


def test_a_result_that_cant_be_written_leaves_its_message_in_doubt_and_the_others_settled(db: Db) -> None:
    run, messages = one_each(db, "Hello", 3)
    claims = {UUID(claim["message_id"]): claim for claim in run.exchange()["claims"]}
    results = [result(claims[m], wa_message_id=f"3EB{n}", at=db.now().isoformat()) for n, m in enumerate(messages)]
    results[1]["at"] = "the day before yesterday's tomorrow"
    with pytest.raises(psycopg.errors.InvalidDatetimeFormat), db.connection.transaction():
        run.db.call("whatsapp_settle_and_claim", p_run=run.id, p_results=Jsonb(results), p_limit=50)
    assert sorted(apart(run, results)["settled"]) == sorted(map(str, messages))
    rows = [db.row("select * from public.scheduled_whatsapp_messages where id = %s", m) for m in messages]
    assert [row["status"] for row in rows] == ["sent", "in_doubt", "sent"]
    assert (rows[1]["error_code"], "22007" in rows[1]["error_message"]) == ("unwritable", True)


def test_a_message_that_cant_expire_does_not_keep_the_others_alive(db: Db, org: Organisation) -> None:
    soon = db.now() + timedelta(seconds=10)
    poison, sound = (org.schedule(message_content=text, expires_at=soon) for text in ("poison", "sound"))
    db.run(
        "create function public.crm_rule() returns trigger language plpgsql as $$ begin"
        " if new.status = 'failed' and new.message_content = 'poison' then perform 1 / 0; end if;"
        " return new; end $$"
    )
    db.run(
        "create trigger crm_rule before update on public.scheduled_whatsapp_messages"
        " for each row execute function public.crm_rule()"
    )
    db.pass_time(60)
    assert db.call("whatsapp_reap")["expired"] == 1
    assert (org.status(poison), org.status(sound)) == ("pending", "failed")
    alert = db.row("select details from public.whatsapp_alerts where kind = 'messages-stuck'")
    assert alert["details"] == {"messages": [str(poison)], "sqlstate": "22012"}


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "20260-01-01 00:00Z", "0044-03-15 00:00Z BC"])
def test_times_that_are_there_already_stop_nobody(db: Db, moment: str) -> None:
    """Written before there was a rule, or by the tables' owner."""
    for table, rule in (
        ("scheduled_whatsapp_messages", "message_scheduled_for_is_a_date"),
        ("scheduled_whatsapp_messages", "message_expires_at_is_a_date"),
        ("scheduled_whatsapp_messages", "message_expires_after_its_time"),
        ("whatsapp_sessions", "session_paused_until_is_a_date"),
        ("whatsapp_sessions", "session_warmup_started_at_is_a_date"),
        ("workshop_automation_config", "config_paused_until_is_a_date"),
    ):
        db.connection.execute(f"alter table public.{table} drop constraint {rule}")
    run, messages = one_each(db, "Hello", 1)
    odd = Organisation(db)
    run.connect(odd.session)
    for columns in (
        {"scheduled_for": moment},
        {"expires_at": moment},
        {"scheduled_for": moment, "expires_at": moment},
    ):
        odd.schedule(**columns)
    db.run("update public.whatsapp_sessions set warmup_started_at = %s where id = %s", moment, odd.session)
    assert {str(m) for m in messages} <= {claim["message_id"] for claim in run.exchange()["claims"]}
    db.run("update public.whatsapp_sessions set paused_until = %s where id = %s", moment, odd.session)
    db.run(
        "update public.workshop_automation_config set paused_until = %s where organization_id = %s", moment, odd.id
    )
    paused = Organisation(db)
    run.connect(paused.session)
    paused.schedule()
    db.run("update public.whatsapp_sessions set paused_until = %s where id = %s", moment, paused.session)
    next_due = run.exchange()["next_due"]
    assert next_due is None or isinstance(next_due, float | int)
    if moment == "infinity" or moment.startswith("20260"):
        assert next_due == 30 * 86_400
    assert db.call("whatsapp_housekeeping")["errors"] == {}
    for function in (
        "whatsapp_reap",
        "whatsapp_api_figures",
        "whatsapp_fallback_due",
        "whatsapp_operator_overview",
    ):
        db.call(function)
    for status in ("due", "pending", "sending", "stuck", "in_doubt", "failed"):
        db.call("whatsapp_operator_queue", p_status=status)
    db.call("whatsapp_stats", p_organization=odd.id)
    for row in db.rows("select id from public.scheduled_whatsapp_messages where organization_id = %s", odd.id):
        assert db.call("whatsapp_operator_message", p_message=row["id"])
        assert db.call("whatsapp_api_message", p_organization=odd.id, p_message=row["id"])
