"""What people do meanwhile: queue, edit, cancel, retry, opt out, and change all that a rule looks at."""

from datetime import timedelta
from typing import LiteralString
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.sql.model.ground import (
    ADMIN,
    CAMPAIGN,
    CLOUD,
    CONTACTS,
    GROUPS,
    ORGANISATIONS,
    OWNER,
    PHONES,
    SESSIONS,
    WORKSHOP,
    at,
)
from tests.sql.model.walk import Walk

A = ORGANISATIONS["org-a"]
CLAIMS = f'{{"role": "authenticated", "sub": "{ADMIN}"}}'

QUEUE: LiteralString = """
insert into public.scheduled_whatsapp_messages
(organization_id, session_id, group_id, contact_id, recipient_phone, campaign_id, message_type, message_content,
  priority, max_retries, scheduled_for, expires_at)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, herald.clock() + %s, herald.clock() + %s)
"""


class People:
    """All that is not a worker."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.db = walk.crm
        self.queued = 0

    def as_admin(self, statement: sql.Composable) -> bool:
        """As the CRM does it for an admin of organisation A, in one round trip; False if it was refused."""
        script = sql.SQL(
            "begin; set local role authenticated; select set_config('request.jwt.claims', {}, true); {}; commit"
        ).format(CLAIMS, statement)
        try:
            self.db.connection.execute(script)
        except psycopg.errors.CheckViolation:
            self.db.connection.execute("rollback")
            return False
        return True

    def queue(self, session: int, recipient: int, priority: int, wait: int, life: int, campaign: bool) -> None:
        """life: seconds until it expires, 0 for never."""
        account = SESSIONS[session % len(SESSIONS)]
        groups = [group for group, owner in GROUPS.items() if owner == account]
        choices: list[tuple[UUID | None, UUID | None, str | None]] = [(None, None, phone) for phone in PHONES]
        choices += [(group, None, None) for group in groups] * 2
        if OWNER[account] == A:
            choices += [(None, person, None) for person in CONTACTS]
        self.queued += 1
        self.db.run(
            QUEUE,
            OWNER[account],
            account,
            *choices[recipient % len(choices)],
            CAMPAIGN if campaign and OWNER[account] == A and not self.campaign_is_over else None,
            "live" if priority == 7 else "custom",
            f"{self.queued:04}",
            priority,
            recipient % 3,
            timedelta(seconds=wait),
            timedelta(seconds=wait + life) if life else None,
        )

    @property
    def campaign_is_over(self) -> bool:
        return self.walk.now["campaigns"][str(CAMPAIGN)] in ("done", "cancelled")

    def queue_across_an_opt_out(self, person: UUID) -> None:
        """Two transactions that don't see each other: the row gets past every check of a new message."""
        phone = CONTACTS[person]
        self.db.connection.execute("begin")
        self.queued += 1
        row = (A, SESSIONS[0], None, None, phone, None, "custom", f"{self.queued:04}", 10, 1, timedelta(0), None)
        self.db.run(QUEUE, *row)
        self.walk.eye.run(
            "update public.whatsapp_contacts set opted_out_at = herald.clock() where id = %s", person
        )
        self.db.connection.execute("commit")
        self.walk.observe(settings=True)

    def decide(self, step: int, which: int) -> None:
        """Cancel, try again or settle a doubt."""
        old, new = [
            ("pending", "cancelled"),
            ("failed", "pending"),
            ("in_doubt", "pending"),
            ("in_doubt", "failed"),
        ][step % 4]
        ours = [m for m in self.walk.messages(old) if m["organization_id"] == str(A)]
        if ours:
            message = ours[which % len(ours)]["id"]
            done = self.as_admin(
                sql.SQL("update public.scheduled_whatsapp_messages set status = {} where id = {}").format(
                    new, message
                )
            )
            if done and new == "pending":
                self.walk.allowed[message] += 1
            before = self.walk.observe(settings=True)["messages"][message]["status"]
            now = self.walk.now["messages"][message]["status"]
            assert now == (new if done else before)

    def edit(self, which: int, priority: int, wait: int) -> None:
        """Edit any message: only one that is pending may change."""
        ours = [m for m in self.walk.messages() if m["organization_id"] == str(A)]
        if ours:
            message = ours[which % len(ours)]
            done = self.as_admin(
                sql.SQL(
                    "update public.scheduled_whatsapp_messages set priority = {}, expires_at = null,"
                    " scheduled_for = herald.clock() + make_interval(secs => {}) where id = {}"
                ).format(priority, wait, message["id"])
            )
            same = (message["priority"], at(message["scheduled_for"]), message["expires_at"])
            nothing_changes = same == (priority, self.walk.ahead(wait), None)
            assert done == (message["status"] == "pending" or nothing_changes)
        self.walk.observe(settings=True)

    def opt(self, person: UUID, out: bool) -> None:
        moment = sql.SQL("herald.clock()" if out else "null")
        assert self.as_admin(
            sql.SQL("update public.whatsapp_contacts set opted_out_at = {} where id = {}").format(moment, person)
        )
        self.walk.observe(settings=True)
        if out:
            waiting = [m for m in self.walk.messages("pending") if m["contact_id"] == str(person)]
            assert not waiting, "an opt-out suppresses at once"

    def alter(self, session: int, name: str, value: object) -> None:
        statement = sql.SQL("update public.whatsapp_sessions set {} = %s where id = %s").format(
            sql.Identifier(name)
        )
        self.db.connection.execute(statement, (value, SESSIONS[session % len(SESSIONS)]))
        self.walk.observe(settings=True)

    def configure(self, name: str, value: object) -> None:
        statement = sql.SQL("update public.workshop_automation_config set {} = %s where organization_id = %s")
        wanted = Jsonb(value) if isinstance(value, dict) else value
        self.db.connection.execute(statement.format(sql.Identifier(name)), (wanted, A))
        self.walk.observe(settings=True)

    def answer(self) -> None:
        """A person writes to the number of the Cloud API."""
        self.db.run(
            "update public.whatsapp_conversations set last_inbound_at = herald.clock() where session_id = %s",
            CLOUD,
        )
        self.walk.observe(settings=True)

    def move_campaign(self, state: str) -> None:
        moved = self.as_admin(
            sql.SQL("update public.whatsapp_campaigns set state = {} where id = {}").format(state, CAMPAIGN)
        )
        self.walk.observe(settings=True)
        if moved and state == "cancelled":
            assert not [m for m in self.walk.messages("pending") if m["campaign_id"]]

    def link(self, group: int | None, hours: int) -> None:
        """Link the workshop to a group of the first account, or unlink it, and move its start."""
        chosen = list(GROUPS)[group % 3] if group is not None else None
        self.db.run(
            "update public.workshops set whatsapp_group_id = %s, starts_at = herald.clock() + %s where id = %s",
            chosen,
            timedelta(hours=hours),
            WORKSHOP,
        )
        self.walk.observe(settings=True)
        groups = {m["group_id"] for m in self.walk.messages("pending") if m["workshop_id"]}
        assert groups <= {str(chosen)}, "a message of a link that is no more"

    def housekeeping(self) -> None:
        answer = self.db.call("whatsapp_housekeeping")
        assert answer["errors"] == {}
        self.walk.observe(settings=True)

    def pass_time(self, seconds: float) -> None:
        self.db.run("update herald.test_clock set at = at + %s", timedelta(seconds=seconds))
        self.walk.observe(settings=True)
