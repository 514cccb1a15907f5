"""Calls that queue messages: to one, by a template, to many."""

import hashlib
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from worker.api.http.fields import Text
from worker.api.http.routing import Access, Answer, Call, Query, Reply, Routes
from worker.api.routes.messages import Message
from worker.api.routes.queueing import (
    HEADERS,
    Language,
    Media,
    Options,
    Recipient,
    TemplateName,
    Values,
    content_columns,
    find_template,
    idempotency_key,
    latest,
    put,
)
from worker.message import MessageStatus
from worker.supabase.tenant import Row

routes = Routes("Send")

#: Seconds that ?wait= may take.
LONGEST_WAIT = 30.0

#: Recipients of one call.
MOST_RECIPIENTS = 1000

#: What a text may have, characters: WhatsApp's own limit.
LONGEST_TEXT = 65_536

SomeText = Annotated[Text, Field(max_length=LONGEST_TEXT)]


class Send(Options):
    """One message: a text, a file, or both."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["text"], "properties": {"text": {"minLength": 1}}},
                {"required": ["media"], "properties": {"media": {"$ref": "#/components/schemas/Media"}}},
            ]
        }
    )

    to: Recipient
    text: SomeText = ""
    media: Media | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.text and not self.media:
            raise ValueError("give a text, a media, or both")
        return self


class SendTemplate(Options):
    """One message by a template."""

    to: Recipient
    template: TemplateName
    language: Language | None = None
    variables: Values = Field(default_factory=dict, description="values for {{placeholders}}")


class BulkRecipient(Recipient):
    """One of many, with values of their own."""

    variables: Values = Field(default_factory=dict, description="go before the call's variables")


class SendBulk(Options):
    """The same to many: exactly one of text (with or without media) and template."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": ["template"],
                    "properties": {
                        "template": {"type": "string"},
                        "text": {"maxLength": 0},
                        "media": {"type": "null"},
                    },
                },
                {
                    "required": ["text"],
                    "properties": {"text": {"minLength": 1}, "template": {"type": "null"}},
                },
            ]
        }
    )

    recipients: list[BulkRecipient] = Field(min_length=1, max_length=MOST_RECIPIENTS)
    text: SomeText = ""
    media: Media | None = None
    template: TemplateName | None = None
    language: Language | None = None
    variables: Values = Field(default_factory=dict, description="values for {{placeholders}} of the template")

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        if bool(self.text) == bool(self.template):
            raise ValueError("give exactly one of text and template")
        if self.template and self.media:
            raise ValueError("a template brings its own media")
        return self


class WaitQuery(Query):
    """How long to wait for the outcome."""

    wait: float = Field(0, ge=0, le=LONGEST_WAIT, description="seconds; 0: answer as soon as it is queued")


class Queued(Answer):
    """A message that was queued, or was before under the same key."""

    replayed: bool = Field(description="true: the same call was made before, and nothing was queued now")
    message: Message


class BulkEntry(Answer):
    """What became of one recipient."""

    index: int = Field(description="place in recipients, from 0")
    message_id: UUID | None = Field(description="null: the same recipient stands in the list before")
    status: MessageStatus | None
    error_code: str | None = Field(description="such as suppressed: the person has opted out")


class BulkQueued(Answer):
    """What became of a call to many."""

    queued: int = Field(description="messages that are new in the queue")
    replayed: int = Field(description="messages that the same call had queued before")
    duplicates: int = Field(description="recipients that stand in the list twice; they get one message")
    recipients: list[BulkEntry]


@routes.post("/api/send", access=Access.ADMIN, answers={201: Queued, 200: Queued}, headers=HEADERS)
async def send(call: Call, query: WaitQuery, body: Send) -> Reply:
    """Queue a message to a group, a contact or a phone number.

    It goes out under all rules of docs/sending-rules.md. With ?wait=5 the answer comes when it is sent or has
    failed, or after 5 seconds. Send an Idempotency-Key, and repeat the call with it when no answer came: it is
    queued once.
    """
    return await _queue_one(call, body, body.to, content_columns(body.text, body.media), query.wait)


@routes.post("/api/send-template", access=Access.ADMIN, answers={201: Queued, 200: Queued}, headers=HEADERS)
async def send_template(call: Call, query: WaitQuery, body: SendTemplate) -> Reply:
    """Queue a message by a template.

    Name, organisation and workshop are known; variables give the rest. Until it goes out, the text follows the
    template.
    """
    template = await find_template(call, body.template, body.language)
    content = {"template_id": str(template), "template_variables": dict(body.variables)}
    return await _queue_one(call, body, body.to, content, query.wait)


async def _queue_one(call: Call, options: Options, to: Recipient, content: Row, wait: float) -> Reply:
    row = {**options.columns(), **to.columns(), **content}
    if key := idempotency_key(call, options):
        row["idempotency_key"] = key
    made, found = await put(call, [row])
    (message,) = await latest(call, [Message.model_validate((made or found)[0])], wait)
    return Reply(
        Queued(replayed=not made, message=message),
        status=201 if made else 200,
        headers={"Location": f"/api/messages/{message.id}"},
    )


@routes.post("/api/send-bulk", access=Access.ADMIN, answers={201: BulkQueued, 200: BulkQueued}, headers=HEADERS)
async def send_bulk(call: Call, query: WaitQuery, body: SendBulk) -> Reply:
    """Queue the same message to up to 1,000 recipients.

    One row of the queue each, with its own status and answer to why it waits; all are queued or none is. With an
    Idempotency-Key the call can be repeated, also with more recipients: nobody gets it twice. It counts once.
    """
    shared = body.columns()
    content: Row = content_columns(body.text, body.media)
    if body.template:
        content = {"template_id": str(await find_template(call, body.template, body.language))}
    key = idempotency_key(call, body)
    rows: dict[str, Row] = {}
    for recipient in body.recipients:
        row = {**shared, **recipient.columns(), **content}
        if body.template:
            row["template_variables"] = {**body.variables, **recipient.variables}
        if key:
            row["idempotency_key"] = f"{key}#{_short(recipient.address)}"
        rows.setdefault(recipient.address, row)
    made, found = await put(call, list(rows.values()))
    messages = await latest(call, [Message.model_validate(row) for row in (*made, *found)], query.wait)
    answer = BulkQueued(
        queued=len(made),
        replayed=len(found),
        duplicates=len(body.recipients) - len(rows),
        recipients=_entries(body.recipients, messages),
    )
    return Reply(answer, status=201 if made else 200)


def _entries(recipients: list[BulkRecipient], messages: list[Message]) -> list[BulkEntry]:
    by_address = {_address(message): message for message in messages}
    entries = []
    for index, recipient in enumerate(recipients):
        message = by_address.pop(recipient.address, None)
        entries.append(
            BulkEntry(
                index=index,
                message_id=message.id if message else None,
                status=message.status if message else None,
                error_code=message.error_code if message else None,
            )
        )
    return entries


def _address(message: Message) -> str:
    """As Recipient.address."""
    if message.group_id:
        return f"group:{message.group_id}"
    return f"contact:{message.contact_id}" if message.contact_id else f"phone:{message.recipient_phone}"


def _short(address: str) -> str:
    """Hash what distinguishes one recipient from the others, so that a key contains no phone number."""
    return hashlib.sha256(address.encode()).hexdigest()[:32]
