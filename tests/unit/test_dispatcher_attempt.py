"""What breaks before the send settles its message as unsent: it is never in doubt, and holds up no other."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from tests.kit.one_claim import dispatched
from worker.message import Claim, MessageKind
from worker.outcome import Accepted, Outcome, Rejected
from worker.sending.media import Media
from worker.session import ProviderName
from worker.supabase.outbox import claim_from


def claim_of(kind: str, provider: str = "web", **changed: object) -> Claim:
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
    return claim_from(row | changed)


async def outcome_of(claim: Claim) -> Outcome:
    """What the dispatcher makes of a claim whose media break."""

    async def breaks(_url: str) -> Media:
        raise UnicodeError("label too long")

    web: Any = SimpleNamespace(kinds={MessageKind.IMAGE})
    return (await dispatched(claim, {ProviderName.WEB: web}, breaks)).outcome


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


async def test_each_claim_goes_to_its_own_provider() -> None:
    class Provider:
        kinds = frozenset({MessageKind.TEXT})

        def __init__(self) -> None:
            self.sent: list[Claim] = []

        async def send(self, claim: Claim, media: bytes | None = None) -> Outcome:
            assert media is None
            self.sent.append(claim)
            return Accepted(wa_message_id="3EB0", at=claim.until)

    async def nothing(_url: str) -> Media:
        raise AssertionError

    web, cloud = Provider(), Provider()
    providers = {ProviderName.WEB: web, ProviderName.CLOUD: cloud}
    claims = [replace(claim_of("text", name), media_url=None) for name in ("web", "cloud")]
    for claim in claims:
        await dispatched(claim, providers, nothing)
    assert (web.sent, cloud.sent) == (claims[:1], claims[1:])


def test_a_claim_of_an_account_without_a_web_store_has_no_trace() -> None:
    assert claim_of("text").trace is not None
    assert claim_of("text", "cloud", secret=None, incarnation=None).trace is None
