"""A session's folder and the SQLite store in it, read beside the library through the same SQLite.

whatsmeow's tables are its own business; those that we read are named here and in ``copies``, nowhere else.
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

#: How long an opening session waits for a dying predecessor's lock, seconds.
LOCK_WAIT = 15.0

_JID = re.compile(r"(?P<user>[^.:@]+)(?:\.\d+)?(?::\d+)?@(?P<server>.+)")


class LockedError(Exception):
    """Another engine has the session open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who is linked: JIDs without their device part."""

    jid: str
    lid: str | None
    phone: str  #: E.164
    name: str | None


def bare(jid: str) -> str:
    """Drop the device part of a JID's text."""
    match = _JID.fullmatch(jid)
    return f"{match['user']}@{match['server']}" if match else jid


class SessionFolder:
    """STATE/SESSION: store.db, journal.jsonl, lock, incarnation; only our user may look inside."""

    def __init__(self, state: Path, session: str) -> None:
        self.session = str(UUID(session))  # nothing else may become part of a path
        self.path = state / self.session
        self.store = self.path / "store.db"
        self.journal = self.path / "journal.jsonl"
        self._lock: int | None = None

    def lock(self, wait: float = LOCK_WAIT) -> None:
        """Create the folder and hold its lock; LockedError if another engine still has it after the wait."""
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
        """Return this live store's id, made when the folder has none: it tells a restored store from this one."""
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
        """Return who is linked, None before the first link."""
        row = self._one("select jid, lid, push_name from whatsmeow_device limit 1")
        if row is None or not row[0]:
            return None
        jid = bare(row[0])
        return Account(
            jid=jid, lid=bare(row[1]) if row[1] else None, phone="+" + jid.partition("@")[0], name=row[2] or None
        )

    def written(self, secret: bytes) -> str | None:
        """Return the id under which a message with this secret was written ahead, None if it never was.

        SqliteError if the store can't tell: with its device the library deletes what it has written.
        """
        # In one look: between two the library might delete both, and nothing written would mean nothing sent.
        row = self._one(
            "select (select jid from whatsmeow_device limit 1),"
            " (select message_id from whatsmeow_message_secrets where key = ?)",
            secret,
        )
        if row is None or not row[0]:
            raise SqliteError("no device in the store")
        return row[1] or None

    def phone_of(self, lid: str) -> str | None:
        """Return the number (digits) behind a LID's user part, where the store knows it."""
        row = self._one("select pn from whatsmeow_lid_map where lid = ?", lid)
        return row[0] if row else None

    def snapshot(self, *, ratchets: bool) -> bytes:
        """Copy the store consistently, while the library may write to it; no bytes if there is none.

        ratchets: all of it, for a stop; otherwise without what a later host would have to forget.
        """
        if not self.store.exists():
            return b""
        with sqlite.opened(self.store) as database:
            copy = database.copy()
        return copy if ratchets else lean(copy, self._own())

    def fingerprint(self) -> str:
        """Digest what a copy is taken for; sends and receptions leave it as it is."""
        if not self.store.exists():
            return ""
        with sqlite.opened(self.store) as database:
            return fingerprint(database)

    def _own(self) -> list[str]:
        """Name our own users, by number and by LID; none before the first link."""
        account = self.account()
        return [jid.partition("@")[0] for jid in (account.jid, account.lid) if jid] if account else []

    def forget_ratchets(self) -> None:
        """Delete the ratchets of an older copy, but neither identity nor pre-keys; new ones are negotiated.

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
