"""The queue as the worker sees it: claim what may go out now, settle what came of it, hand on receipts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from worker.message import Claim
from worker.outcome import Outcome
from worker.ports import Receipt
from worker.session import Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What came of a claim; fenced by its token, so that writing it twice changes nothing."""

    message_id: UUID
    token: UUID
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One exchange with the queue: what was settled, what may be sent now, and when to look again.

    next_due: seconds until something may be claimable, None if nothing is waiting.
    """

    settled: frozenset[UUID]
    claims: tuple[Claim, ...]
    next_due: float | None


class Outbox(Protocol):
    """All calls raise StoreError when Supabase is away and LostLease when this process was replaced."""

    async def settle_and_claim(self, settlements: Sequence[Settlement], limit: int) -> Round:
        """Write outcomes and claim up to limit messages, in one round trip."""

    async def return_unknown(self, in_hand: Iterable[UUID]) -> int:
        """Give back claims whose answer was lost on the way to us: all but those in hand."""

    async def extend(self, message_ids: Sequence[UUID]) -> frozenset[UUID]:
        """Extend claims by their full time; the answer names those that are still ours."""

    async def adopt(self, held: Held) -> list[Claim]:
        """Take over what an earlier holder of the session left claimed."""

    async def receipts(self, receipts: Sequence[Receipt]) -> None:
        """Write who has and who read our messages. Idempotent."""

    async def reap(self) -> tuple[int, int]:
        """Fail expired messages, put abandoned ones in doubt; how many of each."""

    async def housekeep(self) -> Mapping[str, str]:
        """Have the database do what is due from time to time; the steps that failed, and why."""
