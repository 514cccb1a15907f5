"""Calls that queue messages: to one, by a template, to many."""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, HttpUrl, model_validator

from worker.api.fields import Phone, Text, columns_of
from worker.api.messages import TABLE, Message, SendableKind
from worker.api.problem import Problem, invalid, not_found
from worker.api.routing import Access, Answer, Body, Call, Query, Reply, Routes
from worker.message import MessageStatus

routes = Routes("Send")

#: Seconds that ?wait= may take.
LONGEST_WAIT = 30.0

#: A call is over for ?wait= when the message has one of these.
OVER = frozenset(MessageStatus) - {MessageStatus.PENDING, MessageStatus.SENDING}

_KEY_PATTERN = r"^[\x21-\x7e]{1,200}$"
IdempotencyKey = Annotated[
    str, Field(pattern=_KEY_PATTERN, description="instead of the header Idempotency-Key: the same key queues once")
]


class Recipient(Body):
    """Exactly one of group, contact and phone."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": [way], "properties": {way: {"type": "string"}}}
                for way in ("group", "contact", "phone")
            ]
        }
    )

    group: Annotated[UUID, Field(description="id of a row of GET /api/groups")] | None = None
    contact: Annotated[UUID, Field(description="id of a contact")] | None = None
    phone: Phone | None = None
    name: Annotated[Text, Field(max_length=200)] | None = Field(None, description="for the placeholder {{name}}")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(way is not None for way in (self.group, self.contact, self.phone)) != 1:
            raise ValueError("give exactly one of group, contact and phone")
        return self


class Media(Body):
    """A file to send; text is its caption."""

    url: HttpUrl = Field(description="public https address, or one of the project's Storage")
    kind: SendableKind = Field(description="what this version can send")


class Options(Body):
    """What every send takes."""

    session_id: UUID | None = Field(
        None, description="the account; else the group's, or the organisation's default"
    )
    scheduled_for: datetime | None = Field(None, description="not before; else now")
    expires_at: datetime | None = Field(None, description="not after: then it fails as expired")
    priority: int = Field(5, ge=1, le=10, description="10 goes first")
    message_type: str = Field("custom", pattern=r"^[a-z0-9_]{1,60}$", description="for figures and quiet hours")
    idempotency_key: IdempotencyKey | None = None


class Send(Options):
    """One message."""

    to: Recipient
    text: Text = Field("", max_length=65_536)
    media: Media | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.text and not self.media:
            raise ValueError("give a text, a media, or both")
        return self


class WaitQuery(Query):
    """How long to wait for the outcome."""

    wait: float = Field(0, ge=0, le=LONGEST_WAIT, description="seconds; 0: answer as soon as it is queued")


class Queued(Answer):
    """A message that was queued, or was before under the same key."""

    replayed: bool = Field(description="true: the same call was made before, and nothing was queued now")
    message: Message


HEADERS = {"Idempotency-Key": "1 to 200 visible ASCII characters; the same call with the same key queues once"}


@routes.post("/api/send", access=Access.ADMIN, answers={201: Queued, 200: Queued}, headers=HEADERS)
async def send(call: Call, query: WaitQuery, body: Send) -> Reply:
    """Queue a message to a group, a contact or a phone number.

    It goes out under all rules of docs/sending-rules.md. With ?wait=5 the answer comes when it is sent or has
    failed, or after 5 seconds. Send an Idempotency-Key, and repeat the call with it when no answer came: it is
    queued once.
    """
    content: dict[str, Any] = {"message_content": body.text}
    if body.media:
        content |= {"media_url": str(body.media.url), "media_kind": body.media.kind}
    return await queue_one(call, body, body.to, content, query.wait)


async def queue_one(call: Call, options: Options, to: Recipient, content: dict[str, Any], wait: float) -> Reply:
    """Queue one message, and wait for what comes of it."""
    row = {**common_columns(options), **recipient_columns(to), **content}
    key = idempotency_key(call, options)
    await call.parts.limits.send(call.organization)
    columns = columns_of(Message)
    if key:
        row["idempotency_key"] = key
    made = await call.tenant.insert(
        TABLE, [row], columns, once_by="organization_id,idempotency_key" if key else ""
    )
    if made:
        call.parts.wake()
    else:
        made = await call.tenant.select(TABLE, columns, ("idempotency_key", f"eq.{key}"))
        if not made:
            raise not_found("message", "The one with this key is not for you to see.")
        _must_be_the_same(made[0], row)
        made[0]["replayed"] = True
    message = Message.model_validate(made[0])
    if wait and message.status not in OVER:
        message = await _outcome(call, message, wait)
    return Reply(
        Queued(replayed="replayed" in made[0], message=message),
        status=200 if "replayed" in made[0] else 201,
        headers={"Location": f"/api/messages/{message.id}"},
    )


async def _outcome(call: Call, message: Message, seconds: float) -> Message:
    latest = message

    async def look() -> Message | None:
        nonlocal latest
        rows = await call.tenant.select(TABLE, columns_of(Message), ("id", f"eq.{message.id}"))
        if rows:
            latest = Message.model_validate(rows[0])
        return latest if latest.status in OVER or not rows else None

    await call.parts.changes.until(message.id, look, seconds)
    return latest


def _must_be_the_same(found: dict[str, Any], asked: dict[str, Any]) -> None:
    """Refuse a key that was used for something else: what the caller asks now would never be sent."""
    compared = ("group_id", "contact_id", "recipient_phone", "media_url")
    same = all(found[column] == asked.get(column) for column in compared)
    text = asked.get("message_content")
    if not same or (text is not None and found["message_content"] not in (text, "")):
        raise Problem(
            409,
            "idempotency-key-reused",
            "Another message was queued under this idempotency key.",
            "Use a new key for each message; repeat a call only unchanged.",
        )


def idempotency_key(call: Call, options: Options) -> str | None:
    """Take the key of the header or of the body. Raises Problem if they differ, or it is none."""
    header = call.request.headers.get("Idempotency-Key")
    if header is not None and (not header.isascii() or not header.isprintable() or not 0 < len(header) <= 200):
        raise invalid("Idempotency-Key has 1 to 200 visible ASCII characters.", "/Idempotency-Key", place="header")
    if header and options.idempotency_key and header != options.idempotency_key:
        raise invalid(
            "The header Idempotency-Key says something else.", "/idempotency_key", "Give one of the two."
        )
    return header or options.idempotency_key


def recipient_columns(to: Recipient) -> dict[str, Any]:
    """Write a recipient as the queue's columns."""
    row: dict[str, Any] = {
        "group_id": str(to.group) if to.group else None,
        "contact_id": str(to.contact) if to.contact else None,
        "recipient_phone": to.phone,
    }
    return row | {"recipient_name": to.name}


def common_columns(options: Options) -> dict[str, Any]:
    """Write a send's options as the queue's columns; the database fills in what is left out."""
    row: dict[str, Any] = {"priority": options.priority, "message_type": options.message_type}
    for column in ("scheduled_for", "expires_at"):
        if moment := getattr(options, column):
            if moment.tzinfo is None:
                raise invalid("This time has no zone.", f"/{column}", "Write it like 2026-12-01T09:00:00Z.")
            row[column] = moment.isoformat()
    if options.session_id:
        row["session_id"] = str(options.session_id)
    return row


def fingerprint(text: str) -> str:
    """Shorten what tells one recipient of a list from the others."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]
