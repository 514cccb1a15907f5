"""The seam to a provider: what Herald asks of a transport, and what a transport tells Herald.

An adapter knows its provider's errors and turns them into outcomes and endings once; nothing else parses them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from worker.message import Claim, MessageKind
from worker.outcome import Outcome
from worker.session import Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class QrShown:
    """A QR to scan; text is a key to the account: never logged."""

    session_id: UUID
    text: str = field(repr=False)
    seconds: float  #: valid for


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """Logged in. jid and lid without the device part; phone in E.164."""

    session_id: UUID
    jid: str
    lid: str | None
    phone: str
    display_name: str | None
    newly_paired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The connection is gone. retry: the transport may be opened again without a person."""

    session_id: UUID
    ending: Ending
    detail: str = ""
    retry: bool = True
    seconds: float | None = None  #: how long a ban lasts


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Someone's device confirmed messages of ours.

    type: ``delivered``, ``read``, ``played`` from a recipient; ``sender`` from the account's own other devices.
    """

    session_id: UUID
    wa_message_ids: tuple[str, ...]
    chat: str  #: JID
    participant: str | None  #: who confirms, JID without device; None: our own device
    type: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message from someone else; its text is theirs: never logged."""

    session_id: UUID
    wa_message_id: str
    chat: str
    sender: str
    from_me: bool
    kind: str
    text: str = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFact:
    """The journal says that this claim's send was acknowledged: what a dead daemon could not settle."""

    session_id: UUID
    token: UUID
    wa_message_id: str
    at: datetime

    def as_receipt(self) -> Receipt:
        """Say it as a receipt, which waits in the database for its message."""
        return Receipt(
            session_id=self.session_id,
            wa_message_ids=(self.wa_message_id,),
            chat="",
            participant=None,
            type="sender",
            at=self.at,
        )


Event = QrShown | Connected | Ended | Receipt | Inbound | SentFact


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
    """Who is in a group, other than the account itself; at least one of phone and lid is known."""

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
    """What became of one of the people in a change. code is stable; reason is None where it worked."""

    member: str  #: as asked: E.164 or JID
    ok: bool
    code: str
    reason: str | None


class Unsent:
    """Lookup: this store never wrote the secret, so the message did not leave."""


@dataclass(frozen=True, slots=True)
class Written:
    """Lookup: the store has the secret; the message may have left under this id."""

    wa_message_id: str


class Transport(Protocol):
    """One provider, many sessions. All times in seconds; JIDs and numbers as in Claim."""

    kinds: frozenset[MessageKind]  #: what ``send`` takes; another kind is not brought to it

    async def open(self, session_id: UUID, store: str, deadline: float) -> None:
        """Start the session on its live store; QrShown, Connected or Ended follow as events.

        deadline: on ``time.monotonic()``; the transport closes the session by itself then unless it is extended.
        """

    async def close(self, session_id: UUID) -> None:
        """Stop the session; its store is consistent on disk when this returns. Idempotent."""

    async def logout(self, session_id: UUID) -> None:
        """Unlink the device at the provider, then close."""

    async def send(self, claim: Claim, media: bytes | None = None) -> Outcome:
        """Send once. Never raises for what the provider does: that is the outcome."""

    async def lookup(self, session_id: UUID, secret: bytes) -> Unsent | Written:
        """Ask the live store whether a message with this secret was written before it left."""

    async def pairing_code(self, session_id: UUID, phone: str) -> str:
        """Ask for an 8-character code to type on the phone, while the session shows a QR."""

    async def groups(self, session_id: UUID) -> list[Group]:
        """List the groups that the account is in."""

    async def group(self, session_id: UUID, group_jid: str) -> GroupDetail:
        """Read one group with its members; ProviderError if the account is not in it."""

    async def create_group(
        self, session_id: UUID, name: str, people: Sequence[str]
    ) -> tuple[str, list[MemberOutcome]]:
        """Make a group of people (E.164 or JID); its JID, and who is in it and who is not, with the reason."""

    async def change_members(
        self, session_id: UUID, group_jid: str, change: MemberChange, people: Sequence[str]
    ) -> list[MemberOutcome]:
        """Change members; each has an outcome. ProviderError if nothing could be asked."""

    async def set_group(self, session_id: UUID, group_jid: str, setting: GroupSetting, value: str | bool) -> None:
        """Change one setting of a group; ProviderError if WhatsApp refuses."""

    async def invite_link(self, session_id: UUID, group_jid: str, *, reset: bool = False) -> str:
        """Fetch a group's invite link, or make a new one; ProviderError if the account is no admin there."""

    async def snapshot(self, session_id: UUID, *, ratchets: bool) -> bytes:
        """Copy the live store consistently, as bytes of a SQLite database.

        ratchets: all of it, to be opened as it is; otherwise only after ``forget_ratchets``, and far smaller.
        """

    async def fingerprint(self, session_id: UUID) -> str:
        """Tell what a copy is for from what it was: equal as long as a host's loss would lose nothing new."""

    async def forget_ratchets(self, session_id: UUID) -> None:
        """Make an older copy of a closed store safe to open; needed unless nothing was sent since it was taken."""

    def extend_lease(self, deadlines: Mapping[UUID, float]) -> None:
        """Move the deadlines at which these sessions close by themselves; returns at once, whatever hangs."""

    async def journalled(self, session_id: UUID) -> list[Event]:
        """Read what a session's journal holds that nobody acknowledged, open or not; it stays there."""

    async def acknowledge(self, session_id: UUID, sequence: int) -> None:
        """Everything up to this journalled event is safe in the database."""


#: Called for every event in order; sequence is the journal's number (0: not journalled). Must not raise.
EventSink = Callable[[Event, int], Awaitable[None]]
