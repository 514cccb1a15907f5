"""A session's folder and the store in it, which is read beside the library through the same SQLite.

The tables are whatsmeow's. Only this module and ``copies`` know those that Herald reads.
"""

import fcntl
import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from worker.engine import sqlite
from worker.engine.copies import fingerprint, forget_own_keys, lean
from worker.engine.sqlite import Row, SqliteError

#: How long an opening waits for the lock of a dying predecessor, seconds.
LOCK_WAIT = 15.0

_JID = re.compile(r"(?P<user>[^.:@]+)(?:\.\d+)?(?::\d+)?@(?P<server>.+)")


class LockedError(Exception):
    """Another engine has the session open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The linked account. JIDs lack their device part."""

    jid: str
    lid: str | None
    phone: str  #: E.164
    name: str | None


def bare(jid: str) -> str:
    """Write a JID without its device part."""
    match = _JID.fullmatch(jid)
    return f"{match['user']}@{match['server']}" if match else jid


class SessionFolder:
    """STATE/SESSION with store.db, journal.jsonl, lock and incarnation. Only our own user may look inside.

    ValueError if the session is not a UUID.
    """

    def __init__(self, state: Path, session: str) -> None:
        self.session = str(UUID(session))  # nothing but a UUID may become part of a path
        self.path = state / self.session
        self.store = self.path / "store.db"
        self.journal = self.path / "journal.jsonl"
        self._lock: int | None = None

    def lock(self, wait: float = LOCK_WAIT) -> None:
        """Create the folder and take its lock. LockedError if another engine has it after `wait` seconds."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        file = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + wait
        pause = threading.Event()
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(file)
                    raise LockedError(self.session) from None
                pause.wait(0.05)
        self._lock = file

    def unlock(self) -> None:
        """Let the next engine in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def incarnation(self) -> str:
        """Return this live store's id, and create one if there is none. A restored store gets another id."""
        file = self.path / "incarnation"
        if not file.exists():
            fresh = file.with_suffix(".new")
            fresh.write_text(str(uuid4()))
            fresh.chmod(0o600)
            fresh.replace(file)
        return file.read_text().strip()

    def _one(self, query: str, *values: str | bytes) -> Row | None:
        if not self.store.exists():
            return None
        try:
            with sqlite.opened(self.store) as database:
                return next(iter(database.run(query, *values)), None)
        except SqliteError as error:
            if "no such table" in str(error):  # a store that no client has opened yet
                return None
            raise

    def account(self) -> Account | None:
        """Return the linked account; None before the first link."""
        row = self._one("select jid, lid, push_name from whatsmeow_device limit 1")
        if row is None or not row[0]:
            return None
        jid = bare(row[0])
        return Account(
            jid=jid, lid=bare(row[1]) if row[1] else None, phone="+" + jid.partition("@")[0], name=row[2] or None
        )

    def written(self, secret: bytes) -> str | None:
        """Return the id of the message that was written ahead with this secret; None if there is none.

        SqliteError if the store can't tell: when a device is unlinked, the library deletes what it has written.
        """
        # One query: between two the library might delete both, and what left would look unsent.
        row = self._one(
            "select (select jid from whatsmeow_device limit 1),"
            " (select message_id from whatsmeow_message_secrets where key = ?)",
            secret,
        )
        if row is None or not row[0]:
            raise SqliteError("no device in the store")
        return row[1] or None

    def phone_of(self, lid: str) -> str | None:
        """Return the number (digits) behind a LID's user part; None if the store does not know it."""
        row = self._one("select pn from whatsmeow_lid_map where lid = ?", lid)
        return row[0] if row else None

    def snapshot(self, *, ratchets: bool) -> bytes:
        """Copy the store consistently, even while the library writes to it. Empty if there is no store.

        ratchets: copy all of it, at a stop. Otherwise leave out what a later host would have to forget.
        """
        if not self.store.exists():
            return b""
        with sqlite.opened(self.store) as database:
            copy = database.copy()
        return copy if ratchets else lean(copy, self._own())

    def fingerprint(self) -> str:
        """Digest what a lost host must not lose. Traffic does not change it. Empty if there is no store."""
        if not self.store.exists():
            return ""
        with sqlite.opened(self.store) as database:
            return fingerprint(database)

    def _own(self) -> list[str]:
        """Name the account itself, by number and by LID; empty before the first link."""
        account = self.account()
        return [jid.partition("@")[0] for jid in (account.jid, account.lid) if jid] if account else []

    def forget_ratchets(self) -> None:
        """Delete the ratchets of an older copy, so that new ones are negotiated. Identity and pre-keys stay.

        With rolled-back ratchets the first direct message is lost although its delivery receipt arrives.
        """
        own = self._own()
        if not own:
            return
        with sqlite.opened(self.store) as database:
            database.run("begin immediate")
            database.run("delete from whatsmeow_sessions")
            forget_own_keys(database, own)
            database.run("commit")
