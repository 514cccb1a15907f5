"""The library's events, turned into ours on its own threads: journal first, then tell, never call back into it."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from worker.engine.contents import LONGEST_ID, RECEIPTS, address, read_message
from worker.engine.library import ConnectFailureReason, PairStatus, TemporaryBan, events

if TYPE_CHECKING:
    from worker.engine.session import Session

#: How the library's QR channel ends, other than by a scan → (ending, worth another try without a person).
_LOGIN_ENDS: dict[str, tuple[str, bool]] = {
    "timeout": ("wa-qr-timeout", False),
    "err-client-outdated": ("wa-client-outdated", False),
    "err-scanned-without-multidevice": ("wa-connect-refused", False),
}


def subscribe(session: "Session") -> None:
    """Tell the library what we listen to; anything else it drops."""
    client = session.client

    def on(event: Any, handle: Callable[[Any], None]) -> None:
        client.event(event)(lambda _client, value: handle(value))

    client.event.qr(lambda _client, data: session.qr(data.decode()))
    client.on_login = lambda status: _login(session, status)
    on(events.ConnectedEv, lambda _event: session.connected())
    on(events.DisconnectedEv, lambda _event: session.lost())
    on(events.LoggedOutEv, lambda event: session.end("wa-logged-out", _reason(event), retry=False))
    on(events.StreamReplacedEv, lambda _event: session.end("wa-stream-replaced", retry=False))
    on(events.ClientOutdatedEv, lambda _event: session.end("wa-client-outdated", retry=False))
    on(events.ConnectFailureEv, lambda event: session.end("wa-connect-refused", _reason(event)))
    on(events.TemporaryBanEv, lambda event: _ban(session, event))
    on(events.PairStatusEv, lambda event: _paired(session, event))
    on(events.ReceiptEv, _Receipts(session))
    on(events.MessageEv, _Messages(session))


def _reason(event: Any) -> str:
    try:
        return str(ConnectFailureReason.Name(event.Reason)).lower()
    except ValueError:
        return ""


def _login(session: "Session", status: str) -> None:
    if status != "success":
        ending, retry = _LOGIN_ENDS.get(status, ("wa-connect-refused", True))
        session.end(ending, "" if status == "timeout" else status, retry=retry)


def _paired(session: "Session", event: Any) -> None:
    if event.Status == PairStatus.ERROR:
        session.end("wa-connect-refused", "pairing failed", retry=False)


def _ban(session: "Session", event: Any) -> None:
    try:
        why = str(TemporaryBan.TempBanReason.Name(event.Code)).lower()
    except ValueError:
        why = ""
    session.end("wa-temporary-ban", why, retry=False, seconds=_ban_seconds(event.Expire))


def _ban_seconds(expire: int) -> float | None:
    """Expire is a duration: Go's, in nanoseconds, or plain seconds."""
    if expire <= 0:
        return None
    return expire / 1e9 if expire > 1_000_000_000 else float(expire)


class _People:
    """JIDs as text; the store is asked once for a LID's number."""

    def __init__(self, session: "Session") -> None:
        self.session = session
        self.phone_of = lru_cache(maxsize=4096)(session.folder.phone_of)

    def name(self, jid: Any, other: Any = None) -> str:
        return address(jid, other, self.phone_of)


class _Receipts(_People):
    def __call__(self, event: Any) -> None:
        kind = RECEIPTS.get(event.Type)
        ids = [one for one in event.MessageIDs if len(one) <= LONGEST_ID]  # others are no ids of ours
        if kind is None or not ids:
            return
        source = event.MessageSource
        own = kind == "sender" or source.IsFromMe
        self.session.record(
            "receipt",
            ids=ids,
            chat=self.name(source.Chat, None if source.IsGroup else source.SenderAlt),
            participant=None if own else self.name(source.Sender, source.SenderAlt),
            type="sender" if own else kind,
            at=_seconds(event.Timestamp),
        )


class _Messages(_People):
    def __call__(self, event: Any) -> None:
        said = read_message(event.Message)
        if said is None:
            return
        kind, text = said
        info, source = event.Info, event.Info.MessageSource
        other = source.RecipientAlt if source.IsFromMe else source.SenderAlt
        self.session.record(
            "message",
            wa_message_id=info.ID[:LONGEST_ID],
            chat=self.name(source.Chat, None if source.IsGroup else other),
            sender=self.name(source.Sender, source.SenderAlt),
            from_me=bool(source.IsFromMe),
            kind=kind,
            text=text,
            at=_seconds(info.Timestamp),
        )


def _seconds(timestamp: int) -> float:
    return timestamp / 1000 if timestamp > 100_000_000_000 else float(timestamp)
