"""The moments on a message's path at which a worker is held, so that a drill can kill it exactly there.

For example:

    async with armed(Failpoint.BEFORE_WIRE, wires) as point:
        reached = await point.reached(30)
        await wires.kill()
    await wires.worker.start()

Leaving the block disarms: what is held is thrown away, as what a dead process had not sent yet. A worker that
lives on sees reset connections.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from simulator.faults import FaultKind
from tests.kit.faults.hold import Exchange, Stage, any_call
from tests.kit.faults.proxy import Direction
from tests.kit.faults.wires import Wires

_Row = dict[str, Any]


class Failpoint(StrEnum):
    """Where a worker is held. The comments say what is known of a message there, and what a kill may cost."""

    AFTER_CLAIM = "after_claim"  #: claimed in the database, the worker does not know it yet: goes out later
    BEFORE_WRITE_AHEAD = "before_write_ahead"  #: the engine asks who the recipient is: goes out later
    BEFORE_WIRE = "before_wire"  #: in the store, no byte of it out: may stay in doubt
    AFTER_WIRE = "after_wire"  #: WhatsApp has it, the engine does not know: a receipt settles it
    BEFORE_SETTLE = "before_settle"  #: the engine's journal knows the outcome, the database does not
    AFTER_SETTLE = "after_settle"  #: the database knows the outcome, the worker does not know that
    DURING_SNAPSHOT = "during_snapshot"  #: a sealed store is on its way to the database
    AFTER_SNAPSHOT = "after_snapshot"  #: a sealed store is in the database, the worker does not know that
    DURING_TAKEOVER = "during_takeover"  #: a newcomer's lease is granted, it does not know that yet
    DURING_ADOPTION = "during_adoption"  #: it has been given what its predecessor left claimed, and does not know


@dataclass(frozen=True, slots=True)
class Reached:
    """A worker stands at a failpoint. messages: the ids of those concerned.  exchange: the call that is held."""

    failpoint: Failpoint
    messages: frozenset[str] = frozenset()
    exchange: Exchange | None = None


class Armed(ABC):
    """A failpoint that waits for its worker."""

    def __init__(self, failpoint: Failpoint, wires: Wires) -> None:
        self.failpoint, self._wires = failpoint, wires

    @abstractmethod
    async def arm(self) -> None:
        """Set the trap."""

    @abstractmethod
    async def reached(self, seconds: float = 30) -> Reached:
        """Wait until the worker is held there; TimeoutError if it does not come."""

    @abstractmethod
    async def disarm(self) -> None:
        """Throw away what is held, and let everything pass."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that is held: its name, where, and which; and the rows in it that name messages."""

    name: str
    stage: Stage
    when: Callable[[Exchange], bool] = any_call
    messages: Callable[[Exchange], list[_Row]] = lambda _: []


_CLAIM, _SEAL = "whatsapp_settle_and_claim", "whatsapp_credentials_write"
_CALLS = {
    Failpoint.AFTER_CLAIM: _Call(_CLAIM, Stage.ANSWER, lambda e: bool(_claims(e)), lambda e: _claims(e)),
    Failpoint.BEFORE_SETTLE: _Call(_CLAIM, Stage.REQUEST, lambda e: bool(_results(e)), lambda e: _results(e)),
    Failpoint.AFTER_SETTLE: _Call(
        _CLAIM, Stage.ANSWER, lambda e: e.status == 200 and bool(_results(e)), lambda e: _results(e)
    ),
    Failpoint.DURING_SNAPSHOT: _Call(_SEAL, Stage.REQUEST),
    Failpoint.AFTER_SNAPSHOT: _Call(_SEAL, Stage.ANSWER),
    Failpoint.DURING_TAKEOVER: _Call("whatsapp_heartbeat", Stage.ANSWER, lambda e: bool(_rows(e))),
    Failpoint.DURING_ADOPTION: _Call(
        "whatsapp_claims_adopt", Stage.ANSWER, lambda e: bool(_rows(e)), lambda e: _rows(e)
    ),
}


