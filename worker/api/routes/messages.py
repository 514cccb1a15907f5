"""Messages of the queue, as the API shows them."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from worker.api.http.fields import ALL, Cursor, cursor_from, cursor_of, quoted
from worker.api.http.problem import Problem, not_found
from worker.api.http.routing import Access, Answer, Call, Query, Routes
from worker.message import MessageStatus

routes = Routes("Messages")

TABLE = "scheduled_whatsapp_messages"

#: What is open, found without reading what is finished: the queue has no index by status.
OPEN = "whatsapp_open_messages"
_OPEN_STATUSES = frozenset({MessageStatus.PENDING, MessageStatus.SENDING, MessageStatus.IN_DOUBT})


class Message(Answer):
    """A message of the queue and what became of it."""

    id: UUID
    session_id: UUID = Field(description="the account that sends it")
    group_id: UUID | None
    contact_id: UUID | None
    recipient_phone: str | None
    recipient_name: str | None
    message_type: str
    message_content: str
    template_id: UUID | None
    media_url: str | None
    media_kind: str | None
    campaign_id: UUID | None
    workshop_id: UUID | None
    priority: int = Field(description="1 to 10; 10 goes first")
    scheduled_for: datetime
    expires_at: datetime | None = Field(description="from here on it is not sent any more")
    status: MessageStatus
    retry_count: int
    next_attempt_at: datetime | None
    wa_message_id: str | None
    error_code: str | None
    error_message: str | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    delivered_count: int
    read_count: int
    sent_by: UUID | None = Field(description="the user who queued it; null: a server or a rule")
    idempotency_key: str | None
    created_at: datetime


class Reason(Answer):
    """One thing that holds a message back."""

    rule: str = Field(description="stable code, see docs/sending-rules.md")
    explanation: str
    until: datetime | None = Field(description="null: until somebody acts, or not known")


class ExplainedMessage(Message):
    """A message and why it has not gone out yet."""

    why_not_sent: list[Reason] = Field(
        description="all that holds it back; of one that is sent or failed, its state"
    )


class MessagePage(Answer):
    """Messages, the latest scheduled_for first."""

    messages: list[Message]
    next: str | None = Field(description="cursor of the next page; null: this is the last")


class MessageQuery(Query):
    """Which messages."""

    status: MessageStatus | None = None
    session_id: UUID | None = None
    group_id: UUID | None = None
    contact_id: UUID | None = None
    campaign_id: UUID | None = None
    limit: int = Field(50, ge=1, le=500)
    cursor: Cursor | None = None


class MessagePath(Query):
    """One message."""

    id: UUID


@routes.get("/api/messages", access=Access.MEMBER)
async def list_messages(call: Call, query: MessageQuery) -> MessagePage:
    """List messages, the latest first.

    Pages follow each other without gaps while new messages come in.
    """
    params = [("order", "scheduled_for.desc,id.desc"), ("limit", str(query.limit + 1))]
    for column in ("status", "session_id", "group_id", "contact_id", "campaign_id"):
        if (value := getattr(query, column)) is not None:
            params.append((column, f"eq.{value}"))
    if query.cursor:
        moment, row = cursor_from(query.cursor)
        at = moment.isoformat()
        # The first condition is what the index needs; the second leaves out what the page before had.
        params += [("scheduled_for", f"lte.{at}"), ("or", f"(scheduled_for.lt.{quoted(at)},id.lt.{row})")]
    source = OPEN if query.status in _OPEN_STATUSES else TABLE
    rows = await call.tenant.select(source, ALL, *params)
    messages = [Message.model_validate(row) for row in rows[: query.limit]]
    last = messages[-1] if len(rows) > query.limit else None
    return MessagePage(messages=messages, next=cursor_of(last.scheduled_for, last.id) if last else None)


@routes.get("/api/messages/{id}", access=Access.MEMBER)
async def get_message(call: Call, path: MessagePath) -> ExplainedMessage:
    """Look at one message, and why it has not gone out yet."""
    found = await call.tenant.call("whatsapp_api_message", p_message=str(path.id))
    if found is None:
        raise not_found("message")
    return ExplainedMessage.model_validate(found)


async def find_message(call: Call, message: UUID) -> Message:
    """Read a message of the caller's. Raises Problem 404."""
    rows = await call.tenant.select(TABLE, ALL, ("id", f"eq.{message}"))
    if not rows:
        raise not_found("message")
    return Message.model_validate(rows[0])


@routes.post("/api/messages/{id}/cancel", access=Access.ADMIN)
async def cancel_message(call: Call, path: MessagePath) -> Message:
    """Cancel a message that is still pending.

    One that is cancelled already is answered as it is, so that the call can be repeated.
    """
    return await _step(call, path.id, {"status": "cancelled"}, of=("pending",), already=("cancelled",))


@routes.post("/api/messages/{id}/retry", access=Access.ADMIN)
async def retry_message(call: Call, path: MessagePath) -> Message:
    """Send a message again that failed, or of which nobody knows whether it went out (in_doubt).

    Look at the chat on the phone before you send again what is in doubt: the recipient may have it.
    """
    return await _step(call, path.id, {"status": "pending"}, of=("failed", "in_doubt"), already=("pending",))


async def _step(
    call: Call, message: UUID, changes: dict[str, Any], *, of: tuple[str, ...], already: tuple[str, ...]
) -> Message:
    """Change a message's status if it has one of those that may become it."""
    rows = await call.tenant.update(
        TABLE, changes, ALL, ("id", f"eq.{message}"), ("status", f"in.({','.join(of)})")
    )
    if rows:
        call.parts.wake(0)
        return Message.model_validate(rows[0])
    found = await find_message(call, message)
    if found.status in already:
        return found
    raise Problem(
        409,
        "wrong-status",
        f"The message is {found.status}: only one that is {' or '.join(of)} can be changed so.",
        "Look at the message again; its status has changed since you saw it.",
    )


SendableKind = Literal["image"]
