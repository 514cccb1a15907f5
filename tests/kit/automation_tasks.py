"""Automation tasks as a person in the CRM sees and sets them."""

from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from tests.kit.database import Row
from tests.kit.workshops import Workshops, utc

#: Of a workshop that begins at START: type and time by rule.
PLANNED = {
    "7_days": ("send_update", utc("2030-06-08T17:00")),
    "1_day": ("send_reminder", utc("2030-06-14T17:00")),
    "day_of": ("check_in_prep", utc("2030-06-15T06:00")),
}
SET_STATUS: LiteralString = "update public.whatsapp_automation_tasks set status = %s where id = %s"


def tasks(workshops: Workshops, workshop: UUID) -> dict[str, Row]:
    rows = workshops.db.rows(
        "select * from public.whatsapp_automation_tasks where workshop_id = %s order by scheduled_for", workshop
    )
    return {row["rule"]: row for row in rows}


def task(workshops: Workshops, identity: UUID) -> Row:
    return workshops.db.row("select * from public.whatsapp_automation_tasks where id = %s", identity)


def pending(workshops: Workshops, workshop: UUID) -> dict[str, object]:
    found = tasks(workshops, workshop)
    return {rule: row["scheduled_for"] for rule, row in found.items() if row["status"] == "pending"}


def attend(
    workshops: Workshops, workshop: UUID, phone: str, name: str | None = "Mira", **attributes: object
) -> None:
    workshops.db.insert(
        "public.workshop_attendees",
        organization_id=workshops.org.id,
        workshop_id=workshop,
        phone=phone,
        name=name,
        attributes=Jsonb(attributes),
    )


def set_status(workshops: Workshops, identity: UUID, status: str) -> Row:
    """What a person in the CRM does; what they see then."""
    with workshops.db.speaking_as("authenticated", workshops.org.people["admin"]):
        workshops.db.run(SET_STATUS, status, identity)
        return task(workshops, identity)


def queued(workshops: Workshops, identity: UUID) -> dict[str, Row]:
    rows = workshops.db.rows(
        "select * from public.scheduled_whatsapp_messages where idempotency_key like %s", f"task:{identity}:%"
    )
    return {row["recipient_phone"]: row for row in rows}
