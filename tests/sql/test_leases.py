"""Who serves an account: leases, their epochs, and runs that replace each other."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.kit.database import Db, Organisation, Run


@contextmanager
def refused(db: Db, code: str) -> Iterator[None]:
    with pytest.raises(psycopg.Error) as caught, db.connection.transaction():
        yield
    assert caught.value.sqlstate == code


def test_a_heartbeat_takes_a_wanted_account_and_keeps_it(db: Db, org: Organisation) -> None:
    run = Run(db)
    (held,) = run.heartbeat()
    assert (held["session_id"], held["epoch"], held["desired_state"]) == (str(org.session), 1, "connected")
    assert held["provider"] == "web"
    db.pass_time(15)
    (again,) = run.heartbeat()
    assert again["epoch"] == 1
    assert again["until"] > held["until"]


@pytest.mark.usefixtures("org")
def test_a_living_lease_is_not_taken_over_and_a_lapsed_one_is(db: Db) -> None:
    first, second = Run(db), Run(db)
    first.heartbeat()
    db.pass_time(19)
    assert second.heartbeat() == []
    db.pass_time(2)
    (held,) = second.heartbeat()
    assert held["epoch"] == 2
    assert first.heartbeat() == []


def test_a_restarted_worker_takes_its_own_back_at_once(db: Db, org: Organisation) -> None:
    old = Run(db, worker="vps-1")
    old.heartbeat()
    new = Run(db, worker="vps-1")
    (held,) = new.heartbeat()
    assert held["epoch"] == 2
    with refused(db, "HR001"):
        old.heartbeat()
    with refused(db, "HR002"):
        old.report(org.session, status="error")


@pytest.mark.usefixtures("org")
def test_starting_the_same_run_twice_keeps_its_leases(db: Db) -> None:
    run = Run(db)
    run.heartbeat()
    (held,) = Run(db, worker=run.worker, id=run.id).heartbeat()
    assert held["epoch"] == 1


def test_a_worker_takes_no_more_than_its_capacity(db: Db, org: Organisation) -> None:
    for _ in range(3):
        org.add_session()
    first, second = Run(db), Run(db)
    assert [len(first.heartbeat(capacity=1)), len(first.heartbeat(capacity=3))] == [1, 3]
    assert len(first.heartbeat(capacity=1)) == 3  # what is held is not dropped
    assert len(second.heartbeat()) == 1


@pytest.mark.usefixtures("org")
@pytest.mark.parametrize(
    "why",
    ["desired_state = 'disconnected'", "enabled = false", "desired_state = 'logged_out', status = 'logged_out'"],
)
def test_an_account_that_nobody_wants_served_is_left_alone(db: Db, why: str) -> None:
    db.connection.execute(f"update public.whatsapp_sessions set {why}".encode())
    assert Run(db).heartbeat() == []


def test_a_holder_learns_that_its_account_is_not_wanted_any_more(db: Db, run: Run) -> None:
    db.run("update public.whatsapp_sessions set enabled = false")
    (held,) = run.heartbeat()
    assert held["desired_state"] == "disconnected"


def test_a_released_account_is_free_at_once_and_releasing_twice_is_fine(db: Db, org: Organisation) -> None:
    first, second = Run(db), Run(db)
    first.heartbeat()
    for _ in range(2):
        db.call("whatsapp_lease_release", **first.fence(org.session))
    (held,) = second.heartbeat()
    db.call("whatsapp_lease_release", **first.fence(org.session))
    assert len(second.heartbeat()) == held["epoch"] - 1 == 1


def test_a_heartbeat_touches_no_published_row(db: Db, org: Organisation, run: Run) -> None:
    org.schedule()
    tables = (
        "select ctid::text from public.whatsapp_sessions union all"
        " select ctid::text from public.scheduled_whatsapp_messages"
    )
    before = db.rows(tables)
    db.pass_time(5)
    run.heartbeat()
    db.pass_time(30)
    run.heartbeat()  # lapsed, taken again
    assert db.rows(tables) == before


def test_an_account_that_is_taken_anew_is_not_ready_until_its_holder_says_so(
    db: Db, org: Organisation, run: Run
) -> None:
    org.schedule()
    db.pass_time(21)
    run.heartbeat()
    assert run.claim() == []
    run.connect(org.session)
    assert len(run.claim()) == 1


def test_what_a_restarted_worker_is_about_to_take_back_is_not_snatched(db: Db, org: Organisation) -> None:
    old, other = Run(db, worker="vps-1"), Run(db, worker="vps-2")
    old.heartbeat()
    new = Run(db, worker="vps-1")  # its engines start before its first heartbeat
    assert other.heartbeat() == []
    (held,) = new.heartbeat()
    assert held["session_id"] == str(org.session)


def test_what_a_restarted_worker_never_takes_back_is_anybodys_when_the_lease_ends(
    db: Db, org: Organisation
) -> None:
    Run(db, worker="vps-1").heartbeat()
    Run(db, worker="vps-1")  # dies before its first heartbeat
    other = Run(db, worker="vps-2")
    db.pass_time(21)
    (held,) = other.heartbeat()
    assert held["session_id"] == str(org.session)
