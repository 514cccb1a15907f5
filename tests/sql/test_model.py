"""The queue's SQL against a model of it in plain Python: two workers, people, and a clock that is moved."""

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


def test_two_hundred_walks_keep_every_promise(connections: Connections) -> None:
    taken = walk(connections, 200, same=True)
    assert taken.keys() == set(ACTS)
    assert sum(taken.values()) >= 200 * STEPS * 0.9


@pytest.mark.full
def test_many_walks_that_are_new_each_time_keep_every_promise(connections: Connections) -> None:
    assert walk(connections, 2000, same=False)
