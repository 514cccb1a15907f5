"""Why has this not gone yet? Every rule has its row, its words and its end, and what is told is what happens."""

import random
from datetime import timedelta
from typing import LiteralString
from uuid import UUID

import pytest

from tests.kit.database import Db, Organisation, Run
from tests.kit.holds import LONG, alter, configure, ids, quiet, why
from worker.message import MessageStatus

HOUR = timedelta(hours=1)


def test_every_rule_that_the_claim_knows_is_explained(db: Db) -> None:
    source: LiteralString = (
        "select string_agg(d, ' ') from (select pg_get_viewdef('herald.account_holds'::regclass) as d union all"
        " select pg_get_viewdef('herald.message_holds'::regclass) union all"
        " select pg_get_functiondef('herald.cloud_hold(public.scheduled_whatsapp_messages)'::regprocedure)) as x"
    )
    rules = db.rows(
        "select distinct r[1] as rule, herald.hold_explained(r[1]) as text from regexp_matches((" + source + "),"
        " '(?:then|return) ''([a-z-]+)''', 'gi') as r"
    )
    assert len(rules) == 14
    assert all(rule["text"] for rule in rules)


def test_what_nothing_holds_back_goes_next(db: Db, org: Organisation, run: Run) -> None:
    message = org.schedule()
    assert why(db, message) == {"next": None}
    assert run.claim_one()["message_id"] == str(message)


def test_it_says_when_a_time_comes(db: Db, org: Organisation, run: Run) -> None:
    run.heartbeat(lease=LONG)
    later = org.schedule(scheduled_for=db.now() + HOUR)
    assert why(db, later) == {"not-due": db.now() + HOUR}
    again = org.schedule()
    run.settle(run.claim_one(), "unavailable", reason="Offline.", retry_after=60)
    assert why(db, again) == {"retry": db.now() + timedelta(seconds=60)}
    db.run(
        "update public.scheduled_whatsapp_messages set expires_at = %s where id = %s", db.now() + 2 * HOUR, later
    )
    db.pass_time(60)
    assert why(db, again) == {"next": None}
    db.pass_time(7200)
    assert why(db, later) == {"expired": None}


def test_it_says_what_is_in_front(db: Db, org: Organisation, run: Run) -> None:
    first, second = org.schedule(priority=9), org.schedule()
    assert why(db, second) == {"queue": None}
    claim = run.claim_one()
    assert claim["message_id"] == str(first)
    assert why(db, second) == {"in-flight": None}
    run.accept(claim)
    assert why(db, second) == {"next": None}
    db.run("update herald.session_leases set next_send_at = herald.clock() + interval '2 seconds'")
    assert why(db, second) == {"pace": db.now() + timedelta(seconds=2)}


def test_what_is_held_back_itself_is_not_in_front(db: Db, org: Organisation, run: Run) -> None:
    alter(org, per_group_per_minute=0)
    org.schedule(group_id=org.group, priority=9)
    org.schedule(priority=9, next_attempt_at=db.now() + HOUR)
    org.schedule(priority=9, scheduled_for=db.now() - HOUR, expires_at=db.now())
    message = org.schedule()
    assert why(db, message) == {"next": None}
    assert run.claim_one()["message_id"] == str(message)


ACCOUNT: dict[str, LiteralString] = {
    "account-disabled": "update public.whatsapp_sessions set enabled = false",
    "account-off": "update public.whatsapp_sessions set desired_state = 'disconnected'",
    "no-worker": "update herald.session_leases set expires_at = now()",
    "account-connecting": "update herald.session_leases set ready = false",
    "account-qr-pending": "update public.whatsapp_sessions set status = 'qr_pending'",
    "account-logged-out": "update public.whatsapp_sessions set status = 'logged_out'",
    "account-banned": "update public.whatsapp_sessions set status = 'banned'",
    "account-error": "update public.whatsapp_sessions set status = 'error', last_error = 'Odd.'",
}


@pytest.mark.parametrize("rule", ACCOUNT)
def test_it_says_what_is_the_matter_with_the_account(db: Db, org: Organisation, run: Run, rule: str) -> None:
    message = org.schedule()
    db.run(ACCOUNT[rule])
    if rule.startswith("account-") and rule not in ("account-disabled", "account-off"):
        db.run("update herald.session_leases set ready = false")
    assert why(db, message) == {rule: None}
    assert run.claim() == []


def test_an_account_that_never_had_a_worker_waits_for_one(db: Db, org: Organisation) -> None:
    assert why(db, org.schedule()) == {"no-worker": None}


@pytest.mark.usefixtures("run")
def test_several_rules_are_told_together(db: Db, org: Organisation) -> None:
    alter(org, per_group_per_minute=0, paused_until=db.now() + HOUR)
    message = org.schedule(group_id=org.group, scheduled_for=db.now() + HOUR)
    assert why(db, message) == {"not-due": db.now() + HOUR, "account-paused": db.now() + HOUR, "group-limit": None}


