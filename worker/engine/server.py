"""The engine's end of the pipe: reads calls, has them done, writes frames, and watches leases."""

import logging
import os
import queue
import threading
import time
import traceback
from pathlib import Path
from typing import BinaryIO

from worker.engine import framing, shapes
from worker.engine.answers import Answer, CallRefused
from worker.engine.calls import HANDLERS, Handler
from worker.engine.framing import Frame
from worker.engine.protocol import OVERSLEPT, Call, Code
from worker.engine.session import Session
from worker.engine.sessions import Sessions
from worker.engine.sqlite import SqliteError

#: How long sends under way may go on after the daemon is gone, seconds. A send that is cut off after it was
#: written ahead and before it left stays in doubt and never arrives. That gap is 3 to 15 ms, and 110 ms while the
#: library asks for the recipients' devices.
DRAIN_WAIT = 1.5

#: How long the clients may take to stop after the daemon is gone, seconds; then the process ends anyway.
EXIT_WAIT = 2.0

#: How long after its deadline a session may still have a socket, seconds; then the process ends.
OVERDUE = 1.0


class Engine:
    """Serves one daemon, until it closes its end of the pipe."""

    def __init__(self, state: Path, calls: BinaryIO, out: BinaryIO) -> None:
        self._sessions = Sessions(state, self.write)
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
        """Queue a frame. Never blocks: a daemon that stops reading must not keep a session past its lease."""
        self._frames.put(framing.plain(frame))

    def _write_all(self) -> None:
        while True:
            frame = self._frames.get()
            try:
                self._out.write(framing.pack(frame))
                self._out.flush()
            except framing.FrameError:
                if isinstance(call_id := frame.get("id"), int):
                    Answer(call_id, self.write).refuse(CallRefused(Code.INTERNAL, "answer too large"))
            except OSError:
                return  # the reader sees the end as well

    def _take(self, frame: Frame) -> None:
        call_id, name = frame.get("id"), str(frame.get("call"))
        if not isinstance(call_id, int):
            raise framing.FrameError("a call without id")
        answer = Answer(call_id, self.write)
        if name not in HANDLERS:
            answer.refuse(CallRefused(Code.INVALID, "unknown call"))
            return
        call = Call(name)
        handler = HANDLERS[call]
        if missing := shapes.CALLS[call].missing(frame):
            answer.refuse(CallRefused(Code.INVALID, f"missing {', '.join(missing)}"))
        elif handler.quick:
            self._do(handler, frame, answer)
        else:
            threading.Thread(target=self._do, args=(handler, frame, answer), name=call.value, daemon=True).start()

    def _do(self, handler: Handler, frame: Frame, answer: Answer) -> None:
        try:
            body = handler.do(self._sessions, frame, answer)
        except CallRefused as refusal:
            answer.refuse(refusal)
        except (KeyError, TypeError, ValueError) as error:
            answer.refuse(CallRefused(Code.INVALID, type(error).__name__))
        except SqliteError as error:
            answer.refuse(CallRefused(Code.STORE, str(error)))
        except Exception as error:
            answer.refuse(CallRefused(Code.INTERNAL, type(error).__name__))
        else:
            if body is not None:
                answer.ok(body)

    def _open(self) -> list[Session]:
        return list(self._sessions.open.values())

    def _watch(self) -> None:
        wake = self._sessions.wake
        while True:
            now = time.monotonic()
            nearest = min((one.deadline for one in self._open()), default=now + 1)
            wake.wait(min(1.0, max(0.01, nearest - now)))
            wake.clear()
            sessions = self._open()
            if any(not one.silent and time.monotonic() > one.deadline + OVERDUE for one in sessions):
                # This process was stopped for a while, or the library does not stop. Another worker may hold the
                # session by now while the library dials again: an orderly stop would come too late.
                os._exit(OVERSLEPT)
            for session in sessions:
                session.check()

    def stop(self) -> None:
        """Let sends under way finish within DRAIN_WAIT, then stop all clients side by side within EXIT_WAIT."""
        drained = time.monotonic() + DRAIN_WAIT
        for session in self._open():
            session.sender.drain(max(0.0, drained - time.monotonic()))
        threads = [threading.Thread(target=one.close, daemon=True) for one in self._open()]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + EXIT_WAIT
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def serve(state: Path) -> None:
    """Serve on standard input and output, then end the process. The library would hang in a normal exit."""
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
