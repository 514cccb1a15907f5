"""Workshops as an organisation's CRM handles them, and what Herald has planned for them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, cast
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation, Row

#: A Saturday evening in Berlin, without a change of the clocks anywhere near.
START = datetime(2030, 6, 15, 17, 0, tzinfo=UTC)
TEN_DAYS_BEFORE = START - timedelta(days=10)


def utc(text: str) -> datetime:
    """2026-03-29T01:30 → that instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Workshops:
    """What the organisation's admin does, through the tables; the clock stands ten days before START."""

    db: Db
    org: Organisation

    def __post_init__(self) -> None:
        self.at(TEN_DAYS_BEFORE)

    def at(self, moment: datetime) -> None:
        """It is this moment now."""
        self.db.pass_time((moment - self.db.now()).total_seconds())

    def _write(self, statement: sql.Composed, values: list[object]) -> list[Row]:
        with self.db.speaking_as("authenticated", self.org.people["admin"]):
            cursor = self.db.connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def add(self, **columns: object) -> UUID:
        """A workshop linked to the organisation's group, unless told otherwise."""
        row: dict[str, object] = {
            "organization_id": self.org.id,
            "title": "Raku",
            "starts_at": START,
            "timezone": "Europe/Berlin",
            "whatsapp_group_id": self.org.group,
        }
        row |= columns
        statement = sql.SQL("insert into public.workshops ({}) values ({}) returning id").format(
            sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(sql.Placeholder() * len(row))
        )
        (found,) = self._write(statement, list(row.values()))
        return cast(UUID, found["id"])

    def _update(self, table: LiteralString, key: str, value: UUID, columns: dict[str, object]) -> None:
        changes = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in columns)
        statement = sql.SQL("update {} set {} where {} = %s").format(
            sql.Identifier("public", table), changes, sql.Identifier(key)
        )
        self._write(statement, [*columns.values(), value])

    def update(self, workshop: UUID, **columns: object) -> None:
        self._update("workshops", "id", workshop, columns)

    def configure(self, **columns: object) -> None:
        """Change the organisation's settings; message_schedule is given as a dict."""
        values = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in columns.items()}
        self._update("workshop_automation_config", "organization_id", self.org.id, values)

    def template(self, name: str, content: str, **columns: object) -> UUID:
        """A template of the organisation's own."""
        row: dict[str, object] = {"organization_id": self.org.id, "name": name, "content": content} | columns
        statement = sql.SQL("insert into public.whatsapp_message_templates ({}) values ({}) returning id").format(
            sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(sql.Placeholder() * len(row))
        )
        (found,) = self._write(statement, list(row.values()))
        return cast(UUID, found["id"])

    def edit_template(self, template: UUID, **columns: object) -> None:
        self._update("whatsapp_message_templates", "id", template, columns)

    def messages(self, workshop: UUID, status: str | None = "pending") -> dict[str, Row]:
        """By type, in the order of their times."""
        rows = self.db.rows(
            "select * from public.scheduled_whatsapp_messages where workshop_id = %s"
            " and (%s::text is null or status = %s) order by scheduled_for",
            *(workshop, status, status),
        )
        found = {row["message_type"]: row for row in rows}
        assert len(found) == len(rows), "two messages of one type"
        return found

    def message(self, workshop: UUID, kind: str, status: str | None = "pending") -> Any:
        return self.messages(workshop, status).get(kind)

    def times(self, workshop: UUID) -> dict[str, datetime]:
        return {kind: row["scheduled_for"] for kind, row in self.messages(workshop).items()}

    def texts(self, workshop: UUID) -> dict[str, str]:
        return {kind: row["message_content"] for kind, row in self.messages(workshop).items()}

    def told(self, workshop: UUID) -> Row:
        """What automation_status says."""
        status = self.db.value("select automation_status from public.workshops where id = %s", workshop)
        return cast(Row, status["whatsapp"])

    def why_not(self, workshop: UUID, kind: str) -> str:
        return cast(str, self.told(workshop)["messages"][kind]["why_not"])

    def settle(self, message: object, status: str) -> None:
        """What the worker would write."""
        steps = ["sending", *(["sent"] if status == "read" else []), *([status] if status != "sending" else [])]
        for step in steps:
            self.db.run(
                "update public.scheduled_whatsapp_messages set status = %s, sent_at = now(), read_at = now(),"
                " wa_message_id = 'WA', error_code = 'rejected' where id = %s",
                *(step, message),
            )

    def alerts(self) -> list[Row]:
        return self.db.rows(
            "select * from public.whatsapp_alerts where organization_id = %s and resolved_at is null", self.org.id
        )

    def group_workshop(self, group: UUID | None = None) -> Any:
        return self.db.value(
            "select workshop_id from public.whatsapp_groups where id = %s", group or self.org.group
        )
