"""Makes the sessions of WhatsApp Web: each with its live store, its adoption and its groups."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import UUID

from worker.ports import Credentials, GroupRows, Leases, Outbox
from worker.providers.web.ports import WebAccounts
from worker.sending.ledger import Ledger
from worker.session import Held, Lease
from worker.sessions.adoption import Adoption
from worker.sessions.group_work import GroupWork
from worker.sessions.live_session import LiveSession
from worker.vault.keyring import Keyring
from worker.vault.live_store import LiveStore


class WebSessions:
    """Implements worker.sessions.port.Sessions.

    state_dir: holds one folder a session.  qr_window: seconds in which somebody must scan.
    wake: is called when an account can send.
    """

    def __init__(
        self,
        *,
        accounts: WebAccounts,
        leases: Leases,
        credentials: Credentials,
        outbox: Outbox,
        group_rows: GroupRows,
        ledger: Ledger,
        keyring: Keyring,
        state_dir: Path,
        qr_window: float,
        wake: Callable[[], None],
    ) -> None:
        self._accounts = accounts
        self._leases = leases
        self._credentials = credentials
        self._outbox = outbox
        self._group_rows = group_rows
        self._ledger = ledger
        self._keyring = keyring
        self._state_dir = state_dir
        self._qr_window = qr_window
        self._wake = wake
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret

    def make(self, held: Held, lease: Lease) -> LiveSession:
        """See Sessions."""
        folder = self._state_dir / str(held.session_id)
        store = LiveStore(held, folder, self._credentials, self._accounts, self._keyring)
        return LiveSession(
            held,
            lease=lease,
            store=store,
            leases=self._leases,
            accounts=self._accounts,
            adoption=Adoption(held, self._outbox, self._ledger, store, self._accounts),
            groups=GroupWork(held, self._accounts, self._group_rows),
            wake=self._wake,
            qr_window=self._qr_window,
            rng=self._rng,
        )

    def extend(self, deadlines: Mapping[UUID, float]) -> None:
        """See Sessions. The engines close by themselves what is not extended, should this process hang."""
        self._accounts.extend_lease(deadlines)
