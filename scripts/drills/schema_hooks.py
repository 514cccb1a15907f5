"""What schemathesis loads: generated ids that could be right become those of rows that exist, mostly.

What is wrong on purpose stays wrong: only a value in the right form is replaced.
"""

import json
import os
import random
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import schemathesis
from hypothesis import strategies
from schemathesis.generation.meta import TestPhase

#: Holds the rows that exist as JSON: lists by the name of what they are.
KNOWN_VARIABLE = "HERALD_SCHEMA_KNOWN"

_KNOWN: Mapping[str, list[str]] = json.loads(os.environ.get(KNOWN_VARIABLE, "{}"))

#: How often a right value becomes one that exists; and in a chain of calls, whose ids mostly come from each other.
_SHARE, _CHAIN_SHARE = 0.97, 0.5

_UUID = r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}"
_FORMS = {
    "templates": r"[a-z0-9][a-z0-9_-]{0,99}",
    "jids": r"[0-9]{5,30}(-[0-9]{5,20})?@g\.us",
    "phones": r"\+[0-9 ()-]{7,20}",
}
_KEY = r"[\x21-\x7e]{1,150}"

#: Which kind of id each parameter holds.
_PATH = {"jid": "jids", "id": "messages"}
_IDS = {"session_id": "sessions", "group_id": "groups", "contact_id": "contacts", "template": "templates"}
_RECIPIENT = {"group": "groups", "contact": "contacts", "phone": "phones"}

#: Where an operation needs another: what ends an account is done to one that nothing else needs.
_OF_OPERATION: Mapping[str, Mapping[str, str]] = {
    **{name: {"session_id": "spare_sessions"} for name in ("connect", "disconnect", "reconnect", "logout")},
    "get_qr": {"session_id": "showing_sessions"},
    "get_command": {"id": "commands"},
    "cancel_message": {"id": "cancellable"},
    "retry_message": {"id": "retryable"},
}

#: A wait that is allowed, or left out, becomes this one, seconds: 30 would be right too. What asks the account's
#: holder is mostly answered within the longer one, and more than fifty requests that wait are refused.
_WAIT, _COMMAND_WAIT = 0.05, 5.0

#: How often connecting uses an existing account: each new one needs an engine and shows its own QR.
_AGAIN = 0.8

#: How often an idempotency key is new. Generated ones are short, so other calls have used most of them before.
_NEW_KEY, _KEY_HEADER = 0.95, "Idempotency-Key"

schemathesis.openapi.format("phone", strategies.from_regex(r"\+49170[0-9]{7}", fullmatch=True))


@schemathesis.hook
def map_case(_context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    """Name rows that exist in a case of whatever phase; wait shortly."""
    raw = case.operation.definition.raw
    own = _OF_OPERATION.get(raw.get("operationId", ""), {})
    chained = case.meta is not None and case.meta.phase.name is TestPhase.STATEFUL
    share = _CHAIN_SHARE if chained else _SHARE
    _put(case.path_parameters, {**_PATH, **own}, share)
    _put(case.query, {**_IDS, **own}, share)
    if any(parameter.get("name") == "wait" for parameter in raw.get("parameters", ())):
        _wait(case.query, _COMMAND_WAIT if "202" in raw["responses"] else _WAIT)
    if re.fullmatch(_KEY, case.headers.get(_KEY_HEADER, "")) and random.random() < _NEW_KEY:
        case.headers[_KEY_HEADER] = uuid4().hex
    if isinstance(case.body, dict):
        if raw["operationId"] == "connect" and random.random() < _AGAIN:
            case.body.setdefault("session_id", random.choice(_KNOWN["spare_sessions"]))
        _put(case.body, {**_IDS, **own}, share)
        _put_recipients(case.body)
        _leave_one_key(case.body)
    return case


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    """Follow no null, such as the message of a recipient that was listed twice: schemathesis asks for None."""
    for place, what in _PATH.items():
        if case.path_parameters.get(place) in (None, "None") and place in case.path_parameters:
            case.path_parameters[place] = random.choice(_KNOWN[what])


def _put(values: Any, places: Mapping[str, str], share: float = _SHARE) -> None:
    if not isinstance(values, dict):
        return
    for place, what in places.items():
        value = values.get(place)
        right = isinstance(value, str) and re.fullmatch(_FORMS.get(what, _UUID), unquote(value))
        if right and _KNOWN.get(what) and random.random() < share:
            values[place] = random.choice(_KNOWN[what])


def _put_recipients(body: dict[str, Any]) -> None:
    recipients = body.get("recipients")
    for to in (body.get("to"), *(recipients if isinstance(recipients, list) else ())):
        _put(to, _RECIPIENT)


def _leave_one_key(body: dict[str, Any]) -> None:
    """Drop the body's key: the header has another, and that is a conflict."""
    key = body.get("idempotency_key")
    if isinstance(key, str) and re.fullmatch(_KEY, key) and random.random() < _SHARE:
        del body["idempotency_key"]


def _wait(query: Any, seconds: float) -> None:
    with suppress(AttributeError, TypeError, ValueError):
        if 0 <= float(query.get("wait", 0)) <= 30:
            query["wait"] = seconds
