"""One WhatsApp Web account under our lease: opens it, keeps its row true, reconnects it, and closes it in order.

opening ──► waiting for a scan ──► connected ──► closed (asked, or lease lost)
▲                │                  │
└── backoff ◄────┴── lost ──────────┘      a person is needed ──► ended (desired_state is set to disconnected)
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog

from worker.errors import CrashLoop, CredentialsError, EngineError, ProviderError, StoreError
from worker.events import Connected, Ended, QrShown, SessionEvent
from worker.ports import Command, Leases
from worker.providers.web.ports import WebAccounts
from worker.reconnect_delay import delay
from worker.session import Ending, Held, Lease, SessionStatus, remedy
from worker.sessions.adoption import Adoption
from worker.sessions.group_work import GroupWork
from worker.sessions.linking import Linking
from worker.sessions.port import CommandWork
from worker.vault.live_store import LiveStore

log = structlog.get_logger()

#: How long a session that is not open may take to connect for its logout, seconds.
LOGOUT_SECONDS = 20.0

#: Sessions that lost their engine together open again within this time, seconds, one after the other.
REOPEN_SECONDS = 0.3

#: The alert of an account that engines die of.
CRASH_LOOP = "crash-loop"

#: What the row shows when a person is needed; anything else is an error with its remedy.
_STATUS_OF = {Ending.LOGGED_OUT: SessionStatus.LOGGED_OUT, Ending.BANNED: SessionStatus.BANNED}


class LiveSession:
    """Drives one session from acquisition to release.

    ready: it can send.  ending: it needs a person, and its row says why, or is about to.
    """

    def __init__(
        self,
        held: Held,
        *,
        lease: Lease,
        store: LiveStore,
        leases: Leases,
        accounts: WebAccounts,
        adoption: Adoption,
        groups: GroupWork,
        wake: Callable[[], None],
        qr_window: float,
        rng: random.Random,
    ) -> None:
        self.held = held
        self.ready = self.ending = False
        self._lease = lease
        self._store = store
        self._leases = leases
        self._accounts = accounts
        self._adoption = adoption
        self._groups = groups
        self._linking = Linking(lease, qr_window)
        self._wake = wake
        self._rng = rng
        self._events: asyncio.Queue[SessionEvent] = asyncio.Queue()
        self._failures = 0
        self._opened = False
        self._looped = held.status is SessionStatus.ERROR  #: an alert may be open, maybe by another worker
        self.commands: Mapping[str, CommandWork] = {**groups.commands, "pairing_code": self._pairing_code}

    def hear(self, event: SessionEvent) -> None:
        """Take an event of this session, in order."""
        self._events.put_nowait(event)

    async def run(self) -> None:
        """Serve until cancelled or until a person is needed. Raises LostLease."""
        try:
            await self._store.prepare()
            await self._open()
            while await self._take(await self._next_event()):
                pass
        except CredentialsError as error:
            await self._need_person(Ending.CREDENTIALS, str(error))

    async def close(self) -> None:
        """Stop the connection and save its state with the clean flag. Lease and row are the caller's."""
        self.ready = False
        await self._accounts.close(self.held.session_id)  # also one whose opening was cut off half-way
        opened, self._opened = self._opened, False
        if opened and self._store.linked:
            await self._store.snapshot(clean=True)

    async def logout(self) -> None:
        """Unlink the device and remove its state; the row says logged_out. Opens the session for it if need be."""
        self.ready = False
        if not self._opened:
            with suppress(CredentialsError, EngineError, TimeoutError):
                async with asyncio.timeout(LOGOUT_SECONDS):
                    await self._store.prepare()
                    if self._store.linked:
                        await self._open()
                        await self._events.get()
        await self._unlink()
        await self._report(SessionStatus.LOGGED_OUT, desired_state="disconnected", last_error=None)

    async def _unlink(self) -> None:
        """Unlink at WhatsApp if it answers, else only here: then the phone still lists the device."""
        if self._opened:
            try:
                await self._accounts.logout(self.held.session_id)
            except (ProviderError, EngineError) as error:
                log.warning("logout_unconfirmed", session_id=str(self.held.session_id), error=error)
                await self._accounts.close(self.held.session_id)
            self._opened = False
        await self._store.forget()

    async def abandon(self) -> None:
        """The lease is lost: close the sockets and write nothing."""
        self.ready = False
        await self._accounts.close(self.held.session_id)

    async def snapshot(self) -> None:
        """Seal the live store if it has changed. Raises StoreError, LostLease, CredentialsError."""
        if self.ready and await self._store.snapshot(clean=False):
            log.debug("snapshot_written", session_id=str(self.held.session_id))

    async def sync_groups(self) -> int:
        """Read the account's groups and write their rows; how many there are."""
        return await self._groups.sync()

    async def _open(self) -> None:
        self._linking.show_nothing()
        while True:
            await self._report(SessionStatus.CONNECTING, retry_count=self._failures)
            try:
                await self._accounts.open(self.held.session_id, str(self._store.path), self._lease.deadline)
            except CrashLoop as loop:
                await self._wait_out(loop)
            except EngineError as error:
                log.warning("open_failed", session_id=str(self.held.session_id), error=error)
                await self._back_off()
            else:
                self._opened = True
                return

    async def _wait_out(self, loop: CrashLoop) -> None:
        """Wait, because its engine dies whenever this session opens. A person sees why; other accounts go on."""
        log.error("session_crash_loop", session_id=str(self.held.session_id), attempt=loop.deaths)
        text = (
            f"One of Herald's processes ended {loop.deaths} times while this account was opened; other accounts "
            f"go on. Herald tries again in {loop.seconds:.0f} seconds. If this goes on, ask the operator to "
            "upgrade Herald; if that does not help, log this account out and scan a new QR code."
        )
        await self._report(SessionStatus.ERROR, last_error=text, retry_count=loop.deaths)
        await self._leases.alert(self.held, CRASH_LOOP, text, deaths=loop.deaths)
        self._looped = True
        await asyncio.sleep(loop.seconds)

    async def _take(self, event: SessionEvent) -> bool:
        """React to an event; False when the session has ended for now."""
        match event:
            case QrShown():
                return await self._show_qr(event)
            case Connected():
                return await self._connected(event)
            case Ended(ending=Ending.QR_TIMEOUT) if self._linking.renews():
                await self._open()
                return True
            case Ended(ending=Ending.ENGINE):
                await self._reopen()
                return True
            case Ended(retry=True):
                await self._lost(event)
                return True
            case Ended():
                if event.ending is Ending.LOGGED_OUT:
                    await self._store.forget()
                await self._need_person(event.ending, self._words_for(event))
                return False

    async def _next_event(self) -> SessionEvent:
        """Wait for the next event; a QR that nobody scans within the window ends the session."""
        try:
            async with asyncio.timeout_at(self._linking.ends_at):
                return await self._events.get()
        except TimeoutError:
            await self._accounts.close(self.held.session_id)
            return Ended(session_id=self.held.session_id, ending=Ending.QR_TIMEOUT, retry=False)

    async def _show_qr(self, event: QrShown) -> bool:
        await self._report(SessionStatus.QR_PENDING, **self._linking.show_qr(event))
        return True

    async def _pairing_code(self, command: Command) -> Mapping[str, Any]:
        """Ask for an 8-character code and show it beside the QR. Raises ProviderError if none is shown."""
        if not self._linking.shows:
            raise ProviderError("This account shows no QR code now. Press connect, and ask while the QR is shown.")
        code = await self._accounts.pairing_code(self.held.session_id, str(command.arguments["phone"]))
        await self._report(SessionStatus.QR_PENDING, **self._linking.show_code(code))
        return {"code": code}

    async def _connected(self, event: Connected) -> bool:
        self._failures = 0
        self._linking.linked()
        await self._adoption.run()
        if event.newly_paired:
            if self.held.phone_number not in (None, event.phone):
                return await self._refuse_number()
            await self._store.snapshot(clean=False, force=True)
        accepted = await self._report(
            SessionStatus.CONNECTED,
            phone_number=event.phone,
            whatsapp_id=event.jid,
            display_name=event.display_name,
            last_error=None,
            retry_count=0,
        )
        if not accepted:
            ours = self.held.phone_number in (None, event.phone)
            return await self._refuse_number(Ending.NUMBER_TAKEN if ours else Ending.WRONG_NUMBER)
        if self._looped:
            self._looped = False
            await self._leases.alert(self.held, CRASH_LOOP, None)
        self.ready = True
        log.info("session_connected", session_id=str(self.held.session_id), epoch=self.held.epoch)
        self._wake()
        try:
            await self.sync_groups()
        except (ProviderError, EngineError, StoreError) as error:
            log.warning("groups_not_synced", session_id=str(self.held.session_id), error=error)
        return True

    async def _refuse_number(self, ending: Ending = Ending.WRONG_NUMBER) -> bool:
        await self._unlink()
        await self._need_person(ending)
        return False

    async def _reopen(self) -> None:
        """Open again at once: its engine ended or gave it away, which is no fault of this session's."""
        self.ready = False
        await asyncio.sleep(self._rng.uniform(0.0, REOPEN_SECONDS))
        await self._open()

    async def _lost(self, event: Ended) -> None:
        self.ready = False
        self._failures += 1
        log.warning(
            "session_lost", session_id=str(self.held.session_id), ending=event.ending, attempt=self._failures
        )
        words = remedy(event.ending, event.detail)
        await self._report(SessionStatus.CONNECTING, last_error=words, retry_count=self._failures)
        await self._back_off()
        await self._open()

    async def _back_off(self) -> None:
        await asyncio.sleep(delay(max(self._failures, 1), self._rng, base=0.5, cap=60.0))

    async def _need_person(self, ending: Ending, text: str = "") -> None:
        self.ready, self.ending = False, True
        await self._adoption.run()
        log.warning("session_needs_person", session_id=str(self.held.session_id), ending=ending)
        status = _STATUS_OF.get(ending, SessionStatus.ERROR)
        if ending is Ending.QR_TIMEOUT:
            status = SessionStatus.DISCONNECTED
        await self._report(status, last_error=text or remedy(ending), desired_state="disconnected")
        self._opened = False

    def _words_for(self, event: Ended) -> str:
        """Add the end of a ban to the remedy, if WhatsApp has named it."""
        if event.seconds is None:
            return remedy(event.ending, event.detail)
        until = self._lease.database_time() + timedelta(seconds=event.seconds)
        return f"{remedy(event.ending, event.detail)} It ends on {until:%Y-%m-%d at %H:%M} UTC."

    async def _report(self, status: SessionStatus, **facts: object) -> bool:
        return await self._leases.report(self.held, status=status.value, **facts)
