"""The engine's end of the pipe: reads calls, hands each to its session, and watches leases."""

import logging
import os
import queue
import threading
import time
import traceback
from collections import defaultdict
from pathlib import Path
from typing import BinaryIO

from worker.engine import framing
from worker.engine.answers import Answer, Refusal
from worker.engine.calls import CALLS, Call
from worker.engine.framing import Frame
from worker.engine.gate import EntryGate
from worker.engine.session import Session
from worker.engine.sqlite import SqliteError

#: How long sends under way may go on when the daemon is gone, seconds. One that is cut off after it was written
#: ahead and before it left (3 to 15 ms, 110 while devices are asked for) would stay in doubt and never arrive.
DRAIN_WAIT = 1.5

#: How long the clients may take to stop when the daemon is gone, seconds; then the process ends all the same.
EXIT_WAIT = 2.0

#: The exit code of an engine that woke up too late.
OVERSLEPT = 3

#: How long after its deadline a session may still have a socket, seconds; then the process ends.
OVERDUE = 1.0


class Engine:
    """All sessions of this process. Runs until the daemon closes its end."""

    def __init__(self, state: Path, calls: BinaryIO, out: BinaryIO) -> None:
        self.state = state
        self.gate = EntryGate()
        self.sessions: dict[str, Session] = {}
        self.opening: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self.wake = threading.Event()
        self.send_seconds = 100.0  #: a send that takes longer has hung; the daemon's greeting says how long
        self._calls = calls
        self._out = out
        self._frames: queue.SimpleQueue[Frame] = queue.SimpleQueue()

    def run(self) -> None:
        """Serve until the end of input."""
        threading.Thread(target=self._write_all, name="writer", daemon=True).start()
        threading.Thread(target=self._watch, name="leases", daemon=True).start()
        while (frame := framing.read(self._calls)) is not None:
            self._take(frame)

    def write(self, frame: Frame) -> None:
        """Queue a frame; never blocks, so that a daemon that reads no more can't hold a lease open."""
        self._frames.put(framing.plain(frame))

    def _write_all(self) -> None:
        while True:
            frame = self._frames.get()
            try:
                self._out.write(framing.pack(frame))
                self._out.flush()
            except framing.FrameError:
                self.write({"id": frame.get("id"), "error": {"code": "internal", "detail": "answer too large"}})
            except OSError:
                return  # the reader sees the end as well

    def _take(self, frame: Frame) -> None:
        call_id, name = frame.get("id"), frame.get("call")
        if not isinstance(call_id, int):
            raise framing.FrameError("a call without id")
        answer = Answer(call_id, self.write)
        call = CALLS.get(str(name))
        if call is None:
            answer.refuse(Refusal("invalid", "unknown call"))
        elif call.quick:
            self._do(call, frame, answer)
        else:
            threading.Thread(target=self._do, args=(call, frame, answer), name=str(name), daemon=True).start()

    def _do(self, call: Call, frame: Frame, answer: Answer) -> None:
        try:
            body = call.do(self, frame, answer)
        except Refusal as refusal:
            answer.refuse(refusal)
        except (KeyError, TypeError, ValueError) as error:
            answer.refuse(Refusal("invalid", type(error).__name__))
        except SqliteError as error:
            answer.refuse(Refusal("store", str(error)))
        except Exception as error:
            answer.refuse(Refusal("internal", type(error).__name__))
        else:
            if body is not None:
                answer.ok(body)

    # ---- sessions

    def session(self, frame: Frame) -> Session:
        """Find the open session that a call is about."""
        session = self.sessions.get(str(frame["session"]))
        if session is None:
            raise Refusal("not-open")
        return session

    def expect_closed(self, name: str) -> None:
        """Refuse if the session is open; if it is just ending, wait for that."""
        session = self.sessions.get(name)
        if session is not None and session.alive():
            raise Refusal("already-open")
        if session is not None:
            session.wait_gone()

    def over(self, session: Session) -> None:
        """Forget a session that has ended."""
        if self.sessions.get(session.id) is session:
            del self.sessions[session.id]

    def _watch(self) -> None:
        while True:
            now = time.monotonic()
            nearest = min((one.deadline for one in list(self.sessions.values())), default=now + 1)
            self.wake.wait(min(1.0, max(0.01, nearest - now)))
            self.wake.clear()
            sessions = list(self.sessions.values())
            if any(not one.silent and time.monotonic() > one.deadline + OVERDUE for one in sessions):
                # This process was stopped for a while, or the library does not stop. Another worker may have the
                # session by now, and the library be dialling already: an orderly stop would come too late.
                os._exit(OVERSLEPT)
            for session in sessions:
                session.check()

    def stop(self) -> None:
        """Let sends under way finish within DRAIN_WAIT, then stop all clients at once within EXIT_WAIT."""
        drained = time.monotonic() + DRAIN_WAIT
        for session in list(self.sessions.values()):
            session.sender.drain(max(0.0, drained - time.monotonic()))
        threads = [threading.Thread(target=one.close, daemon=True) for one in list(self.sessions.values())]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + EXIT_WAIT
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def serve(state: Path) -> None:
    """Serve on standard input and output, then end the process: the library would hang at a normal exit."""
    out = os.fdopen(os.dup(1), "wb")
    os.set_inheritable(out.fileno(), False)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # the library prints errors with numbers in them
    logging.disable()  # the library's lines hold numbers and JIDs
    os.umask(0o077)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    code = 1
    try:
        engine = Engine(state, os.fdopen(os.dup(0), "rb"), out)
        engine.run()
        engine.stop()
        code = 0
    except framing.FrameError:
        traceback.print_exc()
    finally:
        os._exit(code)
