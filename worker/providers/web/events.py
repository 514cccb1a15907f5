"""Event frames of an engine as the events of ``worker.events``."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog

from worker.engine.framing import Frame
from worker.engine.protocol import EventName
from worker.events import Connected, Ended, Event, EventSink, Inbound, QrShown, Receipt, SentFact
from worker.session import Ending

log = structlog.get_logger()


def time_of(seconds: Any) -> datetime:
    """Read the protocol's seconds since 1970."""
    return datetime.fromtimestamp(float(seconds), UTC)


def _ended(session: UUID, frame: Frame) -> Ended:
    seconds = frame.get("seconds")
    return Ended(
        session_id=session,
        ending=Ending(frame["ending"]),
        detail=frame.get("detail", ""),
        retry=frame["retry"],
        seconds=float(seconds) if seconds is not None else None,
    )


_EVENTS: dict[str, Callable[[UUID, Frame], Event]] = {
    EventName.QR: lambda session, frame: QrShown(
        session_id=session, text=frame["text"], seconds=float(frame["seconds"])
    ),
    EventName.CONNECTED: lambda session, frame: Connected(
        session_id=session,
        jid=frame["jid"],
        lid=frame["lid"],
        phone=frame["phone"],
        display_name=frame["name"],
        newly_paired=frame["paired"],
    ),
    EventName.ENDED: _ended,
    EventName.RECEIPT: lambda session, frame: Receipt(
        session_id=session,
        wa_message_ids=tuple(frame["ids"]),
        chat=frame["chat"],
        participant=frame["participant"],
        lid=frame.get("lid"),
        type=frame["type"],
        at=time_of(frame["at"]),
    ),
    EventName.MESSAGE: lambda session, frame: Inbound(
        session_id=session,
        wa_message_id=frame["wa_message_id"],
        chat=frame["chat"],
        sender=frame["sender"],
        from_me=frame["from_me"],
        kind=frame["kind"],
        text=frame["text"],
        at=time_of(frame["at"]),
    ),
    EventName.SENT: lambda session, frame: SentFact(
        session_id=session,
        token=UUID(frame["token"]),
        wa_message_id=frame["wa_message_id"],
        at=time_of(frame["at"]),
    ),
}


def event_of(frame: Frame) -> tuple[Event, int]:
    """Read an event and its number in the journal; KeyError, TypeError or ValueError if the frame is no event."""
    return _EVENTS[frame["event"]](UUID(frame["session"]), frame), int(frame["seq"])


class Teller:
    """Passes each session's events to a sink in order; a slow session does not delay another."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._untold: dict[UUID, deque[tuple[Event, int]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, event: Event, sequence: int) -> None:
        """Queue an event; one task a session tells them for as long as there are any."""
        waiting = self._untold.get(event.session_id)
        if waiting is not None:
            waiting.append((event, sequence))
            return
        self._untold[event.session_id] = deque([(event, sequence)])
        task = asyncio.create_task(self._tell_all(event.session_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_all(self, session_id: UUID) -> None:
        waiting = self._untold[session_id]
        while waiting:
            event, sequence = waiting.popleft()
            try:
                await self._sink(event, sequence)
            except Exception:
                log.exception("event_sink_raised", session_id=str(session_id), kind=type(event).__name__)
        del self._untold[session_id]

    async def finish(self) -> None:
        """Wait until everything is passed on."""
        await asyncio.gather(*self._tasks)
