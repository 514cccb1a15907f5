"""The rules of schedules told a second time, in Python, to judge the database by.

zoneinfo with fold=0 takes a skipped time with the offset of before the gap; of a repeated one it is the first
(PEP 495).
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_UNITS = re.compile(r"(-?\d+) (day|hour|minute)s?")


def interval(text: str) -> tuple[int, timedelta]:
    """Of "-1 day 3 hours": days of the calendar, and the exact rest."""
    parts = {unit: int(number) for number, unit in _UNITS.findall(text)}
    assert parts, text
    return parts.get("day", 0), timedelta(hours=parts.get("hour", 0), minutes=parts.get("minute", 0))


def duration(text: str) -> timedelta:
    days, rest = interval(text)
    return timedelta(days=days) + rest


def local_instant(day: date, at: time, zone: str) -> datetime:
    return datetime.combine(day, at, tzinfo=ZoneInfo(zone)).replace(fold=0).astimezone(UTC)


def entry_instant(entry: Mapping[str, Any], start: datetime, zone: str) -> datetime:
    """When the message of this entry of message_schedule goes out."""
    wall = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if "at" in entry:
        day = wall.date() + timedelta(days=entry.get("day", 0))
        return local_instant(day, time.fromisoformat(entry["at"]), zone)
    days, rest = interval(entry["offset"])
    if not days:
        return start + rest
    wall += timedelta(days=days)
    return local_instant(wall.date(), wall.time(), zone) + rest
