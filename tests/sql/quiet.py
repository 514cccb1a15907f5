"""Quiet hours as plain Python understands them."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def instant(day: date, at: time, zone: str) -> datetime:
    """The first moment at which clocks show it; one that is skipped, with the offset of before."""
    return datetime.combine(day, at, ZoneInfo(zone)).astimezone(UTC)


def quiet_until(moment: datetime, start: str, end: str, zone: str) -> datetime | None:
    """From the first instant of start to the first instant of end, on the local day of the start."""
    starts, ends = time.fromisoformat(start), time.fromisoformat(end)
    today = moment.astimezone(ZoneInfo(zone)).date()
    for day in (today - timedelta(days=1), today):
        over = instant(day + timedelta(days=int(ends < starts)), ends, zone)
        if instant(day, starts, zone) <= moment < over:
            return over
    return None
