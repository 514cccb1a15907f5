"""The calls of docs/engine-protocol.md, one function each."""

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.engine.answers import Answer, Refusal
from worker.engine.contents import parse_jid
from worker.engine.failures import explain
from worker.engine.framing import Frame
from worker.engine.library import ENGINE, ClientName, ClientType, Gone, LibraryError
from worker.engine.session import LeaseOver, Session, State
from worker.engine.store import LockedError, SessionFolder

if TYPE_CHECKING:
    from worker.engine.server import Engine

#: The version of the protocol that this engine speaks.
PROTOCOL = 3


@dataclass(frozen=True, slots=True)
class Call:
    """How a call is done. quick: it never waits, so it runs on the reading thread and keeps its place."""

    do: Callable[["Engine", Frame, Answer], Frame | None]
    quick: bool = False


def hello(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Tell who speaks, and hear how long a send may take."""
    engine.send_seconds = float(frame["send_seconds"])
    return {"protocol": PROTOCOL, "engine": ENGINE, "pid": os.getpid()}


def open_session(engine: "Engine", frame: Frame, answer: Answer) -> None:
    """Open a session on its live store; answered before its first event."""
    folder = SessionFolder(engine.state, frame["session"])
    deadline = float(frame["deadline"])
    with engine.opening[folder.session]:
        engine.expect_closed(folder.session)
        try:
            session = Session(folder, engine, deadline)
        except LockedError:
            raise Refusal("locked", "another engine holds the session") from None
        except LeaseOver:
            raise Refusal("not-open", "lease ended") from None
        engine.sessions[session.id] = session
        engine.wake.set()
        answer.ok({"incarnation": session.incarnation})
        session.start()


def close_session(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Stop a session; idempotent."""
    name = SessionFolder(engine.state, frame["session"]).session
    with engine.opening[name]:
        session = engine.sessions.get(name)
        if session is not None:
            session.close()
            engine.over(session)
    return {}


def logout(engine: "Engine", frame: Frame, answer: Answer) -> Frame:
    """Unlink the device at the provider, then close."""
    session = _connected(engine, frame)
    _library(session.client.logout)
    return close_session(engine, frame, answer)


def send(engine: "Engine", frame: Frame, answer: Answer) -> None:
    """Queue a send; its session's own thread answers."""
    engine.session(frame).sender.put(frame, answer)


def lookup(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Look a secret up in a store, open or closed."""
    folder = SessionFolder(engine.state, frame["session"])
    return {"wa_message_id": folder.written(base64.b64decode(frame["secret"], validate=True))}


def pairing_code(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Ask for a code to type on the phone."""
    session = engine.session(frame)
    if session.state is not State.LINKING:
        raise Refusal("not-connected", "the session shows no QR")
    phone = str(frame["phone"]).lstrip("+")
    return {"code": _library(lambda: session.client.PairPhone(phone, True, ClientName.LINUX, ClientType.CHROME))}


def groups(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """List the account's groups."""
    session = _connected(engine, frame)
    account = session.folder.account()
    own = {jid.partition("@")[0] for jid in (account.jid, account.lid) if jid} if account else set()
    return {
        "groups": [
            {
                "jid": f"{group.JID.User}@{group.JID.Server}",
                "name": group.GroupName.Name,
                "participants": len(group.Participants),
                "is_admin": any(
                    (one.IsAdmin or one.IsSuperAdmin) and own & {one.JID.User, one.LID.User, one.PhoneNumber.User}
                    for one in group.Participants
                ),
                "announce_only": bool(group.GroupAnnounce.IsAnnounce),
            }
            for group in _library(session.client.get_joined_groups)
        ]
    }


def invite_link(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Fetch a group's invite link."""
    session = _connected(engine, frame)
    group = parse_jid(str(frame["group"]))
    return {"link": _library(lambda: session.client.get_group_invite_link(group))}


def snapshot(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Copy a store, open or closed."""
    folder = SessionFolder(engine.state, frame["session"])
    return {"store": base64.b64encode(folder.snapshot(ratchets=bool(frame["ratchets"]))).decode()}


def fingerprint(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Tell whether a store has changed in what a copy is for."""
    return {"fingerprint": SessionFolder(engine.state, frame["session"]).fingerprint()}


def forget_ratchets(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Make an older copy of a store safe to open."""
    folder = SessionFolder(engine.state, frame["session"])
    with engine.opening[folder.session]:
        engine.expect_closed(folder.session)
        try:
            folder.lock()
        except LockedError:
            raise Refusal("locked", "another engine holds the session") from None
        try:
            folder.forget_ratchets()
        finally:
            folder.unlock()
    return {}


def lease(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Move deadlines; sessions that are not open are passed over."""
    for name, deadline in frame["sessions"].items():
        if (session := engine.sessions.get(name)) is not None:
            session.deadline = float(deadline)
    engine.wake.set()
    return {}


def ack(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Forget journalled events."""
    engine.session(frame).journal.acknowledge(int(frame["seq"]))
    return {}


def _connected(engine: "Engine", frame: Frame) -> Session:
    session = engine.session(frame)
    if session.state is not State.CONNECTED:
        raise Refusal("not-connected", session.state.name.lower())
    return session


def _library(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Gone:
        raise Refusal("not-open") from None
    except LibraryError as error:
        failure = explain(str(error))
        raise Refusal(failure.code, failure.detail) from None


CALLS: dict[str, Call] = {
    "hello": Call(hello, quick=True),
    "open": Call(open_session),
    "close": Call(close_session),
    "logout": Call(logout),
    "send": Call(send, quick=True),
    "lookup": Call(lookup),
    "pairing_code": Call(pairing_code),
    "groups": Call(groups),
    "invite_link": Call(invite_link),
    "snapshot": Call(snapshot),
    "fingerprint": Call(fingerprint),
    "forget_ratchets": Call(forget_ratchets),
    "lease": Call(lease, quick=True),
    "ack": Call(ack, quick=True),
}
