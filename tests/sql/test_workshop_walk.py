"""A random walk of an organisation: links, moves, zones, settings, templates, time. After every step the pending
messages are those that the rules, told in Python, come to, and each group shows the workshop that it should.
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.kit.database import Organisation
from tests.kit.workshops import Workshops, utc
from tests.sql.schedule_oracle import duration, entry_instant

STEPS = 60
#: Friday before Europe's clocks change.
BEGIN = utc("2026-03-27T12:00")
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
ENTRIES: list[dict[str, Any]] = [
    {"at": "08:00", "late": "4 hours"},
    {"at": "02:30", "day": 1},
    {"at": "18:00", "day": -1, "late": "2 days"},
    {"offset": "-6 hours", "late": "3 hours"},
    {"offset": "0 minutes", "late": "30 minutes"},
    {"offset": "-1 day 2 hours", "template": "morning"},
    {"offset": "1 day", "template": "nowhere"},
    {"offset": "3 hours", "enabled": False},
]
KINDS = ["morning", "we_are_live", "thank_you", "extra"]
TEXTS = [
    "Hi",
    "{{title}}!",
    "{{title}}, {{date}}, {{time}}",
    "{{ time }} in {{timezone}}",
    "Hi {{nickname}}",
    "Hey",
]
Message = tuple[str, str, UUID, datetime, datetime, str]


@dataclass
class Known:
    """What the model knows of a workshop."""

    start: datetime | None
    zone: str
    title: str
    group: UUID | None
    done: set[str] = field(default_factory=set)  #: types of the present link that are no longer pending for good


@dataclass
class Walk:
    crm: Workshops
    rng: random.Random
    groups: list[UUID] = field(default_factory=list)
    known: dict[UUID, Known] = field(default_factory=dict)
    schedule: dict[str, dict[str, Any]] = field(default_factory=dict)
    zone: str = "UTC"
    auto: bool = True
    system: dict[str, str] = field(default_factory=dict)
    own: dict[str, tuple[UUID, str, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        org, db = self.crm.org, self.crm.db
        self.groups = [org.group, org.add_group(org.add_session())]
        db.run("alter table public.workshops alter column starts_at drop not null")
        rows = db.rows("select name, content from public.whatsapp_message_templates where organization_id is null")
        self.system = {row["name"]: row["content"] for row in rows}
        self.crm.at(BEGIN)
        self.settings()
        for _ in range(4):
            self.add()

    # == steps ==

    def some(self) -> UUID:
        return self.rng.choice(list(self.known))

    def any_start(self) -> datetime:
        return self.crm.db.now() + timedelta(minutes=self.rng.randint(-1440, 4 * 1440))

    def add(self) -> None:
        made = Known(
            self.any_start(), self.rng.choice(ZONES), "Raku", self.rng.choice([*self.groups, *self.groups, None])
        )
        workshop = self.crm.add(
            starts_at=made.start, timezone=made.zone, title=made.title, whatsapp_group_id=made.group
        )
        self.known[workshop] = made

    def remove(self) -> None:
        workshop = self.some()
        self.crm.db.run("delete from public.workshops where id = %s", workshop)
        del self.known[workshop]
        self.add()

    def link(self) -> None:
        workshop, group = self.some(), self.rng.choice([*self.groups, *self.groups, None])
        if group != self.known[workshop].group:
            self.known[workshop].done = set()
        self.known[workshop].group = group
        self.crm.update(workshop, whatsapp_group_id=group)

    def move(self) -> None:
        workshop = self.some()
        self.known[workshop].start = self.any_start() if self.rng.random() < 0.85 else None
        self.crm.update(workshop, starts_at=self.known[workshop].start)

    def move_all(self) -> None:
        for made in self.known.values():
            made.start = made.start + timedelta(hours=5) if made.start else None
        self.crm.db.run(
            "update public.workshops set starts_at = starts_at + interval '5 hours' where organization_id = %s",
            self.crm.org.id,
        )

    def rezone(self) -> None:
        workshop = self.some()
        self.known[workshop].zone = self.rng.choice([*ZONES, "Europe/Atlantis"])
        self.crm.update(workshop, timezone=self.known[workshop].zone)

    def retitle(self) -> None:
        workshop = self.some()
        self.known[workshop].title = self.rng.choice(["Raku", "Raku II", "{{time}} \\1 %s"])
        self.crm.update(workshop, title=self.known[workshop].title)

    def touch(self) -> None:
        self.crm.update(self.some(), updated_at=BEGIN)

    def settings(self) -> None:
        kinds = self.rng.sample(KINDS, self.rng.randint(2, len(KINDS)))
        self.schedule = {kind: self.rng.choice(ENTRIES) for kind in kinds}
        self.zone, self.auto = self.rng.choice(ZONES), self.rng.random() < 0.85
        self.crm.configure(message_schedule=self.schedule, timezone=self.zone, auto_schedule_messages=self.auto)

    def template(self) -> None:
        name, text = self.rng.choice(["morning", "extra"]), self.rng.choice(TEXTS)
        if name not in self.own:
            self.own[name] = (self.crm.template(name, text), text, True)
            return
        identity, former, active = self.own[name]
        match self.rng.choice(["edit", "switch", "delete"]):
            case "edit":
                self.own[name] = (identity, text, active)
                self.crm.edit_template(identity, content=text)
            case "switch":
                self.own[name] = (identity, former, not active)
                self.crm.edit_template(identity, is_active=not active)
            case "delete":
                del self.own[name]
                self.crm.db.run("delete from public.whatsapp_message_templates where id = %s", identity)

    def pass_time(self) -> None:
        self.crm.db.pass_time(60 * self.rng.choice([10, 10, 60, 300, 1440]))

    def settle(self) -> None:
        """A message goes out, fails, or is cancelled by a person."""
        if pending := sorted(self.expected()):
            workshop, kind, *_ = self.rng.choice(pending)
            message = self.crm.messages(UUID(workshop))[kind]["id"]
            status = self.rng.choice(["sent", "failed", "cancelled", "in_doubt"])
            if status == "cancelled":
                self.crm.db.run(
                    "update public.scheduled_whatsapp_messages set status = 'cancelled' where id = %s", message
                )
            else:
                self.crm.settle(message, status)
            self.known[UUID(workshop)].done.add(kind)

    def flight(self) -> None:
        """A worker has a message in hand while something changes, and gives it back unsent."""
        if not (pending := sorted(self.expected())):
            return
        workshop, kind, _, due, *_ = self.rng.choice(pending)
        self.crm.at(max(due + timedelta(seconds=1), self.crm.db.now()))
        message = self.crm.messages(UUID(workshop))[kind]["id"]
        self.crm.settle(message, "sending")
        self.rng.choice([self.link, self.move, self.settings, self.template, self.retitle, self.remove])()
        self.crm.db.run("update public.scheduled_whatsapp_messages set status = 'pending' where id = %s", message)

    # == what the rules come to ==

    def text(self, made: Known, zone: str, name: str) -> str | None:
        content = self.system.get(name)
        if name in self.own and self.own[name][2]:
            content = self.own[name][1]
        assert made.start
        wall = made.start.astimezone(ZoneInfo(zone))
        values = {
            "title": made.title,
            "date": f"{wall:%A}, {wall.day} {wall:%B} {wall.year}",
            "time": f"{wall:%H:%M}",
            "timezone": zone,
            "organization": "Pottery",
        }
        if content is None or not set(re.findall(r"\{\{\s*(\w+)\s*\}\}", content)) <= set(values):
            return None
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: values[found[1]], content)

    def plan(self, workshop: UUID) -> Iterator[Message]:
        made = self.known[workshop]
        if made.start is None or made.group is None or not self.auto:
            return
        zone = made.zone if made.zone in ZONES else self.zone
        for kind, entry in self.schedule.items():
            time = entry_instant(entry, made.start, zone)
            expiry = time + duration(entry.get("late", "1 hour"))
            text = self.text(made, zone, entry.get("template", kind))
            if entry.get("enabled", True) and text is not None:
                yield str(workshop), kind, made.group, time, expiry, text

    def expected(self) -> set[Message]:
        now = self.crm.db.now()
        messages = {message for workshop in self.known for message in self.plan(workshop)}
        return {m for m in messages if m[4] > now and m[1] not in self.known[UUID(m[0])].done}

    def found(self) -> set[Message]:
        rows = self.crm.db.rows(
            "select * from public.scheduled_whatsapp_messages where organization_id = %s and status = 'pending'",
            self.crm.org.id,
        )
        messages = {
            (
                *(str(row["workshop_id"]), row["message_type"], row["group_id"]),
                *(row["scheduled_for"], row["expires_at"], row["message_content"]),
            )
            for row in rows
        }
        assert len(messages) == len(rows), "two pending messages of one type"
        return messages

    def expected_workshop(self, group: UUID) -> UUID | None:
        now = self.crm.db.now()
        starts = {w: made.start for w, made in self.known.items() if made.group == group}
        dated = {w: start for w, start in starts.items() if start}
        ages = {w: now - start for w, start in dated.items()}
        current = [w for w, age in ages.items() if timedelta() <= age < timedelta(hours=6)]
        coming = [w for w, age in ages.items() if age < timedelta()]
        if current:
            return min(current, key=lambda w: (ages[w], w))
        if coming:
            return min(coming, key=lambda w: (dated[w], w))
        return min(dated or starts, key=lambda w: (ages.get(w, timedelta()), w), default=None)

    def check(self, trace: list[str]) -> None:
        self.crm.db.call("whatsapp_reap")
        self.crm.db.value("select herald.refresh_group_workshops()")
        assert self.found() == self.expected(), trace
        for group in self.groups:
            assert self.crm.group_workshop(group) == self.expected_workshop(group), trace
        problems = [
            self.crm.told(w) for w, made in self.known.items() if made.group and "problem" in self.crm.told(w)
        ]
        assert not any("could not be scheduled" in told["problem"] for told in problems), problems


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(n, marks=pytest.mark.full) for n in range(8, 20))])
def test_the_pending_messages_are_always_what_the_rules_come_to(seed: int, org: Organisation) -> None:
    walk = Walk(Workshops(org.db, org), random.Random(seed))
    often: list[Callable[[], None]] = [walk.link, walk.move, walk.settings, walk.template, walk.pass_time]
    rare: list[Callable[[], None]] = [
        *(
            walk.rezone,
            walk.retitle,
            walk.touch,
            walk.move_all,
            walk.settle,
            walk.flight,
            walk.flight,
            walk.remove,
        ),
    ]
    trace: list[str] = []
    seen = 0
    for _ in range(STEPS):
        step = walk.rng.choice(often * 2 + rare)
        trace.append(step.__name__)
        step()
        walk.check(trace)
        seen += len(walk.found())
    assert seen > STEPS / 2, "a walk without messages proves nothing"
