"""One claim on its way through the dispatcher, without a database."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from worker.message import Claim
from worker.outcome import Settlement
from worker.ports import Outbox, Provider, Round
from worker.sending.dispatcher import Dispatcher
from worker.sending.fetches import Fetches, FetchMedia
from worker.sending.ledger import Ledger
from worker.session import ProviderName


class OneClaim(Outbox):
    """Hands out one claim and takes its settlement."""

    def __init__(self, claim: Claim) -> None:
        self.claims: tuple[Claim, ...] = (claim,)
        self.settled: asyncio.Queue[Settlement] = asyncio.Queue()

    async def settle_and_claim(self, settlements: Sequence[Settlement], _limit: int) -> Round:
        for settlement in settlements:
            self.settled.put_nowait(settlement)
        claims, self.claims = self.claims, ()
        return Round(settled=frozenset(), claims=claims, next_due=None)


async def dispatched(
    claim: Claim, providers: Mapping[ProviderName, Provider], fetch: FetchMedia, seconds: float = 20.0
) -> Settlement:
    """Have the dispatcher send a claim; the settlement that it writes."""

    async def acknowledge(_session: UUID, _sequence: int) -> None: ...

    work, queue = asyncio.Event(), OneClaim(claim)  # type: ignore[abstract]
    ledger = Ledger(queue, acknowledge, work)
    running = asyncio.create_task(Dispatcher(queue, providers, ledger, work, Fetches(fetch, lambda _: 0.0)).run())
    work.set()
    try:
        async with asyncio.timeout(seconds):
            return await queue.settled.get()
    finally:
        running.cancel()
