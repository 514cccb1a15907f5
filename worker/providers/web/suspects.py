"""Finds the session that kills its engine, so that only that one has to wait.

If an engine dies while sessions are being opened, one of them is the cause. All of them are suspects: they are split
in two halves, each half opens in its own engine, and the engine that dies again has the cause. Among 25 suspects it is
found after five deaths, and the innocent half survives each of them. A session that was alone when its engine died
waits before it is tried again, longer each time.
"""

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from worker.errors import CrashLoop

#: How long after its login a session may still be the cause of a crash, seconds: its waiting messages come at once.
TRIAL = 5.0

#: Seconds without a death after which a session's record is clean.
FORGIVE = 60.0

#: How many deaths alone cost no wait: the cause may have been the machine and be gone.
FREE = 1

#: The wait after the next one, seconds; it doubles up to the longest.
FIRST_WAIT, LONGEST_WAIT = 5.0, 300.0


@dataclass(slots=True)
class _Record:
    """What is known of a session that is open, or was open when its engine died."""

    opened: float | None = None  #: when it had logged in or shown its QR; None: not yet, or not open
    opening: bool = False
    group: int | None = None  #: opens with these suspects only
    deaths: int = 0  #: of engines that it had to itself
    crashed: float | None = None  #: when it last lost its engine to a crash
    until: float = 0.0  #: waits


class Suspects:
    """The records of one worker's sessions. Times are monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: dict[UUID, _Record] = {}
        self._groups = itertools.count(1)

    def opens(self, session: UUID) -> None:
        """Note that it is about to be opened; CrashLoop if it has to wait."""
        record = self._records.setdefault(session, _Record())
        if (wait := record.until - self._clock()) > 0:
            raise CrashLoop(record.deaths, wait)
        record.opening, record.opened = True, None

    def opened(self, session: UUID) -> None:
        """Note that it has logged in, or shows its QR."""
        if (record := self._records.get(session)) and record.opening:
            record.opening, record.opened = False, self._clock()

    def closed(self, session: UUID) -> None:
        """Note that its engine has closed it and lives."""
        if record := self._records.get(session):
            record.opening, record.opened = False, None
            if not record.deaths and record.group is None and record.crashed is None:
                del self._records[session]

    def group(self, session: UUID) -> int | None:
        """Name the suspects that it may share an engine with; None: it is none."""
        record = self._records.get(session)
        if record is None or record.group is None:
            return None
        if record.opened is not None and self._clock() - record.opened > TRIAL:
            record.group = None
        return record.group

    def died(self, sessions: Iterable[UUID], *, crashed: bool) -> None:
        """Note the death of an engine with its sessions. crashed: by itself; otherwise somebody killed it."""
        now = self._clock()
        records = {session: self._records.setdefault(session, _Record()) for session in sessions}
        suspects = [one for one in records.values() if one.opening or (crashed and self._on_trial(one, now))]
        if not suspects and crashed:
            again = (one for one in records.values() if one.crashed is not None and now - one.crashed < FORGIVE)
            suspects = list(again)
        for record in records.values():
            if record.opened is not None and now - record.opened > FORGIVE:
                record.deaths = 0
            record.group, record.opening, record.opened = None, False, None
            record.crashed = now if crashed else record.crashed
        if len(suspects) == 1:
            self._convict(suspects[0], now)
        for half in (suspects[::2], suspects[1::2]):
            group = next(self._groups)
            for record in half:
                record.group = group

    @staticmethod
    def _on_trial(record: _Record, now: float) -> bool:
        return record.opened is not None and now - record.opened <= TRIAL

    @staticmethod
    def _convict(record: _Record, now: float) -> None:
        record.deaths += 1
        if record.deaths > FREE:
            record.until = now + min(FIRST_WAIT * 2.0 ** min(record.deaths - FREE - 1, 16), LONGEST_WAIT)
