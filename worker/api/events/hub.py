"""Turns changes in organisations into events for the clients that watch them.

An organisation's feed begins with its first watcher and ends with its last. The hub knows which organisation a
change belongs to; each watcher decides with its own caller's rights whether the caller may see it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import structlog

from worker.errors import HeraldError
from worker.supabase.client import Database
from worker.supabase.realtime.organization_feed import Changed, OrganizationFeed, Row
from worker.supabase.tenant import Tenant, accounts

log = structlog.get_logger()

#: For how many messages of an organisation the hub remembers the last event.
REMEMBERED = 5_000

#: Seconds that the first watcher waits for the feed; then it goes on without it, and learns when the feed starts.
READY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. session_id None: a message for which no account was chosen yet."""

    type: str
    session_id: UUID | None
    body: Mapping[str, Any] = field(repr=False)
    admin_only: bool = False

    @property
    def size(self) -> int:
        """Its approximate size, bytes."""
        return 300 + sum(len(value) for value in self.body.values() if isinstance(value, str))


class Watcher(Protocol):
    """One client."""

    def offer(self, event: Event) -> None:
        """Take an event; never blocks."""

    def missed(self) -> None:
        """Learn that events may have been missed."""


class EventHub:
    """Feeds by organisation, and who watches them."""

    def __init__(self, url: str, key: str, database: Database) -> None:
        self._url, self._key, self._database = url, key, database
        self._watched: dict[UUID, _Watched] = {}

    @property
    def watchers(self) -> int:
        """How many clients there are."""
        return sum(len(watched.watchers) for watched in self._watched.values())

    def watchers_of(self, organization: UUID) -> int:
        """How many clients watch an organisation."""
        watched = self._watched.get(organization)
        return len(watched.watchers) if watched else 0

    async def join(self, organization: UUID, watcher: Watcher) -> None:
        """Offer a watcher the organisation's events from now on; returns when the feed works, or is too slow."""
        watched = self._watched.get(organization)
        if watched is None:
            watched = self._watched[organization] = _Watched(self._url, self._key, organization, self._database)
        watched.watchers.add(watcher)
        with suppress(TimeoutError):
            await asyncio.wait_for(watched.ready.wait(), READY_SECONDS)

    async def leave(self, organization: UUID, watcher: Watcher) -> None:
        """Stop offering it events."""
        watched = self._watched.get(organization)
        if watched is None:
            return
        watched.watchers.discard(watcher)
        if not watched.watchers:
            del self._watched[organization]
            await watched.end()


class _Watched:
    """One organisation that is watched, and its last events."""

    def __init__(self, url: str, key: str, organization: UUID, database: Database) -> None:
        self.watchers: set[Watcher] = set()
        self.ready = asyncio.Event()  #: the feed works, and the accounts' state at its start is known
        self._tenant = Tenant(database=database, organization=organization, token=None)
        self._accounts: dict[str, tuple[str, str | None, str | None]] = {}  #: id → status, QR, pairing code
        self._messages: OrderedDict[str, tuple[object, ...]] = OrderedDict()
        self._begun = False
        self._looking: asyncio.Task[None] | None = None
        feed = OrganizationFeed(url, key, organization, self._changed, self._resumed)
        self._feed = asyncio.create_task(feed.run(), name=f"feed {organization}")

    async def end(self) -> None:
        tasks = [task for task in (self._feed, self._looking) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _resumed(self) -> None:
        if self._looking:
            self._looking.cancel()
        self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        """Learn what the accounts are now; who watched before may have missed something."""
        self._accounts.clear()
        try:
            rows = await accounts.codes(self._tenant)
        except HeraldError as error:
            log.warning("accounts_unknown", error=error)  # each is known from its next change on
            rows = []
        for row in rows:
            self._accounts.setdefault(row["id"], (row["status"], row["qr_code"], row["pairing_code"]))
        self.ready.set()
        if self._begun:
            for watcher in list(self.watchers):
                watcher.missed()
        self._begun = True

    def _changed(self, kind: Changed, row: Row, at: str) -> None:
        match kind:
            case Changed.ACCOUNT:
                events = self._account_events(row)
            case Changed.MESSAGE:
                events = self._message_events(row)
            case Changed.CHAT_MESSAGE if row.get("direction") == "inbound":
                events = [_incoming(row)]
            case _:
                return
        for event in events:
            told = Event(
                type=event.type,
                session_id=event.session_id,
                body={"at": at, **event.body},
                admin_only=event.admin_only,
            )
            for watcher in list(self.watchers):
                watcher.offer(told)

    def _account_events(self, row: Row) -> list[Event]:
        account = UUID(row["id"])
        now = (row["status"], row.get("qr_code"), row.get("pairing_code"))
        before = self._accounts.get(row["id"])
        self._accounts[row["id"]] = now
        events = []
        if now[1] and (before is None or before[1:] != now[1:]):
            body = _some(row, "qr_code", "pairing_code", "qr_expires_at")
            events.append(Event(type="qr_code", session_id=account, body=body, admin_only=True))
        if before is None or before[0] == now[0]:
            return events
        if now[0] == "connected":
            body = _some(row, "phone_number", "display_name", "connected_at")
            events.append(Event(type="connection_success", session_id=account, body=body))
        elif before[0] == "connected":
            body = {"status": now[0], "reason": row.get("last_error")}
            events.append(Event(type="connection_lost", session_id=account, body=body))
        return events

    def _message_events(self, row: Row) -> list[Event]:
        now = tuple(row.get(name) for name in ("status", "delivered_count", "read_count", "unreadable_count"))
        before = self._messages.get(row["id"])
        self._messages[row["id"]] = now
        self._messages.move_to_end(row["id"])
        if len(self._messages) > REMEMBERED:
            self._messages.popitem(last=False)
        if now == before or (before is None and now[0] == "pending"):  # an edit
            return []
        sent = now[0] == "sent" and (before is None or before[0] != "sent")
        body = {
            "message_id": row["id"],
            **_some(row, "status", "wa_message_id", "group_id", "contact_id", "campaign_id"),
            **_some(row, "delivered_count", "read_count", "unreadable_count", "error_code", "error_message"),
        }
        session = row.get("session_id")
        kind = "message_sent" if sent else "message_status"
        return [Event(type=kind, session_id=UUID(session) if session else None, body=body)]


def _incoming(row: Row) -> Event:
    body = {
        "message_id": row["id"],
        **_some(row, "conversation_id", "wa_message_id", "kind", "content", "media_kind"),
        **_some(row, "sender", "sender_contact_id", "quoted_message_id", "sent_at"),
    }
    return Event(type="incoming_message", session_id=UUID(row["session_id"]), body=body)


def _some(row: Row, *names: str) -> Row:
    """Take some columns; one that Realtime left out because the row is large is null."""
    return {name: row.get(name) for name in names}