def _claims(exchange: Exchange) -> list[_Row]:
    return list(exchange.answer["claims"]) if exchange.status == 200 else []


def _results(exchange: Exchange) -> list[_Row]:
    return list(exchange.asked["p_results"])


def _rows(exchange: Exchange) -> list[_Row]:
    return list(exchange.answer) if exchange.status == 200 else []


class _AtCall(Armed):
    """Held at a call of the database."""

    async def arm(self) -> None:
        self._call = _CALLS[self.failpoint]
        self._hold = self._wires.gate.hold(self._call.name, self._call.stage, self._call.when)

    async def reached(self, seconds: float = 30) -> Reached:
        exchange = await self._hold.held(seconds)
        messages = frozenset(row["message_id"] for row in self._call.messages(exchange))
        return Reached(self.failpoint, messages, exchange)

    async def disarm(self) -> None:
        self._hold.drop()


class _AtWhatsApp(Armed):
    """Held by WhatsApp's silence towards one account."""

    def __init__(self, failpoint: Failpoint, wires: Wires, account: str) -> None:
        super().__init__(failpoint, wires)
        self._account = account
        self._after = failpoint is Failpoint.AFTER_WIRE
        self._kind = FaultKind.STALL_PROCESSED if self._after else FaultKind.STALL_QUERY

    async def arm(self) -> None:
        await self._wires.world.simulator.fault(self._kind, self._account, count=1)

    async def reached(self, seconds: float = 30) -> Reached:
        await self._wires.world.simulator.until_used_up(self._kind, seconds, phone=self._account)
        claimed = await self._wires.claimed(written=self._after)
        phone = "select id from public.whatsapp_sessions where phone_number = %s"
        ours = {str(row["id"]) for row in await self._wires.world.rows(phone, f"+{self._account}")}
        return Reached(self.failpoint, frozenset(m for m, session in claimed.items() if session in ours))

    async def disarm(self) -> None:
        await self._wires.world.simulator.clear_faults(self._kind, self._account)


class _BeforeWire(Armed):
    """Held with a message in the live store and no byte of it out.

    Everything that the worker's engines send is withheld. As long as no claimed message has newly been written
    ahead, it can't be of one, for that is written first: it is let through. Otherwise nothing is, any more.
    """

    async def arm(self) -> None:
        self._wires.whatsapp.withhold(Direction.UP)
        self._before = set(await self._wires.claimed(written=True))  # may be out already

    async def reached(self, seconds: float = 30) -> Reached:
        proxy = self._wires.whatsapp
        async with asyncio.timeout(seconds):
            while True:
                await proxy.until_kept(Direction.UP, seconds)
                kept = [(link.up, link.up.kept) for link in proxy.links]  # before the look, see above
                if new := (await self._wires.claimed(written=True)).keys() - self._before:
                    return Reached(self.failpoint, frozenset(new))
                for lane, count in kept:
                    lane.let_through(count)

    async def disarm(self) -> None:
        for link in list(self._wires.whatsapp.links):
            link.reset()
        self._wires.whatsapp.release(Direction.UP)


@asynccontextmanager
async def armed(failpoint: Failpoint, wires: Wires, *, account: str = "") -> AsyncIterator[Armed]:
    """Arm a failpoint for the length of the block.

    account: the phone (digits) of the session to be held; BEFORE_WRITE_AHEAD and AFTER_WIRE need it.
    BEFORE_WRITE_AHEAD is met by the first message to a number since the session was opened, so it is armed before
    the worker starts. DURING_TAKEOVER and DURING_ADOPTION are armed on the newcomer's wires.
    """
    made: Armed
    match failpoint:
        case Failpoint.BEFORE_WRITE_AHEAD | Failpoint.AFTER_WIRE:
            if not account:
                raise ValueError(f"{failpoint} needs the account's phone")
            made = _AtWhatsApp(failpoint, wires, account)
        case Failpoint.BEFORE_WIRE:
            made = _BeforeWire(failpoint, wires)
        case _:
            made = _AtCall(failpoint, wires)
    await made.arm()
    try:
        yield made
    finally:
        await made.disarm()
