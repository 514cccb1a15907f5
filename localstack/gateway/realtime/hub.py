"""Who listens to what, and which change is sent to whom."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from localstack.gateway.realtime.bindings import Binding
from localstack.gateway.realtime.feed import Change
from localstack.gateway.realtime.tables import Table
from localstack.gateway.realtime.visibility import Claims, Sight, Visibility


class Mode(StrEnum):
    """A switch for tests."""

    ON = "on"
    CUT = "cut"  #: abort every socket and refuse new ones
    REFUSE = "refuse"  #: keep the sockets, refuse new ones
    STORM = "storm"  #: abort every socket, take new ones and close them at once
    DEAF = "deaf"  #: confirm subscriptions and send no changes
    LATE = "late"  #: accept joins, but confirm them and send changes only once the mode is ON again


@dataclass(slots=True, kw_only=True, eq=False)
class Channel:
    """One joined topic of one socket. `push` queues an event for the client and never blocks."""

    topic: str
    claims: Claims
    bindings: Sequence[Binding]
    push: Callable[[str, dict[str, Any]], None] = field(repr=False)
    subscribed: bool = False  #: its subscription was confirmed to it

    def push_system(self, status: str, message: str, extension: str = "postgres_changes") -> None:
        self.push(
            "system",
            {
                "channel": self.topic.removeprefix("realtime:"),
                "extension": extension,
                "message": message,
                "status": status,
            },
        )

    def confirm(self) -> None:
        self.subscribed = True
        self.push_system("ok", "Subscribed to PostgreSQL")


class Hub:
    def __init__(self, visibility: Visibility) -> None:
        self._visibility = visibility
        self.mode = Mode.ON
        self.channels: set[Channel] = set()

    def wanted(self) -> bool:
        """Whether anybody listens to the database."""
        return any(channel.bindings for channel in self.channels)

    def resumed(self) -> None:
        """Tell all clients that changes may have been lost, by the message that confirms a subscription."""
        for channel in self.channels:
            if channel.subscribed:
                channel.confirm()

    def confirm(self, channel: Channel) -> None:
        """Confirm a channel's subscription, if it is still joined."""
        if channel in self.channels and self.mode is not Mode.LATE:
            channel.confirm()

    def confirm_late(self) -> None:
        """Confirm what joined while the mode was LATE."""
        for channel in self.channels:
            if channel.bindings and not channel.subscribed:
                channel.confirm()

    async def deliver(self, batch: Sequence[Change]) -> None:
        if self.mode in (Mode.DEAF, Mode.LATE):
            return
        sights: dict[tuple[Claims, int], Sight] = {}
        by_table: dict[int, tuple[Table, dict[int, Change]]] = {}
        for position, change in enumerate(batch):
            by_table.setdefault(change.table.oid, (change.table, {}))[1][position] = change
        for position, change in enumerate(batch):
            audience: dict[Claims, list[tuple[Channel, list[int]]]] = defaultdict(list)
            for channel in self.channels:
                if ids := _matching(channel, change):
                    audience[channel.claims].append((channel, ids))
            for claims, listeners in audience.items():
                place = (claims, change.table.oid)
                if place not in sights:
                    sights[place] = await self._visibility.look(claims, *by_table[change.table.oid])
                columns = sights[place].of(position)
                if columns is None:
                    continue
                data = _shown(change, columns)
                for channel, ids in listeners:
                    # It may have left, or have come with another token, while Postgres was asked.
                    if channel in self.channels and channel.claims == claims:
                        channel.push("postgres_changes", {"data": data, "ids": ids})


def _matching(channel: Channel, change: Change) -> list[int]:
    return [
        binding.id
        for binding in channel.bindings
        if binding.matches(change.kind, change.table.schema, change.table.name, change.row)
    ]


def _shown(change: Change, columns: frozenset[str]) -> dict[str, Any]:
    """The payload's `data`, with the columns that the subscriber may read."""

    def readable(row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name in columns}

    data: dict[str, Any] = {
        "schema": change.table.schema,
        "table": change.table.name,
        "commit_timestamp": change.committed,
        "type": change.kind.value,
        "errors": None,
        "columns": [
            {"name": column.name, "type": column.type}
            for column in change.table.columns.values()
            if column.name in columns
        ],
    }
    if change.record is not None:
        data["record"] = readable(change.record)
    if change.old_record is not None:
        data["old_record"] = readable(change.old_record)
    return data
