"""Hand-checked instants at changes of the clocks: local times, and whole schedules.

Written in UTC from the zones' rules. Skipped local times count with the offset of before the change, repeated ones
are the first (docs/workshops.md).
"""

from dataclasses import dataclass

ZONES = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
]

#: zone, local time, instant
LITERALS = [
    # skipped
    ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30"),
    ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00"),
    ("Europe/Dublin", "2026-03-29T01:30", "2026-03-29T01:30"),
    ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:30"),
    ("America/Sao_Paulo", "2018-11-04T00:30", "2018-11-04T03:30"),
    ("America/Havana", "2026-03-08T00:30", "2026-03-08T05:30"),
    ("America/Santiago", "2026-09-06T00:30", "2026-09-06T04:30"),
    ("Africa/Cairo", "2026-04-24T00:30", "2026-04-23T22:30"),
    ("Africa/Casablanca", "2026-03-22T02:30", "2026-03-22T02:30"),
    ("Asia/Beirut", "2026-03-29T00:30", "2026-03-28T22:30"),
    ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45"),
    ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T22:00"),
    # twice
    ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),
    ("Europe/Dublin", "2026-10-25T01:30", "2026-10-25T00:30"),
    ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),
    ("America/Sao_Paulo", "2018-02-17T23:30", "2018-02-18T01:30"),
    ("America/Havana", "2026-11-01T00:30", "2026-11-01T04:30"),
    ("America/Santiago", "2026-04-04T23:30", "2026-04-05T02:30"),
    ("Africa/Cairo", "2026-10-29T23:30", "2026-10-29T20:30"),
    ("Africa/Casablanca", "2026-02-15T02:30", "2026-02-15T01:30"),
    ("Asia/Beirut", "2026-10-24T23:30", "2026-10-24T20:30"),
    ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),
    # neither, on the same days
    ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00"),
    ("Asia/Kolkata", "2026-03-29T02:30", "2026-03-28T21:00"),
    ("Pacific/Apia", "2011-12-29T23:30", "2011-12-30T09:30"),
    ("Pacific/Apia", "2011-12-31T00:00", "2011-12-30T10:00"),
]


@dataclass(frozen=True)
class Case:
    """A workshop on the day of a change or beside it, and when each message of SCHEDULE goes out."""

    zone: str
    start: str
    times: dict[str, str]

    def __str__(self) -> str:
        return f"{self.zone}-{self.start[:10]}"


SCHEDULE = {
    "morning": {"at": "08:00"},
    "day_before": {"at": "08:00", "day": -1},
    "same_hour": {"offset": "-1 day"},
    "24_hours": {"offset": "-24 hours"},
    "day_after": {"offset": "1 day"},
    "odd": {"at": "02:15"},
    "night": {"at": "00:30"},
}


def case(zone: str, start: str, **times: str) -> Case:
    return Case(zone, start, {kind.replace("h24", "24_hours"): instant for kind, instant in times.items()})


