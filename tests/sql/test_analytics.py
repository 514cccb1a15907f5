"""Figures: each as plain Python counts it over the same rows."""

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import LiteralString
from uuid import UUID

import pytest

from tests.kit.database import Db, Organisation, Row
from worker.message import MessageStatus

ROWS: LiteralString = "select * from public.scheduled_whatsapp_messages where organization_id = %s"
VIEW: LiteralString = "select * from public.whatsapp_analytics where organization_id = %s"


def fill(org: Organisation, rng: random.Random, count: int) -> None:
    """Messages of ten days, of every status, to people and groups, over two accounts."""
    now = org.db.now()
    groups = {session: org.add_group(session) for session in (org.session, org.add_session())}
    for _ in range(count):
        session = rng.choice(list(groups))
        status = rng.choice(list(MessageStatus))
        due = now + timedelta(seconds=rng.randint(-86400 * 9, 86400))
        created = due - timedelta(seconds=rng.choice([0, 3600, -30]))
        sent = max(due, created) + timedelta(seconds=rng.expovariate(0.1))
        gone = status in ("sent", "delivered", "read") or (status in ("failed", "in_doubt") and rng.random() < 0.3)
        org.schedule(
            session_id=session,
            **({"group_id": groups[session]} if rng.random() < 0.4 else {}),
            status=status,
            scheduled_for=due,
            created_at=created,
            wa_message_id="x" if gone else None,
            sent_at=sent if gone else None,
            delivered_at=sent if status in ("delivered", "read") else None,
            read_at=sent if status == "read" else None,
            responded_at=sent if gone and rng.random() < 0.3 else None,
            unreadable_count=rng.choice([0, 0, 3]),
            resent_count=rng.choice([0, 0, 2]),
            error_code="463" if status in ("failed", "in_doubt") else None,
        )


def percentile(values: Sequence[float], at: float) -> float:
    """Continuous, as SQL's percentile_cont."""
    ordered, place = sorted(values), at * (len(values) - 1)
    low = ordered[int(place)]
    high = ordered[min(int(place) + 1, len(values) - 1)]
    return low + (high - low) * (place - int(place))


def count(rows: Sequence[Row]) -> dict[str, object]:
    sent = [row for row in rows if row["sent_at"]]
    waits = [(row["sent_at"] - max(row["scheduled_for"], row["created_at"])).total_seconds() for row in sent]
    direct = [row for row in sent if row["group_id"] is None]
    answered = [row for row in direct if row["responded_at"]]
    return {
        "sent": len(sent),
        "delivered": sum(row["delivered_at"] is not None for row in rows),
        "read": sum(row["read_at"] is not None for row in rows),
        "failed": sum(row["status"] == "failed" for row in rows),
        "in_doubt": sum(row["status"] == "in_doubt" for row in rows),
        "unreadable": sum(row["unreadable_count"] > 0 for row in rows),
        "resent": sum(row["resent_count"] for row in rows),
        "response_rate": len(answered) / len(direct) if direct else None,
        "average_queue_seconds": sum(waits) / len(waits) if waits else None,
        "p95_queue_seconds": percentile(waits, 0.95) if waits else None,
    }


def near(counted: dict[str, object]) -> dict[str, object]:
    return {
        name: pytest.approx(value, abs=0.002) if isinstance(value, float) else value
        for name, value in counted.items()
    }


def day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def test_the_days_of_an_account_are_counted_as_python_counts_them(db: Db, org: Organisation) -> None:
    fill(org, random.Random(1), 300)
    fill(Organisation(db), random.Random(2), 20)
    wanted: dict[tuple[UUID, date], list[Row]] = defaultdict(list)
    for row in db.rows(ROWS, org.id):
        wanted[row["session_id"], day(row["scheduled_for"])].append(row)
    told = {(row.pop("session_id"), row.pop("day")): row for row in db.rows(VIEW, org.id)}
    assert told.keys() == wanted.keys()
    for key, rows in wanted.items():
        row = {
            name: float(v) if name.endswith(("rate", "seconds")) and v is not None else v
            for name, v in told[key].items()
        }
        row.pop("organization_id")
        assert row == near(count(rows))


def test_a_day_is_a_day_in_utc_wherever_the_connection_is(db: Db, org: Organisation) -> None:
    db.run("set local timezone = 'Pacific/Auckland'")
    for hour in (0, 23):
        org.schedule(scheduled_for=datetime(2026, 3, 4, hour, 30, tzinfo=UTC))
    days = [row["day"] for row in db.rows(VIEW, org.id)]
    assert [str(value) for value in days] == ["2026-03-04"]


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("seed", range(3))
def test_the_dashboard_is_counted_as_python_counts_it(db: Db, org: Organisation, seed: int) -> None:
    fill(org, random.Random(seed), 200)
    now, rows = db.now(), db.rows(ROWS, org.id)
    for number in range(3):
        db.insert(
            "public.whatsapp_contacts",
            organization_id=org.id,
            phone=f"+4917012345{number:02}",
            opted_out_at=now if number == 0 else None,
        )
    with db.speaking_as("authenticated", org.people["member"]):
        stats = db.call("whatsapp_stats", p_organization=org.id)

    def period(days: int) -> dict[str, object]:
        first = day(now - timedelta(days=days))
        counted = count(
            [row for row in rows if first <= day(row["scheduled_for"]) and row["scheduled_for"] <= now]
        )
        names = ("sent", "delivered", "read", "failed", "average_queue_seconds")
        return near({name: counted[name] for name in names})

    pending = [row for row in rows if row["status"] == "pending"]
    assert stats == {
        "today": period(0),
        "last_7_days": period(6),
        "queue": {
            "pending": len(pending),
            "due": sum(row["scheduled_for"] <= now for row in pending),
            "sending": sum(row["status"] == "sending" for row in rows),
        },
        "in_doubt": sum(row["status"] == "in_doubt" for row in rows),
        "accounts": {"total": 2, "connected": 1},
        "groups": 3,
        "contacts": {"total": 3, "opted_out": 1},
    }


def test_nobody_is_told_another_organisations_figures(db: Db, org: Organisation) -> None:
    foreign = Organisation(db)
    fill(foreign, random.Random(3), 20)
    with db.speaking_as("authenticated", org.people["admin"]):
        assert db.rows(VIEW, foreign.id) == []
        stats = db.call("whatsapp_stats", p_organization=foreign.id)
    assert (stats["today"]["sent"], stats["last_7_days"]["sent"], stats["in_doubt"]) == (0, 0, 0)
    assert (stats["queue"]["pending"], stats["accounts"]["total"], stats["groups"]) == (0, 0, 0)
