"""A session as the supervisor runs it, and the factory that makes the sessions of one provider."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from uuid import UUID

from worker.events import SessionEvent
from worker.ports import Command
from worker.session import Held, Lease

#: Carries a command out; what it returns is shown to the admin who asked. Raises HeraldError with words for them.
CommandWork = Callable[[Command], Awaitable[Mapping[str, Any]]]


class Session(Protocol):
    """One account under our lease, from acquisition to release.

    ready: it can send.  ending: it needs a person, and its row says why, or is about to.
    commands: what admins may ask of it, by the command's kind.
    """

    held: Held
    ready: bool
    ending: bool
    commands: Mapping[str, CommandWork]

    async def run(self) -> None:
        """Serve until cancelled or until a person is needed. Raises LostLease."""

    def hear(self, event: SessionEvent) -> None:
        """Take an event of this session, in order."""

    async def close(self) -> None:
        """End in order and save what there is to save. Lease and row are the caller's."""

    async def logout(self) -> None:
        """Unlink the account and report it as logged out, also if ``run`` was never called."""

    async def abandon(self) -> None:
        """The lease is lost: stop at once and write nothing."""

    async def snapshot(self) -> None:
        """Save what a lost host must not lose, if that has changed. Raises StoreError, LostLease."""

    async def sync_groups(self) -> int:
        """Read the account's groups and write their rows; how many there are, 0 where the provider has none."""


class Sessions(Protocol):
    """Makes the sessions of one provider."""

    def make(self, held: Held, lease: Lease) -> Session:
        """Make the session of an account that this worker holds now; ``run`` begins it."""

    def extend(self, deadlines: Mapping[UUID, float]) -> None:
        """Tell how long these sessions are ours now (``time.monotonic()``); returns at once."""
