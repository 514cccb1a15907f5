"""The dispatcher's turns with the queue: nothing is settled twice, and claims whose answer was lost go back."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from worker.errors import StoreError
from worker.message import Claim, MessageKind
from worker.outcome import Accepted, Outcome, Rejected, Settlement, Unavailable
from worker.ports import Outbox, Provider, Round
from worker.sending.dispatcher import Dispatcher
from worker.sending.fetches import PER_ACCOUNT, Fetches
from worker.sending.ledger import Ledger
from worker.sending.media import Media
from worker.session import ProviderName

NOW = datetime.now(UTC)


def claim(**columns: object) -> Claim:
    given = {
        "message_id": uuid4(),
        "token": uuid4(),
        "organization_id": uuid4(),
        "session_id": uuid4(),
        "provider": ProviderName.WEB,
        "until": NOW + timedelta(minutes=2),
        "to": "+491511234567",
        "kind": MessageKind.TEXT,
        "text": "hello",
    }
    return Claim(**(given | columns))  # type: ignore[arg-type]


class Queue(Outbox):
    """Claims in memory. It tells each turn; ``lose`` has it take a turn and keep its answer to itself."""

    def __init__(self) -> None:
        self.waiting: list[Claim] = []
        self.unreadable: tuple[Settlement, ...] = ()
        self.settled: list[Settlement] = []
        self.returned: list[frozenset[UUID]] = []
        self.limits: asyncio.Queue[int] = asyncio.Queue()
        self.lose = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def settle_and_claim(self, settlements: Sequence[Settlement], limit: int) -> Round:
        self.settled += settlements
        self.limits.put_nowait(limit)
        await self.answers.wait()
        if self.lose:
            raise StoreError("the answer was lost")
        given, self.waiting = self.waiting[:limit], self.waiting[limit:]
        unreadable, self.unreadable = self.unreadable, ()
        settled = frozenset(s.message_id for s in settlements)
        return Round(settled=settled, claims=tuple(given), unreadable=unreadable, next_due=None)

    async def return_unknown(self, in_hand: Iterable[UUID]) -> int:
        self.returned.append(frozenset(in_hand))
        return 0

    async def turn(self) -> int:
        """Wait for the next turn; how many claims it asked for."""
        async with asyncio.timeout(5):
            return await self.limits.get()


class Wire(Provider):
    """Sends when it is let, and keeps what was sent."""

    kinds = frozenset({MessageKind.TEXT, MessageKind.IMAGE})

    def __init__(self) -> None:
        self.sent: asyncio.Queue[Claim] = asyncio.Queue()
        self.free = asyncio.Event()
        self.free.set()

    async def send(self, claim: Claim, media: bytes | None = None) -> Outcome:  # noqa: ARG002
        self.sent.put_nowait(claim)
        await self.free.wait()
        return Accepted(wa_message_id=f"3EB0{claim.message_id.hex}", at=NOW)


class Scene:
    """A dispatcher that runs, with the queue and the wire that it works between."""

    def __init__(self) -> None:
        self.queue, self.wire, self.work = Queue(), Wire(), asyncio.Event()  # type: ignore[abstract]
        self.ledger = Ledger(self.queue, self._acknowledge, self.work)
        self.heard: list[Settlement] = []
        self.never = asyncio.Event()
        fetches = Fetches(self._fetch, lambda _: 0.0)
        self.dispatcher = Dispatcher(self.queue, {ProviderName.WEB: self.wire}, self.ledger, self.work, fetches)
        self.dispatcher.listeners.append(self.heard.append)

    async def _acknowledge(self, _session: UUID, _sequence: int) -> None: ...

    async def _fetch(self, _url: str) -> Media:
        await self.never.wait()
        raise AssertionError


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    running = asyncio.create_task(made.dispatcher.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_an_outcome_is_settled_once_and_told_to_those_who_listen_when_the_queue_has_it(scene: Scene) -> None:
    one = claim()
    scene.queue.waiting = [one]
    scene.dispatcher.wake()
    await scene.queue.turn()
    scene.queue.answers.clear()
    await scene.queue.turn()  # carries the outcome; its answer is not here yet
    assert [s.message_id for s in scene.queue.settled] == [one.message_id]
    assert scene.heard == []
    scene.queue.answers.set()
    scene.dispatcher.wake()
    await scene.queue.turn()
    assert [s.message_id for s in scene.heard] == [one.message_id]
    assert len(scene.queue.settled) == 1
    assert scene.ledger.in_hand == frozenset()


async def test_a_claim_that_nobody_could_read_is_settled_in_the_next_turn_beside_the_others(scene: Scene) -> None:
    refused = Settlement(
        message_id=uuid4(), token=uuid4(), outcome=Rejected(code="unreadable", reason="It is odd.")
    )
    scene.queue.waiting, scene.queue.unreadable = [claim()], (refused,)
    scene.dispatcher.wake()
    await scene.queue.turn()
    assert (await scene.wire.sent.get()).text == "hello"
    while len(scene.queue.settled) < 2:
        await scene.queue.turn()
    assert refused in scene.queue.settled
    assert scene.queue.returned == []


async def test_claims_are_given_back_only_after_an_answer_was_lost_and_never_those_in_hand(scene: Scene) -> None:
    scene.wire.free.clear()
    one = claim()
    scene.queue.waiting = [one]
    scene.dispatcher.wake()
    await scene.queue.turn()
    await scene.wire.sent.get()
    scene.dispatcher.wake()
    await scene.queue.turn()
    assert scene.queue.returned == []  # no answer was lost
    scene.queue.lose = True
    scene.dispatcher.wake()
    await scene.queue.turn()
    scene.queue.lose = False
    began = asyncio.get_running_loop().time()
    await scene.queue.turn()  # by itself, a second later
    assert asyncio.get_running_loop().time() - began > 0.5
    assert scene.queue.returned == [{one.message_id}]
    scene.dispatcher.wake()
    await scene.queue.turn()
    assert len(scene.queue.returned) == 1


async def test_an_exchange_that_is_cut_off_counts_as_an_answer_that_was_lost(scene: Scene) -> None:
    scene.queue.answers.clear()
    exchange = asyncio.create_task(scene.dispatcher.exchange())
    await scene.queue.turn()
    exchange.cancel()
    with suppress(asyncio.CancelledError):
        await exchange
    scene.queue.answers.set()
    await scene.dispatcher.exchange()
    assert scene.queue.returned == [frozenset()]


async def test_who_claims_no_more_waits_for_the_turn_under_way_and_then_only_settles(scene: Scene) -> None:
    scene.queue.waiting = [claim()]
    scene.queue.answers.clear()
    scene.dispatcher.wake()
    assert await scene.queue.turn() > 0
    stopping = asyncio.create_task(scene.dispatcher.claim_no_more())
    await asyncio.sleep(0)
    assert not stopping.done()
    scene.queue.answers.set()
    async with asyncio.timeout(5):
        await stopping
    scene.queue.waiting = [claim()]
    assert await scene.queue.turn() == 0  # the first one's outcome
    assert (len(scene.queue.settled), len(scene.queue.waiting)) == (1, 1)


async def test_media_on_their_way_give_the_message_back_unsent_and_cost_no_attempt(scene: Scene) -> None:
    account = uuid4()
    images = [
        claim(kind=MessageKind.IMAGE, session_id=account, media_url=f"https://slow.example/{n}.png")
        for n in range(PER_ACCOUNT + 1)
    ]
    scene.queue.waiting = list(images)
    scene.dispatcher.wake()
    async with asyncio.timeout(5):
        while len(scene.heard) < len(images):
            await scene.queue.turn()
    assert scene.wire.sent.empty()
    assert {type(settlement.outcome) for settlement in scene.heard} == {Unavailable}
    waits = [s.outcome.retry_after for s in scene.heard if isinstance(s.outcome, Unavailable)]
    assert sorted(waits) == [1.0] * PER_ACCOUNT + [2.0]  # the last one has not even begun
