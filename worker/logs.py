"""JSON logs that can't leak: only keys known to be safe keep their values.

Message bodies, phone numbers, QR texts and keys pass through every part of the worker, and libraries put what they
hold into the text of their errors and log lines. So a key that is not listed here is "[redacted]", an exception is
its type and where it was raised (the text only of our own errors, which never carry such things), and a library's
log line is its logger, level and place. The event itself must be a literal: facts go into keys.

Lines go to stderr or to a file: the engine speaks its protocol on stdout, and the CLI prints results there.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from datetime import date
from enum import Enum
from typing import Any
from uuid import UUID

import structlog

from worker.errors import HeraldError
from worker.process.log_file import Sink, StandardError

#: Ids, codes, counts, durations and names of ours: never text that a person or a provider wrote.
SAFE_KEYS = frozenset(
    {
        *("event", "level", "timestamp", "logger", "at"),
        *("worker_id", "session_id", "organization_id", "message_id", "group_id", "command_id", "campaign_id"),
        *("request_id", "shard", "epoch", "generation", "incarnation", "sequence", "key_id"),
        *("status", "desired_state", "outcome", "ending", "code", "kind", "signal", "exit_code"),
        *("count", "sessions", "waiting", "limit", "attempt", "bytes", "seconds", "retry_after", "until"),
        *("pid", "host", "port", "method", "route", "version"),
    }
)
REDACTED = "[redacted]"

_MAX_FRAMES = 12

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def configure_logs(level: str, sink: Sink | None = None) -> None:
    """Route our logs from ``level`` up, and every library's from WARNING up, through the redaction.

    sink: where the lines go; by default standard error.
    """
    lines = _Lines(sink or StandardError())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_LibraryHandler()]  # any other handler would print what a library says as it stands
    root.setLevel(logging.WARNING)


class _Lines:
    """What structlog calls a logger: every level writes one line."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def msg(self, message: str) -> None:
        self._sink.write(f"{message}\n")

    debug = info = warning = error = critical = msg


class _LibraryHandler(logging.Handler):
    """Hands a library's record on without its message, which may quote a body, a number or a URL with a token."""

    def emit(self, record: logging.LogRecord) -> None:
        facts = {"logger": record.name, "at": f"{record.filename}:{record.lineno}", "exc_info": record.exc_info}
        if record.levelno >= logging.ERROR:
            log.error("A library logged an error", **facts)
        else:
            log.warning("A library logged a warning", **facts)


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    exception = _exception_of(event.pop("exc_info", None))
    event.pop("stack_info", None)
    shown: dict[str, Any] = {key: _shown(key, value) for key, value in event.items()}
    if exception is not None:
        shown["exception"] = _described(exception)
    return shown


def _shown(key: str, value: Any) -> Any:
    if isinstance(value, BaseException):
        return _described(value)
    if key not in SAFE_KEYS:
        return REDACTED
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(key, item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value) if isinstance(value, UUID | date) else REDACTED


def _exception_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _described(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    described: dict[str, Any] = {
        "type": kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    }
    if isinstance(error, HeraldError):
        described["message"] = str(error)
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    if frames:
        described["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    if isinstance(error, BaseExceptionGroup):
        described["exceptions"] = [_described(part) for part in error.exceptions]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        described["cause"] = _described(cause)
    return described
