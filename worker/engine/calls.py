"""The calls of docs/engine-protocol.md, one function for each."""

import base64
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from worker.engine import groups, shapes
from worker.engine.answers import Answer, CallRefused
from worker.engine.framing import Frame
from worker.engine.journal import unacknowledged
from worker.engine.library import ENGINE, ClientName, ClientType
from worker.engine.opening import LeaseOver
from worker.engine.protocol import VERSION, Call, Change, Code, Detail, Setting, State
from worker.engine.session import Session
from worker.engine.sessions import Sessions
from worker.engine.shapes import Nothing
from worker.engine.store import LockedError, SessionFolder

_DONE = Nothing()


@dataclass(frozen=True, slots=True)
class Handler:
    """What does a call. quick: it never waits, so it runs on the reading thread and calls keep their order."""

    do: Callable[[Sessions, Frame, Answer], Mapping[str, Any] | None]
    quick: bool = False


def hello(sessions: Sessions, frame: Frame, _answer: Answer) -> shapes.Hello:
    """Take the daemon's limit for a send and say which engine this is."""
    sessions.send_seconds = float(frame["send_seconds"])
    return {"protocol": VERSION, "engine": ENGINE, "pid": os.getpid()}


def open_session(sessions: Sessions, frame: Frame, answer: Answer) -> None:
    """Open a session on its live store. The answer precedes the session's first event."""
    folder = SessionFolder(sessions.state, frame["session"])
    with sessions.changing[folder.session]:
        try:
            session = sessions.add(folder, float(frame["deadline"]))
        except LockedError:
            raise _locked() from None
        except LeaseOver:
            raise CallRefused(Code.NOT_OPEN, Detail.LEASE_ENDED) from None
        answer.ok(shapes.Opened(incarnation=session.incarnation))
        session.start()


def close_session(sessions: Sessions, frame: Frame, _answer: Answer) -> Nothing:
    """Stop a session. Does nothing if it is not open."""
    name = SessionFolder(sessions.state, frame["session"]).session
    with sessions.changing[name]:
        session = sessions.open.get(name)
        if session is not None:
            session.close()
            sessions.remove(session)
    return _DONE


def logout(sessions: Sessions, frame: Frame, answer: Answer) -> Nothing:
    """Unlink the device at WhatsApp, then close the session."""
    session = _connected(sessions, frame)
    groups.asked(session.client.logout)
    return close_session(sessions, frame, answer)


def send(sessions: Sessions, frame: Frame, answer: Answer) -> None:
    """Queue a send. The thread that does the session's sends answers."""
    sessions.of(frame).sender.put(frame, answer)


def lookup(sessions: Sessions, frame: Frame, _answer: Answer) -> shapes.Found:
    """Look a secret up in a store, open or closed."""
    folder = SessionFolder(sessions.state, frame["session"])
    return {"wa_message_id": folder.written(base64.b64decode(frame["secret"], validate=True))}


def pairing_code(sessions: Sessions, frame: Frame, _answer: Answer) -> shapes.PairingCode:
    """Ask WhatsApp for a code to type on the phone."""
    session = sessions.of(frame)
    if session.state is not State.LINKING:
        raise CallRefused(Code.NOT_CONNECTED, "the session shows no QR")
    phone = str(frame["phone"]).lstrip("+")
    client = session.client
    return {"code": groups.asked(lambda: client.PairPhone(phone, True, ClientName.LINUX, ClientType.CHROME))}


def list_groups(sessions: Sessions, frame: Frame, _answer: Answer) -> shapes.Groups:
    """List the account's groups."""
    return {"groups": groups.joined(_connected(sessions, frame))}


def group_info(sessions: Sessions, frame: Frame, _answer: Answer) -> shapes.GroupInfo:
    """Read one group with its members."""
    return {"group": groups.info(_connected(sessions, frame), str(frame["group"]))}


def create_group(sessions: Sessions, frame: Frame, _answer: Answer) -> shapes.Created:
    """Create a group."""
    people = [str(one) for one in frame["people"]]
    return groups.create(_connected(sessions, frame), str(frame["subject"]), people)


