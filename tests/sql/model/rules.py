"""What may go out, said once more and independently: from what was looked at and a ledger of what was claimed."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.kit.database import Row
from tests.sql.model.ground import at, due
from tests.sql.quiet import quiet_until

Look = dict[str, Any]
SLOTS = {"web": 1, "cloud": 20}


@dataclass
class Entry:
    """A message that was claimed and may have gone out."""

    message: str
    session: str
    group: str | None
    at: datetime


@dataclass
class Ledger:
    """All claims that count against a limit, as the walk saw them."""

    entries: list[Entry] = field(default_factory=list)
    paced_until: dict[str, datetime] = field(default_factory=dict)

    def add(self, message: Row, moment: datetime, gap_ms: int) -> None:
        self.entries.append(Entry(message["id"], message["session_id"], message["group_id"], moment))
        self.paced_until[message["session_id"]] = moment + timedelta(milliseconds=0.8 * gap_ms)

    def refund(self, message: str) -> None:
        """The latest claim of this message was surely not sent."""
        self.entries.remove([entry for entry in self.entries if entry.message == message][-1])

    def of_account(self, session: str, moment: datetime, *, slack: bool = False) -> int:
        """In the last 24 hours; slack: and 10 minutes, as counts go by such steps."""
        since = moment - timedelta(hours=24, minutes=10 * slack)
        return sum(entry.session == session and entry.at > since for entry in self.entries)

    def of_group(self, group: str, moment: datetime, *, slack: bool = False) -> int:
        """In the last minute; slack: and 5 seconds."""
        since = moment - timedelta(minutes=1, seconds=5 * slack)
        return sum(entry.group == group and entry.at > since for entry in self.entries)


def later(value: str | None, moment: datetime) -> bool:
    until = at(value)
    return until is not None and until > moment


def daily_limit(account: Row) -> int:
    score, limit = int(account["health_score"]), int(account["daily_limit"])
    return math.ceil(limit * (0.25 if score < 30 else 0.5 if score < 60 else 1))


def is_quiet(config: Row, kind: str, moment: datetime) -> bool:
    hours = config["quiet_hours"]
    if hours is None or kind in hours.get("exempt", []):
        return False
    return quiet_until(moment, hours["start"], hours["end"], config["timezone"]) is not None


def is_suppressed(look: Look, message: Row, config: Row) -> bool:
    if message["group_id"]:
        return False
    people = [
        person
        for person in look["contacts"]
        if person["organization_id"] == message["organization_id"]
        and (person["id"] == message["contact_id"] or person["phone"] == message["recipient_phone"])
    ]
    if not people:
        return bool(config["require_opt_in"])
    return any(p["opted_out_at"] or (config["require_opt_in"] and not p["opted_in_at"]) for p in people)


def is_outside_window(look: Look, message: Row, moment: datetime) -> bool:
    people = {
        person["id"]
        for person in look["contacts"]
        if person["id"] == message["contact_id"] or person["phone"] == message["recipient_phone"]
    }
    return not any(
        talk["session_id"] == message["session_id"]
        and talk["contact_id"] in people
        and later(talk["last_inbound_at"], moment - timedelta(hours=24))
        for talk in look["talks"]
    )


def holds(look: Look, ledger: Ledger, message: Row, *, slack: bool = False) -> Iterator[str]:
    """What holds a pending message back. slack: also what may, as limits count by steps."""
    moment = at(look["now"])
    assert moment
    account = look["sessions"][message["session_id"]]
    config = look["configs"][message["organization_id"]]
    if due(message) > moment:
        yield "not-due"
    if message["expires_at"] and not later(message["expires_at"], moment):
        yield "expired"
    if not account["enabled"] or account["desired_state"] != "connected":
        yield "account-off"
    if later(account["paused_until"], moment) or later(config["paused_until"], moment):
        yield "paused"
    if is_quiet(config, message["message_type"], moment):
        yield "quiet-hours"
    if message["campaign_id"] and look["campaigns"][message["campaign_id"]] not in ("running", "done"):
        yield "campaign"
    if is_suppressed(look, message, config):
        yield "suppressed"
    if ledger.of_account(account["id"], moment, slack=slack) >= daily_limit(account):
        yield "account-limit"
    group = message["group_id"]
    if group and ledger.of_group(group, moment, slack=slack) >= account["per_group_per_minute"]:
        yield "group-limit"
    if account["provider"] == "cloud" and not message["template_id"] and is_outside_window(look, message, moment):
        yield "window"


def order(message: Row) -> tuple[int, datetime, str]:
    """Highest priority, then oldest, first."""
    first = at(message["scheduled_for"])
    assert first
    return -message["priority"], first, message["id"]


def is_served_by(look: Look, session: str, run: str) -> bool:
    """Holds this run the account's lease, with a connection that can send?"""
    lease = look["leases"].get(session)
    moment = at(look["now"])
    assert moment
    return bool(
        lease
        and lease["run_id"] == run
        and later(lease["expires_at"], moment)
        and lease["ready"]
        and lease["incarnation"]
    )


def in_flight(look: Look, session: str) -> int:
    return sum(claim["session_id"] == session for claim in look["claims"].values())


def may_settle(look: Look, claim: Row, run: str) -> bool:
    """Is this still the claim, held by the run that holds the lease at the same epoch?"""
    held = look["claims"].get(claim["message_id"])
    lease = look["leases"].get(claim["session_id"])
    return bool(
        held
        and lease
        and held["token"] == claim["token"]
        and held["run_id"] == run == lease["run_id"]
        and held["epoch"] == lease["epoch"]
    )
