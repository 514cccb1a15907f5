"""The sends of one session, one after another on a thread of their own. Each is answered, whatever happens."""

import base64
import queue
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from worker.engine.answers import Answer, CallRefused
from worker.engine.contents import image_message, image_type, parse_jid, seconds, text_message
from worker.engine.failures import explain
from worker.engine.framing import Frame
from worker.engine.library import JID, Gone, LibraryError, MediaType
from worker.engine.opening import Opening
from worker.engine.protocol import Code, Detail, EventName, SendKind, State
from worker.engine.shapes import Sent, SentEvent

#: How long after a lost connection its reason may arrive, seconds.
WHY_WAIT = 0.5

_JID = re.compile(r"[0-9A-Za-z._-]{1,64}@(g\.us|s\.whatsapp\.net|lid)")
_PHONE = re.compile(r"\+[1-9][0-9]{5,14}")


@dataclass(slots=True)
class Job:
    """A requested send. started: monotonic. nudged: how often the engine spoke to the server while it waited."""

    request: Frame
    secret: bytes
    answer: Answer
    started: float = field(default=0.0)
    nudged: int = 0


class Sender:
    """Queues sends and does one at a time. send_seconds: a send that takes longer has hung."""

    def __init__(self, session: Opening, send_seconds: float) -> None:
        self._session = session
        self._send_seconds = send_seconds
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._stopped = False
        self._taking = threading.Lock()
        self._current: Job | None = None
        self._idle = threading.Event()
        self._idle.set()
        self._addresses: dict[str, JID] = {}

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._work, name=f"send {self._session.id[:8]}", daemon=True).start()

    def put(self, request: Frame, answer: Answer) -> None:
        """Queue a send; its answer comes from the thread."""
        try:
            secret = base64.b64decode(request["secret"], validate=True)
        except (KeyError, TypeError, ValueError):
            secret = b""
        if len(secret) != 32:
            answer.refuse(CallRefused(Code.INVALID, "the secret must be 32 bytes"))
            return
        with self._taking:
            if not self._stopped:
                self._jobs.put(Job(request, secret, answer))
                return
        answer.refuse(CallRefused(Code.NOT_OPEN))

    @property
    def stuck(self) -> bool:
        """Whether the send under way has hung. The library may repeat it forever."""
        job = self._current
        return job is not None and time.monotonic() - job.started > self._send_seconds

    def waits_again(self, seconds: float) -> bool:
        """Return True once when the send under way has waited this long, once after twice as long, and so on."""
        job = self._current
        if job is None or time.monotonic() - job.started < seconds * 2**job.nudged:
            return False
        job.nudged += 1
        return True

    def drain(self, wait: float) -> None:
        """Take no more sends. Give the one under way this many seconds to finish."""
        with self._taking:
            self._stopped = True
        self._idle.wait(wait)

    def stop(self, wait: float) -> None:
        """Answer every send after the client was stopped: the one under way by the store, others `not-open`."""
        with self._taking:
            self._stopped = True
            self._jobs.put(None)
        if not self._idle.wait(wait) and (job := self._current) is not None:
            job.answer.refuse(self._by_store(job, Code.NOT_CONNECTED, self._session.why))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._stopped:
                job.answer.refuse(CallRefused(Code.NOT_OPEN))
                continue
            self._idle.clear()
            job.started = time.monotonic()
            self._current = job
            try:
                self._send(job)
            except CallRefused as refusal:
                job.answer.refuse(refusal)
            except Gone:
                job.answer.refuse(self._by_store(job, Code.NOT_OPEN, self._session.why))
            except LibraryError as error:
                job.answer.refuse(self._meaning(job, str(error)))
            except Exception as error:
                job.answer.refuse(self._by_store(job, Code.UNSENT, type(error).__name__))
            finally:
                self._current = None
                self._idle.set()

    def _meaning(self, job: Job, text: str) -> CallRefused:
        failure = explain(text)
        if failure.sure:
            return CallRefused(failure.code, failure.detail)
        return self._by_store(job, failure.code, failure.detail)

    def _by_store(self, job: Job, code: Code, why: str) -> CallRefused:
        """Refuse with this code if the store proves that the message never left, otherwise with `unknown`.

        The store holds what was written ahead. It may be unable to tell: the library empties it when the device is
        unlinked.
        """
        if self._session.closing.wait(WHY_WAIT if why == Detail.LOST else 0):
            why = self._session.why
        try:
            written = self._session.folder.written(job.secret)
        except Exception:
            return CallRefused(Code.UNKNOWN, why, wa_message_id=None)
        return CallRefused(Code.UNKNOWN, why, wa_message_id=written) if written else CallRefused(code, why)

    def _send(self, job: Job) -> None:
        session, request = self._session, job.request
        if session.state is not State.CONNECTED:
            raise CallRefused(Code.NOT_CONNECTED, session.state)
        kind, text = request.get("kind"), request.get("text") or ""
        if kind == SendKind.TEXT:
            if not text:
                raise CallRefused(Code.INVALID, "no text")
            to = self._address(str(request.get("to", "")))
            message = text_message(text, job.secret)
        elif kind == SendKind.IMAGE:
            image, mimetype = _image(request.get("media"))
            to = self._address(str(request.get("to", "")))
            upload = session.client.upload(image, MediaType.MediaImage)
            message = image_message(upload, text, mimetype, job.secret)
        else:
            raise CallRefused(Code.INVALID, "unknown kind")
        if time.monotonic() >= session.deadline:  # this process was stopped; another worker may have the session
            raise CallRefused(Code.NOT_CONNECTED, Detail.LEASE_ENDED)
        response = self._in_library(to, message, job.secret)
        sent = Sent(wa_message_id=response.ID, at=seconds(response.Timestamp))
        if session.alive():  # else the folder may be another engine's by now
            session.record(EventName.SENT, SentEvent(token=request["token"], **sent))
        job.answer.ok(sent)

    def _in_library(self, to: JID, message: Any, secret: bytes) -> Any:
        repeats = self._session.repeats
        repeats.begin(secret)
        try:
            response = self._session.client.send_message(to, message)
        except BaseException:
            repeats.end()
            raise
        repeats.end(response.ID)
        return response

    def _address(self, to: str) -> JID:
        if _JID.fullmatch(to):
            return parse_jid(to)
        if not _PHONE.fullmatch(to):
            raise CallRefused(Code.INVALID, "neither a JID nor a number in E.164")
        if to not in self._addresses:
            found: Any = self._session.client.is_on_whatsapp(to)
            if not found or not found[0].IsIn:
                raise CallRefused(Code.INVALID, Detail.NOT_ON_WHATSAPP)
            self._addresses[to] = found[0].JID
        return self._addresses[to]


def _image(media: Any) -> tuple[bytes, str]:
    try:
        image = base64.b64decode(media or "", validate=True)
    except (TypeError, ValueError):
        image = b""
    mimetype = image_type(image)
    if mimetype is None:
        raise CallRefused(Code.INVALID, "no JPEG, PNG, WebP or GIF")
    return image, mimetype
