"""A call to Supabase that is stopped on its way, to be looked at and decided on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """Where a call is stopped."""

    REQUEST = "request"  #: before it is forwarded: the database knows nothing of it
    ANSWER = "answer"  #: after the database has answered and committed: the caller knows nothing of that


class Fate(StrEnum):
    """What becomes of a call that was stopped."""

    RELEASE = "release"
    DROP = "drop"  #: the caller's connection is reset; a request is never forwarded


@dataclass(slots=True)
class Exchange:
    """A call of a database function. asked, answer: as parsed JSON; status: of the answer; both None before it."""

    name: str
    asked: Any
    answer: Any = None
    status: int | None = None


def any_call(_: Exchange) -> bool:
    """Match every call of the name."""
    return True


class Hold:
    """Stops the nth call that matches; every other call passes.

    exchange: what was stopped.  gone: whether the caller has left it, because it died or gave up.
    """

    def __init__(self, name: str, stage: Stage, when: Callable[[Exchange], bool], nth: int) -> None:
        self._name, self._stage, self._when, self._left = name, stage, when, nth
        self._held = asyncio.Event()
        self._fate: asyncio.Future[Fate] = asyncio.get_running_loop().create_future()
        self.exchange: Exchange | None = None
        self.gone = False

    async def held(self, seconds: float = 10) -> Exchange:
        """Wait until a call is stopped here; the call."""
        try:
            async with asyncio.timeout(seconds):
                await self._held.wait()
        except TimeoutError:
            raise TimeoutError(f"no {self._stage} of {self._name} to hold within {seconds:g} s") from None
        assert self.exchange
        return self.exchange

    def release(self) -> None:
        """Let it go on; if none was stopped yet, stop none."""
        self._decide(Fate.RELEASE)

    def drop(self) -> None:
        """Reset the caller's connection instead of going on; if none was stopped yet, stop none."""
        self._decide(Fate.DROP)

    @property
    def over(self) -> bool:
        """Whether it stops nothing any more."""
        return self._fate.done()

    def _decide(self, fate: Fate) -> None:
        self._left = 0
        if not self._fate.done():
            self._fate.set_result(fate)

    def takes(self, stage: Stage, exchange: Exchange) -> bool:
        """Whether this is the call to stop; counts those that match."""
        if stage is not self._stage or exchange.name != self._name or not self._left or not self._when(exchange):
            return False
        self._left -= 1
        return self._left == 0

    async def stop(self, exchange: Exchange) -> Fate:
        """Keep a call until it is decided on."""
        self.exchange = exchange
        self._held.set()
        try:
            return await asyncio.shield(self._fate)
        except asyncio.CancelledError:
            self.gone = True
            raise
