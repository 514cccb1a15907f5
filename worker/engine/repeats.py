"""What the library can still repeat to a phone that could not decrypt a message.

Such a phone asks for the message again (a receipt of type retry), and the library answers by itself from the memory of
its client: the last 256 sends, and no tenth answer to a device about a message (whatsmeow's retry.go). It tells nobody
when it can't answer, so this mirrors its rule; tests/contract/test_repeats.py compares the two.
"""

from collections import Counter, deque

from worker.engine.protocol import ReceiptType
from worker.engine.sqlite import SqliteError
from worker.engine.store import SessionFolder

#: How many sends the library remembers.
REMEMBERED = 256

#: The first request of a device for a message that the library leaves unanswered.
UNANSWERED = 10

#: WhatsApp's clients ask this often for a message; after the last answer they give up.
ASKED_LAST = 4

#: How many pairs of device and message are counted, at most. Strangers choose both.
COUNTED = 4096


class Repeats:
    """The library's memory of one opening. The sender's thread writes it, the library's threads ask."""

    def __init__(self, folder: SessionFolder) -> None:
        self._folder = folder
        self._sent: deque[str] = deque(maxlen=REMEMBERED)
        self._under_way: bytes | None = None
        self._asked: Counter[tuple[str, str]] = Counter()

    def begin(self, secret: bytes) -> None:
        """Note the secret of a send before the library has it."""
        self._under_way = secret

    def end(self, wa_message_id: str | None = None) -> None:
        """Note that the library has returned, with the message's id or with an error."""
        if self._under_way is not None:
            self._sent.append(wa_message_id or self._written() or "")  # a failed send takes a place too
            self._under_way = None

    def asked(self, wa_message_id: str, device: str) -> ReceiptType | None:
        """Judge a request: UNREADABLE if nobody will answer it, ASKS if it is the device's last, otherwise None."""
        if wa_message_id not in self._sent and wa_message_id != self._written():
            return ReceiptType.UNREADABLE
        if len(self._asked) >= COUNTED:
            self._asked.clear()
        self._asked[device, wa_message_id] += 1
        many = self._asked[device, wa_message_id]
        if many >= UNANSWERED:
            return ReceiptType.UNREADABLE
        return ReceiptType.ASKS if many >= ASKED_LAST else None

    def _written(self) -> str | None:
        """Return the id of the send that is under way, if it was written ahead."""
        if self._under_way is None:
            return None
        try:
            return self._folder.written(self._under_way)
        except SqliteError:
            return None
