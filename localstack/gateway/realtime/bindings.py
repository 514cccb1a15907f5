"""What a client subscribed to: `{event, schema, table, filter}`."""

import json
import operator
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localstack.gateway.realtime.tables import JsonRow

_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


class FilterError(ValueError):
    """The filter isn't `column=operator.value` with an operator that Realtime has."""


@dataclass(frozen=True, slots=True)
class Filter:
    column: str
    operator: str
    value: str

    @classmethod
    def parse(cls, text: str) -> "Filter":
        column, equals, rest = text.partition("=")
        name, dot, value = rest.partition(".")
        if not (column and equals and dot) or name not in {"eq", "neq", "in", *_ORDERED}:
            raise FilterError(text)
        return cls(column, name, value)

    def matches(self, row: JsonRow) -> bool:
        """A column that isn't in the row never matches: that is why DELETEs can only be filtered by key."""
        actual = row.get(self.column)
        if actual is None:
            return False
        if self.operator == "in":
            return _text(actual) in [item.strip().strip('"') for item in self.value.strip("()").split(",")]
        if self.operator in ("eq", "neq"):
            return (_text(actual) == self.value) == (self.operator == "eq")
        return _ORDERED[self.operator](*_comparable(actual, self.value))


@dataclass(frozen=True, slots=True)
class Binding:
    asked: Mapping[str, Any]  #: echoed to the client, which compares it with what it sent
    id: int
    event: str
    schema: str
    table: str | None
    filter: Filter | None

    @classmethod
    def parse(cls, asked: Mapping[str, Any]) -> "Binding":
        """Raises FilterError."""
        table = asked.get("table")
        return cls(
            asked=asked,
            id=zlib.crc32(json.dumps(asked, sort_keys=True).encode()) & 0x7FFFFFF,
            event=str(asked.get("event", "*")).upper(),
            schema=asked.get("schema") or "public",
            table=None if table in (None, "", "*") else table,
            filter=Filter.parse(asked["filter"]) if asked.get("filter") else None,
        )

    def matches(self, event: str, schema: str, table: str, row: JsonRow) -> bool:
        return (
            self.event in ("*", event)
            and self.schema in ("*", schema)
            and self.table in (None, table)
            and (self.filter is None or self.filter.matches(row))
        )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def _comparable(actual: Any, wanted: str) -> tuple[Any, Any]:
    """Both as numbers, else as times, else as text."""
    for convert in (float, datetime.fromisoformat):
        try:
            left, right = convert(_text(actual)), convert(wanted)
        except ValueError:
            continue
        if isinstance(left, datetime) and isinstance(right, datetime) and bool(left.tzinfo) != bool(right.tzinfo):
            break
        return left, right
    return _text(actual), wanted
