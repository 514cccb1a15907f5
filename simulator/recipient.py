"""A real recipient: a client library instance, linked to a simulated account, that decrypts what it is sent.

Imports neonize: only for a process that `redirect` has prepared.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neonize.client import NewClient
from neonize.events import ConnectedEv, LoggedOutEv, MessageEv
from neonize.utils.enum import ReceiptType
from neonize.utils.jid import Jid2String, build_jid

from simulator.entry_gate import EntryGate
from simulator.ledger import Received

log = logging.getLogger(__name__)

_CONNECT_TIMEOUT = 30.0
_STOP_TIMEOUT = 5.0
#: Parts of a message that accompany content or manage keys; alone they are nothing to receive.
_NO_CONTENT = {"senderKeyDistributionMessage", "messageContextInfo", "protocolMessage"}
_MEDIA = {"imageMessage", "videoMessage", "audioMessage", "documentMessage", "stickerMessage"}


class Recipient:
    """One linked client.

    scan: has the account's phone scan a QR text.  record: is told of each message, before the next is handled.
    """

    def __init__(
        self,
        phone: str,
        store: Path,
        gate: EntryGate,
        scan: Callable[[str, str], None],
        record: Callable[[Received], None],
    ) -> None:
        self.phone = phone
        self._gate, self._record = gate, record
        self._connected = threading.Event()
        self._unread: list[Any] = []
        # A collected client stops a successor of the same id: an id of its own, and no finalizer.
        self._client = NewClient(str(store), uuid=f"{phone}-{uuid.uuid4().hex}")
        self._client._stop_finalizer.detach()
        self._client.event.qr(lambda _client, text: scan(phone, text.decode()))
        self._client.event(ConnectedEv)(lambda _client, _event: self._connected.set())
        self._client.event(LoggedOutEv)(lambda _client, _event: self._connected.clear())
        self._client.event(MessageEv)(lambda _client, event: self._received(event))
        self._thread = threading.Thread(target=self._client.connect, name=phone, daemon=True)

    def start(self) -> None:
        """Connect, pairing first if the store is new."""
        with self._gate.exclusive():
            self._thread.start()
            if not self._connected.wait(_CONNECT_TIMEOUT):
                raise TimeoutError(f"{self.phone} is not connected after {_CONNECT_TIMEOUT:.0f} s")

    def stop(self) -> None:
        with self._gate.exclusive():
            self._client.stop()
            self._thread.join(_STOP_TIMEOUT)

    def send(self, chat: str, text: str) -> str:
        """Send a text to a group JID or a phone number; return its message ID."""
        user, _, server = chat.partition("@")
        self._gate.enter()
        sent = self._client.send_message(build_jid(user, server or "s.whatsapp.net"), text)
        return str(sent.ID)

    def mark_read(self, message_ids: list[str] | None) -> list[str]:
        """Mark messages as read, by default all that arrived; return the IDs."""
        chosen = [info for info in self._unread if message_ids is None or info.ID in message_ids]
        for info in chosen:
            self._unread.remove(info)
            source = info.MessageSource
            self._gate.enter()
            self._client.mark_read(info.ID, chat=source.Chat, sender=source.Sender, receipt=ReceiptType.READ)
        return [info.ID for info in chosen]

    def _received(self, event: Any) -> None:
        parts = {field.name for field, _ in event.Message.ListFields()} - _NO_CONTENT
        if not parts or event.Info.MessageSource.IsFromMe:
            return  # a group's first message comes as two events, of which one only carries the sender's key
        part = next(iter(parts & _MEDIA), next(iter(parts)))
        self._unread.append(event.Info)
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
            log.exception("%s could not download a file", self.phone)
            return None
        return bytes(downloaded)


def _text_of(message: Any, part: str) -> str:
    content = getattr(message, part)
    if isinstance(content, str):
        return content
    return str(getattr(content, "text", "") or getattr(content, "caption", ""))
