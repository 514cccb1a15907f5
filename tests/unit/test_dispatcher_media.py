"""What breaks while media are fetched breaks before the send: the message is tried again, never in doubt."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from worker.dispatcher import Dispatcher
from worker.fetches import Fetches
from worker.message import Claim, MessageKind
from worker.outbox import Outbox, Round, Settlement
from worker.outcome import Rejected
from worker.settler import Settler


class Queue(Outbox):
    """Gives one claim, and hears what came of it."""

    def __init__(self, claim: Claim) -> None:
        self.claims: tuple[Claim, ...] = (claim,)
        self.settled: asyncio.Queue[Settlement] = asyncio.Queue()

    async def settle_and_claim(self, settlements: Sequence[Settlement], _limit: int) -> Round:
        for settlement in settlements:
            self.settled.put_nowait(settlement)
        claims, self.claims = self.claims, ()
        return Round(settled=frozenset(), claims=claims, next_due=None)


async def test_an_error_that_nobody_foresaw_settles_the_message_as_unsent() -> None:
    claim = Claim(
        message_id=uuid4(),
        token=uuid4(),
        organization_id=uuid4(),
        session_id=uuid4(),
        until=datetime.now(UTC) + timedelta(seconds=150),
        secret=bytes(32),
        incarnation=uuid4(),
        to="1@g.us",
        kind=MessageKind.IMAGE,
        text="",
        media_url="https://example.com/a.png",
        attempt=1,
    )

    async def breaks(_url: str) -> Any:
        raise UnicodeError("label too long")

    async def acknowledge(_session: UUID, _sequence: int) -> None: ...

    work, queue = asyncio.Event(), Queue(claim)  # type: ignore[abstract]
    transport: Any = SimpleNamespace(kinds={MessageKind.IMAGE})
    settler, fetches = Settler(queue, acknowledge, work), Fetches(breaks, lambda _: 0.0)
    running = asyncio.create_task(Dispatcher(queue, transport, settler, work, fetches, lambda _: None).run())
    work.set()
    async with asyncio.timeout(5):
        outcome = (await queue.settled.get()).outcome
    running.cancel()
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry) == ("media-unavailable", True)
