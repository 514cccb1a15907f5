"""WhatsApp groups: how one looks, what can be changed about it, and the outcome of a change."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group as the provider shows it."""

    jid: str
    name: str
    participants: int
    is_admin: bool
    announce_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody in a group, other than the account itself; at least one of phone and lid is known."""

    phone: str | None  #: E.164
    lid: str | None  #: with @lid
    is_admin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDetail(Group):
    """One group with all that can be set about it, and its members without the account itself."""

    description: str
    locked: bool  #: only admins may change name and description
    members: tuple[Member, ...]


class MemberChange(StrEnum):
    """What can be done to members of a group."""

    ADD = "add"
    REMOVE = "remove"
    PROMOTE = "promote"
    DEMOTE = "demote"


class GroupSetting(StrEnum):
    """What can be set about a group."""

    NAME = "name"
    DESCRIPTION = "description"
    ANNOUNCE_ONLY = "announce_only"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberOutcome:
    """The outcome of a change for one of its people. code is stable; reason is None if it worked."""

    member: str  #: as asked: E.164 or JID
    ok: bool
    code: str
    reason: str | None
