import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import structlog

from worker.errors import ProviderError
from worker.logs import configure_logs, log
from worker.session import Ending

SECRET = "+491709876567 we are live"


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logs("INFO")
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    printed = capsys.readouterr()
    assert printed.out == ""
    assert SECRET not in printed.err
    return [json.loads(line) for line in printed.err.splitlines()]


def line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (only,) = lines(capsys)
    return only


def test_a_known_key_keeps_its_value_and_any_other_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    log.info("Sent", session_id=UUID(int=1), count=2, ending=Ending.BANNED, text=SECRET, phone=SECRET, key=b"x")
    shown = line(capsys)
    assert datetime.fromisoformat(shown.pop("timestamp")).tzinfo == UTC
    assert shown == {
        "event": "Sent",
        "level": "info",
        "session_id": "00000000-0000-0000-0000-000000000001",
        "count": 2,
        "ending": "wa-temporary-ban",
        "text": "[redacted]",
        "phone": "[redacted]",
        "key": "[redacted]",
    }


def test_a_safe_key_does_not_carry_a_body_in_a_structure(capsys: pytest.CaptureFixture[str]) -> None:
    log.info(
        "Claimed", status={"body": SECRET}, outcome=object(), kind=SECRET.encode(), message_id=[UUID(int=1), {}]
    )
    shown = line(capsys)
    assert (shown["status"], shown["outcome"], shown["kind"]) == ("[redacted]",) * 3
    assert shown["message_id"] == ["00000000-0000-0000-0000-000000000001", "[redacted]"]


def test_context_is_redacted_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.contextvars.bind_contextvars(request_id="r1", authorization=SECRET)
    log.bind(shard=3, body=SECRET).warning("Slow")
    shown = line(capsys)
    assert (shown["request_id"], shown["shard"]) == ("r1", 3)
    assert (shown["authorization"], shown["body"]) == ("[redacted]", "[redacted]")


def test_an_exception_is_its_type_and_place_and_only_our_own_text(capsys: pytest.CaptureFixture[str]) -> None:
    def provider() -> None:
        try:
            int(SECRET)
        except ValueError as error:
            raise ProviderError("The provider refused the group.") from error

    try:
        provider()
    except ProviderError:
        log.exception("Send failed")
    exception = line(capsys)["exception"]
    assert exception["type"] == "worker.errors.ProviderError"
    assert exception["message"] == "The provider refused the group."
    assert exception["at"][-1].endswith(" provider")
    assert exception["cause"]["type"] == "ValueError"
    assert "message" not in exception["cause"]


def test_an_exception_in_a_key_or_a_group_shows_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    log.error("Refused", error=KeyError(SECRET))
    log.error("Stopped", exc_info=ExceptionGroup(SECRET, [OSError(SECRET), ProviderError("Away.")]))
    refused, stopped = lines(capsys)
    assert refused["error"] == {"type": "KeyError"}
    assert stopped["exception"] == {
        "type": "ExceptionGroup",
        "exceptions": [{"type": "OSError"}, {"type": "worker.errors.ProviderError", "message": "Away."}],
    }


def test_a_library_line_is_reduced_to_its_logger_level_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    library = logging.getLogger("realtime.client")
    library.info("joined %s", SECRET)
    library.warning("lost %s", SECRET)
    try:
        int(SECRET)
    except ValueError:
        library.exception("failed %s", SECRET, extra={"body": SECRET})
    lost, failed = lines(capsys)
    assert (lost["logger"], lost["level"], lost["event"]) == (
        "realtime.client",
        "warning",
        "A library logged a warning",
    )
    assert lost["at"].startswith("test_logs.py:")
    assert failed["level"] == "error"
    assert failed["exception"]["type"] == "ValueError"
    assert "exception" not in lost


def test_a_library_line_with_broken_arguments_prints_nothing_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")  # pytest has put its own handler beside ours, which fails on purpose
    logging.getLogger("httpx").warning("%d and %d", SECRET)
    assert line(capsys)["logger"] == "httpx"


def test_lines_below_the_level_are_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    log.debug("Polled")
    configure_logs("ERROR")
    log.warning("Slow")
    logging.getLogger("aiohttp").warning("slow")
    log.error("Broken")
    assert line(capsys)["event"] == "Broken"


def test_configuring_twice_prints_a_library_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")
    logging.getLogger("apscheduler").error(SECRET)
    assert line(capsys)["logger"] == "apscheduler"
