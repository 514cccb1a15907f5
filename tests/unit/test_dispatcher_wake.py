"""When the dispatcher looks at the queue: when it is told to, when something is due, and not for nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

from worker.message import seconds_until_due
from worker.outcome import Settlement
from worker.ports import Outbox, Round
from worker.sending.dispatcher import Dispatcher
from worker.sending.ledger import Ledger

SOON, YEAR = 0.05, 365 * 86400.0
AT = "2026-11-28T12:00:00.5Z"


class Queue:
    """Nothing to claim. next_due is what its answers say; ``held`` keeps the answers back."""

    def __init__(self) -> None:
        self.next_due: float | None = None
        self.held = asyncio.Event()
        self.held.set()
        self.looks: asyncio.Queue[float] = asyncio.Queue()

    async def look(self) -> Round:
        self.looks.put_nowait(asyncio.get_running_loop().time())
        answer = Round(settled=frozenset(), claims=(), next_due=self.next_due)
        await self.held.wait()
        return answer

    async def looked(self) -> float:
        """Wait for the next look; when it was."""
        async with asyncio.timeout(10):
            return await self.looks.get()


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
async def dispatcher(queue: Queue) -> AsyncIterator[Dispatcher]:
    class Looked(Outbox):  # the dispatcher uses these calls of the outbox when there is nothing to send
        async def settle_and_claim(self, _settlements: Sequence[Settlement], _limit: int) -> Round:
            return await queue.look()

    async def acknowledge(*_: Any) -> None: ...

    work = asyncio.Event()
    outbox: Outbox = Looked()  # type: ignore[abstract]
    unused: Any = None
    made = Dispatcher(outbox, unused, Ledger(outbox, acknowledge, work), work, unused)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_it_looks_when_a_message_is_due_and_not_when_it_is_told_of_it(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    told = asyncio.get_running_loop().time()
    dispatcher.wake(YEAR)
    dispatcher.wake(SOON)
    dispatcher.wake(YEAR)
    assert await queue.looked() - told >= SOON
    assert queue.looks.empty()


async def test_what_is_told_during_a_look_outlives_its_answer(dispatcher: Dispatcher, queue: Queue) -> None:
    """The look may have come before the message: its answer says of a later one that it is the next."""
    queue.next_due = YEAR
    queue.held.clear()
    dispatcher.wake()
    began = await queue.looked()
    dispatcher.wake(SOON)
    queue.held.set()
    assert await queue.looked() - began < YEAR


async def test_a_look_takes_over_what_was_to_come_later(dispatcher: Dispatcher, queue: Queue) -> None:
    """Else a reason that a look has found settled would make it look again."""
    dispatcher.wake(SOON)
    dispatcher.wake()
    await queue.looked()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.looks.get(), 4 * SOON)


@pytest.mark.parametrize(
    ("row", "seconds"),
    [
        ({"scheduled_for": "2026-11-28T12:00:00.5+00:00"}, 0),
        ({"scheduled_for": "2026-11-28T11:00:00+00:00"}, 0),
        ({"scheduled_for": "2026-11-28T13:00:00.5+00:00", "next_attempt_at": None}, 3600),
        ({"scheduled_for": "2026-11-28T11:00:00+00:00", "next_attempt_at": "2026-11-28T12:00:02.5+00:00"}, 2),
        ({}, 0),  # Realtime leaves columns out of large rows
        ({"scheduled_for": "tomorrow"}, 0),
        ({"scheduled_for": "2026-11-29T12:00:00"}, 0),  # no zone
    ],
)
def test_until_a_row_is_due(row: dict[str, Any], seconds: float) -> None:
    assert seconds_until_due(row, AT) == seconds
