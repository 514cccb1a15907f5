"""What a client of WS /api/events may say."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Authenticate(_Message):
    """Identifies the client; later: the next token of the same user."""

    type: Literal["authenticate"]
    token: Annotated[str, Field(min_length=1, max_length=16_384)]
    organization: UUID | None = None


class Subscribe(_Message):
    """Accounts to subscribe to."""

    type: Literal["subscribe"]
    sessions: Literal["all"] | Annotated[list[UUID], Field(min_length=1, max_length=1_000)]


class Unsubscribe(_Message):
    """Accounts to unsubscribe from."""

    type: Literal["unsubscribe"]
    sessions: Literal["all"] | Annotated[list[UUID], Field(min_length=1, max_length=1_000)]


class Ping(_Message):
    """For clients that can't send WebSocket pings."""

    type: Literal["ping"]


ClientMessage = Authenticate | Subscribe | Unsubscribe | Ping

CLIENT_MESSAGES: TypeAdapter[ClientMessage] = TypeAdapter(Annotated[ClientMessage, Field(discriminator="type")])