@pytest.mark.parametrize("status", [s for s in MessageStatus if s is not MessageStatus.PENDING])
def test_what_does_not_wait_has_one_row_that_tells_its_state(db: Db, org: Organisation, status: str) -> None:
    now = db.now()
    known = {"sent_at": now, "delivered_at": now, "read_at": now, "wa_message_id": "x", "error_code": "463"}
    message = org.schedule(status=status, **known)
    (row,) = db.rows("select * from public.why_not_sent(%s)", message)
    assert (row["rule"], row["until"]) == (status, None)
    assert ("463" in row["explanation"]) == (status == "failed")
    db.run("update public.scheduled_whatsapp_messages set error_message = 'Gone.' where id = %s", message)
    (row,) = db.rows("select * from public.why_not_sent(%s)", message)
    assert ("Gone." in row["explanation"]) == (status in ("failed", "cancelled", "in_doubt"))


def test_a_message_of_another_organisation_has_no_rows(db: Db, org: Organisation) -> None:
    message, foreign = org.schedule(), Organisation(db).schedule()
    for role in ("owner", "admin", "member"):
        with db.speaking_as("authenticated", org.people[role]):
            assert list(why(db, message)) == ["no-worker"]
            assert why(db, foreign) == {}
    with db.speaking_as("authenticated", org.people["super_admin"]):
        assert list(why(db, foreign)) == ["no-worker"]
    with db.speaking_as("service_role"):
        assert list(why(db, foreign)) == ["no-worker"]
    with db.speaking_as("anon"):
        assert db.refusal("select * from public.why_not_sent(%s)", message) == "42501"


def disturb(db: Db, org: Organisation, rng: random.Random) -> None:
    """Change something that a rule looks at."""
    now = db.now()
    ahead = now + timedelta(seconds=rng.randint(1, 90))
    match rng.randrange(9):
        case 0:
            alter(org, daily_limit=rng.choice([0, 9, 200, 200]))
        case 1:
            alter(org, per_group_per_minute=rng.choice([0, 1, 30]))
        case 2:
            alter(org, paused_until=rng.choice([None, ahead]))
        case 3:
            configure(org, paused_until=rng.choice([None, ahead]))
        case 4:
            hours = quiet(now - HOUR, now + timedelta(minutes=2), *rng.choice([[], ["custom"]]))
            configure(org, quiet_hours=rng.choice([None, hours]))
        case 5:
            alter(org, enabled=rng.random() < 0.9)
        case 6:
            alter(org, min_gap_ms=rng.choice([0, 3000]))
        case 7:
            org.db.run("update public.whatsapp_campaigns set state = 'running' where state = 'paused'")
        case _:
            org.db.run("update public.whatsapp_campaigns set state = 'paused' where state = 'running'")


def queue_one(org: Organisation, rng: random.Random, campaign: UUID) -> None:
    now = org.db.now()
    kinds: list[dict[str, object]] = [
        {},
        {"group_id": org.group},
        {"campaign_id": campaign},
        {"message_type": "live"},
    ]
    org.schedule(
        **rng.choice(kinds),
        priority=rng.randint(4, 6),
        scheduled_for=now + timedelta(seconds=rng.choice([-60, 0, 5, 60])),
        expires_at=rng.choice([None, now + timedelta(seconds=rng.randint(61, 300))]),
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_message_is_claimed_if_and_only_if_it_was_told_to_be_next(
    db: Db, org: Organisation, run: Run, seed: int
) -> None:
    rng = random.Random(seed)
    campaign = db.insert("public.whatsapp_campaigns", organization_id=org.id, name="Spring", state="running")
    run.heartbeat(lease=LONG)
    told_next = 0
    for _ in range(60):
        if rng.random() < 0.5:
            queue_one(org, rng, campaign)
        else:
            disturb(db, org, rng)
        db.pass_time(rng.choice([1, 2, 10]))  # longer than an account that was held back is left alone
        rows = db.rows(
            "select m.id, array_agg(w.rule) as rules from public.scheduled_whatsapp_messages as m"
            " cross join lateral public.why_not_sent(m.id) as w where m.status = 'pending' group by m.id"
        )
        following = {str(row["id"]) for row in rows if row["rules"] == ["next"]}
        assert len(following) <= 1
        claims = run.claim()
        assert ids(claims) == following
        told_next += len(claims)
        for claim in claims:
            run.settle(claim, rng.choice(["accepted", "unavailable"]), wa_message_id=f"3EB0{claim['token']}")
    assert told_next > 2


@pytest.mark.parametrize("hold", [{"daily_limit": 1}, {"per_group_per_minute": 1}, {"min_gap_ms": 5000}], ids=list)
def test_the_end_that_is_told_frees_the_message_and_not_a_moment_before(
    db: Db, org: Organisation, run: Run, hold: dict[str, object]
) -> None:
    run.heartbeat(lease=LONG)
    alter(org, **hold)
    org.schedule(group_id=org.group, priority=9)
    message = org.schedule(group_id=org.group)
    run.accept(run.claim_one())
    (until,) = why(db, message).values()
    assert until
    db.pass_time((until - db.now()).total_seconds() - 1)
    assert run.claim() == []
    db.pass_time(1)
    assert why(db, message) == {"next": None}
    assert run.claim_one()["message_id"] == str(message)
