"""What is open lies in a small table, WhatsApp's ids in another; a step writes no index of the queue."""

from datetime import timedelta
from typing import LiteralString
from uuid import uuid4

import pytest

from localstack.client import Stack
from tests.kit.database import Db, Organisation, Row, Run
from tests.kit.drift import DRIFT

#: What the steps of a message write: claim, settle, receipts, retries, answers.
WRITTEN_BY_STEPS = {
    "status", "error_code", "error_message", "wa_message_id", "sent_at", "delivered_at", "read_at", "responded_at",
    "delivered_count", "read_count", "retry_count", "next_attempt_at", "updated_at",
}  # fmt: skip

#: What a claim looks at and an update may change; a message's campaign, account and group can't change.
FOLLOWED: frozenset[LiteralString] = frozenset({
    "status", "priority", "scheduled_for", "next_attempt_at", "expires_at", "message_type",
})  # fmt: skip


def test_no_index_of_the_queue_names_what_a_step_writes(db: Db) -> None:
    """Else the update of a step is not heap-only, and writes every index of the row."""
    named = {
        row["attname"]
        for row in db.rows(
            "select distinct a.attname from pg_index as i"
            " join pg_depend as d on d.classid = 'pg_class'::regclass and d.objid = i.indexrelid"
            "   and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid"
            " join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = d.refobjsubid"
            " where i.indrelid = 'public.scheduled_whatsapp_messages'::regclass"
        )
    }
    assert {"organization_id", "scheduled_for"} <= named
    assert not named & WRITTEN_BY_STEPS


def test_only_open_messages_are_looked_at_by_a_claim(db: Db, org: Organisation, run: Run) -> None:
    finished = org.schedule()
    run.accept(run.claim_one())
    waiting = org.schedule()
    assert db.rows("select message_id from herald.open_messages where organization_id = %s", org.id) == [
        {"message_id": waiting}
    ]
    assert run.claim_one()["message_id"] == str(waiting)
    assert org.status(finished) == "sent"


@pytest.mark.parametrize("column", sorted(FOLLOWED))
def test_a_change_of_what_a_claim_looks_at_is_followed(db: Db, org: Organisation, column: LiteralString) -> None:
    changed = {
        "status": "cancelled", "priority": 9, "message_type": "reminder",
        "scheduled_for": db.now() + timedelta(hours=1), "next_attempt_at": db.now() + timedelta(minutes=1),
        "expires_at": db.now() + timedelta(days=1),
    }[column]  # fmt: skip
    message, other = org.schedule(), org.schedule()
    db.run(f"update public.scheduled_whatsapp_messages set {column} = %s where id = %s", changed, message)
    kept = {row["message_id"]: row for row in db.rows("select * from herald.open_messages")}
    assert message not in kept if column == "status" else kept[message][column] == changed
    assert kept[other][column] != changed


def test_a_change_of_all_that_waits_at_once_is_followed(db: Db, org: Organisation) -> None:
    """One statement, many rows: some finish, some stay open, some do not change."""
    finished, delayed, same = org.schedule(), org.schedule(), org.schedule()
    db.run(
        "update public.scheduled_whatsapp_messages set"
        " status = case when id = %s then 'cancelled' else status end,"
        " priority = case when id = %s then 2 else priority end",
        finished, delayed,
    )  # fmt: skip
    kept = db.rows("select message_id, priority from herald.open_messages order by priority")
    assert kept == [{"message_id": delayed, "priority": 2}, {"message_id": same, "priority": 5}]


@pytest.mark.parametrize(("status", "kept"), [("sending", True), ("in_doubt", True), ("sent", False)])
def test_what_arrives_under_way_or_finished_is_known(db: Db, org: Organisation, status: str, kept: bool) -> None:
    """Such as rows that are taken over from another system."""
    message = org.schedule(status=status, wa_message_id="3EB0TAKEN", sent_at=db.now(), error_code="unknown")
    sql: LiteralString = "select status from herald.open_messages where message_id = %s"
    assert db.rows(sql, message) == ([{"status": status}] if kept else [])
    assert db.value("select wa_message_id from herald.sent_ids where message_id = %s", message) == "3EB0TAKEN"


def test_an_open_message_whose_id_is_corrected_is_found_under_the_new_one(db: Db, org: Organisation) -> None:
    message = org.schedule(status="in_doubt", wa_message_id="3EB0FIRST", error_code="unknown")
    db.run("update public.scheduled_whatsapp_messages set wa_message_id = '3EB0SECOND' where id = %s", message)
    assert db.value("select wa_message_id from herald.sent_ids where message_id = %s", message) == "3EB0SECOND"


def test_a_message_that_a_trigger_opens_again_is_not_forgotten(db: Db, org: Organisation) -> None:
    """The outer statement's trigger was handed a finished row; by then it is open again."""
    message = org.schedule()
    db.run(
        "create function pg_temp.reopen() returns trigger language plpgsql as $$ begin"
        " update public.scheduled_whatsapp_messages set status = 'pending'"
        " where id = new.id and status = 'failed';"
        " return null; end $$"
    )
    db.run(
        "create trigger reopen after update on public.scheduled_whatsapp_messages"
        " for each row execute function pg_temp.reopen()"
    )
    db.run(
        "update public.scheduled_whatsapp_messages set status = 'failed', error_code = 'x' where id = %s", message
    )
    assert db.value("select status from herald.open_messages where message_id = %s", message) == "pending"


