"""Times as the database writes them, also those that Python has no datetime for: infinity, years beyond 9999, BC."""

from datetime import UTC, datetime, timedelta

#: What a time that can't be read is taken for. A day from the ends, so that any clock's offset can be added.
LATEST, EARLIEST = datetime(9999, 12, 30, tzinfo=UTC), datetime(1, 1, 2, tzinfo=UTC)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def exact_moment(text: str) -> datetime:
    """Read a time; one that Python can't hold becomes LATEST or EARLIEST. Never raises."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return EARLIEST if text.startswith("-") or text.endswith("BC") else LATEST
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def moment_of(text: str) -> datetime:
    """Read a time that is to be shown by another clock: EARLIEST to LATEST."""
    return min(max(exact_moment(text), EARLIEST), LATEST)


def microseconds_of(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_at(microseconds: int) -> datetime:
    """The inverse; the nearest that there is."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return LATEST if microseconds > 0 else EARLIEST
