"""Turns the library's events into the protocol's.

The handlers run on the library's threads: they journal first, then send, and never call back into the library.
"""

from collections.abc import Callable
from typing import Any

from worker.engine.contents import LONGEST_ID, RECEIPTS, RETRY, address, read_message, seconds
from worker.engine.library import ConnectFailureReason, PairStatus, TemporaryBan, events
from worker.engine.protocol import EventName, ReceiptType
from worker.engine.session import Session
from worker.engine.shapes import Message, Receipt
from worker.session import Ending

#: How many numbers are kept in memory; the others are looked up in the store each time.
PEOPLE = 4096

#: How the library's QR channel ends without a login → (ending, may be opened again without a person).
_LOGIN_ENDS: dict[str, tuple[Ending, bool]] = {
    "timeout": (Ending.QR_TIMEOUT, False),
    "err-client-outdated": (Ending.OUTDATED, False),
    "err-scanned-without-multidevice": (Ending.REFUSED, False),
}


def subscribe(session: Session) -> None:
    """Listen to the events that matter; the library drops the others."""
    client = session.client

    def on(event: Any, handle: Callable[[Any], None]) -> None:
        client.event(event)(lambda _client, value: handle(value))

    client.event.qr(lambda _client, data: session.qr(data.decode()))
    client.on_login = lambda status: _login(session, status)
    on(events.ConnectedEv, lambda _event: session.connected())
    on(events.DisconnectedEv, lambda _event: session.lost())
    on(events.LoggedOutEv, lambda event: session.end(Ending.LOGGED_OUT, _reason(event), retry=False))
    on(events.StreamReplacedEv, lambda _event: session.end(Ending.REPLACED, retry=False))
    on(events.ClientOutdatedEv, lambda _event: session.end(Ending.OUTDATED, retry=False))
    on(events.ConnectFailureEv, lambda event: session.end(Ending.REFUSED, _reason(event)))
    on(events.TemporaryBanEv, lambda event: _ban(session, event))
    on(events.PairStatusEv, lambda event: _paired(session, event))
    on(events.ReceiptEv, _Receipts(session))
    on(events.MessageEv, _Messages(session))


def _reason(event: Any) -> str:
    try:
        return str(ConnectFailureReason.Name(event.Reason)).lower()
    except ValueError:
        return ""


def _login(session: Session, status: str) -> None:
    if status != "success":
        ending, retry = _LOGIN_ENDS.get(status, (Ending.REFUSED, True))
        session.end(ending, "" if status == "timeout" else status, retry=retry)


def _paired(session: Session, event: Any) -> None:
    if event.Status == PairStatus.ERROR:
        session.end(Ending.REFUSED, "pairing failed", retry=False)


def _ban(session: Session, event: Any) -> None:
    try:
        why = str(TemporaryBan.TempBanReason.Name(event.Code)).lower()
    except ValueError:
        why = ""
    session.end(Ending.BANNED, why, retry=False, seconds=_ban_seconds(event.Expire))


def _ban_seconds(expire: int) -> float | None:
    """Read how long a ban lasts: the library gives nanoseconds or plain seconds."""
    if expire <= 0:
        return None
    return expire / 1e9 if expire > 1_000_000_000 else float(expire)


class _People:
    """Writes JIDs as text. The number behind a LID is read from the store once and cached."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._phones: dict[str, str] = {}

    def phone_of(self, lid: str) -> str | None:
        """Look a number up in the store; one that is not known yet may be known later."""
        phone = self._phones.get(lid) or self.session.folder.phone_of(lid)
        if phone is not None and len(self._phones) < PEOPLE:
            self._phones[lid] = phone
        return phone

    def name(self, jid: Any, other: Any = None) -> str:
        return address(jid, other, self.phone_of)


def _lid(source: Any) -> str | None:
    """Read the LID under which a member of a group may have confirmed before their number was known."""
    sender = source.Sender
    return f"{sender.User}@{sender.Server}" if source.IsGroup and sender.Server == "lid" else None


class _Receipts(_People):
    def __call__(self, event: Any) -> None:
        if event.Type == RETRY:
            self._asks_again(event)
            return
        kind = RECEIPTS.get(event.Type)
        ids = [one for one in event.MessageIDs if len(one) <= LONGEST_ID]  # a longer one is none of ours
        if kind is None or not ids:
            return
        source = event.MessageSource
        own = kind is ReceiptType.SENDER or source.IsFromMe
        body = Receipt(
            ids=ids,
            chat=self.name(source.Chat, None if source.IsGroup else source.SenderAlt),
            participant=None if own else self.name(source.Sender, source.SenderAlt),
            lid=None if own else _lid(source),
            type=ReceiptType.SENDER if own else kind,
            at=seconds(event.Timestamp),
        )
        self.session.record(EventName.RECEIPT, body)

    def _asks_again(self, event: Any) -> None:
        """Handle a device that could not decrypt. Only the phone counts: it has a copy of its own."""
        source = event.MessageSource
        if source.IsFromMe or source.Sender.Device != 0:
            return
        for one in event.MessageIDs:
            if len(one) > LONGEST_ID:
                continue
            kind = self.session.repeats.asked(one, f"{source.Sender.User}@{source.Sender.Server}")
            if kind is not None:
                body = Receipt(
                    ids=[one],
                    chat=self.name(source.Chat, None if source.IsGroup else source.SenderAlt),
                    participant=self.name(source.Sender, source.SenderAlt),
                    lid=_lid(source),
                    type=kind,
                    at=seconds(event.Timestamp),
                )
                self.session.record(EventName.RECEIPT, body)


class _Messages(_People):
    def __call__(self, event: Any) -> None:
        said = read_message(event.Message)
        if said is None:
            return
        kind, text = said
        info, source = event.Info, event.Info.MessageSource
        other = source.RecipientAlt if source.IsFromMe else source.SenderAlt
        body = Message(
            wa_message_id=info.ID[:LONGEST_ID],
            chat=self.name(source.Chat, None if source.IsGroup else other),
            sender=self.name(source.Sender, source.SenderAlt),
            from_me=bool(source.IsFromMe),
            kind=kind,
            text=text,
            at=seconds(info.Timestamp),
        )
        self.session.record(EventName.MESSAGE, body)
