"""Messages of the queue, as the API shows them."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from worker.api.http.fields import Cursor, Moment, cursor_from, cursor_of
from worker.api.http.problem import Problem, not_found
from worker.api.http.routing import Access, Answer, Call, Query, Routes
from worker.errors import TooLarge
from worker.message import MessageStatus
from worker.supabase.tenant import messages

routes = Routes("Messages")


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
    scheduled_for: Moment
    expires_at: Moment | None = Field(description="from here on it is not sent any more")
    status: MessageStatus
    retry_count: int
    next_attempt_at: Moment | None
    wa_message_id: str | None
    error_code: str | None
    error_message: str | None
    sent_at: Moment | None
    delivered_at: Moment | None
    read_at: Moment | None
    delivered_count: int
    read_count: int
    unreadable_count: int = Field(description="recipients whose phones have the message and can't read it")
    resent_count: int = Field(description="how often it went out again because the phone could not read it")
    sent_by: UUID | None = Field(description="the user who queued it; null: a server or a rule")
    idempotency_key: str | None
    created_at: Moment


class Reason(Answer):
    """One thing that holds a message back."""

    rule: str = Field(description="stable code, see docs/sending-rules.md")
    explanation: str
    until: Moment | None = Field(description="null: until somebody acts, or not known")


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

    Pages follow each other without gaps while new messages come in. A page of very large messages has fewer of them.
    """
    conditions = query.model_dump(exclude={"limit", "cursor"}, exclude_none=True)
    before = cursor_from(query.cursor) if query.cursor else None
    limit = query.limit
    while True:
        try:
            rows = await messages.page(call.tenant, conditions, before=before, limit=limit + 1)
            break
        except TooLarge:
            if limit == 1:
                raise
            limit = max(limit // 8, 1)
    page = [Message.model_validate(row) for row in rows[:limit]]
    last = page[-1] if len(rows) > limit else None
    return MessagePage(messages=page, next=cursor_of(last.scheduled_for, last.id) if last else None)


@routes.get("/api/messages/{id}", access=Access.MEMBER)
async def get_message(call: Call, path: MessagePath) -> ExplainedMessage:
    """Look at one message, and why it has not gone out yet."""
    found = await messages.explained(call.tenant, path.id)
    if found is None:
        raise not_found("message")
    return ExplainedMessage.model_validate(found)


async def find_message(call: Call, message: UUID) -> Message:
    """Read a message of the caller's. Raises Problem 404."""
    row = await messages.find(call.tenant, message)
    if row is None:
        raise not_found("message")
    return Message.model_validate(row)


@routes.post("/api/messages/{id}/cancel", access=Access.ADMIN)
async def cancel_message(call: Call, path: MessagePath) -> Message:
    """Cancel a message that is still pending.

    One that is cancelled already is answered as it is, so that the call can be repeated.
    """
    return await _step(call, path.id, "cancelled", of=("pending",), already=("cancelled",))


@routes.post("/api/messages/{id}/retry", access=Access.ADMIN)
async def retry_message(call: Call, path: MessagePath) -> Message:
    """Send a message again that failed, or of which nobody knows whether it went out (in_doubt).

    Look at the chat on the phone before you send again what is in doubt: the recipient may have it.
    """
    return await _step(call, path.id, "pending", of=("failed", "in_doubt"), already=("pending",))


async def _step(
    call: Call, message: UUID, status: str, *, of: tuple[str, ...], already: tuple[str, ...]
) -> Message:
    """Change a message's status if its present one allows that."""
    row = await messages.change_status(call.tenant, message, status, of=of)
    if row is not None:
        call.parts.wake(0)
        return Message.model_validate(row)
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