CASES = [
    case(
        *("Europe/Berlin", "2026-03-29T17:00"),
        morning="2026-03-29T06:00",
        day_before="2026-03-28T07:00",
        same_hour="2026-03-28T18:00",
        h24="2026-03-28T17:00",
        day_after="2026-03-30T17:00",
        odd="2026-03-29T01:15",
        night="2026-03-28T23:30",
    ),
    case(
        *("Europe/Berlin", "2026-10-25T18:00"),
        morning="2026-10-25T07:00",
        day_before="2026-10-24T06:00",
        same_hour="2026-10-24T17:00",
        h24="2026-10-24T18:00",
        day_after="2026-10-26T18:00",
        odd="2026-10-25T00:15",
        night="2026-10-24T22:30",
    ),
    case(  # the day before the change: only what comes after it is moved
        *("Europe/Berlin", "2026-03-28T18:00"),
        morning="2026-03-28T07:00",
        day_before="2026-03-27T07:00",
        same_hour="2026-03-27T18:00",
        h24="2026-03-27T18:00",
        day_after="2026-03-29T17:00",
        odd="2026-03-28T01:15",
        night="2026-03-27T23:30",
    ),
    case(
        *("America/New_York", "2026-03-08T23:00"),
        morning="2026-03-08T12:00",
        day_before="2026-03-07T13:00",
        same_hour="2026-03-08T00:00",
        h24="2026-03-07T23:00",
        day_after="2026-03-09T23:00",
        odd="2026-03-08T07:15",
        night="2026-03-08T05:30",
    ),
    case(
        *("America/New_York", "2026-11-02T00:00"),
        morning="2026-11-01T13:00",
        day_before="2026-10-31T12:00",
        same_hour="2026-10-31T23:00",
        h24="2026-11-01T00:00",
        day_after="2026-11-03T00:00",
        odd="2026-11-01T07:15",
        night="2026-11-01T04:30",
    ),
    case(
        *("Australia/Lord_Howe", "2026-10-03T23:00"),
        morning="2026-10-03T21:00",
        day_before="2026-10-02T21:30",
        same_hour="2026-10-02T23:30",
        h24="2026-10-02T23:00",
        day_after="2026-10-04T23:00",
        odd="2026-10-03T15:45",
        night="2026-10-03T14:00",
    ),
    case(
        *("Australia/Lord_Howe", "2026-04-04T23:30"),
        morning="2026-04-04T21:30",
        day_before="2026-04-03T21:00",
        same_hour="2026-04-03T23:00",
        h24="2026-04-03T23:30",
        day_after="2026-04-05T23:30",
        odd="2026-04-04T15:45",
        night="2026-04-04T13:30",
    ),
    case(
        *("America/Sao_Paulo", "2018-11-04T12:00"),
        morning="2018-11-04T10:00",
        day_before="2018-11-03T11:00",
        same_hour="2018-11-03T13:00",
        h24="2018-11-03T12:00",
        day_after="2018-11-05T12:00",
        odd="2018-11-04T04:15",
        night="2018-11-04T03:30",
    ),
    case(
        *("Africa/Cairo", "2026-04-24T16:00"),
        morning="2026-04-24T05:00",
        day_before="2026-04-23T06:00",
        same_hour="2026-04-23T17:00",
        h24="2026-04-23T16:00",
        day_after="2026-04-25T16:00",
        odd="2026-04-23T23:15",
        night="2026-04-23T22:30",
    ),
    case(
        *("America/Santiago", "2026-04-05T14:00"),
        morning="2026-04-05T12:00",
        day_before="2026-04-04T11:00",
        same_hour="2026-04-04T13:00",
        h24="2026-04-04T14:00",
        day_after="2026-04-06T14:00",
        odd="2026-04-05T06:15",
        night="2026-04-05T04:30",
    ),
    case(
        *("Europe/Dublin", "2026-10-25T10:00"),
        morning="2026-10-25T08:00",
        day_before="2026-10-24T07:00",
        same_hour="2026-10-24T09:00",
        h24="2026-10-24T10:00",
        day_after="2026-10-26T10:00",
        odd="2026-10-25T02:15",
        night="2026-10-24T23:30",
    ),
    case(  # 30 December did not exist: its times are those of the 31st
        *("Pacific/Apia", "2011-12-30T20:00"),
        morning="2011-12-30T18:00",
        day_before="2011-12-30T18:00",
        same_hour="2011-12-30T20:00",
        h24="2011-12-29T20:00",
        day_after="2011-12-31T20:00",
        odd="2011-12-30T12:15",
        night="2011-12-30T10:30",
    ),
    case(  # a zone without changes
        *("Asia/Kolkata", "2026-03-29T04:30"),
        morning="2026-03-29T02:30",
        day_before="2026-03-28T02:30",
        same_hour="2026-03-28T04:30",
        h24="2026-03-28T04:30",
        day_after="2026-03-30T04:30",
        odd="2026-03-28T20:45",
        night="2026-03-28T19:00",
    ),
]
