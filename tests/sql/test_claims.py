"""Claim and settle: what may go out, to whom it is given, and what comes of it."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tests.kit.database import Db, Organisation, Run


def test_a_claim_says_all_that_a_send_needs(db: Db, org: Organisation, run: Run) -> None:
    message = org.schedule(group_id=org.group)
    claim = run.claim_one()
    jid = db.value("select group_jid from public.whatsapp_groups where id = %s", org.group)
    assert (claim["message_id"], claim["to"], claim["kind"]) == (str(message), jid, "text")
    assert (claim["text"], claim["attempt"], claim["former_token"]) == ("The kiln is hot", 1, None)
    assert org.status(message) == "sending"


def test_an_account_has_one_message_in_flight(org: Organisation, run: Run) -> None:
    org.schedule()
    org.schedule()
    first = run.claim_one()
    assert run.claim() == []
    run.accept(first)
    assert run.claim_one()["message_id"] != first["message_id"]


def test_many_accounts_are_claimed_for_in_one_call(org: Organisation, run: Run) -> None:
    second = org.add_session()
    run.connect(second)
    org.schedule()
    org.schedule(session_id=second)
    assert len(run.claim(limit=1)) == 1
    assert len(run.claim()) == 1
    assert run.claim(limit=0) == []


def test_the_highest_priority_goes_first_and_then_the_oldest(db: Db, org: Organisation, run: Run) -> None:
    now = db.now()
    late = org.schedule(scheduled_for=now - timedelta(minutes=1))
    early = org.schedule(scheduled_for=now - timedelta(minutes=2))
    urgent = org.schedule(priority=9)
    order = []
    for number in range(3):
        claim = run.claim_one()
        order.append(claim["message_id"])
        run.accept(claim, f"3EB0{number}")
    assert order == [str(urgent), str(early), str(late)]


HELD_BACK = {
    "it is not due": "update public.scheduled_whatsapp_messages set scheduled_for = now() + interval '1 minute'",
    "it backs off": "update public.scheduled_whatsapp_messages set next_attempt_at = now() + interval '1 minute'",
    "it has expired": "update public.scheduled_whatsapp_messages set scheduled_for = now() - interval '1 hour',"
    " expires_at = now()",
    "it was cancelled": "update public.scheduled_whatsapp_messages set status = 'cancelled'",
    "the account is paused": "update public.whatsapp_sessions set paused_until = now() + interval '1 minute'",
    "the account is disabled": "update public.whatsapp_sessions set enabled = false",
    "the account shall disconnect": "update public.whatsapp_sessions set desired_state = 'disconnected'",
    "the account is not connected": "update herald.session_leases set ready = false",
    "no store is attached": "update herald.session_leases set incarnation = null",
    "the lease has lapsed": "update herald.session_leases set expires_at = now()",
    "another run holds it": "update herald.session_leases set run_id = gen_random_uuid()",
    "it was sent a moment ago": "update herald.session_leases set next_send_at = now() + interval '1 second'",
}


@pytest.mark.parametrize("why", HELD_BACK)
def test_a_message_waits_while(db: Db, org: Organisation, run: Run, why: str) -> None:
    org.schedule()
    db.connection.execute(HELD_BACK[why].encode())
    assert run.claim() == []


@pytest.mark.parametrize("why", HELD_BACK)
def test_the_queue_asks_for_no_look_in_vain_while(db: Db, org: Organisation, run: Run, why: str) -> None:
    org.schedule()
    db.connection.execute(HELD_BACK[why].encode())
    due = run.exchange()["next_due"]
    assert due is None or due > 0


def test_next_due_is_when_something_may_be_claimed(db: Db, org: Organisation, run: Run) -> None:
    assert run.exchange()["next_due"] is None
    org.schedule(scheduled_for=db.now() + timedelta(seconds=90))
    assert run.exchange()["next_due"] == pytest.approx(90)
    org.schedule(scheduled_for=db.now() + timedelta(seconds=30))
    assert run.exchange()["next_due"] == pytest.approx(30)
    db.run("update public.whatsapp_sessions set paused_until = herald.clock() + interval '60 seconds'")
    assert run.exchange()["next_due"] == pytest.approx(60)
    db.pass_time(61)
    run.heartbeat(lease=3600)
    run.connect(org.session)
    answer = run.exchange()
    assert (len(answer["claims"]), answer["next_due"]) == (1, None)  # its settle is what wakes the worker


def test_sends_of_an_account_keep_a_jittered_gap(db: Db, org: Organisation, run: Run) -> None:
    db.run("update public.whatsapp_sessions set min_gap_ms = 2000")
    org.schedule()
    org.schedule()
    run.accept(run.claim_one())
    due = run.exchange()["next_due"]
    assert 1.6 <= due <= 2.8
    db.pass_time(due + 0.01)
    assert len(run.claim()) == 1


def test_an_accepted_message_is_sent_once_however_often_it_is_settled(org: Organisation, run: Run) -> None:
    message = org.schedule()
    claim = run.claim_one()
    assert run.accept(claim, "3EB0A1") == 1
    assert run.accept(claim, "3EB0A2") == 0
    assert run.settle(claim, "rejected", code="late") == 0
    row = org.message(message)
    assert (row["status"], row["wa_message_id"], row["error_code"]) == ("sent", "3EB0A1", None)


def test_a_rejected_message_is_tried_again_later_until_its_retries_are_used_up(
    db: Db, org: Organisation, run: Run
) -> None:
    message = org.schedule(max_retries=2)
    waits = []
    for attempt in (1, 2, 3):
        claim = run.claim_one()
        assert claim["attempt"] == attempt
        run.settle(claim, "rejected", code="463", reason="Not now.", retry=True)
        row = org.message(message)
        if row["next_attempt_at"]:
            waits.append((row["next_attempt_at"] - db.now()).total_seconds())
            db.pass_time(waits[-1])
            run.heartbeat(lease=3600)
    assert (row["status"], row["error_code"], row["retry_count"]) == ("failed", "463", 2)
    assert [4 <= waits[0] <= 6, 8 <= waits[1] <= 12, len(waits)] == [True, True, 2]


def test_a_message_that_is_refused_for_good_fails_at_once(org: Organisation, run: Run) -> None:
    message = org.schedule()
    run.settle(run.claim_one(), "rejected", code="media-unavailable", reason="Gone.", retry=False)
    row = org.message(message)
    assert (row["status"], row["error_message"], row["next_attempt_at"]) == ("failed", "Gone.", None)


def test_a_message_that_surely_was_not_sent_costs_no_attempt(db: Db, org: Organisation, run: Run) -> None:
    message = org.schedule()
    run.settle(run.claim_one(), "unavailable", reason="Offline.", retry_after=7)
    row = org.message(message)
    assert (row["status"], row["retry_count"]) == ("pending", 0)
    assert row["next_attempt_at"] == db.now() + timedelta(seconds=7)


def test_a_message_that_may_be_out_is_in_doubt_and_never_claimed_again(org: Organisation, run: Run) -> None:
    message = org.schedule()
    run.settle(run.claim_one(), "indeterminate", reason="Cut off.", wa_message_id="3EB0A1")
    row = org.message(message)
    assert (row["status"], row["wa_message_id"], row["error_code"]) == ("in_doubt", "3EB0A1", "indeterminate")
    assert run.claim() == []


def test_a_settle_that_names_another_token_or_run_or_an_old_epoch_changes_nothing(
    db: Db, org: Organisation, run: Run
) -> None:
    message = org.schedule()
    claim = run.claim_one()
    assert run.accept(claim | {"token": str(uuid4())}) == 0
    assert Run(db).accept(claim) == 0
    db.run("update herald.session_leases set epoch = epoch + 1")
    assert run.accept(claim) == 0
    assert org.status(message) == "sending"


def test_one_odd_row_does_not_hold_up_a_batch(db: Db, org: Organisation, run: Run) -> None:
    message = org.schedule()
    claim = run.claim_one()
    db.run("update public.scheduled_whatsapp_messages set status = 'failed', error_code = 'by-hand'")
    assert run.accept(claim) == 1
    assert org.status(message) == "failed"
    assert run.claim() == []


def test_a_claim_is_extended_by_its_holder_only(db: Db, org: Organisation, run: Run) -> None:
    org.schedule()
    claim = run.claim_one()
    db.pass_time(100)
    ids = [claim["message_id"]]
    assert db.call("whatsapp_claims_extend", p_run=uuid4(), p_messages=ids) == []
    assert db.call("whatsapp_claims_extend", p_run=run.id, p_messages=ids) == ids
    until = db.value("select claimed_until from herald.message_claims")
    assert until == db.now() + timedelta(seconds=150)
