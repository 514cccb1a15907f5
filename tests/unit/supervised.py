"""A supervisor that serves one account, and every call that it makes, in order."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock, Mock
from uuid import UUID

from tests.unit.test_lease import held
from worker.session import Held, Lease, ProviderName
from worker.sessions.supervisor import Supervisor

HELD = held(datetime(2026, 11, 28, tzinfo=UTC))


async def for_ever() -> None:
    await asyncio.Event().wait()


@dataclass
class Account:
    """A session. run: what it does until it ends."""

    ending: bool = False
    run: Callable[[], Awaitable[None]] = for_ever
    ready: bool = True
    held: Held = HELD
    close: Any = None
    abandon: Any = field(default_factory=AsyncMock)


class Scene:
    """calls: those of leases, ledger and factory (``make``), and the account's ``close``. made: told of each."""

    def __init__(self, *accounts: Account) -> None:
        self.calls = AsyncMock()
        self.calls.make = Mock()
        self.calls.leases.heartbeat.return_value = [HELD]
        self.made: Callable[[], None] = lambda: None
        self.extended: list[dict[UUID, float]] = []
        self._accounts = list(accounts)
        self.supervisor = Supervisor(
            leases=self.calls.leases,
            factories={ProviderName.WEB: self},  # type: ignore[dict-item]
            ledger=self.calls.ledger,
            capacity=1,
        )

    @classmethod
    async def serving(cls, *accounts: Account) -> "Scene":
        """Have the supervisor begin the first account. Later it makes the next ones, and the last one again."""
        scene = cls(*accounts)
        await scene.supervisor.heartbeat()
        await asyncio.sleep(0)  # its run begins
        scene.calls.reset_mock()
        return scene

    def make(self, held: Held, _lease: Lease) -> Account:
        self.calls.make(held)
        self.made()
        account = self._accounts.pop(0) if len(self._accounts) > 1 else self._accounts[0]
        account.close = self.calls.close
        return account

    def extend(self, deadlines: dict[UUID, float]) -> None:
        self.extended.append(deadlines)
