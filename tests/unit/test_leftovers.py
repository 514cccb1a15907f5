"""What accounts have left on a host: receipts are written once, deleted accounts wiped, served ones left alone."""

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


@pytest.mark.parametrize("taken_up", ["never", "before the look", "while the database is asked"])
async def test_a_deleted_account_is_wiped_unless_this_worker_serves_it(tmp_path: Path, taken_up: str) -> None:
    deleted, kept = uuid4(), uuid4()
    for account in (deleted, kept):
        (tmp_path / str(account)).mkdir()
        (tmp_path / str(account) / "store.db").write_text("keys")
    served = {deleted} if taken_up == "before the look" else set()
    leases = AsyncMock()

    async def answer(asked: list[UUID]) -> list[UUID]:
        assert set(asked) == {deleted, kept} - served
        if taken_up == "while the database is asked":
            served.add(deleted)
        return [deleted]

    leases.deleted.side_effect = answer
    await Leftovers(tmp_path, leases, AsyncMock(), AsyncMock(), holds=served.__contains__).look()
    assert (tmp_path / str(deleted)).exists() is (taken_up != "never")
    assert (tmp_path / str(kept) / "store.db").exists()
