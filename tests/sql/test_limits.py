"""Limits: counted over a rolling time, never passed, and what is over them waits."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from localstack.client import Stack
from tests.kit.database import Db, Organisation, Run
from tests.kit.holds import LONG, alter, configure, drain, why

DAY = timedelta(hours=24)


@pytest.fixture
def lasting(run: Run) -> Run:
    """A worker that keeps its account however far the clock moves."""
    run.heartbeat(lease=LONG)
    return run


@pytest.mark.parametrize("seed", range(4))
def test_no_24_hours_see_more_than_the_daily_limit_and_10_minutes_later_there_is_room(
    db: Db, org: Organisation, lasting: Run, seed: int
) -> None:
    rng, limit = random.Random(seed), 5
    alter(org, daily_limit=limit)
    for _ in range(40):
        org.schedule()
    sent: list[datetime] = []
    for _ in range(30):
        db.pass_time(rng.choice([1, 300, 1200, 7200, 20_000]))
        now = db.now()
        many = len(drain(lasting, rng.randint(1, 3)))
        sent += [now] * many
        assert sum(at > now - DAY for at in sent) <= limit
        if many == 0:
            assert sum(at > now - DAY - timedelta(minutes=10) for at in sent) >= limit


def test_a_message_over_the_daily_limit_waits_and_goes_when_why_not_sent_says(
    db: Db, org: Organisation, lasting: Run
) -> None:
    alter(org, daily_limit=3)
    org.schedule(priority=9)
    drain(lasting)
    db.pass_time(3600)
    *_, late = [org.schedule(scheduled_for=db.now() - timedelta(minutes=n)) for n in (3, 2, 1)]
    assert len(drain(lasting)) == 2
    assert lasting.claim() == []
    assert org.status(late) == "pending"
    until = why(db, late)["account-limit"]
    assert until
    assert DAY - timedelta(hours=1) <= until - db.now() <= DAY - timedelta(minutes=50)
    db.pass_time((until - db.now()).total_seconds() - 1)
    assert lasting.claim() == []
    db.pass_time(1)
    assert drain(lasting) == [str(late)]


def test_a_limit_of_0_holds_all_back_until_it_is_raised(db: Db, org: Organisation, lasting: Run) -> None:
    alter(org, daily_limit=0)
    message = org.schedule()
    assert lasting.claim() == []
    assert why(db, message) == {"account-limit": None}
    db.pass_time(86400 * 3)
    assert lasting.claim() == []
    assert org.status(message) == "pending"
    alter(org, daily_limit=1)
    db.pass_time(1)
    assert drain(lasting) == [str(message)]


def test_a_young_account_grows_evenly_from_20_to_its_limit(db: Db, org: Organisation) -> None:
    def may_send() -> object:
        return db.value(
            "select herald.daily_limit(s) from public.whatsapp_sessions as s where s.id = %s", org.session
        )

    alter(org, daily_limit=200, warmup_days=10, warmup_started_at=db.now())
    grown = []
    for _ in range(12):
        grown.append(may_send())
        db.pass_time(86400)
    assert grown == [20, 38, 56, 74, 92, 110, 128, 146, 164, 182, 200, 200]
    alter(org, warmup_started_at=db.now() + timedelta(days=1))
    assert may_send() == 20
    alter(org, daily_limit=7)
    assert may_send() == 7


@pytest.mark.parametrize(
    ("account", "most"),
    [
        ({"daily_limit": 6}, 6),
        ({"daily_limit": 6, "health_score": 60}, 6),
        ({"daily_limit": 6, "health_score": 59}, 3),
        ({"daily_limit": 6, "health_score": 29}, 2),
        ({"daily_limit": 24, "warmup_started_at": datetime.fromisoformat("9999-01-01T00:00Z")}, 20),
        ({"daily_limit": 24, "warmup_started_at": datetime.fromisoformat("2001-01-01T00:00Z")}, 24),
    ],
)
def test_an_account_sends_as_much_as_its_age_and_health_allow(
    org: Organisation, run: Run, account: dict[str, object], most: int
) -> None:
    alter(org, **account)
    for _ in range(25):
        org.schedule()
    assert len(drain(run)) == most


def test_a_group_has_its_limit_a_minute_and_others_go_on(db: Db, org: Organisation, lasting: Run) -> None:
    alter(org, per_group_per_minute=3)
    other = org.add_group(org.session)
    for _ in range(4):
        org.schedule(group_id=org.group, priority=9)
    held = org.schedule(group_id=org.group)
    free = [org.schedule(group_id=other), org.schedule()]
    assert set(drain(lasting)[3:]) == {str(message) for message in free}
    until = why(db, held)["group-limit"]
    assert until
    assert timedelta(seconds=60) <= until - db.now() <= timedelta(seconds=65)
    db.pass_time(59)
    assert lasting.claim() == []
    db.pass_time((until - db.now()).total_seconds())
    assert len(drain(lasting)) == 2


@pytest.mark.parametrize("seed", range(3))
def test_no_minute_sees_more_of_a_group_than_its_limit(db: Db, org: Organisation, lasting: Run, seed: int) -> None:
    rng, minute = random.Random(seed), timedelta(minutes=1)
    alter(org, per_group_per_minute=4, daily_limit=1000)
    for _ in range(80):
        org.schedule(group_id=org.group)
    sent: list[datetime] = []
    for _ in range(40):
        db.pass_time(rng.uniform(0.1, 30))
        now = db.now()
        many = len(drain(lasting, rng.randint(1, 3)))
        sent += [now] * many
        assert sum(at > now - minute for at in sent) <= 4
        if many == 0:
            assert sum(at > now - minute - timedelta(seconds=5) for at in sent) >= 4


def counted(org: Organisation) -> dict[str, int]:
    rows = org.db.rows(
        "select rule, sum(sent)::integer as sent from herald.send_counts where subject = any(%s) group by rule",
        [org.session, org.group],
    )
    return {row["rule"]: row["sent"] for row in rows}


@pytest.mark.parametrize(
    ("outcome", "stays"), [("unavailable", 0), ("accepted", 1), ("rejected", 1), ("indeterminate", 1)]
)
def test_only_what_surely_was_not_sent_leaves_the_counts(
    db: Db, org: Organisation, lasting: Run, outcome: str, stays: int
) -> None:
    org.schedule(group_id=org.group)
    claim = lasting.claim_one()
    assert counted(org) == {"account": 1, "group": 1}
    db.pass_time(700)  # a later step: it leaves the one in which it was counted
    assert lasting.settle(claim, outcome, wa_message_id="3EB0A1", code="463", retry=True) == 1
    assert counted(org) == {"account": stays, "group": stays}
    lasting.settle(claim, "unavailable")
    assert counted(org) == {"account": stays, "group": stays}


def test_a_returned_claim_leaves_the_counts(org: Organisation, run: Run) -> None:
    alter(org, daily_limit=1)
    message = org.schedule(group_id=org.group)
    run.claim_one()
    assert run.give_back() == 1
    assert counted(org) == {"account": 0, "group": 0}
    assert run.give_back() == 0
    assert run.claim_one()["message_id"] == str(message)


@pytest.mark.parametrize("who", ["account", "organization"])
def test_a_pause_holds_until_it_is_over_or_taken_back(db: Db, org: Organisation, lasting: Run, who: str) -> None:
    set_pause = alter if who == "account" else configure
    until = db.now() + timedelta(minutes=5)
    set_pause(org, paused_until=until)
    message = org.schedule()
    assert lasting.claim() == []
    assert why(db, message) == {f"{who}-paused": until}
    db.pass_time(300)
    assert drain(lasting) == [str(message)]
    set_pause(org, paused_until=db.now() + timedelta(days=1))
    message = org.schedule(scheduled_for=db.now())
    assert lasting.claim() == []
    set_pause(org, paused_until=None)
    db.pass_time(1)
    assert drain(lasting) == [str(message)]


def test_a_paused_organisation_does_not_hold_another(db: Db, org: Organisation, run: Run) -> None:
    other = Organisation(db)
    run.connect(other.session)
    configure(org, paused_until=db.now() + DAY)
    org.schedule()
    message = other.schedule()
    assert drain(run) == [str(message)]


def test_direct_calls_have_a_limit_a_minute_and_are_told_when_there_is_room(db: Db, org: Organisation) -> None:
    def take(organization: object) -> float:
        return float(db.call("whatsapp_direct_send_take", p_organization=organization, p_limit=10))

    assert [take(org.id) for _ in range(10)] == [0] * 10
    wait = take(org.id)
    assert 60 <= wait <= 65
    assert take(Organisation(db).id) == 0
    db.pass_time(wait - 1)
    assert 0 < take(org.id) <= 1
    db.pass_time(1)
    assert take(org.id) == 0
    assert db.call("whatsapp_direct_send_take", p_organization=org.id, p_limit=0) > 0


def test_direct_calls_that_race_have_the_limit_between_them(stack: Stack) -> None:
    organization = uuid4()

    def calls(_: int) -> int:
        with Db.connect(stack.database_url, autocommit=True) as mine:
            asked = {"p_organization": organization, "p_limit": 10}
            waits = [mine.call("whatsapp_direct_send_take", **asked) for _ in range(8)]
            return waits.count(0)

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(calls, range(3))) == 10
    with Db.connect(stack.database_url, autocommit=True) as db:
        db.run("delete from herald.send_counts where subject = %s", organization)
