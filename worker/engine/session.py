"""One opening of one session: from its lock to its unlock, around one instance of the library's client.

CONNECTING → LINKING (shows a QR) → CONNECTED ⇄ LOST (the library reconnects by itself); CLOSED from any.
`ended` is told once, with CLOSED; then nothing of this opening remains.
"""

import threading
import time
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from worker.engine.handlers import subscribe
from worker.engine.journal import Journal
from worker.engine.library import Client, Gone, LibraryError
from worker.engine.sender import Sender
from worker.engine.sockets import sockets
from worker.engine.sqlite import SqliteError
from worker.engine.store import SessionFolder

if TYPE_CHECKING:
    from worker.engine.server import Engine

#: How long the library may try to reconnect by itself before the daemon is told, seconds. A frame that was cut off
#: is sent again with the same id inside, which settles what would otherwise be in doubt.
RECONNECT_GRACE = 20.0

#: How long a login may take, seconds: the library gives a handshake 20.
CONNECT_WAIT = 60.0

#: How long a start may hold the entry gate, seconds. The library's table is written before it dials: from the
#: first new socket on others may start too, so that 25 accounts log in beside each other, not one after the other.
START_HOLD = 1.0

#: How often a start looks whether the library dials, seconds.
DIAL_LOOK = 0.005

#: How long a stop waits for the library's thread, and for a send under way, seconds.
STOP_WAIT = 1.0

#: How long an end may take in all, seconds: the gate of a start before it, and both waits above.
GONE_WAIT = 10.0

#: How long a send may wait until the server is spoken to beside it, seconds; again after twice as long, and so on.
#: On a connection that lost bytes and seems to live it would wait for the library's own word, every 20 to 30 s.
NUDGE = 4.0

#: How many such words may wait for an answer at once; the library gives up on each after 75 s.
NUDGES = 4

#: How long a QR is valid: the first, and those after it, seconds (whatsmeow's qrchan.go).
FIRST_QR, NEXT_QR = 60.0, 20.0


class LeaseOver(Exception):  # noqa: N818 - it reads as the sentence that it is
    """The wait for a predecessor's lock took longer than the lease."""


def _expect_time_left(deadline: float) -> None:
    if time.monotonic() >= deadline:
        raise LeaseOver


class State(Enum):
    CONNECTING = auto()
    LINKING = auto()
    CONNECTED = auto()
    LOST = auto()
    CLOSED = auto()


