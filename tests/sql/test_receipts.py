"""Receipts: who has a message and who read it, in whatever order they come."""

import pytest

from tests.kit.database import Db, Organisation, Row, Run

ASHA, BINH, CHIDI = (f"4917000000{n}@s.whatsapp.net" for n in range(3))


def sent(org: Organisation, run: Run, wa_id: str = "3EB0A1") -> Row:
    org.schedule()
    claim = run.claim_one()
    run.accept(claim, wa_id)
    return claim


def state(org: Organisation) -> tuple[str, int, int]:
    row = org.db.row("select * from public.scheduled_whatsapp_messages where session_id = %s", org.session)
    return row["status"], row["delivered_count"], row["read_count"]


def test_a_message_is_delivered_and_then_read(org: Organisation, run: Run) -> None:
    sent(org, run)
    run.receipt(org.session, "3EB0A1", ASHA, "delivered")
    assert state(org) == ("delivered", 1, 0)
    run.receipt(org.session, "3EB0A1", ASHA, "read")
    assert state(org) == ("read", 1, 1)


def test_a_group_counts_its_members(org: Organisation, run: Run) -> None:
    sent(org, run)
    for person in (ASHA, BINH, CHIDI):
        run.receipt(org.session, "3EB0A1", person, "delivered")
    assert state(org) == ("delivered", 3, 0)
    run.receipt(org.session, "3EB0A1", BINH, "read")
    run.receipt(org.session, "3EB0A1", CHIDI, "played")
    assert state(org) == ("read", 3, 2)


def test_a_member_whose_number_becomes_known_stays_one_recipient(db: Db, org: Organisation, run: Run) -> None:
    message = org.schedule(group_id=org.group)
    run.accept(run.claim_one(), "3EB0A1")
    run.receipt(org.session, "3EB0A1", "98765@lid", "delivered")
    run.receipt(org.session, "3EB0A1", "55555@lid", "delivered")
    run.receipt(org.session, "3EB0A1", ASHA, "delivered", lid="98765@lid")
    run.receipt(org.session, "3EB0A1", ASHA, "read", lid="98765@lid")
    row = org.message(message)
    assert (row["delivered_count"], row["read_count"]) == (2, 1)
    names = db.rows("select recipient from public.whatsapp_delivery_logs order by recipient")
    assert [each["recipient"] for each in names] == [ASHA, "55555@lid"]


def test_who_read_it_has_it_whichever_receipt_comes_first(org: Organisation, run: Run) -> None:
    sent(org, run)
    run.receipt(org.session, "3EB0A1", ASHA, "read")
    assert state(org) == ("read", 1, 1)
    run.receipt(org.session, "3EB0A1", ASHA, "delivered")
    run.receipt(org.session, "3EB0A1", BINH, "delivered")
    assert state(org) == ("read", 2, 1)


def test_a_receipt_that_comes_again_changes_nothing(db: Db, org: Organisation, run: Run) -> None:
    sent(org, run)
    run.receipt(org.session, "3EB0A1", ASHA, "delivered")
    before = db.row("select ctid::text, * from public.scheduled_whatsapp_messages")
    db.pass_time(60)
    run.receipt(org.session, "3EB0A1", ASHA, "delivered")
    assert db.row("select ctid::text, * from public.scheduled_whatsapp_messages") == before


@pytest.mark.parametrize("outcome", ["accepted", "indeterminate"])
def test_a_receipt_that_comes_before_the_settle_waits_for_it(
    db: Db, org: Organisation, run: Run, outcome: str
) -> None:
    org.schedule()
    claim = run.claim_one()
    run.receipt(org.session, "3EB0A1", ASHA, "delivered")
    assert state(org) == ("sending", 0, 0)
    run.settle(claim, outcome, wa_message_id="3EB0A1")
    assert state(org) == ("delivered", 1, 0)
    assert db.rows("select 1 from herald.early_receipts") == []


def test_a_receipt_that_crossed_with_the_settle_is_found_by_the_reaper(
    db: Db, org: Organisation, run: Run
) -> None:
    sent(org, run)
    db.run(
        "insert into herald.early_receipts values (%s, '3EB0A1', %s, 'delivered', now(), now())", org.session, ASHA
    )
    db.call("whatsapp_reap")
    assert state(org) == ("delivered", 1, 0)


@pytest.mark.parametrize("kind", ["delivered", "read", "sender"])
def test_a_receipt_ends_a_doubt(org: Organisation, run: Run, kind: str) -> None:
    org.schedule()
    run.settle(run.claim_one(), "indeterminate", wa_message_id="3EB0A1", reason="Cut off.")
    run.receipt(org.session, "3EB0A1", ASHA, kind)
    assert state(org)[0] == {"sender": "sent"}.get(kind, kind)


def test_a_receipt_of_another_account_is_not_ours(org: Organisation, run: Run) -> None:
    second = org.add_session()
    sent(org, run)
    run.receipt(second, "3EB0A1", ASHA, "read")
    assert state(org) == ("sent", 0, 0)


def test_a_retried_message_does_not_heed_receipts_of_its_first_try(db: Db, org: Organisation, run: Run) -> None:
    org.schedule()
    run.settle(run.claim_one(), "indeterminate", wa_message_id="3EB0A1")
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run("update public.scheduled_whatsapp_messages set status = 'pending'")
    run.receipt(org.session, "3EB0A1", ASHA, "read")
    assert state(org) == ("pending", 0, 0)
    run.accept(run.claim_one(), "3EB0A2")
    assert state(org) == ("sent", 0, 0)


def test_receipts_of_unknown_messages_are_forgotten_after_a_day(db: Db, org: Organisation, run: Run) -> None:
    run.receipt(org.session, "3EB0FF", ASHA, "read")
    db.pass_time(86_000)
    db.call("whatsapp_reap")
    assert len(db.rows("select 1 from herald.early_receipts")) == 1
    db.pass_time(500)
    db.call("whatsapp_reap")
    assert db.rows("select 1 from herald.early_receipts") == []


def test_a_run_that_was_replaced_writes_no_receipts(db: Db, org: Organisation, run: Run) -> None:
    Run(db, worker=run.worker)
    with pytest.raises(Exception, match="Another process has started"):
        run.receipt(org.session, "3EB0A1", ASHA, "read")
