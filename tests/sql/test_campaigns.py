"""Campaigns: their messages follow their state, their counters follow their messages."""

from uuid import UUID

import pytest

from tests.kit.database import Db, Organisation, Row, Run
from tests.kit.holds import drain, why


def campaign(org: Organisation, state: str = "running") -> UUID:
    return org.db.insert("public.whatsapp_campaigns", organization_id=org.id, name="Spring", state=state)


def move(org: Organisation, campaign: UUID, state: str) -> None:
    """As an admin does it in the CRM."""
    with org.db.speaking_as("authenticated", org.people["admin"]):
        changed = org.db.run("update public.whatsapp_campaigns set state = %s where id = %s", state, campaign)
    assert changed == 1


def counted(db: Db, campaign: UUID) -> Row:
    db.value("select herald.count_campaigns()")
    return db.row("select * from public.whatsapp_campaigns where id = %s", campaign)


@pytest.mark.parametrize("state", ["draft", "paused"])
def test_messages_wait_for_their_campaign_to_run(db: Db, org: Organisation, run: Run, state: str) -> None:
    spring = campaign(org, state)
    message = org.schedule(campaign_id=spring)
    assert run.claim() == []
    assert why(db, message) == {"campaign": None}
    move(org, spring, "running")
    db.pass_time(1)
    assert drain(run) == [str(message)]


def test_a_cancelled_campaign_takes_along_what_has_not_gone_out(db: Db, org: Organisation, run: Run) -> None:
    spring = campaign(org)
    gone = org.schedule(campaign_id=spring, priority=9)
    run.accept(run.claim_one())
    flying = org.schedule(campaign_id=spring, priority=8)
    waiting, other = org.schedule(campaign_id=spring), org.schedule(priority=1)
    claim = run.claim_one()
    move(org, spring, "cancelled")
    assert [org.status(m) for m in (gone, flying, waiting, other)] == ["sent", "sending", "cancelled", "pending"]
    run.settle(claim, "unavailable", retry_after=0)
    assert org.status(flying) == "pending"
    assert drain(run) == [str(other)]  # what came back late does not go out any more,
    counted(db, spring)
    assert org.status(flying) == "cancelled"  # and is taken along by the next round


def test_counters_follow_the_messages_and_a_campaign_with_nothing_open_is_done(
    db: Db, org: Organisation, run: Run
) -> None:
    spring = campaign(org)
    for _ in range(6):
        org.schedule(campaign_id=spring)
    org.schedule(priority=1)  # not its own
    for number, outcome in enumerate(["accepted", "accepted", "accepted", "rejected", "indeterminate"]):
        claim = run.claim_one()
        wa_id = f"3EB0{number}" if outcome != "rejected" else None
        run.settle(claim, outcome, wa_message_id=wa_id, code="463")
    run.receipt(org.session, "3EB00", "x", "delivered")
    run.receipt(org.session, "3EB01", "x", "read")
    row = counted(db, spring)
    numbers = [row[f"{name}_count"] for name in ("total", "sent", "delivered", "read", "failed")]
    assert (numbers, row["state"]) == ([6, 3, 2, 1, 1], "running")
    run.receipt(org.session, "3EB04", "x", "delivered")  # the doubt is settled by evidence
    drain(run)
    row = counted(db, spring)
    assert (row["sent_count"], row["state"], row["finished_at"]) == (5, "done", db.now())
    run.receipt(org.session, "3EB02", "x", "delivered")
    assert counted(db, spring)["delivered_count"] == 4  # receipts count for three days more
    db.pass_time(86400 * 3)
    run.receipt(org.session, "3EB04", "y", "read")
    assert counted(db, spring)["read_count"] == 1


def test_counting_writes_only_what_changed(db: Db, org: Organisation) -> None:
    spring = campaign(org)
    org.schedule(campaign_id=spring)
    assert db.value("select herald.count_campaigns()") == 1
    assert db.value("select herald.count_campaigns()") == 0


@pytest.mark.parametrize("state", ["draft", "running", "paused"])
def test_a_campaign_without_messages_is_not_done(db: Db, org: Organisation, state: str) -> None:
    assert counted(db, campaign(org, state))["state"] == state


def test_a_message_that_is_tried_again_goes_out_though_its_campaign_is_done(
    db: Db, org: Organisation, run: Run
) -> None:
    spring = campaign(org)
    message = org.schedule(campaign_id=spring)
    run.settle(run.claim_one(), "rejected", code="463")
    assert counted(db, spring)["state"] == "done"
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run("update public.scheduled_whatsapp_messages set status = 'pending' where id = %s", message)
    assert list(why(db, message)) == ["next"]
    assert drain(run) == [str(message)]
    assert counted(db, spring)["sent_count"] == 1


def test_a_message_of_a_cancelled_campaign_is_not_tried_again(db: Db, org: Organisation, run: Run) -> None:
    spring = campaign(org)
    message = org.schedule(campaign_id=spring)
    run.settle(run.claim_one(), "rejected", code="463")
    move(org, spring, "cancelled")
    retry = "update public.scheduled_whatsapp_messages set status = 'pending' where id = %s"
    with db.speaking_as("authenticated", org.people["admin"]):
        assert db.refusal(retry, message) == "23514"
    assert org.status(message) == "failed"
