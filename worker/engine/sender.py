"""A session's sends: one after another, on a thread of its own, each answered whatever happens."""

import base64
import queue
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from worker.engine.answers import Answer, Refusal
from worker.engine.contents import image_message, image_type, parse_jid, text_message
from worker.engine.failures import explain
from worker.engine.framing import Frame
from worker.engine.library import JID, Gone, LibraryError, MediaType

if TYPE_CHECKING:
    from worker.engine.session import Session

#: How long the news of why a connection was lost may come after the loss, seconds.
WHY_WAIT = 0.5

_JID = re.compile(r"[0-9A-Za-z._-]{1,64}@(g\.us|s\.whatsapp\.net|lid)")
_PHONE = re.compile(r"\+[1-9][0-9]{5,14}")


@dataclass(slots=True)
class Job:
    """A send that was asked for. started is monotonic.  nudged: how often something was done about its waiting."""

    request: Frame
    secret: bytes
    answer: Answer
    started: float = field(default=0.0)
    nudged: int = 0


class Sender:
    """Takes sends from the daemon's connection and works on one at a time."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._stopped = False
        self._taking = threading.Lock()
        self._current: Job | None = None
        self._idle = threading.Event()
        self._idle.set()
        self._addresses: dict[str, JID] = {}

    def start(self) -> None:
        """Begin to work."""
        threading.Thread(target=self._work, name=f"send {self._session.id[:8]}", daemon=True).start()

    def put(self, request: Frame, answer: Answer) -> None:
        """Ask for a send."""
        try:
            secret = base64.b64decode(request["secret"], validate=True)
        except (KeyError, TypeError, ValueError):
            secret = b""
        if len(secret) != 32:
            answer.refuse(Refusal("invalid", "the secret must be 32 bytes"))
            return
        with self._taking:
            if not self._stopped:
                self._jobs.put(Job(request, secret, answer))
                return
        answer.refuse(Refusal("not-open"))

    @property
    def stuck(self) -> bool:
        """Whether the send under way has taken longer than any honest one; the library may repeat it forever."""
        job = self._current
        return job is not None and time.monotonic() - job.started > self._session.engine.send_seconds

    def waits_again(self, seconds: float) -> bool:
        """Whether the send under way has waited so long, twice, four times as long, …: once for each of them."""
        job = self._current
        if job is None or time.monotonic() - job.started < seconds * 2**job.nudged:
            return False
        job.nudged += 1
        return True

    def drain(self, wait: float) -> None:
        """Take no more, and let the one under way finish within this time."""
        with self._taking:
            self._stopped = True
        self._idle.wait(wait)

    def stop(self, wait: float) -> None:
        """Answer everything after the client was stopped: the one under way by the store, others `not-open`."""
        with self._taking:
            self._stopped = True
            self._jobs.put(None)
        if not self._idle.wait(wait) and (job := self._current) is not None:
            job.answer.refuse(self._by_store(job, Refusal("not-connected", self._session.why)))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._stopped:
                job.answer.refuse(Refusal("not-open"))
                continue
            self._idle.clear()
            job.started = time.monotonic()
            self._current = job
            try:
                self._send(job)
            except Refusal as refusal:
                job.answer.refuse(refusal)
            except Gone:
                job.answer.refuse(self._by_store(job, Refusal("not-open", self._session.why)))
            except LibraryError as error:
                job.answer.refuse(self._meaning(job, str(error)))
            except Exception as error:
                job.answer.refuse(self._by_store(job, Refusal("unsent", type(error).__name__)))
            finally:
                self._current = None
                self._idle.set()

    def _meaning(self, job: Job, text: str) -> Refusal:
        failure = explain(text)
        refusal = Refusal(failure.code, failure.detail)
        return refusal if failure.sure else self._by_store(job, refusal)

    def _by_store(self, job: Job, absent: Refusal) -> Refusal:
        """Ask the store whether the message was written before it left; if so it may have arrived.

        A store that can't tell leaves it open: an unlinked device's is emptied by the library at once.
        """
        code, why = absent.body["code"], absent.body["detail"]
        if self._session.closing.wait(WHY_WAIT if why == "lost" else 0):
            why = self._session.why
        try:
            written = self._session.folder.written(job.secret)
        except Exception:
            return Refusal("unknown", why, wa_message_id=None)
        return Refusal("unknown", why, wa_message_id=written) if written else Refusal(code, why)

    def _send(self, job: Job) -> None:
        from worker.engine.session import State  # a session has a sender, not the other way round

        session, request = self._session, job.request
        if session.state is not State.CONNECTED:
            raise Refusal("not-connected", session.state.name.lower())
        kind, text = request.get("kind"), request.get("text") or ""
        if kind == "text":
            if not text:
                raise Refusal("invalid", "no text")
            to = self._address(str(request.get("to", "")))
            message = text_message(text, job.secret)
        elif kind == "image":
            image, mimetype = _image(request.get("media"))
            to = self._address(str(request.get("to", "")))
            upload = session.client.upload(image, MediaType.MediaImage)
            message = image_message(upload, text, mimetype, job.secret)
        else:
            raise Refusal("invalid", "unknown kind")
        if time.monotonic() >= session.deadline:  # this process was stopped; another worker may have the session
            raise Refusal("not-connected", "lease ended")
        response = session.client.send_message(to, message)
        sent = {"wa_message_id": response.ID, "at": _seconds(response.Timestamp)}
        if session.alive():  # else the folder may be another engine's by now
            session.record("sent", token=request.get("token"), **sent)
        job.answer.ok(sent)

    def _address(self, to: str) -> JID:
        if _JID.fullmatch(to):
            return parse_jid(to)
        if not _PHONE.fullmatch(to):
            raise Refusal("invalid", "neither a JID nor a number in E.164")
        if to not in self._addresses:
            found: Any = self._session.client.is_on_whatsapp(to)
            if not found or not found[0].IsIn:
                raise Refusal("invalid", "not on WhatsApp")
            self._addresses[to] = found[0].JID
        return self._addresses[to]


def _image(media: Any) -> tuple[bytes, str]:
    try:
        image = base64.b64decode(media or "", validate=True)
    except (TypeError, ValueError):
        image = b""
    mimetype = image_type(image)
    if mimetype is None:
        raise Refusal("invalid", "no JPEG, PNG, WebP or GIF")
    return image, mimetype


def _seconds(timestamp: int) -> float:
    """Library times come in seconds, some in milliseconds."""
    return timestamp / 1000 if timestamp > 100_000_000_000 else float(timestamp)
