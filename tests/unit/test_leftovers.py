"""What one account has left behind and nobody can read holds up no other's receipts."""

from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import AsyncMock
from uuid import UUID, uuid4

import pytest

from worker.errors import EngineError, StoreError
from worker.events import Receipt
from worker.sessions.leftovers import Leftovers


def receipt_of(account: UUID) -> Receipt:
    return Receipt(
        session_id=account,
        wa_message_ids=("3EB0",),
        chat="491700@s.whatsapp.net",
        participant=None,
        type="delivered",
        at=datetime(2026, 11, 28, tzinfo=UTC),
    )


@pytest.mark.parametrize("broken", ["its journal is no journal", "its receipts are refused"])
async def test_what_an_account_left_that_cannot_be_told_holds_up_no_other(tmp_path: Path, broken: str) -> None:
    accounts = [uuid4() for _ in range(5)]
    for account in accounts:
        (tmp_path / str(account)).mkdir()
        (tmp_path / str(account) / "journal.jsonl").write_text("")
    spoiled = UUID(next(tmp_path.iterdir()).name)  # the one that is looked at first
    leases, outbox, journals = AsyncMock(), AsyncMock(), AsyncMock()
    leases.deleted.return_value = []
    told: list[UUID] = []

    async def journalled(account: UUID) -> list[Receipt]:
        if account == spoiled and broken == "its journal is no journal":
            raise EngineError("a journal holds what is no event (KeyError)")
        return [receipt_of(account)]

    async def receipts(given: list[Receipt]) -> None:
        if given[0].session_id == spoiled:
            raise StoreError("Supabase refused the call")
        told.append(given[0].session_id)

    journals.journalled.side_effect, outbox.receipts.side_effect = journalled, receipts
    leftovers = Leftovers(tmp_path, leases, outbox, journals, holds=lambda _: False)
    await leftovers.look()
    assert set(told) == set(accounts) - {spoiled}
    await leftovers.look()
    assert len(told) == 4, "what was told is not told again"
