"""The sealed sessions: are their keys here, and do they open?"""

from collections.abc import AsyncIterator
from uuid import UUID

from worker.doctor.finding import Case, Finding, error
from worker.errors import CredentialsError
from worker.supabase.records import SupabaseRecords
from worker.vault.keyring import Keyring
from worker.vault.rotation import PAGE, Record, secret_of

#: How many are opened; `herald keys status --check` opens all.
OPENED = 5 * PAGE

_ALL = "herald keys status --check  # lists them all; docs/keys.md says what to do"


async def open_up(case: Case) -> list[Finding]:
    """Every record's key is among ENCRYPTION_KEYS, and the first records open with it."""
    keyring, records = Keyring.from_settings(case.set), SupabaseRecords(case.calls)
    counts = await records.keys()
    found = [
        error(
            "ENCRYPTION_KEYS",
            f"{counts[key_id]} linked accounts are sealed with the key {key_id or '(unknown)'}, which is not set.",
            f"Put it back into ENCRYPTION_KEYS: {key_id}:…" if key_id else "Upgrade the worker.",
        )
        for key_id in sorted(set(counts) - set(keyring.ids))
    ]
    unread: list[UUID] = []
    async for record in _first(records):
        try:
            keyring.open(record.sealed, record.place, secret_of(record))
        except CredentialsError:
            unread.append(record.place.session)
    if unread and not found:
        named = ", ".join(map(str, unread[:3])) + (" …" if len(unread) > 3 else "")
        what = f"This ENCRYPTION_KEY does not open {len(unread)} linked accounts: {named}"
        found.append(error("ENCRYPTION_KEY", what, _ALL))
    return found


async def _first(records: SupabaseRecords) -> AsyncIterator[Record]:
    after = None
    for _ in range(OPENED // PAGE):
        page = await records.page(not_under=None, after=after, limit=PAGE)
        for record in page:
            yield record
        if len(page) < PAGE:
            return
        after = page[-1].place.session
