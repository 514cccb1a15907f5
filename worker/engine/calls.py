"""The calls of docs/engine-protocol.md, one function each."""

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.engine import groups
from worker.engine.answers import Answer, Refusal
from worker.engine.framing import Frame
from worker.engine.journal import unacknowledged
from worker.engine.library import ENGINE, ClientName, ClientType
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
    groups.asked(session.client.logout)
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
    client = session.client
    return {"code": groups.asked(lambda: client.PairPhone(phone, True, ClientName.LINUX, ClientType.CHROME))}


def list_groups(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """List the account's groups."""
    return {"groups": groups.joined(_connected(engine, frame))}


def group_info(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Read one group with its members."""
    return {"group": groups.info(_connected(engine, frame), str(frame["group"]))}


def create_group(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Make a group."""
    people = [str(one) for one in frame["people"]]
    return groups.create(_connected(engine, frame), str(frame["subject"]), people)


def group_members(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Add, remove, promote or demote members."""
    people = [str(one) for one in frame["people"]]
    return groups.change_members(_connected(engine, frame), str(frame["group"]), str(frame["change"]), people)


def group_setting(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Change one of a group's settings."""
    groups.change(_connected(engine, frame), str(frame["group"]), str(frame["setting"]), frame["value"])
    return {}


def invite_link(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Fetch a group's invite link, or a new one."""
    session = _connected(engine, frame)
    return {"link": groups.invite_link(session, str(frame["group"]), reset=bool(frame.get("reset")))}


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


def journalled(engine: "Engine", frame: Frame, _answer: Answer) -> Frame:
    """Read a journal, open or closed, and leave it as it is."""
    return {"events": unacknowledged(SessionFolder(engine.state, frame["session"]).journal)}


def _connected(engine: "Engine", frame: Frame) -> Session:
    session = engine.session(frame)
    if session.state is not State.CONNECTED:
        raise Refusal("not-connected", session.state.name.lower())
    return session


CALLS: dict[str, Call] = {
    "hello": Call(hello, quick=True),
    "open": Call(open_session),
    "close": Call(close_session),
    "logout": Call(logout),
    "send": Call(send, quick=True),
    "lookup": Call(lookup),
    "pairing_code": Call(pairing_code),
    "groups": Call(list_groups),
    "group_info": Call(group_info),
    "create_group": Call(create_group),
    "group_members": Call(group_members),
    "group_setting": Call(group_setting),
    "invite_link": Call(invite_link),
    "snapshot": Call(snapshot),
    "fingerprint": Call(fingerprint),
    "forget_ratchets": Call(forget_ratchets),
    "lease": Call(lease, quick=True),
    "ack": Call(ack, quick=True),
    "journalled": Call(journalled),
}