def test_no_step_reads_a_whole_table_of_open_rows(db: Db, org: Organisation, run: Run) -> None:
    """They are small when a plan is made, and full of dead rows a minute later."""

    def reads() -> list[Row]:
        """How often each was read as a whole on this connection."""
        return db.rows(
            "select relname::text as name, seq_scan from pg_stat_xact_user_tables"
            " where relname in ('message_claims', 'open_messages') order by 1"
        )

    for _ in range(4):
        org.schedule()
    before = reads()
    run.accept(run.claim_one())
    run.exchange(1)
    assert {row["name"]: row["seq_scan"] for row in reads()} == {row["name"]: row["seq_scan"] for row in before}


def test_a_message_changed_again_by_a_trigger_is_kept_as_it_ended(db: Db, org: Organisation) -> None:
    """A row's trigger runs before the statement's: what the latter was handed is old by then."""
    message = org.schedule(priority=3)
    db.run(
        "create function pg_temp.again() returns trigger language plpgsql as $$ begin"
        " update public.scheduled_whatsapp_messages set priority = 9 where id = new.id and priority <> 9;"
        " return null; end $$"
    )
    db.run(
        "create trigger again after update on public.scheduled_whatsapp_messages"
        " for each row execute function pg_temp.again()"
    )
    db.run("update public.scheduled_whatsapp_messages set priority = 4 where id = %s", message)
    assert db.value("select priority from herald.open_messages where message_id = %s", message) == 9


def test_a_receipt_finds_its_message_among_accounts_with_the_same_id(org: Organisation, run: Run) -> None:
    other = org.add_session()
    run.connect(other)
    mine, theirs = org.schedule(), org.schedule(session_id=other)
    for claim in run.claim():
        run.accept(claim, "3EB0SAME")
    run.receipt(other, "3EB0SAME", "4917@s.whatsapp.net", "delivered")
    assert (org.status(mine), org.status(theirs)) == ("sent", "delivered")


def test_a_second_try_forgets_the_id_of_the_first(db: Db, org: Organisation, run: Run) -> None:
    message = org.schedule()
    run.settle(run.claim_one(), "indeterminate", wa_message_id="3EB0FIRST")
    db.run("update public.scheduled_whatsapp_messages set status = 'pending' where id = %s", message)
    assert db.rows("select 1 from herald.sent_ids where message_id = %s", message) == []
    run.accept(run.claim_one(), "3EB0SECOND")
    run.receipt(org.session, "3EB0FIRST", "4917@s.whatsapp.net", "delivered")
    assert org.status(message) == "sent"


def test_a_message_that_is_deleted_leaves_nothing(db: Db, org: Organisation, run: Run) -> None:
    sent, waiting = org.schedule(), org.schedule()
    run.accept(run.claim_one())
    db.run("delete from public.scheduled_whatsapp_messages where id = any(%s)", [sent, waiting])
    assert db.rows("select 1 from herald.open_messages where organization_id = %s", org.id) == []
    assert db.rows("select 1 from herald.sent_ids where message_id = %s", sent) == []


def test_new_ids_are_in_order_of_time(org: Organisation) -> None:
    """The rows of a claim lie side by side in the key's index; a client may still bring an id of its own."""
    first, second = org.schedule(), org.schedule()
    assert first.version == second.version == 7
    assert first.int >> 80 <= second.int >> 80
    own = uuid4()
    assert org.schedule(id=own) == own


@pytest.mark.parametrize("damage", ["delete from herald.open_messages", "delete from herald.sent_ids"])
def test_the_drift_check_can_fail(stack: Stack, damage: LiteralString) -> None:
    with Db.connect(stack.database_url) as db:
        org = Organisation(db)
        run = Run(db).connect(org.session)
        org.schedule()
        run.accept(run.claim_one())
        org.schedule()
        assert db.rows(DRIFT) == []
        db.run(damage)
        assert db.rows(DRIFT) != []


def test_what_is_due_is_counted_without_a_look_at_the_queue(db: Db, org: Organisation) -> None:
    """The queue has no index of what is pending: the count that a woken worker asks for would read all of it."""
    org.schedule()
    org.schedule(scheduled_for=db.now() + timedelta(hours=1))
    looks: LiteralString = (
        "select coalesce(sum(seq_scan + idx_scan), 0) from pg_stat_xact_user_tables"
        " where relid = 'public.scheduled_whatsapp_messages'::regclass"
    )
    before = db.value(looks)
    assert db.call("whatsapp_api_due", p_organization=org.id) == 1
    assert db.value(looks) == before


def test_a_list_of_what_is_open_reads_nothing_that_is_finished(db: Db, org: Organisation, run: Run) -> None:
    """Also not of accounts and organisations that the caller may not see: the matrix asks that."""
    finished = org.schedule()
    run.accept(run.claim_one())
    waiting = org.schedule()
    with db.speaking_as("authenticated", org.people["member"]):
        shown = db.rows("select id, status from public.whatsapp_open_messages where organization_id = %s", org.id)
    assert shown == [{"id": waiting, "status": "pending"}]
    assert org.status(finished) == "sent"
    db.run("set enable_seqscan = off")
    plan = str(db.rows("explain select * from public.whatsapp_open_messages where status = 'in_doubt'"))
    assert "seen_open_messages" in plan
    assert "scheduled_whatsapp_messages_pkey" in plan
