"""Two people at the same time: whoever comes second acts on what the first has committed."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest

from localstack.client import Stack
from tests.kit.database import Db, Organisation
from tests.kit.workshops import START, Workshops, utc

MORNING = utc("2030-06-15T06:00")


@pytest.fixture
def pair(stack: Stack) -> Iterator[tuple[Workshops, Workshops]]:
    """The same organisation over two connections."""
    with Db.connect(stack.database_url) as one, Db.connect(stack.database_url) as two:
        org = Organisation(one)
        one.connection.commit()
        here, there = Workshops(one, org), Workshops(two, org)
        there.at(here.db.now())
        yield here, there
        for connection in (one.connection, two.connection):
            connection.rollback()
        one.run("delete from public.organizations where id = %s", org.id)
        one.run("delete from auth.users where id = any(%s)", list(org.people.values()))
        one.connection.commit()


@contextmanager
def while_open(first: Workshops, step: Callable[[], None]) -> Iterator[None]:
    """The step is done, and committed at the end."""
    first.at(first.db.now())  # begins a transaction, which then stays open
    step()
    yield
    first.db.connection.commit()


def waiting_for(
    second: Workshops, first: Workshops, step: Callable[[], None], pool: ThreadPoolExecutor
) -> "Future[None]":
    """The step, begun on the second connection; it waits for the first one's transaction by now."""
    begun: Future[None] = pool.submit(step)
    mine, theirs = first.db.connection.info.backend_pid, second.db.connection.info.backend_pid
    while not begun.done():
        if mine in first.db.value("select pg_blocking_pids(%s)", theirs):
            return begun
    begun.result()
    raise AssertionError("it did not wait")


@pytest.mark.parametrize("first", ["a move", "settings"])
def test_a_move_and_settings_that_cross_are_both_in_the_schedule(
    pair: tuple[Workshops, Workshops], first: str
) -> None:
    here, there = pair
    workshop = here.add()
    here.db.connection.commit()

    def move(crm: Workshops) -> None:
        crm.update(workshop, starts_at=START + timedelta(days=3))

    def configure(crm: Workshops) -> None:
        crm.configure(message_schedule={"morning": {"at": "09:00"}})

    one, other = (move, configure) if first == "a move" else (configure, move)
    with ThreadPoolExecutor(1) as pool:
        with while_open(here, lambda: one(here)):
            begun = waiting_for(there, here, lambda: other(there), pool)
        begun.result(timeout=20)
    there.db.connection.commit()
    assert here.times(workshop) == {"morning": MORNING + timedelta(days=3, hours=1)}


def test_two_workshops_that_leave_a_group_at_once_leave_it_empty(pair: tuple[Workshops, Workshops]) -> None:
    here, there = pair
    workshops = [here.add(), here.add(starts_at=START + timedelta(hours=1))]
    here.db.connection.commit()
    with ThreadPoolExecutor(1) as pool:
        with while_open(here, lambda: here.update(workshops[0], whatsapp_group_id=None)):
            begun = waiting_for(there, here, lambda: there.update(workshops[1], whatsapp_group_id=None), pool)
        begun.result(timeout=20)
    there.db.connection.commit()
    assert here.group_workshop() is None


def test_a_settle_does_not_wait_for_a_crm_that_holds_the_workshop(pair: tuple[Workshops, Workshops]) -> None:
    here, there = pair
    workshop = here.add()
    message = here.messages(workshop)["morning"]["id"]
    here.settle(message, "sending")
    here.update(workshop, starts_at=START + timedelta(days=3))
    here.db.connection.commit()
    with while_open(here, lambda: here.update(workshop, title="Raku II")):
        there.db.run("set lock_timeout = '2s'")
        there.db.run("update public.scheduled_whatsapp_messages set status = 'pending' where id = %s", message)
        there.db.connection.commit()
    here.db.value("select herald.refresh_group_workshops()")
    assert here.times(workshop)["morning"] == MORNING + timedelta(days=3)
    assert "Raku II" in here.texts(workshop)["morning"]
