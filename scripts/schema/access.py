"""Who may do what with a table, in words, from its grants and row policies."""

import re

from scripts.schema.catalog import VERBS, Table

_WORDS = {"select": "Read", "insert": "Insert", "update": "Update", "delete": "Delete"}
#: What a policy's usual parts mean to a person. Anything else is shown as it is written.
_PHRASES = (
    (r"\(\w+ IN \( SELECT herald\.my_organizations\(\) AS my_organizations\)\)", "members"),
    (r"\(\w+ IN \( SELECT herald\.my_admin_organizations\(\) AS my_admin_organizations\)\)", "admins"),
    (r"\( SELECT herald\.is_super_admin\(\) AS is_super_admin\)", "super admins"),
    (r"\( SELECT ((?:auth|herald)\.\w+\(\)) AS \w+\)", r"\1"),
    (r"\( SELECT g\.id FROM public\.whatsapp_groups g WHERE \(g\.session_id IN (herald\.\w+\(\))\)\)", r"\1"),
    (r"\(members AND \(NOT \(\w+ IN herald\.my_hidden_sessions\(\)\)\)\)", "members who see the account"),
)
_ROLES = {"members", "members who see the account", "admins", "super admins"}


def access(table: Table) -> list[str]:
    """One line a verb for people, one for the service role, one for Realtime."""
    lines = [
        f"- {_WORDS[verb]}: {_people(table, verb)}"
        for verb in VERBS
        if ("authenticated", verb) in table.privileges
    ]
    if not lines:
        lines = ["- People: nothing"]
    if visitor := [verb for verb in VERBS if ("anon", verb) in table.privileges]:
        lines.append(f"- Visitors (`anon`): {', '.join(visitor)}, as far as a policy lets them")
    service = [verb for verb in VERBS if ("service_role", verb) in table.privileges]
    lines.append(f"- Service role: {', '.join(service) or 'nothing directly, only through functions'}")
    if table.published:
        lines.append("- Realtime: tells of changes to those who may read the row")
    return lines


def _people(table: Table, verb: str) -> str:
    columns = table.privileges["authenticated", verb]
    which = "" if len(columns) == len(table.columns) else ": " + ", ".join(f"`{name}`" for name in columns)
    if table.is_view:
        return f"with the reader's own rights on what it shows{which}"
    rows = [
        in_words(policy.condition) + (f", and then {in_words(policy.after)}" if policy.after else "")
        for policy in table.policies
        if verb in policy.verbs
    ]
    if not rows:
        return "nobody (granted, but no policy lets a row through)"
    return " or ".join(rows) + which


def in_words(condition: str) -> str:
    """A policy's condition: roles in words, the rest as SQL."""
    text = " ".join(condition.split())
    for pattern, phrase in _PHRASES:
        text = re.sub(pattern, phrase, text)
    text = re.sub(r"::(?:text|uuid)\b", "", text)
    text = re.sub(r"= ANY \(ARRAY\[([^]]*)\]\)", r"in (\1)", text)
    while text.startswith("(") and _closes(text) == len(text) - 1:
        text = text[1:-1]
    roles = text.split(" OR ")
    if {*roles} <= _ROLES:
        return " or ".join(roles)
    return f"`{text}`"


def _closes(text: str) -> int:
    """Where the first parenthesis closes."""
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return at
    return len(text)
