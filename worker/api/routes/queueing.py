"""Putting messages into the queue for a call: recipients, options and keys as the queue's columns."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, HttpUrl, model_validator

from worker.api.http.fields import UUID_PATTERN, Phone, Text, Whole
from worker.api.http.problem import Problem, invalid, not_found
from worker.api.http.routing import Body, Call
from worker.api.routes.messages import Message, SendableKind
from worker.errors import DatabaseRefused, StoreError
from worker.message import MessageStatus, seconds_until_due
from worker.supabase.tenant import Row, messages, templates

#: ?wait= ends when a message has one of these.
OVER = frozenset(MessageStatus) - {MessageStatus.PENDING, MessageStatus.SENDING}

#: Length of an Idempotency-Key; a call to many adds what distinguishes its recipients.
LONGEST_KEY = 150

IdempotencyKey = Annotated[
    str,
    Field(
        pattern=rf"^[\x21-\x7e]{{1,{LONGEST_KEY}}}$",
        description="instead of the header Idempotency-Key: the same key queues once",
    ),
]
HEADERS = {
    "Idempotency-Key": f"1 to {LONGEST_KEY} visible ASCII characters; the same call with the same key queues once"
}

_WAYS = ("group", "contact", "phone")


def _one_shape_each(schema: dict[str, Any]) -> None:
    """Write a recipient as JSON Schema: a complete shape for each way, which every generator understands."""
    fields = schema.pop("properties")
    closed = {key: schema.pop(key) for key in ("type", "additionalProperties")}
    schema["oneOf"] = [
        {
            **closed,
            "required": [way],
            "properties": {
                **{name: field if name not in _WAYS else {"type": "null"} for name, field in fields.items()},
                way: {**fields[way]["anyOf"][0]},
            },
        }
        for way in _WAYS
    ]


class Recipient(Body):
    """Exactly one of group, contact and phone."""

    model_config = ConfigDict(json_schema_extra=_one_shape_each)

    group: Annotated[UUID, Field(description="id of a row of GET /api/groups")] | None = None
    contact: Annotated[UUID, Field(description="id of a contact")] | None = None
    phone: Phone | None = None
    name: Annotated[Text, Field(max_length=200)] | None = Field(None, description="for the placeholder {{name}}")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(getattr(self, way) is not None for way in _WAYS) != 1:
            raise ValueError("give exactly one of group, contact and phone")
        return self

    @property
    def address(self) -> str:
        """What distinguishes this recipient from others."""
        return next(f"{way}:{getattr(self, way)}" for way in _WAYS if getattr(self, way) is not None)

    def columns(self) -> Row:
        """Write it as the queue's columns."""
        return {
            "group_id": str(self.group) if self.group else None,
            "contact_id": str(self.contact) if self.contact else None,
            "recipient_phone": self.phone,
            "recipient_name": self.name,
        }


class Media(Body):
    """A file to send; text is its caption."""

    url: HttpUrl = Field(description="public https address, or one of the project's Storage")
    kind: SendableKind = Field(description="what this version can send")


class Options(Body):
    """What every send takes."""

    session_id: UUID | None = Field(None, description="the account; else the group's or the default one")
    scheduled_for: datetime | None = Field(None, description="not before, with zone; else now")
    expires_at: datetime | None = Field(None, description="not after, with zone: then it fails as expired")
    priority: Whole = Field(5, ge=1, le=10, description="10 goes first")
    message_type: str = Field("custom", pattern=r"^[a-z0-9_]{1,60}$", description="for figures and quiet hours")
    idempotency_key: IdempotencyKey | None = None

    def columns(self) -> Row:
        """Write them as the queue's columns; the database fills in what is left out. Raises Problem."""
        row: Row = {"priority": self.priority, "message_type": self.message_type}
        for column in ("scheduled_for", "expires_at"):
            if moment := getattr(self, column):
                if moment.tzinfo is None:
                    raise invalid("This time has no zone.", f"/{column}", "Write it like 2026-12-01T09:00:00Z.")
                try:
                    row[column] = moment.astimezone(UTC).isoformat()  # Postgres takes offsets below 16 hours only
                except OverflowError:
                    raise invalid("This time is out of range.", f"/{column}") from None
        if self.session_id:
            row["session_id"] = str(self.session_id)
        return row


