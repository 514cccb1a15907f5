"""Real connections at the same time: what one transaction can't show."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from copy import copy
from uuid import uuid4

import psycopg
import pytest

from localstack.client import Stack
from tests.kit.database import Db, Organisation, Run


@pytest.fixture
def shared(stack: Stack) -> Iterator[Organisation]:
    """An organisation with six accounts that every connection sees."""
    with Db.connect(stack.database_url, autocommit=True) as db:
        org = Organisation(db)
        for _ in range(5):
            org.add_session()
        yield org
        db.run("delete from public.organizations where id = %s", org.id)
        db.run("delete from auth.users where id = any(%s)", list(org.people.values()))
        db.run("delete from herald.workers")


def process(db: Db, run: Run) -> Run:
    """The same run, speaking over another connection."""
    again = copy(run)
    again.db = db
    return again


def test_two_calls_of_a_run_never_claim_the_same_message_nor_two_of_an_account(
    stack: Stack, shared: Organisation
) -> None:
    """A call that timed out for its client may still run while the next one comes."""
    db = shared.db
    sessions = [row["id"] for row in db.rows("select id from public.whatsapp_sessions")]
    run = Run(db).connect(*sessions, lease=600)
    for session in sessions:
        for _ in range(12):
            shared.schedule(session_id=session)

    def work(seed: int) -> list[str]:
        rng, claimed = random.Random(seed), []
        with Db.connect(stack.database_url, autocommit=True) as mine:
            me = process(mine, run)
            misses = 0
            while misses < 20:
                claims = me.claim(rng.randint(1, 4))
                misses = 0 if claims else misses + 1
                for claim in claims:
                    claimed.append(claim["message_id"])
                    me.accept(claim, f"3EB0{uuid4().hex}")
        return claimed

    with ThreadPoolExecutor(3) as pool:
        claimed = Counter(message for part in pool.map(work, range(3)) for message in part)
    assert set(claimed.values()) == {1}
    assert len(claimed) == 12 * len(sessions)


def test_an_account_is_never_given_a_second_claim(shared: Organisation) -> None:
    db = shared.db
    run = Run(db).connect(shared.session, lease=600)
    shared.schedule()
    other = shared.schedule()
    run.claim_one()
    with pytest.raises(psycopg.errors.UniqueViolation):
        db.run(
            "insert into herald.message_claims (message_id, session_id, token, run_id, epoch, incarnation, secret,"
            " claimed_until) select %s, c.session_id, c.token, c.run_id, c.epoch, c.incarnation, c.secret,"
            " c.claimed_until from herald.message_claims as c",
            other,
        )


def test_two_workers_that_reach_for_the_same_accounts_share_them_without_a_deadlock(
    stack: Stack, shared: Organisation
) -> None:
    runs = [Run(shared.db, worker=f"vps-{n}") for n in range(2)]

    def beat(run: Run) -> set[str]:
        with Db.connect(stack.database_url, autocommit=True) as mine:
            me = process(mine, run)
            return {row["session_id"] for row in me.heartbeat(capacity=6, lease=600)}

    with ThreadPoolExecutor(2) as pool:
        for turn in range(10):
            # Each worker held the other half before, so that each wants its own first.
            shared.db.run(
                "update herald.session_leases set expires_at = '-infinity', worker_id ="
                " case when (hashtext(session_id::text) + %s) %% 2 = 0 then 'vps-0' else 'vps-1' end",
                turn,
            )
            first, second = pool.map(beat, runs)
            assert not first & second
            assert len(first | second) == 6


def test_writes_of_a_holder_that_come_at_once_do_not_block_each_other_for_good(
    stack: Stack, shared: Organisation
) -> None:
    run = Run(shared.db).connect(shared.session, lease=600)

    def report(number: int) -> bool:
        with Db.connect(stack.database_url, autocommit=True) as mine:
            me = process(mine, run)
            return all(
                me.report(shared.session, status="connected", retry_count=number * 100 + turn)
                for turn in range(40)
            )

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(report, range(3)))


def test_receipts_that_two_processes_write_at_once_are_all_counted(stack: Stack, shared: Organisation) -> None:
    """The second waits for the first; what it then counts must hold the first one's."""
    db = shared.db
    run = Run(db).connect(shared.session, lease=600)
    message = shared.schedule()
    run.accept(run.claim_one())

    def late() -> None:
        with Db.connect(stack.database_url, autocommit=True) as mine:
            process(mine, run).receipt(shared.session, "3EB0A1", "binh", "delivered")

    with Db.connect(stack.database_url) as first, ThreadPoolExecutor(1) as pool:
        process(first, run).receipt(shared.session, "3EB0A1", "asha", "delivered")
        second = pool.submit(late)
        while not db.value("select count(*) from pg_stat_activity where wait_event_type = 'Lock'"):
            assert not second.done(), "nothing held it up"
        first.connection.commit()
        second.result(10)
    assert (shared.status(message), shared.message(message)["delivered_count"]) == ("delivered", 2)


def test_an_account_that_is_taken_up_during_a_cleanup_stays_as_its_worker_says(
    stack: Stack, shared: Organisation
) -> None:
    shared.db.run(
        "update public.whatsapp_sessions set status = 'connected', connected_at = now(), whatsapp_id = '4917'"
        " where id = %s",
        shared.session,
    )

    def clean() -> None:
        with Db.connect(stack.database_url, autocommit=True) as mine:
            mine.call("whatsapp_session_cleanup")

    with Db.connect(stack.database_url) as heir, ThreadPoolExecutor(1) as pool:
        Run(heir).connect(shared.session)
        cleaning = pool.submit(clean)
        waits = "select count(*) from pg_locks where not granted"
        while not cleaning.done() and not shared.db.value(waits):
            wait([cleaning], timeout=0.01)
        heir.connection.commit()
        cleaning.result()
    status = shared.db.value("select status from public.whatsapp_sessions where id = %s", shared.session)
    assert status == "connected"
