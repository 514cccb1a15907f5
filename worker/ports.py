"""The ports: what the worker asks of a database, and what it asks of a provider.

worker/supabase/ implements Outbox, Leases, Credentials, Commands and GroupRows. worker/providers/ implements
Provider and, where a provider has groups, Groups. All calls to the database raise StoreError while Supabase is
away; those that name a session raise LostLease when it is no longer ours.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from worker.events import Receipt
from worker.groups import Group, GroupDetail, GroupSetting, MemberChange, MemberOutcome
from worker.message import Claim, MessageKind
from worker.outcome import Outcome, Settlement
from worker.session import Held

# ---- the provider


class Provider(Protocol):
    """Sends the messages of all its accounts."""

    kinds: frozenset[MessageKind]  #: the kinds that ``send`` takes; the dispatcher refuses any other

    async def send(self, claim: Claim, media: bytes | None = None) -> Outcome:
        """Send once. Never raises for what WhatsApp does: that is the outcome."""


class Groups(Protocol):
    """The groups of an account, for providers that have them. Raises ProviderError with words for an admin.

    People are given in E.164 or as JIDs.
    """

    async def groups(self, session_id: UUID) -> list[Group]:
        """List the groups that the account is in."""

    async def group(self, session_id: UUID, group_jid: str) -> GroupDetail:
        """Read one group with its members."""

    async def create_group(
        self, session_id: UUID, name: str, people: Sequence[str]
    ) -> tuple[str, list[MemberOutcome]]:
        """Make a group; its JID, and who is in it and who is not, with the reason."""

    async def change_members(
        self, session_id: UUID, group_jid: str, change: MemberChange, people: Sequence[str]
    ) -> list[MemberOutcome]:
        """Change members; each has an outcome."""

    async def set_group(self, session_id: UUID, group_jid: str, setting: GroupSetting, value: str | bool) -> None:
        """Change one setting of a group."""

    async def invite_link(self, session_id: UUID, group_jid: str, *, reset: bool = False) -> str:
        """Fetch a group's invite link, or make a new one."""


# ---- the database


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One exchange with the queue: the messages that are settled now, those to be sent, and when to look again.

    unreadable: the outcomes of claims that this worker can't read.
    next_due: seconds until something may be claimable, None if nothing is waiting.
    """

    settled: frozenset[UUID]
    claims: tuple[Claim, ...]
    next_due: float | None
    unreadable: tuple[Settlement, ...] = ()


class Outbox(Protocol):
    """The queue: claim what may go out now, settle it, write receipts."""

    async def settle_and_claim(self, settlements: Sequence[Settlement], limit: int) -> Round:
        """Write outcomes and claim up to limit messages, in one round trip."""

    async def return_unknown(self, in_hand: Iterable[UUID]) -> int:
        """Give back the claims whose answer never reached us: all except those in hand. Returns how many."""

    async def extend(self, message_ids: Sequence[UUID]) -> frozenset[UUID]:
        """Extend claims by their full time; the answer names those that are still ours."""

    async def adopt(self, held: Held) -> tuple[list[Claim], list[Settlement]]:
        """Take over the claims that an earlier holder of the session left; and outcomes of those that can't be read."""

    async def receipts(self, receipts: Sequence[Receipt]) -> None:
        """Write who received and who read our messages. Idempotent. Unstorable: the database can't take them."""

    async def reap(self) -> tuple[int, int]:
        """Fail expired messages, put abandoned ones in doubt; how many of each."""

    async def housekeep(self) -> Mapping[str, str]:
        """Run the database's periodic work; the steps that failed, and why."""


class Leases(Protocol):
    """Which sessions this process holds, and what their rows show."""

    async def start(self, worker_id: str, version: str) -> None:
        """Announce this process; an earlier one under the same worker id is fenced off at once."""

    async def heartbeat(self, capacity: int) -> list[Held]:
        """Renew our leases, take free sessions up to capacity, and list what we hold."""

    async def release(self, held: Held) -> None:
        """Give a session back. Idempotent."""

    async def deleted(self, sessions: Sequence[UUID]) -> list[UUID]:
        """Name those of these accounts that were deleted."""

    async def report(self, held: Held, **facts: object) -> bool:
        """Write what the session's row shows; False: the phone number is not the account's own."""

    async def alert(self, held: Held, kind: str, message: str | None, **details: object) -> None:
        """Raise an alert that a person sees until it is resolved; no message: resolve it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A sealed session state. clean: taken at a graceful stop, so nothing was sent after it.

    fresh: clean, and the newest that the database knows of: nobody put it back by hand or with a restore.
    """

    generation: int
    record: bytes = field(repr=False)
    key_id: str
    incarnation: UUID
    clean: bool
    fresh: bool = False


class Credentials(Protocol):
    """The sealed state of the sessions that keep one: WhatsApp Web's."""

    async def organization_secret(self, held: Held) -> bytes | None:
        """Fetch the organisation's part of the sealing key; None: it is lost, and records wait for it."""

    async def read(self, held: Held) -> Sealed | None:
        """Fetch the newest sealed state."""

    async def write(self, held: Held, sealed: Sealed) -> None:
        """Store the next generation; CredentialsError if the stored one is not its predecessor."""

    async def forget(self, held: Held) -> None:
        """Delete the sealed state of an unlinked device."""

    async def attach(self, held: Held, incarnation: UUID) -> None:
        """Name the live store that the session works on; messages claimed from now on carry it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a person asks of a session's holder; the database has checked the arguments.

    held_back: people in it who may not be put into a group, because they opted out, each with the reason.
    """

    id: UUID
    session_id: UUID
    kind: str
    arguments: Mapping[str, Any] = field(repr=False)
    held_back: Mapping[str, str] = field(repr=False)


class Commands(Protocol):
    """The commands of admins to the sessions that we hold."""

    async def take(self) -> list[Command]:
        """Take pending commands, one a session at a time."""

    async def finish(
        self, command: Command, *, result: Mapping[str, Any] | None = None, error: str | None = None
    ) -> None:
        """Write a command's result, or why it failed."""


class GroupRows(Protocol):
    """The groups of an account as the CRM sees them."""

    async def write_all(self, held: Held, groups: Sequence[Group]) -> int:
        """Write the account's groups; missing ones become inactive. Returns how many there are."""

    async def write_one(self, held: Held, group: GroupDetail) -> Mapping[str, Any]:
        """Write one group and its members, as contacts; counts of ``members``, ``joined``, ``left``."""

    async def write_invite_link(self, held: Held, group_jid: str, link: str) -> None:
        """Write a group's invite link."""
