"""The queue over PostgREST: a claim that can't be read fails alone, and an exchange that failed is tried row by row."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import respx

from worker.errors import StoreError
from worker.outcome import Indeterminate, Rejected, Settlement
from worker.supabase.client import Database
from worker.supabase.outbox import SupabaseOutbox, claims_from, settlement_row

URL = "https://project.test"
EXCHANGE = f"{URL}/rest/v1/rpc/whatsapp_settle_and_claim"
NOTHING: dict[str, Any] = {"settled": [], "claims": [], "next_due": None}


@pytest.fixture
async def outbox(respx_mock: respx.MockRouter) -> AsyncIterator[SupabaseOutbox]:
    database = Database(
        URL, "sb_secret_key", first_pause=0.001, transport=httpx.MockTransport(respx_mock.async_handler)
    )
    yield SupabaseOutbox(database, uuid4())
    await database.aclose()


def claim_row(**columns: Any) -> dict[str, Any]:
    return {
        **{name: str(uuid4()) for name in ("message_id", "token", "organization_id", "session_id")},
        "former_token": None,
        "provider": "web",
        "until": "2026-12-01T09:30:00+00:00",
        "secret": None,
        "incarnation": None,
        "to": "+491701234567",
        "kind": "text",
        "text": "Hello",
        "media_url": None,
        "attempt": 1,
    } | columns


UNREADABLE: dict[str, dict[str, Any]] = {
    "nobody to send it to": {"to": None},
    "no text": {"text": None},
    "a list for a text": {"text": ["Hello"]},
    "no account": {"session_id": "front desk"},
    "half a secret": {"incarnation": str(uuid4()), "secret": "x"},
}


@pytest.mark.parametrize("columns", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_claim_that_cant_be_read_fails_alone_and_says_why(
    respx_mock: respx.MockRouter, outbox: SupabaseOutbox, columns: dict[str, Any]
) -> None:
    bad, good = claim_row(**columns), claim_row()
    respx_mock.post(EXCHANGE).respond(json=NOTHING | {"claims": [bad, good]})
    answer = await outbox.settle_and_claim([], 50)
    assert [str(claim.message_id) for claim in answer.claims] == [good["message_id"]]
    (settlement,) = answer.unreadable
    assert (str(settlement.message_id), str(settlement.token)) == (bad["message_id"], bad["token"])
    assert isinstance(settlement.outcome, Rejected)
    assert (settlement.outcome.code, settlement.outcome.retry) == ("unreadable", False)
    assert "Upgrade the worker" in settlement.outcome.reason


def test_a_claim_without_its_token_is_left_to_the_reap() -> None:
    rows = [claim_row(token=None), "nonsense", claim_row()]
    claims, unreadable = claims_from(rows, Indeterminate(reason="?"))
    assert (len(claims), unreadable) == (1, [])


async def test_the_exchange_after_one_that_failed_goes_row_by_row_and_the_next_together_again(
    respx_mock: respx.MockRouter, outbox: SupabaseOutbox
) -> None:
    whole = respx_mock.post(EXCHANGE)
    apart = respx_mock.post(f"{EXCHANGE}_apart")
    whole.respond(500, json={"code": "54000", "message": "out of range"})
    with pytest.raises(StoreError):
        await outbox.settle_and_claim([], 50)
    apart.respond(500, json={"code": "57014", "message": "canceling statement"})
    with pytest.raises(StoreError):
        await outbox.settle_and_claim([], 50)
    apart.respond(json=NOTHING)
    whole.respond(json=NOTHING)
    for _ in range(3):
        await outbox.settle_and_claim([], 50)
    assert (whole.call_count, apart.call_count) == (3, 2)


@pytest.mark.parametrize("reason", ["NUL \0 inside", "half \ud83d a smile", "all right"])
def test_a_reason_is_one_that_postgres_can_hold(reason: str) -> None:
    for outcome in (Rejected(code="x", reason=reason), Indeterminate(reason=reason)):
        row = settlement_row(Settlement(message_id=UUID(int=1), token=UUID(int=2), outcome=outcome))
        told = json.loads(json.dumps(row))["reason"]
        assert "\0" not in told
        told.encode()
