"""The ledger of what is in hand: claims, their outcomes, and receipts, until an exchange writes them.

One lane: outcomes of a session and its receipts are written one after the other, never at the same time, so that a
receipt finds its message settled or waits for it (herald.apply_receipts).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from uuid import UUID

import structlog

from worker.errors import Unstorable
from worker.events import Receipt, SentFact
from worker.message import Claim
from worker.outcome import Accepted, Outcome, Settlement
from worker.ports import Outbox

log = structlog.get_logger()

#: Receipts written in one call; a group of 1,024 sends that many for one message.
RECEIPTS_PER_CALL = 500


class Ledger:
    """One per worker. Acknowledges a journalled event once all before it is in the database."""

    def __init__(
        self, outbox: Outbox, acknowledge: Callable[[UUID, int], Awaitable[None]], work: asyncio.Event
    ) -> None:
        self._outbox = outbox
        self._acknowledge = acknowledge
        self._work = work
        self._settlements: dict[UUID, Settlement] = {}
        self._receipts: list[Receipt] = []
        self._journalled: dict[UUID, int] = {}
        self._safe: dict[UUID, int] = {}  #: of it, what the exchange under way carries
        self._claims: dict[UUID, Claim] = {}
        self._facts: dict[UUID, SentFact] = {}
        self._forgot = asyncio.Event()

    @property
    def in_hand(self) -> frozenset[UUID]:
        """Messages whose claims this process knows of and has not settled yet."""
        return frozenset(self._claims) | {settlement.message_id for settlement in self._settlements.values()}

    def took(self, claim: Claim) -> None:
        """Remember a claim until it is settled."""
        self._claims[claim.message_id] = claim

    def outcome(self, claim: Claim, outcome: Outcome) -> None:
        """Note the outcome of a claim; the first one for a token counts."""
        if self._claims.get(claim.message_id) is claim:
            settlement = Settlement(message_id=claim.message_id, token=claim.token, outcome=outcome)
            self._settlements.setdefault(claim.token, settlement)
            self._work.set()

    def add(self, settlements: Iterable[Settlement]) -> None:
        """Note outcomes of claims that nobody here could read."""
        for settlement in settlements:
            self._settlements.setdefault(settlement.token, settlement)
            self._work.set()

    def receipt(self, receipt: Receipt, sequence: int) -> None:
        """Note a receipt from the journal's given place."""
        self._receipts.append(receipt)
        self.safe_after_next_exchange(receipt.session_id, sequence)

    def sent(self, fact: SentFact, sequence: int) -> None:
        """Note an acknowledged send that the journal tells of.

        Its claim may be adopted only later, or be in doubt already: so it is written as a receipt too, which
        waits in the database for either, even if this process dies before.
        """
        for claim in self._claims.values():
            if claim.token == fact.token:
                self.outcome(claim, Accepted(wa_message_id=fact.wa_message_id, at=fact.at))
                break
        else:
            self._facts[fact.token] = fact
            self._receipts.append(fact.as_receipt())
        self.safe_after_next_exchange(fact.session_id, sequence)

    def knows_sent(self, claim: Claim) -> bool:
        """Settle an adopted claim if the journal says that its former token was sent; whether it does."""
        former = claim.trace.former_token if claim.trace else None
        fact = self._facts.pop(former, None) if former else None
        if fact:
            self.outcome(claim, Accepted(wa_message_id=fact.wa_message_id, at=fact.at))
        return fact is not None

    def safe_after_next_exchange(self, session_id: UUID, sequence: int) -> None:
        """Acknowledge a journalled event when all that came before it is in the database."""
        if sequence:
            self._journalled[session_id] = max(sequence, self._journalled.get(session_id, 0))
            self._work.set()

    def take(self) -> list[Settlement]:
        """Hand out what is to be settled; it stays noted until ``settled``. Begins an exchange."""
        self._safe = dict(self._journalled)
        return list(self._settlements.values())

    def settled(self, settlements: list[Settlement]) -> None:
        """Forget what the database has now, or has refused because the claim is not ours any more."""
        for settlement in settlements:
            self._settlements.pop(settlement.token, None)
            claim = self._claims.get(settlement.message_id)
            if claim and claim.token == settlement.token:
                del self._claims[settlement.message_id]
        self._forgot.set()

    def holds(self, session_id: UUID) -> bool:
        """Whether anything of a session is in hand."""
        return any(claim.session_id == session_id for claim in self._claims.values())

    async def until_settled(self, session_id: UUID, seconds: float) -> None:
        """Wait, at most these seconds, until nothing of a session is in hand; only a lease's holder may settle."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.holds(session_id):
                    self._forgot.clear()
                    await self._forgot.wait()

    async def write_receipts(self) -> None:
        """Write the receipts noted so far, then acknowledge what was journalled before ``take``.

        If it raises, nothing is lost.
        """
        while self._receipts:
            batch = self._receipts[:RECEIPTS_PER_CALL]
            await self._write(batch)
            del self._receipts[: len(batch)]
        for session_id, sequence in self._safe.items():
            await self._acknowledge(session_id, sequence)
            if self._journalled.get(session_id) == sequence:
                del self._journalled[session_id]

    async def _write(self, receipts: list[Receipt]) -> None:
        """Write receipts. Drop those that the database can't take: they would hold up all others for ever."""
        try:
            await self._outbox.receipts(receipts)
        except Unstorable as error:
            if len(receipts) == 1:
                log.warning("receipt_unstorable", session_id=str(receipts[0].session_id), error=error)
                return
            half = len(receipts) // 2
            await self._write(receipts[:half])
            await self._write(receipts[half:])
