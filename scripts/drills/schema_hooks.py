"""What schemathesis loads: generated ids that could be right become those of rows that exist, mostly.

What is wrong on purpose stays wrong: only a value in the right form is replaced.
"""

import json
import os
import random
import re
from collections.abc import Mapping
from typing import Any

import schemathesis
from hypothesis import strategies

#: Holds the rows that exist as JSON: lists by the name of what they are.
KNOWN_VARIABLE = "HERALD_SCHEMA_KNOWN"

_KNOWN: Mapping[str, list[str]] = json.loads(os.environ.get(KNOWN_VARIABLE, "{}"))

#: How often a right value becomes one that exists.
_SHARE = 0.97

_UUID = r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}"
_FORMS = {
    "templates": r"[a-z0-9][a-z0-9_-]{0,99}",
    "jids": r"[0-9]{5,30}(-[0-9]{5,20})?@g\.us",
    "phones": r"\+[0-9 ()-]{7,20}",
}

#: What stands where.
_PATH = {"jid": "jids", "id": "messages"}
_IDS = {"session_id": "sessions", "group_id": "groups", "contact_id": "contacts", "template": "templates"}
_RECIPIENT = {"group": "groups", "contact": "contacts", "phone": "phones"}

#: Where an operation needs another: what ends an account is done to one that nothing else needs.
_ENDING = ("connect", "disconnect", "reconnect", "logout", "get_qr")
_OF_OPERATION: Mapping[str, Mapping[str, str]] = {
    **{operation: {"session_id": "spare_sessions"} for operation in _ENDING},
    "get_command": {"id": "commands"},
}

#: A wait that is allowed becomes this one, seconds: 30 would be right too.
_WAIT = 0.05

schemathesis.openapi.format("phone", strategies.from_regex(r"\+49170[0-9]{7}", fullmatch=True))


def _put(context: schemathesis.HookContext, values: Any, places: Mapping[str, str]) -> None:
    if not isinstance(values, dict) or not context.operation:
        return
    own = _OF_OPERATION.get(context.operation.definition.raw.get("operationId", ""), {})
    for place, what in places.items():
        what = own.get(place, what)
        value = values.get(place)
        right = isinstance(value, str) and re.fullmatch(_FORMS.get(what, _UUID), value)
        if right and what in _KNOWN and random.random() < _SHARE:
            values[place] = random.choice(_KNOWN[what])


@schemathesis.hook
def map_path_parameters(context: schemathesis.HookContext, path_parameters: Any) -> Any:
    """Name rows in paths."""
    _put(context, path_parameters, _PATH)
    return path_parameters


@schemathesis.hook
def map_query(context: schemathesis.HookContext, query: Any) -> Any:
    """Name rows in queries; wait shortly."""
    _put(context, query, _IDS)
    if isinstance(query, dict) and _is_allowed(query.get("wait")):
        query["wait"] = _WAIT
    return query


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Name rows in bodies, recipients above all."""
    if isinstance(body, dict):
        _put(context, body, _IDS)
        if random.random() < _SHARE:
            body.pop("idempotency_key", None)  # the header has another, and that is a conflict
        recipients = body.get("recipients")
        for to in (body.get("to"), *(recipients if isinstance(recipients, list) else ())):
            _put(context, to, _RECIPIENT)
    return body


def _is_allowed(wait: Any) -> bool:
    try:
        return 0 <= float(wait) <= 30
    except (TypeError, ValueError):
        return False