class Session:
    """A session that is open in an engine. deadline: when its lease ends, on the machine's monotonic clock."""

    def __init__(self, folder: SessionFolder, engine: "Engine", deadline: float) -> None:
        self.id = folder.session
        self.folder = folder
        self.deadline = deadline
        self.why = "closed"  #: what ended it: an ending and its detail
        self.closing = threading.Event()
        self.silent = False  #: nothing of it can leave any more
        self.state = State.CONNECTING
        self._opened_at = time.monotonic()
        self._lost_at = 0.0  #: monotonic, while LOST
        self.linked_now = False
        self.engine = engine
        self._gate, self._write = engine.gate, engine.write
        self._changes = threading.Lock()
        self._under_way = threading.Event()
        self._finished = threading.Event()
        self._gone = threading.Event()
        self._qr_shown = 0
        self._introduced = False  #: `connected` was told
        self._nudges = threading.BoundedSemaphore(NUDGES)
        folder.lock()
        try:
            _expect_time_left(deadline)
            self.incarnation = folder.incarnation()
            self.journal = Journal(folder.journal)
            self.client = Client(folder.store, self._gate, self.alive)
        except BaseException:
            folder.unlock()
            raise
        self.sender = Sender(self)
        subscribe(self)

    def alive(self) -> bool:
        """Whether a call into the library finds a client there."""
        return self.state is not State.CLOSED

    # ---- telling

    def tell(self, event: str, **body: Any) -> None:
        """Tell an event that is not journalled."""
        self._write({"event": event, "session": self.id, "seq": 0, **body})

    def record(self, event: str, **body: Any) -> None:
        """Journal an event, then tell it."""
        self.journal.record({"event": event, "session": self.id, **body}, self._write)

    # ---- life

    def start(self) -> None:
        """Send again what nobody acknowledged, then connect; returns once the library has taken the client in."""
        self.journal.replay(self._write)
        self.sender.start()
        with self._gate.exclusive():
            before, until = sockets(), time.monotonic() + START_HOLD
            threading.Thread(target=self._run, name=f"connect {self.id[:8]}", daemon=True).start()
            while time.monotonic() < until and not sockets() - before:
                if self._under_way.wait(DIAL_LOOK):
                    break

    def _run(self) -> None:
        try:
            self.client.connect()
            detail = "the library returned"
        except LibraryError:
            detail = "could not connect"
        except Exception as error:
            detail = type(error).__name__
        finally:
            self._under_way.set()
            self._finished.set()
        self.end("wa-connection-lost", detail)

    def qr(self, text: str) -> None:
        """Show a QR; a phone may scan it for so many seconds."""
        with self._changes:
            if not self.alive():
                return
            self.state = State.LINKING
            self.linked_now = True
        self._under_way.set()
        self._qr_shown += 1
        self.tell("qr", text=text, seconds=FIRST_QR if self._qr_shown == 1 else NEXT_QR)

    def connected(self) -> None:
        """Logged in, for the first time in this opening or again after a short loss."""
        self._under_way.set()
        with self._changes:
            before = self.state
            if before in (State.CONNECTED, State.CLOSED):
                return
            self.state = State.CONNECTED
        if self._introduced:
            return
        self._introduced = True
        try:
            account = self.folder.account()
        except SqliteError as error:
            self.end("wa-connection-lost", f"store {error}")
            return
        if account is None:
            self.end("wa-connect-refused", "logged in without an account")
            return
        self.tell(
            "connected",
            jid=account.jid,
            lid=account.lid,
            phone=account.phone,
            name=account.name,
            paired=self.linked_now,
        )

    def lost(self) -> None:
        """The socket is gone; the library dials again by itself for RECONNECT_GRACE."""
        with self._changes:
            if self.state not in (State.LOST, State.CLOSED):
                self.state, self._lost_at = State.LOST, time.monotonic()

    def check(self) -> None:
        """End an opening that gets nowhere; called about once a second."""
        now = time.monotonic()
        if now >= self.deadline:
            self.end("wa-connection-lost", "lease ended")
        elif self.sender.stuck:
            self.end("wa-connection-lost", "a send hung")
        elif self.state is State.CONNECTING and now - self._opened_at > CONNECT_WAIT:
            self.end("wa-connection-lost", "no login")
        elif self.state is State.LOST and now - self._lost_at > RECONNECT_GRACE:
            self._give_up_loss()
        elif (
            self.state is State.CONNECTED
            and self.sender.waits_again(NUDGE)
            and self._nudges.acquire(blocking=False)
        ):
            threading.Thread(target=self._nudge, name=f"nudge {self.id[:8]}", daemon=True).start()

    def _nudge(self) -> None:
        """Say what changes nothing. If bytes were lost, either end sees it now and closes the connection.

        Then the library dials again, and sends the frame that was lost with the same id.
        """
        try:
            with suppress(Gone, LibraryError):
                self.client.set_passive(False)
        finally:
            self._nudges.release()

    def _give_up_loss(self) -> None:
        """End a loss that has lasted too long, unless only the news of its end went missing or overtook it."""
        try:
            back = bool(self.client.is_connected and self.client.is_logged_in)
        except Gone:
            return
        if back:
            self.connected()
        else:
            self.end("wa-connection-lost", "no reconnection")

    def end(self, ending: str, detail: str = "", *, retry: bool = True, seconds: float | None = None) -> None:
        """Close from whatever thread noticed the end, and tell it. Only the first end of an opening counts."""
        with self._changes:
            if not self.alive():
                return
            self.state, self.why = State.CLOSED, detail if ending == "wa-connection-lost" else ending
        self.closing.set()
        self._under_way.set()

        def finish() -> None:
            self._stop()
            self.engine.over(self)
            self.tell("ended", ending=ending, detail=detail, retry=retry, seconds=seconds)

        threading.Thread(target=finish, name=f"end {self.id[:8]}", daemon=True).start()

    def close(self) -> None:
        """Stop without an event; if it is ending by itself, wait until nothing of it remains."""
        with self._changes:
            ours = self.alive()
            self.state = State.CLOSED
        self.closing.set()
        if ours:
            self._stop()
        else:
            self.wait_gone()

    def wait_gone(self) -> None:
        """Wait for the end of an end that is under way."""
        self._gone.wait(GONE_WAIT)

    def _stop(self) -> None:
        """Stop the client; after this nothing can leave, so a send under way is answered from the store."""
        with self._gate.exclusive():
            self.client.stop()
        self.silent = True
        self.sender.stop(STOP_WAIT)
        self._finished.wait(STOP_WAIT if self._qr_shown == 0 else 0)  # a QR's end is not waited for inside
        self.journal.close()
        self.folder.unlock()
        self._gone.set()
