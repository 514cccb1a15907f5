"""A worker's run as the database knows it: leases, reports, claims and settles by the worker's own client.

Only the sends are missing: a message that is claimed is accepted at once, so that the queue alone is measured.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from localstack.client import Stack
from worker.message import Claim
from worker.outcome import Accepted, Settlement
from worker.session import Held
from worker.supabase.client import Database
from worker.supabase.credentials import SupabaseCredentials
from worker.supabase.leases import SupabaseLeases
from worker.supabase.outbox import SupabaseOutbox, claim_from, settlement_row

LEASE_SECONDS, HEARTBEAT_SECONDS = 20.0, 5.0
AT_ONCE = 16  #: calls at a time while sessions are opened, as the worker's client has connections
QUIET_SECONDS = 3.0  #: without a claim: the other worker has taken the rest
STALLED_SECONDS = 20.0  #: without a claim although messages are due: the bench, or the queue, is broken


@asynccontextmanager
async def postgrest(stack: Stack) -> AsyncIterator[Database]:
    """The worker's client, at PostgREST itself: a hosted project's gateway does not live on the same two cores."""
    token = stack.sign({"role": "service_role", "exp": int(time.time()) + 7_200})
    database = Database(f"http://127.0.0.1:{stack.state.ports['postgrest']}", token, path="")
    try:
        yield database
    finally:
        await database.aclose()


@asynccontextmanager
async def gateway(stack: Stack) -> AsyncIterator[Database]:
    """The worker's client as the worker makes it, through the local stack's gateway."""
    database = Database(stack.url, stack.secret_key)
    try:
        yield database
    finally:
        await database.aclose()


@dataclass(slots=True)
class Drained:
    """What a drain saw: every message it claimed, in order, and how long each exchange took."""

    messages: list[UUID] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)  #: milliseconds of each call that claimed something
    seconds: float = 0.0


class BenchWorker:
    """One run that holds sessions, renews its leases in the background, and drains what is due."""

    def __init__(self, database: Database, name: str) -> None:
        self.database = database
        self.run = uuid4()
        self.leases = SupabaseLeases(database, self.run, LEASE_SECONDS)
        self.credentials = SupabaseCredentials(database, self.run)
        self.held: dict[UUID, Held] = {}
        self._name = name
        self._capacity = 0
        self._heart: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def serving(cls, database: Database, name: str, sessions: int) -> AsyncIterator["BenchWorker"]:
        """A run that holds so many sessions, all of them connected."""
        worker = cls(database, name)
        async with AsyncExitStack() as exits:
            exits.push_async_callback(worker._end)
            await worker.leases.start(name, "bench")
            worker._heart = asyncio.create_task(worker._beat())
            await worker.hold(sessions)
            yield worker

    async def hold(self, sessions: int) -> None:
        """Give sessions back or take more until it holds so many; each is attached and reported connected."""
        self._capacity = sessions
        surplus = [self.held.pop(session) for session in sorted(self.held)[sessions:]]
        async with asyncio.timeout(60):
            await self._each(surplus, self.leases.release)
            fresh = [held for held in await self.leases.heartbeat(sessions) if held.session_id not in self.held]
            await self._each(fresh, self._open)
        self.held |= {held.session_id: held for held in fresh}
        if len(self.held) != sessions:
            raise RuntimeError(f"{self._name} holds {len(self.held)} sessions, not {sessions}")

    async def drain(self, count: int, batch: int, *, complete: bool = True) -> Drained:
        """Claim and settle in one call after the other until so many messages are settled.

        complete: fewer is an error; else the drain ends once nothing was due for a while.
        """
        seen = Drained()
        settlements: list[Settlement] = []
        begun = last = time.perf_counter()
        while settlements or len(seen.messages) < count:
            self._check_pulse()
            called = time.perf_counter()
            wanted = min(batch, count - len(seen.messages))
            round_ = await SupabaseOutbox(self.database, self.run).settle_and_claim(settlements, wanted)
            now = time.perf_counter()
            if round_.settled != {settlement.message_id for settlement in settlements}:
                raise RuntimeError(f"{len(settlements)} outcomes told, {len(round_.settled)} settled")
            seen.messages += [claim.message_id for claim in round_.claims]
            settlements = [accepted(claim) for claim in round_.claims]
            if round_.claims:
                seen.calls.append((now - called) * 1000)
                last = now
            elif not complete and now - last > QUIET_SECONDS:
                break
            elif now - last > STALLED_SECONDS:
                raise RuntimeError(f"{len(seen.messages)} of {count} claimed; next due: {round_.next_due}")
        seen.seconds = last - begun
        return seen

    async def claim(self, batch: int) -> tuple[list[Claim], float]:
        """One claim by itself; what it gave and its milliseconds, from the call to parsed claims."""
        self._check_pulse()
        begun = time.perf_counter()
        rows = await self.database.call("whatsapp_claim", {"p_run": str(self.run), "p_limit": batch}, attempts=1)
        claims = [claim_from(row) for row in rows]
        return claims, (time.perf_counter() - begun) * 1000

    async def settle(self, claims: Sequence[Claim]) -> float:
        """Settle by itself; its milliseconds."""
        rows = [settlement_row(accepted(claim)) for claim in claims]
        begun = time.perf_counter()
        settled = await self.database.call(
            "whatsapp_settle", {"p_run": str(self.run), "p_results": rows}, attempts=1
        )
        if len(settled) != len(claims):
            raise RuntimeError(f"{len(claims)} outcomes told, {len(settled)} settled")
        return (time.perf_counter() - begun) * 1000

    async def _open(self, held: Held) -> None:
        await self.credentials.attach(held, uuid4())
        await self.leases.report(held, status="connected", whatsapp_id="4915100000000@s.whatsapp.net")

    async def _each(self, sessions: Sequence[Held], do: Any) -> None:
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(held: Held) -> None:
            async with turn:
                await do(held)

        await asyncio.gather(*(one(held) for held in sessions))

    def _check_pulse(self) -> None:
        if self._heart and self._heart.done():
            self._heart.result()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self.leases.heartbeat(self._capacity)

    async def _end(self) -> None:
        if self._heart:
            self._heart.cancel()
            await asyncio.gather(self._heart, return_exceptions=True)


def accepted(claim: Claim) -> Settlement:
    """A send that WhatsApp took."""
    outcome = Accepted(wa_message_id=f"3EB0{claim.token.hex[:18].upper()}", at=datetime.now(UTC))
    return Settlement(message_id=claim.message_id, token=claim.token, outcome=outcome)
