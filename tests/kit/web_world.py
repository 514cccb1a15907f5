"""WhatsApp Web as a provider, the server that it speaks to, and people with phones."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

from simulator.client import Simulator
from worker.events import Connected, Event, EventSink, Inbound, QrShown, Receipt
from worker.message import Claim, MessageKind, WebTrace
from worker.outcome import Outcome, Unavailable
from worker.providers.web.ports import Written
from worker.providers.web.provider import WhatsAppWeb
from worker.providers.web.shards import ShardLimits
from worker.session import ProviderName

E = TypeVar("E", bound=Event)

#: Longer than anything here takes, seconds; a library's reconnection waits up to 2.
PATIENCE = 20.0

#: A lease that no test outlives, seconds.
LEASE = 300.0


class Events:
    """A sink that remembers what it was told; a wait is for an event, with a deadline."""

    def __init__(self) -> None:
        self.also: EventSink | None = None  #: hears everything too
        self.seen: list[tuple[Event, int]] = []
        self._news = asyncio.Condition()

    async def __call__(self, event: Event, sequence: int) -> None:
        if self.also:
            await self.also(event, sequence)
        async with self._news:
            self.seen.append((event, sequence))
            self._news.notify_all()

    def all(self, kind: type[E], wanted: Callable[[E], bool] = lambda _: True) -> list[E]:
        """What was told so far."""
        return [event for event, _ in self.seen if isinstance(event, kind) and wanted(event)]

    async def expects(self, kind: type[E], wanted: Callable[[E], bool] = lambda _: True, *, times: int = 1) -> E:
        """Wait until it was told so many times; the last of them."""
        try:
            async with asyncio.timeout(PATIENCE), self._news:
                await self._news.wait_for(lambda: len(self.all(kind, wanted)) >= times)
        except TimeoutError:
            raise AssertionError(f"no {kind.__name__}; told: {[event for event, _ in self.seen]}") from None
        return self.all(kind, wanted)[times - 1]

    def last_sequence(self, session_id: UUID) -> int:
        return max((number for event, number in self.seen if event.session_id == session_id), default=0)


class WebWorld:
    """A WhatsApp Web provider, its events, and the simulated WhatsApp that its accounts are linked to."""

    def __init__(
        self,
        simulator: Simulator,
        state_dir: Path,
        limits: ShardLimits | None = None,
        found_by: Path | None = None,
    ) -> None:
        """found_by: the file by which engines find the simulator, if not its own."""
        self.simulator = simulator
        self.found_by = found_by or simulator.file
        self.state_dir = state_dir
        self.limits = limits or ShardLimits()
        self.events = Events()
        self.provider = self._make_provider()

    def _make_provider(self) -> WhatsAppWeb:
        launcher = [sys.executable, "-m", "simulator.launch_engine", "--library", "worker.engine.library"]
        launcher += ["--simulator", str(self.found_by)]
        return WhatsAppWeb([*launcher, "--", "worker.engine"], self.state_dir, self.events, self.limits)

    async def restart(self) -> None:
        """Stop the provider and start another on the same state, as a new daemon would; its events are fresh."""
        await self.provider.aclose()
        self.events = Events()
        self.provider = self._make_provider()
        await self.provider.start()

    async def begin(self, session_id: UUID, seconds: float = LEASE) -> None:
        """Open a session under a lease that ends in so many seconds; what follows comes as events."""
        store = str(self.provider.store_path(session_id))
        await self.provider.open(session_id, store, time.monotonic() + seconds)

    async def open(self, session_id: UUID) -> Connected:
        """Open a session that is linked, and wait until it is connected."""
        before = len(self.events.all(Connected, lambda event: event.session_id == session_id))
        await self.begin(session_id)
        return await self.events.expects(Connected, lambda e: e.session_id == session_id, times=before + 1)

    async def link(self, phone: str) -> UUID:
        """Open a new session, have the phone scan its QR, and wait until it is connected."""
        session_id = uuid4()
        await self.begin(session_id)
        qr = await self.events.expects(QrShown, lambda event: event.session_id == session_id)
        await self.simulator.scan(phone, qr.text)
        await self.events.expects(Connected, lambda event: event.session_id == session_id)
        return session_id

    async def receipt(self, wa_message_id: str, kind: str) -> Receipt:
        """Wait for such a receipt."""
        return await self.events.expects(Receipt, lambda e: e.type == kind and wa_message_id in e.wa_message_ids)

    async def inbound(self, text: str) -> Inbound:
        """Wait until a message with this text is told."""
        return await self.events.expects(Inbound, lambda event: event.text == text)

    async def until_written(self, claim: Claim) -> Written:
        """Wait until the message is in its store, from where it leaves."""
        assert claim.trace
        async with asyncio.timeout(PATIENCE):
            while True:
                match await self.provider.lookup(claim.session_id, claim.trace.secret):
                    case Written() as written:
                        return written

    async def send_when_available(self, claim: Claim) -> Outcome:
        """Send as the queue would: again while the answer is that the session is not there."""
        async with asyncio.timeout(PATIENCE):
            while isinstance(outcome := await self.provider.send(claim), Unavailable):
                pass
        return outcome

    def claim(self, session_id: UUID, to: str, text: str, kind: MessageKind = MessageKind.TEXT) -> Claim:
        """A message that is ready to go."""
        return Claim(
            message_id=uuid4(),
            token=uuid4(),
            organization_id=uuid4(),
            session_id=session_id,
            provider=ProviderName.WEB,
            until=datetime.now(UTC) + timedelta(minutes=2),
            trace=WebTrace(secret=os.urandom(32), incarnation=uuid4()),
            to=to,
            kind=kind,
            text=text,
        )


@asynccontextmanager
async def web_world(
    simulator: Simulator, state_dir: Path, limits: ShardLimits | None = None, found_by: Path | None = None
) -> AsyncIterator[WebWorld]:
    """A world whose provider runs for the length of the block."""
    made = WebWorld(simulator, state_dir, limits, found_by)
    await made.provider.start()
    try:
        yield made
    finally:
        await made.provider.aclose()
