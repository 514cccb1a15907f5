"""The queue's SQL against a model of it in plain Python: two workers, people, and a clock that is moved.

After each step the model judges: legal steps only, a claim for what is being sent and for nothing else, no more
in flight than slots, one holder an account, epochs that grow, counts that agree with a ledger of its own,
nothing claimed that a rule holds back, all claimed that nothing holds back, nothing changed by a settle that is
stale, nothing lost, nothing on the wire twice unless a person asked for it.

Mutations of the SQL that it was seen to catch within 100 walks: settle without the check of lease, of token or
of run; sends that are not counted; refunds that are left out, or given to what was rejected; next_send_at, lease
expiry or `ready` ignored; two slots for a web account; a heartbeat that takes what another holds, or keeps the
epoch; a restart that keeps the old process's leases; adoption that keeps the token or forgets the former one;
adopted claims returned; a reap without its ten minutes; outcomes that lead to the wrong status; and each of
these let through: expired, not due, backing off, opted out, paused, quiet, of a resting campaign, over a group's
or an account's limit, outside the window.
"""

from collections.abc import Iterator
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from localstack.client import LocalStack
from tests.sql.model.machine import ACTS, Connections, Queue

STEPS = 50


@pytest.fixture(scope="module")
def connections(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connections]:
    """A database of its own: what the walks write is committed."""
    with LocalStack.start(tmp_path_factory.mktemp("model")) as stack:
        connections = Connections(stack.database_url)
        yield connections
        connections.close()


def walk(connections: Connections, walks: int, *, same: bool) -> dict[str, int]:
    """Take so many walks; how often each step was taken."""

    class Bound(Queue):
        shared: ClassVar[Connections] = connections
        taken: ClassVar[dict[str, int]] = {}

    run_state_machine_as_test(
        Bound,
        settings=settings(
            max_examples=walks,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=same,
            print_blob=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Bound.taken


@pytest.mark.timeout(300)
def test_a_hundred_walks_keep_every_promise(connections: Connections) -> None:
    taken = walk(connections, 100, same=True)
    assert taken.keys() == set(ACTS)
    assert sum(taken.values()) >= 100 * STEPS * 0.9


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_many_walks_that_are_new_each_time_keep_every_promise(connections: Connections) -> None:
    assert walk(connections, 1000, same=False)
