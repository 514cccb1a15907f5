"""Hands every event of a provider to the part that handles it."""

from collections.abc import Callable

from worker.events import Event, Inbound, Receipt, SentFact, SessionEvent
from worker.sending.ledger import Ledger


class EventRouter:
    """An EventSink. ``connect`` it before a provider has anything to tell: before its first session opens."""

    def __init__(self) -> None:
        self._ledger: Ledger
        self._hear_session: Callable[[SessionEvent], None]

    def connect(self, ledger: Ledger, hear_session: Callable[[SessionEvent], None]) -> None:
        """Say where receipts and sends go, and where news of sessions go."""
        self._ledger, self._hear_session = ledger, hear_session

    async def __call__(self, event: Event, sequence: int) -> None:
        """Take an event and its number in the journal (0: not journalled)."""
        match event:
            case Receipt():
                self._ledger.receipt(event, sequence)
            case SentFact():
                self._ledger.sent(event, sequence)
            case Inbound():
                self._ledger.safe_after_next_exchange(event.session_id, sequence)
            case _:
                self._hear_session(event)