def group_members(sessions: Sessions, frame: Frame, _answer: Answer) -> shapes.Outcomes:
    """Add, remove, promote or demote members."""
    people = [str(one) for one in frame["people"]]
    return groups.change_members(_connected(sessions, frame), str(frame["group"]), Change(frame["change"]), people)


def group_setting(sessions: Sessions, frame: Frame, _answer: Answer) -> Nothing:
    """Change one of a group's settings."""
    groups.change(_connected(sessions, frame), str(frame["group"]), Setting(frame["setting"]), frame["value"])
    return _DONE


def invite_link(sessions: Sessions, frame: Frame, _answer: Answer) -> shapes.InviteLink:
    """Read a group's invite link, or make a new one."""
    session = _connected(sessions, frame)
    return {"link": groups.invite_link(session, str(frame["group"]), reset=bool(frame.get("reset")))}


def snapshot(sessions: Sessions, frame: Frame, _answer: Answer) -> shapes.Snapshot:
    """Copy the store of a session, open or closed."""
    folder = SessionFolder(sessions.state, frame["session"])
    return {"store": base64.b64encode(folder.snapshot(ratchets=bool(frame["ratchets"]))).decode()}


def fingerprint(sessions: Sessions, frame: Frame, _answer: Answer) -> shapes.Fingerprint:
    """Digest the part of a store that a lost host must not lose."""
    return {"fingerprint": SessionFolder(sessions.state, frame["session"]).fingerprint()}


def forget_ratchets(sessions: Sessions, frame: Frame, _answer: Answer) -> Nothing:
    """Make an older copy of a store safe to open."""
    folder = SessionFolder(sessions.state, frame["session"])
    with sessions.changing[folder.session]:
        sessions.expect_closed(folder.session)
        try:
            folder.lock()
        except LockedError:
            raise _locked() from None
        try:
            folder.forget_ratchets()
        finally:
            folder.unlock()
    return _DONE


def lease(sessions: Sessions, frame: Frame, _answer: Answer) -> Nothing:
    """Move deadlines. Sessions that are not open are skipped."""
    for name, deadline in frame["sessions"].items():
        if (session := sessions.open.get(name)) is not None:
            session.deadline = float(deadline)
    sessions.wake.set()
    return _DONE


def ack(sessions: Sessions, frame: Frame, _answer: Answer) -> Nothing:
    """Forget journalled events."""
    sessions.of(frame).journal.acknowledge(int(frame["seq"]))
    return _DONE


def journalled(sessions: Sessions, frame: Frame, _answer: Answer) -> shapes.Journalled:
    """Read the journal of a session, open or closed, and leave it as it is."""
    return {"events": unacknowledged(SessionFolder(sessions.state, frame["session"]).journal)}


def _locked() -> CallRefused:
    return CallRefused(Code.LOCKED, "another engine holds the session")


def _connected(sessions: Sessions, frame: Frame) -> Session:
    session = sessions.of(frame)
    if session.state is not State.CONNECTED:
        raise CallRefused(Code.NOT_CONNECTED, session.state)
    return session


HANDLERS: Mapping[Call, Handler] = {
    Call.HELLO: Handler(hello, quick=True),
    Call.OPEN: Handler(open_session),
    Call.CLOSE: Handler(close_session),
    Call.LOGOUT: Handler(logout),
    Call.SEND: Handler(send, quick=True),
    Call.LOOKUP: Handler(lookup),
    Call.PAIRING_CODE: Handler(pairing_code),
    Call.GROUPS: Handler(list_groups),
    Call.GROUP_INFO: Handler(group_info),
    Call.CREATE_GROUP: Handler(create_group),
    Call.GROUP_MEMBERS: Handler(group_members),
    Call.GROUP_SETTING: Handler(group_setting),
    Call.INVITE_LINK: Handler(invite_link),
    Call.SNAPSHOT: Handler(snapshot),
    Call.FINGERPRINT: Handler(fingerprint),
    Call.FORGET_RATCHETS: Handler(forget_ratchets),
    Call.LEASE: Handler(lease, quick=True),
    Call.ACK: Handler(ack, quick=True),
    Call.JOURNALLED: Handler(journalled),
}
