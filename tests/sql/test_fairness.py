"""Whose turn it is: organisations, accounts and messages, and what is blocked in front of the others."""

from datetime import timedelta
from typing import LiteralString
from uuid import UUID

import pytest

from tests.kit.database import Db, Organisation, Run
from tests.kit.holds import alter, configure, contact, drain, ids, quiet

MANY: LiteralString = """
insert into public.scheduled_whatsapp_messages
(organization_id, session_id, group_id, recipient_phone, campaign_id, message_content, priority)
select %s, s.id, %s, case when %s::uuid is null then '+491701234568' end, %s, 'x', 9
from public.whatsapp_sessions as s cross join generate_series(1, %s) as n where s.id = any(%s)
"""


def queue_many(
    org: Organisation, sessions: list[UUID], each: int, *, group: UUID | None = None, campaign: UUID | None = None
) -> None:
    org.db.run(MANY, org.id, group, group, campaign, each, sessions)


def campaign(org: Organisation, state: str) -> UUID:
    return org.db.insert("public.whatsapp_campaigns", organization_id=org.id, name="Spring", state=state)


def held_messages(db: Db) -> int:
    return int(db.value("select count(*) from herald.message_holds as h where h.hold is not null"))


def connect_all(run: Run, sessions: list[UUID]) -> None:
    run.heartbeat(capacity=200)
    run.db.run(
        "update herald.session_leases set ready = true, incarnation = gen_random_uuid()"
        " where session_id = any(%s)",
        sessions,
    )


def test_an_organisation_with_ten_thousand_messages_does_not_delay_one_with_a_single_message(
    db: Db, org: Organisation
) -> None:
    crowd = [org.session, *(org.add_session() for _ in range(99))]
    other, run = Organisation(db), Run(db)
    connect_all(run, [*crowd, other.session])
    queue_many(org, crowd, 100)
    message = other.schedule(priority=1)
    assert str(message) in ids(run.claim(limit=2))


def test_accounts_take_turns(db: Db, org: Organisation, run: Run) -> None:
    sessions = [org.session, *(org.add_session() for _ in range(4))]
    run.connect(*sessions)
    queue_many(org, sessions, 3)
    served = []
    for _ in range(15):
        claim = run.claim(limit=1)[0]
        run.accept(claim)
        served.append(claim["session_id"])
        db.pass_time(0.001)
    rounds = [set(served[n : n + 5]) for n in (0, 5, 10)]
    assert rounds == [{str(session) for session in sessions}] * 3


def test_blocked_accounts_do_not_starve_the_others(db: Db, org: Organisation, run: Run) -> None:
    """Twenty accounts whose queues are full of what may not go, one that may; three looked at in a call."""
    blocked = [org.add_session(daily_limit=0) for _ in range(20)]
    connect_all(run, [*blocked, org.session])
    queue_many(org, [*blocked, org.session], 2)
    db.run("update herald.session_leases set looked_at = %s where session_id = %s", db.now(), org.session)
    calls = 0
    while not run.claim(limit=3):
        calls += 1
        assert calls <= 7
    assert db.value("select count(*) from herald.session_leases where look_again_at > herald.clock()") >= 18


HELD = ["campaign", "quiet-hours", "group-limit", "account-limit", "organization-paused", "suppressed"]


def hold(org: Organisation, rule: str) -> UUID:
    """A message that this rule holds back."""
    now = org.db.now()
    if rule == "campaign":
        return org.schedule(campaign_id=campaign(org, "paused"))
    if rule == "group-limit":
        alter(org, per_group_per_minute=0)
        return org.schedule(group_id=org.group)
    message = org.schedule()
    if rule == "quiet-hours":
        hours = quiet(now - timedelta(hours=1), now + timedelta(hours=1), "exempt")
        configure(org, quiet_hours=hours)
    elif rule == "account-limit":
        alter(org, daily_limit=0)
    elif rule == "organization-paused":
        configure(org, paused_until=now + timedelta(hours=1))
    else:
        org.db.run("alter table public.whatsapp_contacts disable trigger contact_new_silenced")
        contact(org, opted_out_at=now)
    return message


@pytest.mark.parametrize("rule", HELD)
def test_an_account_that_is_held_back_is_looked_at_again_within_a_second_and_not_before(
    db: Db, org: Organisation, run: Run, rule: str
) -> None:
    message = hold(org, rule)
    first, second = run.exchange(), run.exchange()
    assert (first["claims"], second["claims"]) == ([], [])
    assert 0 < first["next_due"] <= 1
    assert 0 < second["next_due"] <= 1
    assert org.status(message) == "pending"
    db.pass_time(1)
    looked = run.exchange()
    assert (looked["claims"], 0 < looked["next_due"] <= 1) == ([], True)


@pytest.mark.parametrize("rule", ["campaign", "quiet-hours", "group-limit"])
def test_ten_thousand_held_messages_at_the_head_do_not_hold_the_next(
    db: Db, org: Organisation, run: Run, rule: str
) -> None:
    first = org.message(hold(org, rule))
    queue_many(org, [org.session], 10_000, group=first["group_id"], campaign=first["campaign_id"])
    free = org.schedule(priority=1, message_type="exempt", recipient_phone="+491701234569")
    assert run.claim_one()["message_id"] == str(free)
    assert held_messages(db) == 10_001


def test_a_slot_of_an_account_holds_one_claim_whoever_writes_it(db: Db, org: Organisation, run: Run) -> None:
    org.schedule()
    run.claim_one()
    copy: LiteralString = (
        "insert into herald.message_claims"
        " (message_id, session_id, slot, token, run_id, epoch, incarnation, secret, claimed_until)"
        " select %s, session_id, slot, token, run_id, epoch, incarnation, secret, claimed_until"
        " from herald.message_claims"
    )
    assert db.refusal(copy, org.schedule()) == "23505"


def test_what_is_behind_many_held_messages_keeps_its_order(db: Db, org: Organisation, run: Run) -> None:
    paused = campaign(org, "paused")
    queue_many(org, [org.session], 50, campaign=paused)
    now = db.now()
    late = org.schedule(priority=5, scheduled_for=now - timedelta(minutes=1))
    early = org.schedule(priority=5, scheduled_for=now - timedelta(minutes=2))
    urgent = org.schedule(priority=6)
    assert drain(run) == [str(urgent), str(early), str(late)]
    db.run("update public.whatsapp_campaigns set state = 'running'")
    db.pass_time(1)
    assert len(drain(run)) == 50
