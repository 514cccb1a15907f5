"""Carries claimed messages to their provider and the outcomes back, in one exchange a turn.

The loop sleeps until there is a reason to look: a hint, an outcome, the time that the database named, or the poll.
"""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from worker.errors import MediaError, StoreError
from worker.message import Claim
from worker.outcome import Indeterminate, Outcome, Rejected, Settlement, Unavailable
from worker.ports import Outbox, Provider
from worker.sending.fetches import Fetches, NotYet
from worker.sending.ledger import Ledger
from worker.session import ProviderName

log = structlog.get_logger()

#: Claims in one exchange; beyond 500 PostgREST's row limit would matter, and sends are one per account anyway.
CLAIMS_PER_EXCHANGE = 100


class Dispatcher:
    """One per worker. ``wake`` may be called from anywhere on the loop, any number of times.

    listeners: hear of every settlement once the database has it; append to it.
    """

    def __init__(
        self,
        outbox: Outbox,
        providers: Mapping[ProviderName, Provider],
        ledger: Ledger,
        work: asyncio.Event,
        fetches: Fetches,
    ) -> None:
        self._outbox = outbox
        self._providers = providers
        self._ledger = ledger
        self._work = work
        self._fetches = fetches
        self.listeners: list[Callable[[Settlement], None]] = []
        self.tells_health: Callable[[str, bool], None] = lambda _kind, _answered: None
        self._sends: set[asyncio.Task[None]] = set()
        self._claiming = True
        self._repair = False
        self._exchanging = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None

    def wake(self, after: float = 0.0) -> None:
        """Look at the queue now, or after these seconds if nothing else makes it look before."""
        if after > 0:
            self._look_again_in(after)
        else:
            self._work.set()

    async def run(self) -> None:
        """Exchange with the queue until cancelled. Raises LostLease when this process was replaced."""
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                await self.exchange()
            except StoreError as error:
                log.warning("queue_unreachable", error=error)
                self.tells_health("queue", False)
                self._repair = True
                self._look_again_in(1.0)
            else:
                self.tells_health("queue", True)

    async def exchange(self) -> None:
        """One turn: settle, write receipts, claim, start sends. One at a time."""
        async with self._exchanging:
            await self._exchange()

    async def _exchange(self) -> None:
        if self._repair:
            returned = await self._outbox.return_unknown(self._ledger.in_hand)
            self._repair = False
            if returned:
                log.info("claims_returned", count=returned)
        settlements = self._ledger.take()
        self._forget_timer()  # the answer names the next time; a hint that comes meanwhile sets its own timer
        self._repair = True  # until the answer is here
        answer = await self._outbox.settle_and_claim(settlements, CLAIMS_PER_EXCHANGE if self._claiming else 0)
        self._repair = False
        self._ledger.settled(settlements)
        for settlement in settlements:
            for listen in self.listeners:
                listen(settlement)
        self._ledger.add(answer.unreadable)
        for claim in answer.claims:
            self._ledger.took(claim)
            self._start(claim)
        await self._ledger.write_receipts()
        if answer.next_due is not None and self._claiming:
            # Due already and yet not claimed: a rule holds it back that only time or a person lifts.
            self._look_again_in(max(answer.next_due, 0.02) if answer.next_due > 0 else 0.5)

    async def claim_no_more(self) -> None:
        """Start no new sends, also none whose claim or media are on their way; outcomes are still settled."""
        self._claiming = False
        self._fetches.stop()
        async with self._exchanging:
            pass

    def _look_again_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer and loop.time() < self._timer.when() <= loop.time() + seconds:
            return  # it looks before
        self._forget_timer()
        self._timer = loop.call_later(seconds, self._work.set)

    def _forget_timer(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(self._send(claim), name=f"send {claim.message_id}")
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    async def _send(self, claim: Claim) -> None:
        outcome = await self._attempt(claim)
        self._ledger.outcome(claim, outcome)
        log.info(
            "message_tried",
            message_id=str(claim.message_id),
            session_id=str(claim.session_id),
            outcome=type(outcome).__name__.lower(),
            attempt=claim.attempt,
        )

    async def _attempt(self, claim: Claim) -> Outcome:
        provider = self._providers.get(claim.provider)
        if provider is None:
            reason = "This version of Herald can't send for this kind of account. Upgrade the worker, then retry."
            return Rejected(code="unsupported-provider", reason=reason)
        if claim.kind not in provider.kinds:
            reason = f"This version can't send a message of kind {claim.kind.value}."
            return Rejected(code="unsupported-kind", reason=reason)
        media: bytes | None = None
        if claim.media_url:
            try:
                found = await self._fetches.media(claim, claim.media_url)
            except MediaError as error:
                return Rejected(code="media-unavailable", reason=str(error), retry=error.retry)
            except Exception as error:  # nothing was sent, so whatever broke must not leave the message in doubt
                log.exception("media_fetch_broke", message_id=str(claim.message_id))
                reason = f"Its media could not be fetched ({type(error).__name__})."
                return Rejected(code="media-unavailable", reason=reason, retry=True)
            if isinstance(found, NotYet):
                reason = "Its media are still on their way; this goes out when they are here."
                return Unavailable(code="media-waits", reason=reason, retry_after=found.seconds)
            media = found.content
        try:
            return await provider.send(claim, media)
        except Exception as error:
            # A provider that raises has a bug; the message may be out, so it is not tried again.
            log.exception("send_raised", message_id=str(claim.message_id))
            return Indeterminate(reason=f"The send broke off ({type(error).__name__}).")
