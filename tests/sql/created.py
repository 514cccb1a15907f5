"""What the migrations create and drop, read from their text: names, so that a second creation shows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: Comments, dollar-quoted bodies and quoted text: what looks like a statement in them is none.
_SKIPPED = re.compile(r"--[^\n]*|(?P<opening>\b(?:as|do)\s+\$\$)(?P<body>.*?)\$\$|'(?:[^']|'')*'", re.DOTALL)
_UNLESS = r"(?:if not exists )?"
_CREATE = re.compile(
    r"\bcreate (?P<replace>or replace )?(?:"
    r"(?P<routine>function|procedure) (?P<name>[\w.]+)\("
    r"|(?:constraint )?trigger (?P<trigger>[\w\"]+) .*?\bon (?P<trigger_on>[\w.]+)"
    r"|policy (?P<policy>[\w\"]+) on (?P<policy_on>[\w.]+)"
    rf"|(?:unique )?index {_UNLESS}(?P<index>\w+) on (?P<index_on>[\w.]+)"
    rf"|(?P<kind>table|view|type|schema|extension|sequence) {_UNLESS}(?P<thing>[\w.]+))"
)
_CALL = re.compile(r"\bcall herald\.(tenant_table|keep_identity)\(\s*'(\w+)'")
_DROP = re.compile(r"\b(?:drop|rename) [^;]*|\balter (?:function|view|policy|trigger|index) [^;]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    kind: str  #: function (procedures too), trigger, policy, index, table, view, type, schema, extension, sequence
    name: str  #: a function with its argument types; a trigger or policy as name@schema.table
    replaces: bool = False  #: create or replace


def statements(text: str) -> str:
    """The text without comments, functions' bodies and quoted text, single quoted words apart; do blocks stay."""

    def kept(match: re.Match[str]) -> str:
        if opening := match["opening"]:
            return f" {statements(match['body'])} " if opening.startswith("do") else " "
        if match[0].startswith("'") and re.fullmatch(r"'\w+'", match[0]):
            return match[0]
        return " "

    return re.sub(r"\s+", " ", _SKIPPED.sub(kept, text))


def _of_table(name: str, table: str) -> str:
    return name.strip('"') + "@" + table


def _signature(text: str, start: int) -> str:
    """The argument types of the list that begins at start, behind its parenthesis."""
    depth, end = 1, start
    while depth:
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    types = []
    for argument in re.split(r",(?![^(]*\))", text[start : end - 1]):
        words = re.split(r" default\b", argument.strip())[0].split()
        if words and words[0] != "out":  # what comes out is no part of the signature
            types.append(" ".join(words[2:] if words[0] in ("inout", "variadic") else words[1:]))
    return ", ".join(types)


def created(text: str) -> Iterator[Created]:
    """Each object that this migration creates, in order."""
    plain = statements(text)
    for match in _CREATE.finditer(plain):
        replaces = bool(match["replace"])
        if match["routine"]:
            name = f"{match['name']}({_signature(plain, match.end())})"
            yield Created(kind="function", name=name, replaces=replaces)
        elif match["trigger"]:
            yield Created(kind="trigger", name=_of_table(match["trigger"], match["trigger_on"]))
        elif match["policy"]:
            yield Created(kind="policy", name=_of_table(match["policy"], match["policy_on"]))
        elif match["index"]:
            yield Created(kind="index", name=f"{match['index_on'].partition('.')[0]}.{match['index']}")
        else:
            yield Created(kind=match["kind"], name=match["thing"], replaces=replaces)
    for procedure, table in _CALL.findall(plain):
        if procedure == "keep_identity":
            yield Created(kind="trigger", name=f"immutable@public.{table}")
        else:
            yield Created(kind="trigger", name=f"touch@public.{table}")
            for verb in ("select", "insert", "update", "delete"):
                yield Created(kind="policy", name=f"{table}_{verb}@public.{table}")


def undone(text: str) -> list[str]:
    """Statements that drop, rename or alter what a migration has created."""
    return [match[0].strip()[:80] for match in _DROP.finditer(statements(text))]
