"""What the operator asks and does by the herald command, over PostgREST."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from worker.errors import CommandRefused
from worker.supabase.client import Database

Row = dict[str, Any]


class Operations:
    """Calls raise StoreError when Supabase is away, CommandRefused with the database's words when it can't be done.

    account: an id, or how one begins.  operator: whom the audit names.  Everything may be called again.
    """

    def __init__(self, database: Database, operator: str) -> None:
        self._database = database
        self._operator = operator

    async def overview(self, organization: UUID | None = None) -> Row:
        """Workers, organisations' queues and accounts, and the database's time."""
        return dict(await self._ask("overview", p_organization=_text(organization)))

    async def queue(
        self, status: str, *, organization: UUID | None = None, account: str | None = None, limit: int = 50
    ) -> list[Row]:
        """Messages that are due, pending, sending, stuck, in_doubt or failed."""
        return list(
            await self._ask(
                "queue", p_status=status, p_organization=_text(organization), p_session=account, p_limit=limit
            )
        )

    async def message(self, message: UUID) -> Row:
        """One message, and the reasons why it has not gone."""
        found = await self._ask("message", p_message=str(message))
        if found is None:
            raise CommandRefused("There is no such message.")
        return dict(found)

    async def settle(self, message: UUID, status: str) -> Row:
        """Take a person's step with a message; what it was and is."""
        asked = {"p_message": str(message), "p_status": status, "p_operator": self._operator}
        return dict(await self._ask("settle", **asked))

    async def change_session(self, account: str, change: Mapping[str, Any]) -> Row:
        """Change desired_state, or paused_until with pause_reason; what the account is then."""
        asked = {"p_session": account, "p_change": dict(change), "p_operator": self._operator}
        return dict(await self._ask("session", **asked))

    async def send(self, account: str, *, phone: str | None, group: UUID | None, text: str, key: str) -> UUID:
        """Queue a text under an idempotency key; the message's id."""
        made = await self._ask(
            "send",
            p_session=account,
            p_phone=phone,
            p_group=_text(group),
            p_text=text,
            p_key=key,
            p_operator=self._operator,
        )
        return UUID(made["id"])

    async def audit(
        self,
        *,
        organization: UUID | None = None,
        event: str | None = None,
        account: str | None = None,
        since: datetime | None = None,
        after: UUID | None = None,
        limit: int = 50,
    ) -> list[Row]:
        """Rows of the audit, the oldest first: the newest ones, or those about and after a row."""
        return list(
            await self._ask(
                "audit",
                p_organization=_text(organization),
                p_event=event,
                p_session=account,
                p_since=since.isoformat() if since else None,
                p_after=_text(after),
                p_limit=limit,
            )
        )

    async def _ask(self, what: str, **arguments: Any) -> Any:
        answer = await self._database.call(f"whatsapp_operator_{what}", arguments)
        if isinstance(answer, dict) and "problem" in answer:
            raise CommandRefused(answer["problem"])
        return answer


def _text(identity: UUID | None) -> str | None:
    return str(identity) if identity else None
