"""Sessions as the worker sees them: leases, reports, sealed credentials, groups and commands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from worker.ports import Group, GroupDetail
from worker.session import Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A sealed session state. clean: taken at a graceful stop, so that nothing was sent after it.

    fresh: clean, and the newest that the database knows of: it was not put back by hand or with a restore.
    """

    generation: int
    record: bytes = field(repr=False)
    key_id: str
    incarnation: UUID
    clean: bool
    fresh: bool = False


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


class Registry(Protocol):
    """All calls raise StoreError when Supabase is away and LostLease when the session is no longer ours."""

    async def start(self, worker_id: str, version: str) -> None:
        """Announce this process; an earlier one under the same worker id is fenced off at once."""

    async def heartbeat(self, capacity: int) -> list[Held]:
        """Renew our leases, take free sessions up to capacity, and list what we hold."""

    async def release(self, held: Held) -> None:
        """Give a session back. Idempotent."""

    async def deleted(self, sessions: Sequence[UUID]) -> list[UUID]:
        """Say which of these accounts were deleted."""

    async def attach(self, held: Held, incarnation: UUID) -> None:
        """Tell which live store the session works on; messages claimed from now on name it."""

    async def report(self, held: Held, **facts: object) -> bool:
        """Write what the session's row shows; False: the phone number is not the account's own."""

    async def alert(self, held: Held, kind: str, message: str | None, **details: object) -> None:
        """Raise an alert that a person sees until it is resolved; no message: resolve it."""

    async def organization_secret(self, held: Held) -> bytes | None:
        """Fetch the organisation's part of the sealing key; None: it is lost, and records wait for it."""

    async def read_credentials(self, held: Held) -> Sealed | None:
        """Fetch the newest sealed state."""

    async def write_credentials(self, held: Held, sealed: Sealed) -> None:
        """Store the next generation; CredentialsError if the stored one is not its predecessor."""

    async def forget_credentials(self, held: Held) -> None:
        """Delete the sealed state of an unlinked device."""

    async def sync_groups(self, held: Held, groups: Sequence[Group]) -> int:
        """Write the account's groups; missing ones become inactive."""

    async def sync_group(self, held: Held, group: GroupDetail) -> Mapping[str, Any]:
        """Write one group and who is in it, as contacts; how many members, joined, left."""

    async def note_invite_link(self, held: Held, group_jid: str, link: str) -> None:
        """Write a group's invite link."""

    async def take_commands(self) -> list[Command]:
        """Take pending commands for sessions that we hold, one a session at a time."""

    async def finish_command(
        self, command: Command, *, result: Mapping[str, Any] | None = None, error: str | None = None
    ) -> None:
        """Write a command's result, or why it failed."""
