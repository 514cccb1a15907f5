"""The library's error texts, and what the queue makes of them."""

import pytest

from worker.engine.failures import explain
from worker.errors import EngineRefused
from worker.outcome import Indeterminate, Rejected, Unavailable
from worker.providers.web.outcomes import NACKS, outcome_of


@pytest.mark.parametrize(
    ("text", "code", "detail", "sure"),
    [
        ("server returned error 463", "rejected", "463", True),
        ("failed to send message node: websocket not connected", "not-connected", "no socket", True),
        ("websocket not connected", "not-connected", "lost", False),
        ("websocket disconnected before message send returned response", "not-connected", "lost", False),
        ("timed out waiting for message send response", "unsent", "no answer", False),
        ("info query timed out", "unsent", "no answer", False),
        ("info query returned status 404: item-not-found", "unsent", "query 404", False),
        ("failed to get group members: you're not participating in that group", "rejected", "403", True),
        ("info query returned status 429: rate-overlimit", "rejected", "429", False),
        ("info query returned status 500: internal-server-error", "unsent", "query 500", False),
        ("no LID found for 491511111111@s.whatsapp.net from server", "unsent", "no LID", True),
        ("the store doesn't contain a device JID", "not-connected", "not linked", True),
        ("failed to upload: upload failed with status code 507", "unsent", "upload 507", False),
        ("something new about +491511111111", "unsent", "library", False),
    ],
)
def test_a_text_is_read_once(text: str, code: str, detail: str, *, sure: bool) -> None:
    failure = explain(text)
    assert (failure.code, failure.detail, failure.sure) == (code, detail, sure)


def test_only_doubt_is_doubt() -> None:
    for code in ("not-open", "not-connected", "rejected", "invalid", "unsent"):
        assert not isinstance(outcome_of(EngineRefused(code, "403")), Indeterminate)
    doubt = outcome_of(EngineRefused("unknown", "lost", "3EB0"))
    assert isinstance(doubt, Indeterminate)
    assert (doubt.code, doubt.wa_message_id) == ("wa-connection-lost", "3EB0")


def test_what_the_protocol_does_not_name_is_doubt() -> None:
    assert isinstance(outcome_of(EngineRefused("internal", "KeyError")), Indeterminate)


def test_an_unknown_number_is_tried_again() -> None:
    outcome = outcome_of(EngineRefused("rejected", "599"))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry) == ("wa-nack-599", True)


def test_no_refusal_is_doubt() -> None:
    assert all(isinstance(outcome, Rejected | Unavailable) for outcome in NACKS.values())
