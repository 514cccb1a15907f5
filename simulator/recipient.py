"""A real recipient: an instance of the client library, linked to a simulated account, that decrypts what it gets.

It imports neonize, so only a process that `redirect` has prepared may import it.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from neonize.client import NewClient
from neonize.events import (
    ClientOutdatedEv,
    ConnectedEv,
    DisconnectedEv,
    LoggedOutEv,
    MessageEv,
    ReceiptEv,
    StreamReplacedEv,
    TemporaryBanEv,
    UndecryptableMessageEv,
)
from neonize.utils.enum import ReceiptType
from neonize.utils.jid import Jid2String, build_jid

from simulator.entry_gate import EntryGate
from simulator.ledger import Received

log = logging.getLogger(__name__)

_CONNECT_TIMEOUT = 30.0
_STOP_TIMEOUT = 5.0
#: Parts of a message that go with content or manage keys; alone they are no message.
_NO_CONTENT = {"senderKeyDistributionMessage", "messageContextInfo", "protocolMessage"}
_MEDIA = {"imageMessage", "videoMessage", "audioMessage", "documentMessage", "stickerMessage"}
_STATES = {
    LoggedOutEv: "logged_out",
    StreamReplacedEv: "replaced",
    TemporaryBanEv: "banned",
    ClientOutdatedEv: "outdated",
    DisconnectedEv: "disconnected",
    UndecryptableMessageEv: "undecryptable",
}


class Owner(Protocol):
    """What an account's owner does on the phone."""

    def scan(self, phone: str, qr_text: str) -> None: ...

    def enter_code(self, phone: str, code: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Something other than a message that the client reports.

    kind: a receipt's (delivered, inactive, read, sender, …) or one of `_STATES`. by, chat: JIDs of a receipt.
    """

    phone: str
    kind: str
    message_id: str = ""
    by: str = ""
    chat: str = ""


class Recipient:
    """One linked client.

    owner: acts on the account's phone. record: called with each message, before the next is handled.
    tell: called with each receipt, and when the state of the connection changes.
    """

    def __init__(
        self,
        phone: str,
        store: Path,
        gate: EntryGate,
        owner: Owner,
        record: Callable[[Received], None],
        tell: Callable[[Told], None],
        *,
        by_code: bool = False,
    ) -> None:
        self.phone = phone
        self._gate, self._owner, self._record, self._tell = gate, owner, record, tell
        self._entered, self._connected = threading.Event(), threading.Event()
        self._unread: list[Any] = []
        self._events: dict[str, Any] = {}
        self._asked_for_code = False
        # A client that is collected stops its successor of the same id: so each has its own id, and no finalizer.
        self._client = NewClient(str(store), uuid=f"{phone}-{uuid.uuid4().hex}")
        self._client._stop_finalizer.detach()
        self._client.event.qr(self._pair_by_code if by_code else self._pair_by_qr)
        self._client.event(ConnectedEv)(lambda _client, _event: self._is_connected())
        for event_type, kind in _STATES.items():
            self._client.event(event_type)(self._state_handler(kind))
        self._client.event(MessageEv)(lambda _client, event: self._received(event))
        self._client.event(ReceiptEv)(lambda _client, event: self._receipt(event))
        self._thread = threading.Thread(target=self._client.connect, name=phone, daemon=True)

    def start(self) -> None:
        """Connect, pairing first if the store is new."""
        with self._gate.exclusive():
            self._thread.start()
            self._entered.wait(_CONNECT_TIMEOUT)
        if not self._connected.wait(_CONNECT_TIMEOUT):
            self.stop()
            raise TimeoutError(f"{self.phone} is not connected after {_CONNECT_TIMEOUT:.0f} s")

    def stop(self) -> None:
        with self._gate.exclusive():
            self._client.stop()
            self._thread.join(_STOP_TIMEOUT)

    def send(self, chat: str, text: str, image: bytes | None = None, reply_to: str | None = None) -> str:
        """Send a text, or an image with a caption, to a group JID or a phone number; return the message ID."""
        user, _, server = chat.partition("@")
        message: Any = text
        self._gate.enter()
        if image is not None:
            message = self._client.build_image_message(image, caption=text)
        elif reply_to is not None:
            message = self._client.build_reply_message(text, self._events[reply_to])
        self._gate.enter()
        return str(self._client.send_message(build_jid(user, server or "s.whatsapp.net"), message).ID)

    def react(self, message_id: str, emoji: str) -> str:
        """React to a received message; return the ID of the reaction."""
        source = self._events[message_id].Info.MessageSource
        self._gate.enter()
        reaction = self._client.build_reaction(source.Chat, source.Sender, message_id, emoji)
        self._gate.enter()
        return str(self._client.send_message(source.Chat, reaction).ID)

    def groups(self) -> list[dict[str, Any]]:
        """The groups that it is in, as the server shows them to its client. People are named by number."""
        self._gate.enter()
        return [
            {
                "jid": Jid2String(group.JID),
                "name": group.GroupName.Name,
                "description": group.GroupTopic.Topic,
                "announce_only": bool(group.GroupAnnounce.IsAnnounce),
                "locked": bool(group.GroupLocked.isLocked),
                "members": sorted(each.PhoneNumber.User for each in group.Participants),
                "admins": sorted(each.PhoneNumber.User for each in group.Participants if each.IsAdmin),
            }
            for group in self._client.get_joined_groups()
        ]

    def mark_read(self, message_ids: list[str] | None) -> list[str]:
        """Mark messages as read, by default all that arrived. Returns their ids."""
        chosen = [info for info in self._unread if message_ids is None or info.ID in message_ids]
        for info in chosen:
            self._unread.remove(info)
            source = info.MessageSource
            self._gate.enter()
            self._client.mark_read(info.ID, chat=source.Chat, sender=source.Sender, receipt=ReceiptType.READ)
        return [info.ID for info in chosen]

    def _is_connected(self) -> None:
        self._entered.set()
        self._connected.set()

    def _pair_by_qr(self, _client: Any, text: bytes) -> None:
        self._entered.set()
        self._owner.scan(self.phone, text.decode())

    def _pair_by_code(self, client: Any, _text: bytes) -> None:
        """Ask for a code when the first QR shows that the client may; never on the library's own thread."""
        self._entered.set()

        def pair() -> None:
            self._owner.enter_code(self.phone, client.PairPhone(self.phone, True))

        if not self._asked_for_code:
            self._asked_for_code = True
            threading.Thread(target=pair, daemon=True).start()

    def _state_handler(self, kind: str) -> Callable[[Any, Any], None]:
        return lambda _client, _event: self._tell(Told(phone=self.phone, kind=kind))

    def _receipt(self, event: Any) -> None:
        source = event.MessageSource
        by, chat = Jid2String(source.Sender), Jid2String(source.Chat)
        kind = event.ReceiptType.Name(event.Type).lower()
        for message_id in event.MessageIDs:
            self._tell(Told(phone=self.phone, message_id=message_id, kind=kind, by=by, chat=chat))

    def _received(self, event: Any) -> None:
        parts = {field.name for field, _ in event.Message.ListFields()} - _NO_CONTENT
        if not parts or event.Info.MessageSource.IsFromMe:
            return  # a group's first message comes as two events; one carries only the sender's key
        part = next(iter(parts & _MEDIA), next(iter(parts)))
        self._unread.append(event.Info)
        self._events[event.Info.ID] = event
        source = event.Info.MessageSource
        addresses = (source.Sender, source.SenderAlt)
        media = self._download(event.Message) if part in _MEDIA else None
        self._record(
            Received(
                phone=self.phone,
                chat=Jid2String(source.Chat),
                sender=Jid2String(source.Sender),
                sender_phone=next((jid.User for jid in addresses if jid.Server == "s.whatsapp.net"), ""),
                message_id=event.Info.ID,
                text=_text_of(event.Message, part),
                kind="text" if part in ("conversation", "extendedTextMessage") else part.removesuffix("Message"),
                media_sha256=hashlib.sha256(media).hexdigest() if media is not None else None,
                media_bytes=len(media) if media is not None else None,
            )
        )

    def _download(self, message: Any) -> bytes | None:
        self._gate.enter()
        try:
            downloaded = self._client.download_any(message)
        except Exception:
            log.exception("…%s could not download a file", self.phone[-2:])
            return None
        return bytes(downloaded)


def _text_of(message: Any, part: str) -> str:
    content = getattr(message, part)
    if isinstance(content, str):
        return content
    return str(getattr(content, "text", "") or getattr(content, "caption", ""))
