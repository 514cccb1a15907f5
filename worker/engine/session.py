"""The life of one opened session, from its lock to its unlock.

CONNECTING → LINKING (shows a QR) → CONNECTED ⇄ LOST (the library reconnects by itself); CLOSED from any of them.
`ended` is sent once, after CLOSED, when nothing of this opening remains.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from worker.engine.framing import Frame
from worker.engine.gate import EntryGate
from worker.engine.library import Gone, LibraryError
from worker.engine.opening import Opening
from worker.engine.protocol import Detail, EventName, State
from worker.engine.sender import Sender
from worker.engine.shapes import Connected, Ended, Qr
from worker.engine.sockets import sockets
from worker.engine.sqlite import SqliteError
from worker.engine.store import SessionFolder
from worker.session import Ending

#: How long the library may try to reconnect before the daemon is told, seconds. A frame that was cut off is sent
#: again with the same id in that time, which settles what would otherwise be in doubt.
RECONNECT_GRACE = 20.0

#: How long a login may take, seconds: the library gives a handshake 20.
CONNECT_WAIT = 60.0

#: How long a start may hold the entry gate, seconds. The library writes its table before it dials, so the gate
#: opens for others at the first new socket: 25 accounts log in side by side, not one after the other.
START_HOLD = 1.0

#: How often a start looks for that socket, seconds.
DIAL_LOOK = 0.005

#: How long a stop waits for the library's thread, and again for a send under way, seconds.
STOP_WAIT = 1.0

#: How long closing may take in all, seconds: another session's start at the gate, and both waits above.
GONE_WAIT = 10.0

#: A send that waits this long makes the engine speak to the server, seconds; again after twice as long, and so on.
#: On a connection that lost bytes and seems to live, the library itself speaks only every 20 to 30 s.
NUDGE = 4.0

#: How many of these questions may be unanswered at once; the library gives up on each after 75 s.
NUDGES = 4

#: How long the first QR and those after it are valid, seconds (whatsmeow's qrchan.go).
FIRST_QR, NEXT_QR = 60.0, 20.0


class Session(Opening):
    """An opening with its life.

    send_seconds: a send that takes longer has hung and ends the session.
    over: called when the session has ended by itself, before `ended` is sent. Raises as Opening does.
    """

    def __init__(
        self,
        folder: SessionFolder,
        deadline: float,
        gate: EntryGate,
        write: Callable[[Frame], None],
        *,
        send_seconds: float,
        over: Callable[["Session"], None],
    ) -> None:
        super().__init__(folder, deadline, gate, write)
        self.silent = False  #: nothing of it can leave any more
        self._over = over
        self._opened_at = time.monotonic()
        self._lost_at = 0.0  #: monotonic, while LOST
        self._linked_now = False
        self._changes = threading.Lock()
        self._under_way = threading.Event()
        self._finished = threading.Event()
        self._gone = threading.Event()
        self._qr_shown = 0
        self._introduced = False  #: `connected` was sent
        self._nudges = threading.BoundedSemaphore(NUDGES)
        self.sender = Sender(self, send_seconds)

    def start(self) -> None:
        """Repeat the events that nobody acknowledged, then connect. Returns once the library has the client."""
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
        self.end(Ending.LOST, detail)

    def qr(self, text: str) -> None:
        """Send a QR to be scanned."""
        with self._changes:
            if not self.alive():
                return
            self.state = State.LINKING
            self._linked_now = True
        self._under_way.set()
        self._qr_shown += 1
        self.tell(EventName.QR, Qr(text=text, seconds=FIRST_QR if self._qr_shown == 1 else NEXT_QR))

    def connected(self) -> None:
        """Note a login: the first of this opening, or one after a short loss."""
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
            self.end(Ending.LOST, f"store {error}")
            return
        if account is None:
            self.end(Ending.REFUSED, "logged in without an account")
            return
        body = Connected(
            jid=account.jid, lid=account.lid, phone=account.phone, name=account.name, paired=self._linked_now
        )
        self.tell(EventName.CONNECTED, body)

    def lost(self) -> None:
        """Note that the socket is gone. The library may dial again for RECONNECT_GRACE."""
        with self._changes:
            if self.state not in (State.LOST, State.CLOSED):
                self.state, self._lost_at = State.LOST, time.monotonic()

    def check(self) -> None:
        """End a session whose lease is over or that makes no progress. Called about once a second."""
        now = time.monotonic()
        if now >= self.deadline:
            self.end(Ending.LOST, Detail.LEASE_ENDED)
        elif self.sender.stuck:
            self.end(Ending.LOST, Detail.SEND_HUNG)
        elif self.state is State.CONNECTING and now - self._opened_at > CONNECT_WAIT:
            self.end(Ending.LOST, "no login")
        elif self.state is State.LOST and now - self._lost_at > RECONNECT_GRACE:
            self._give_up_loss()
        elif (
            self.state is State.CONNECTED
            and self.sender.waits_again(NUDGE)
            and self._nudges.acquire(blocking=False)
        ):
            threading.Thread(target=self._nudge, name=f"nudge {self.id[:8]}", daemon=True).start()

    def _nudge(self) -> None:
        """Ask the server something that changes nothing, so that a connection that lost bytes breaks now.

        The library then dials again and repeats the lost frame with the same id.
        """
        try:
            with suppress(Gone, LibraryError):
                self.client.set_passive(False)
        finally:
            self._nudges.release()

    def _give_up_loss(self) -> None:
        """End a session that did not reconnect in time. Ask first: news of a reconnection can be late."""
        try:
            back = bool(self.client.is_connected and self.client.is_logged_in)
        except Gone:
            return
        if back:
            self.connected()
        else:
            self.end(Ending.LOST, Detail.NO_RECONNECTION)

    def end(self, ending: Ending, detail: str = "", *, retry: bool = True, seconds: float | None = None) -> None:
        """Close the session and send `ended`. Any thread may call it; only the first end of an opening counts."""
        with self._changes:
            if not self.alive():
                return
            self.state, self.why = State.CLOSED, detail if ending is Ending.LOST else ending
        self.closing.set()
        self._under_way.set()

        def finish() -> None:
            self._stop()
            self._over(self)
            body = Ended(ending=ending.value, detail=str(detail), retry=retry, seconds=seconds)
            self.tell(EventName.ENDED, body)

        threading.Thread(target=finish, name=f"end {self.id[:8]}", daemon=True).start()

    def close(self) -> None:
        """Stop without an event. If the session is already ending, wait until nothing of it remains."""
        with self._changes:
            ours = self.alive()
            self.state = State.CLOSED
        self.closing.set()
        if ours:
            self._stop()
        else:
            self.wait_gone()

    def wait_gone(self) -> None:
        """Wait until the session that is closing has closed."""
        self._gone.wait(GONE_WAIT)

    def _stop(self) -> None:
        """Stop the client. Nothing can leave after that, so the store knows whether the send under way left."""
        with self._gate.exclusive():
            self.client.stop()
        self.silent = True
        self.sender.stop(STOP_WAIT)
        self._finished.wait(STOP_WAIT if self._qr_shown == 0 else 0)  # after a QR, connect() may not return
        self.journal.close()
        self.folder.unlock()
        self._gone.set()
