"""What STATE_DIR still holds of web accounts that this worker does not serve.

Another worker may have taken an account over while this one was dead. The journal here may hold receipts that were
confirmed to WhatsApp and that nobody has written: they are written, each time the journal has changed. The live
stores of deleted accounts are wiped.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import structlog

from worker.errors import EngineError, StoreError
from worker.events import Receipt, SentFact
from worker.ports import Leases, Outbox
from worker.providers.web.ports import Journals

log = structlog.get_logger()


class Leftovers:
    """Looks through one state folder. holds: whether this worker serves an account, or is about to."""

    def __init__(
        self,
        state_dir: Path,
        leases: Leases,
        outbox: Outbox,
        journals: Journals,
        holds: Callable[[UUID], bool],
    ) -> None:
        self._state_dir = state_dir
        self._leases = leases
        self._outbox = outbox
        self._journals = journals
        self._holds = holds
        self._told: dict[UUID, float] = {}  #: the journal's time of change

    async def look(self) -> None:
        """Wipe deleted accounts, write new receipts. An account whose receipts can't be written holds up no other.

        Raises StoreError, LostLease.
        """
        left = self._left()
        for session_id in await self._leases.deleted(left) if left else ():
            if not self._holds(session_id):
                shutil.rmtree(self._state_dir / str(session_id), ignore_errors=True)
                log.info("deleted_account_wiped", session_id=str(session_id))
        for session_id in self._left():
            try:
                await self._tell(session_id)
            except (StoreError, EngineError) as error:
                log.warning("leftover_kept", session_id=str(session_id), error=error)

    def _left(self) -> list[UUID]:
        names = (folder.name for folder in self._state_dir.iterdir() if folder.is_dir())
        return [session_id for name in names if (session_id := _uuid(name)) and not self._holds(session_id)]

    async def _tell(self, session_id: UUID) -> None:
        """Write the receipts, which may be written twice; the journal keeps them for the account's return."""
        try:
            changed = (self._state_dir / str(session_id) / "journal.jsonl").stat().st_mtime
        except FileNotFoundError:
            return
        if self._told.get(session_id) == changed:
            return
        receipts = [
            event.as_receipt() if isinstance(event, SentFact) else event
            for event in await self._journals.journalled(session_id)
            if isinstance(event, SentFact | Receipt)
        ]
        if receipts:
            await self._outbox.receipts(receipts)
            log.info("receipts_found", session_id=str(session_id), count=len(receipts))
        self._told[session_id] = changed


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
