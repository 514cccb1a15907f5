"""The group calls of the protocol: what the library is asked, and how its answers look in a frame."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from worker.engine.answers import CallRefused
from worker.engine.contents import parse_jid
from worker.engine.failures import explain
from worker.engine.library import JID, Gone, LibraryError, ParticipantChange
from worker.engine.opening import Opening
from worker.engine.protocol import Change, Code, Setting
from worker.engine.shapes import Created, Group, GroupDetail, Member, Outcome, Outcomes

_PERSON = re.compile(r"\d{1,20}@(?:s\.whatsapp\.net|lid)")
_PHONE = re.compile(r"\+[1-9]\d{6,14}")
_GROUP = re.compile(r"[\d-]{1,40}@g\.us")

#: WhatsApp's number for a person who is not there. Also given for a number that is not on WhatsApp.
_NOT_THERE = 404


def asked(call: Callable[[], Any]) -> Any:
    """Ask the library. CallRefused if it raises."""
    try:
        return call()
    except Gone:
        raise CallRefused(Code.NOT_OPEN) from None
    except LibraryError as error:
        failure = explain(str(error))
        raise CallRefused(failure.code, failure.detail) from None


def own_names(session: Opening) -> set[str]:
    """Name the account itself as groups do: by the user parts of its JID and LID."""
    account = session.folder.account()
    return {jid.partition("@")[0] for jid in (account.jid, account.lid) if jid} if account else set()


def joined(session: Opening) -> list[Group]:
    """List the account's groups, without their members."""
    own = own_names(session)
    return [_group(group, own) for group in asked(session.client.get_joined_groups)]


def info(session: Opening, group: str) -> GroupDetail:
    """Read one group with its members."""
    own = own_names(session)
    found = asked(lambda: session.client.get_group_info(group_jid(group)))
    return {
        **_group(found, own),
        "description": found.GroupTopic.Topic,
        "locked": bool(found.GroupLocked.isLocked),
        "members": [_member(session, one, own) for one in found.Participants],
    }


def create(session: Opening, name: str, people: list[str]) -> Created:
    """Create a group. WhatsApp may take some of the people and not others."""
    found = _look_up(session, people)
    created = asked(lambda: session.client.create_group(name, list(found.values())))
    outcomes = _outcomes(people, found, created.Participants)
    return Created(jid=f"{created.JID.User}@{created.JID.Server}", outcomes=outcomes)


def change_members(session: Opening, group: str, change: Change, people: list[str]) -> Outcomes:
    """Add, remove, promote or demote people. Each has their own outcome."""
    jid, action, found = group_jid(group), ParticipantChange(change), _look_up(session, people)
    members = list(found.values())
    changed = asked(lambda: session.client.update_group_participants(jid, members, action)) if members else []
    return {"outcomes": _outcomes(people, found, changed)}


def change(session: Opening, group: str, setting: Setting, value: str | bool) -> None:
    """Change one setting. An empty description removes it."""
    jid, client = group_jid(group), session.client
    calls: dict[Setting, Callable[[], Any]] = {
        Setting.NAME: lambda: client.set_group_name(jid, str(value)),
        # Given no ids, the library asks for the present one and makes the next.
        Setting.DESCRIPTION: lambda: client.set_group_topic(jid, "", "", str(value)),
        Setting.ANNOUNCE_ONLY: lambda: client.set_group_announce(jid, bool(value)),
        Setting.LOCKED: lambda: client.set_group_locked(jid, bool(value)),
    }
    asked(calls[setting])


def invite_link(session: Opening, group: str, *, reset: bool) -> str:
    """Read the invite link. reset: make a new one; the old one stops working."""
    return str(asked(lambda: session.client.get_group_invite_link(group_jid(group), reset)))


def group_jid(text: str) -> JID:
    """Read a group's JID; CallRefused if it is none."""
    if not _GROUP.fullmatch(text):
        raise CallRefused(Code.INVALID, "no group")
    return parse_jid(text)


def _group(group: Any, own: set[str]) -> Group:
    return {
        "jid": f"{group.JID.User}@{group.JID.Server}",
        "name": group.GroupName.Name,
        "participants": len(group.Participants),
        "is_admin": any(_is_admin(one) and own & _names(one) for one in group.Participants),
        "announce_only": bool(group.GroupAnnounce.IsAnnounce),
    }


def _is_admin(one: Any) -> bool:
    return bool(one.IsAdmin or one.IsSuperAdmin)


def _names(one: Any) -> set[str]:
    return {jid.User for jid in (one.JID, one.LID, one.PhoneNumber) if jid.User}


def _member(session: Opening, one: Any, own: set[str]) -> Member:
    """Name a member by number and LID, as far as WhatsApp or the store knows them."""
    jids = (one.JID, one.LID, one.PhoneNumber)
    lid = next((jid.User for jid in jids if jid.Server == "lid" and jid.User), None)
    number = next((jid.User for jid in jids if jid.Server == "s.whatsapp.net" and jid.User), None)
    if number is None and lid is not None:
        number = session.folder.phone_of(lid)
    return {
        "phone": f"+{number}" if number else None,
        "lid": f"{lid}@lid" if lid else None,
        "is_admin": _is_admin(one),
        "is_me": bool(own & _names(one)),
    }


def _look_up(session: Opening, people: list[str]) -> dict[str, JID]:
    """Find the JIDs of people, all numbers in one question. The result lacks those who are not on WhatsApp."""
    for one in people:
        if not (_PHONE.fullmatch(one) or _PERSON.fullmatch(one)):
            raise CallRefused(Code.INVALID, "neither a JID nor a number in E.164")
    numbers = [one for one in people if _PHONE.fullmatch(one)]
    answers = asked(lambda: session.client.is_on_whatsapp(*numbers)) if numbers else []
    # A JID may differ from the number's digits (Brazil's extra 9), so match by what was asked.
    on_whatsapp = {f"+{each.Query.lstrip('+') or each.JID.User}": each.JID for each in answers if each.IsIn}
    found: dict[str, JID] = {}
    for one in people:
        if one in on_whatsapp:
            found[one] = on_whatsapp[one]
        elif one not in numbers:
            found[one] = parse_jid(one)
    return found


def _outcomes(people: list[str], found: dict[str, JID], answered: Iterable[Any]) -> list[Outcome]:
    """Give each person 0 or WhatsApp's number. Whoever the answer does not name did not change."""
    errors = {name: int(one.Error) for one in answered for name in _names(one)}
    return [
        {"who": one, "error": errors.get(found[one].User, _NOT_THERE) if one in found else _NOT_THERE}
        for one in dict.fromkeys(people)
    ]
