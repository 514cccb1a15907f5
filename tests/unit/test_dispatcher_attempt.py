"""What breaks before the send settles its message as unsent: it is never in doubt, and holds up no other."""

import asyncio
import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from worker.message import Claim, MessageKind
from worker.outcome import Outcome, Rejected, Settlement
from worker.ports import Outbox, Round
from worker.sending.dispatcher import Dispatcher
from worker.sending.fetches import Fetches
from worker.sending.ledger import Ledger
from worker.session import ProviderName
from worker.supabase.outbox import claim_from


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


def claim_of(kind: str, provider: str = "web") -> Claim:
    """A claim as the database hands it out."""
    ids = ("message_id", "token", "organization_id", "session_id", "incarnation")
    row: dict[str, Any] = {name: str(uuid4()) for name in ids} | {
        "until": (datetime.now(UTC) + timedelta(seconds=150)).isoformat(),
        "secret": base64.b64encode(bytes(32)).decode(),
        "to": "1@g.us",
        "kind": kind,
        "provider": provider,
        "text": "",
        "media_url": "https://example.com/a.png",
        "attempt": 1,
    }
    return claim_from(row)


async def outcome_of(claim: Claim) -> Outcome:
    """What the dispatcher makes of a claim whose media break."""

    async def breaks(_url: str) -> Any:
        raise UnicodeError("label too long")

    async def acknowledge(_session: UUID, _sequence: int) -> None: ...

    work, queue = asyncio.Event(), Queue(claim)  # type: ignore[abstract]
    web: Any = SimpleNamespace(kinds={MessageKind.IMAGE})
    ledger, fetches = Ledger(queue, acknowledge, work), Fetches(breaks, lambda _: 0.0)
    running = asyncio.create_task(Dispatcher(queue, {ProviderName.WEB: web}, ledger, work, fetches).run())
    work.set()
    async with asyncio.timeout(5):
        outcome = (await queue.settled.get()).outcome
    running.cancel()
    return outcome


async def test_an_error_that_nobody_foresaw_settles_the_message_as_unsent() -> None:
    outcome = await outcome_of(claim_of("image"))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry) == ("media-unavailable", True)


async def test_a_kind_that_is_newer_than_the_worker_fails_its_message_and_not_the_worker() -> None:
    """A database is migrated before its workers are upgraded."""
    outcome = await outcome_of(claim_of("hologram"))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry) == ("unsupported-kind", False)


@pytest.mark.parametrize("provider", ["cloud", "carrier pigeon"])
async def test_an_account_that_the_worker_has_no_provider_for_fails_its_message_with_words(provider: str) -> None:
    outcome = await outcome_of(claim_of("text", provider))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry) == ("unsupported-provider", False)
    assert "Upgrade the worker" in outcome.reason