Values = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[a-zA-Z0-9_]{1,100}$")],
        Annotated[Text, Field(max_length=4096)] | int | Annotated[float, Field(allow_inf_nan=False)],
    ],
    Field(json_schema_extra={"additionalProperties": False}),
]

TemplateName = Annotated[
    str,
    Field(
        pattern=rf"^([a-z0-9][a-z0-9_]{{0,99}}|{UUID_PATTERN})$",
        description="name or id; an organisation's own goes before the system's of that name",
    ),
]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$", description="where a name has several")]


async def find_template(call: Call, name: str, language: str | None) -> UUID:
    """Find a template that the organisation uses. Raises Problem 404."""
    found = await templates.find(call.tenant, name, language)
    if found is None:
        raise not_found("active template", "Make one in the CRM, or switch it on.")
    return found


def idempotency_key(call: Call, options: Options) -> str | None:
    """Take the key of the header or of the body. Raises Problem if they differ, or it is none."""
    header = call.request.headers.get("Idempotency-Key")
    if header is not None and not (
        0 < len(header) <= LONGEST_KEY and all("\x21" <= letter <= "\x7e" for letter in header)
    ):
        words = f"The key has 1 to {LONGEST_KEY} visible ASCII characters."
        raise invalid(words, "/Idempotency-Key", place="header")
    if header and options.idempotency_key and header != options.idempotency_key:
        raise Problem(
            409,
            "idempotency-keys-differ",
            "The header and the body have different idempotency keys.",
            "Give one of the two.",
        )
    return header or options.idempotency_key


async def put(call: Call, rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Queue messages, all with or all without an idempotency key; those that are new, and those that were there.

    Raises Problem 409 if a key was used for another message.
    """
    await call.parts.limits.send(call.organization)
    keyed = "idempotency_key" in rows[0]
    made = await messages.insert(call.tenant, rows)
    if made:
        call.parts.wake(min(seconds_until_due(row, row["created_at"]) for row in made))
    if not keyed or len(made) == len(rows):
        return made, []
    new = {row["idempotency_key"] for row in made}
    asked = {row["idempotency_key"]: row for row in rows if row["idempotency_key"] not in new}
    found = await messages.by_idempotency_keys(call.tenant, list(asked))
    if len(found) < len(asked):
        raise not_found("message", "A message with this idempotency key is there, but not for you to see.")
    for row in found:
        _must_be_the_same(row, asked[row["idempotency_key"]])
    return made, found


async def latest(call: Call, queued: Sequence[Message], seconds: float) -> list[Message]:
    """Wait up to this long until all are final; the messages as they are then.

    They are queued, so it is no error if they can't be read any more (Supabase is away, the token has expired).
    """
    now = {message.id: message for message in queued}

    async def look() -> bool | None:
        open_ones = [message.id for message in now.values() if message.status not in OVER]
        for row in await messages.by_ids(call.tenant, open_ones):
            message = Message.model_validate(row)
            now[message.id] = message
        return True if all(message.status in OVER for message in now.values()) else None

    if seconds and queued:
        with suppress(StoreError, DatabaseRefused):
            await call.parts.changes.until([message.id for message in queued], look, seconds)
    return list(now.values())


def _must_be_the_same(found: Row, asked: Row) -> None:
    """Refuse a key that was used for something else: what the caller asks now would never be sent.

    A redacted text is not compared, nor a template that a person's own words replaced.
    """
    compared = ["group_id", "contact_id", "recipient_phone", "media_url"]
    compared += ["template_id"] if found["template_id"] else []
    compared += ["template_variables"] if found["template_variables"] and "template_variables" in asked else []
    compared += ["message_content"] if asked.get("message_content") and found["message_content"] else []
    if any(found[column] != asked.get(column) for column in compared):
        raise Problem(
            409,
            "idempotency-key-reused",
            "Another message was queued under this idempotency key.",
            "Use a new key for each message; repeat a call only unchanged.",
        )


def content_columns(text: str, media: Media | None) -> dict[str, Any]:
    """Write text and file as the queue's columns."""
    return {
        "message_content": text,
        "media_url": str(media.url) if media else None,
        "media_kind": media.kind if media else None,
    }
