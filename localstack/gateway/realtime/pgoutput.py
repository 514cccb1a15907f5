"""Decode `pgoutput`, protocol version 1: https://www.postgresql.org/docs/17/protocol-logicalrep-message-formats.html

Values stay as Postgres writes them; `tables.py` makes JSON of them.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

#: A row as text; a column that didn't change and lies out of line (TOAST) is absent.
TextRow = Mapping[str, str | None]


class Kind(StrEnum):
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


_KINDS = {"I": Kind.INSERT, "U": Kind.UPDATE, "D": Kind.DELETE}


@dataclass(frozen=True, slots=True)
class Relation:
    oid: int
    schema: str
    table: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    relation: Relation
    kind: Kind
    new: TextRow | None
    old: TextRow | None  #: by replica identity: the key, the whole row, or nothing
    old_is_whole: bool
    committed: datetime


class Decoder:
    """Remembers the relations that the stream has described."""

    def __init__(self) -> None:
        self._relations: dict[int, Relation] = {}
        self._committed = _EPOCH

    def feed(self, message: bytes) -> RowChange | Relation | None:
        """One message: a change, a relation that is new or was altered, or nothing of interest."""
        reader = _Reader(message)
        match kind := reader.char():
            case "B":
                reader.int64()
                self._committed = _EPOCH + timedelta(microseconds=reader.int64())
            case "R":
                relation = reader.relation()
                self._relations[relation.oid] = relation
                return relation
            case "I" | "U" | "D":
                relation = self._relations[reader.int32()]
                old: TextRow | None = None
                new: TextRow | None = None
                whole = False
                while reader.more():
                    part = reader.char()
                    row = reader.row(relation.columns)
                    if part == "N":
                        new = row
                    else:
                        old, whole = row, part == "O"
                return RowChange(
                    relation=relation,
                    kind=_KINDS[kind],
                    new=new,
                    old=old,
                    old_is_whole=whole,
                    committed=self._committed,
                )
        return None


class _Reader:
    def __init__(self, message: bytes) -> None:
        self._bytes = message
        self._at = 0

    def more(self) -> bool:
        return self._at < len(self._bytes)

    def take(self, length: int) -> bytes:
        self._at += length
        return self._bytes[self._at - length : self._at]

    def char(self) -> str:
        return self.take(1).decode()

    def int16(self) -> int:
        return int(struct.unpack(">h", self.take(2))[0])

    def int32(self) -> int:
        return int(struct.unpack(">i", self.take(4))[0])

    def int64(self) -> int:
        return int(struct.unpack(">q", self.take(8))[0])

    def text(self) -> str:
        end = self._bytes.index(0, self._at)
        return self.take(end + 1 - self._at)[:-1].decode()

    def relation(self) -> Relation:
        oid, schema, table = self.int32(), self.text(), self.text()
        self.char()  # replica identity
        columns = []
        for _ in range(self.int16()):
            self.take(1)  # part of the key
            columns.append(self.text())
            self.take(8)  # type and its modifier: the catalog says more
        return Relation(oid, schema, table, tuple(columns))

    def row(self, columns: tuple[str, ...]) -> TextRow:
        row: dict[str, str | None] = {}
        for name in columns[: self.int16()]:
            match self.char():
                case "n":
                    row[name] = None
                case "t":
                    row[name] = self.take(self.int32()).decode()
        return row
