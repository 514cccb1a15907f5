"""Types of fields that several routes share, with what the docs say of them."""

import re
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import phonenumbers
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from worker.moments import exact_moment, microseconds_of, moment_at

_LID = re.compile(r"[0-9]{1,20}@lid")


def _normal_person(text: str) -> str:
    return text if _LID.fullmatch(text) else _normal_phone(text)


#: Somebody of a group: WhatsApp may hide their number behind a LID.
Person = Annotated[
    str,
    Field(max_length=40),
    AfterValidator(_normal_person),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "phone", "maxLength": 40},
                {"type": "string", "pattern": "^[0-9]{1,20}@lid$"},
            ],
            "description": "a number with country code, or WhatsApp's id that hides it, like 123@lid",
            "examples": ["+491701234567"],
        }
    ),
]

UUID_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

#: No NUL, which Postgres can't store.
_STORABLE = r"^[^\x00]*$"

Text = Annotated[str, Field(pattern=_STORABLE)]


def _whole(value: Any) -> Any:
    """Take 3.0 for 3, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]

GroupJid = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{5,30}(-[0-9]{5,20})?@g\.us$",
        description="WhatsApp's id of the group",
        examples=["120363041234567890@g.us"],
    ),
]


def _normal_phone(text: str) -> str:
    """Write a number as E.164. Raises ValueError with what to do."""
    hint = "write it with country code, like +491701234567"
    if not text.lstrip().startswith("+"):
        raise ValueError(f"this number has no country code: {hint}")
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        raise ValueError(f"this is no phone number: {hint}") from None
    if not phonenumbers.is_possible_number(number):
        raise ValueError(f"this number is too short or too long for its country: {hint}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


#: Spaces, dashes and brackets are taken and removed.
Phone = Annotated[
    str,
    Field(max_length=40),
    AfterValidator(_normal_phone),
    WithJsonSchema(
        {
            "type": "string",
            "format": "phone",
            "maxLength": 40,
            "description": "a number with country code; it is written down as E.164",
            "examples": ["+491701234567"],
        }
    ),
]

#: A time of a row. One that no client can read (infinity, a year beyond 9999) becomes the last, or first, readable one.
Moment = Annotated[datetime, BeforeValidator(lambda told: exact_moment(told) if isinstance(told, str) else told)]


def _flat(told: Any) -> Any:
    """Write a list of lists, as Postgres takes for a column of texts, as one list of texts."""
    if not isinstance(told, list):
        return told
    return [
        text for item in told for text in (_flat(item) if isinstance(item, list) else [item]) if text is not None
    ]


#: A column of texts.
Labels = Annotated[list[str], BeforeValidator(_flat)]

#: Where a page ends: opaque to clients; microseconds since 1970 and the row's id.
Cursor = Annotated[
    str, Field(pattern=rf"^-?[0-9]{{1,18}}\.{UUID_PATTERN}$", description="next of the page before")
]


def cursor_of(moment: datetime, row: UUID) -> str:
    """Make the cursor behind this row."""
    return f"{microseconds_of(moment)}.{row}"


def cursor_from(cursor: str) -> tuple[datetime, UUID]:
    """Read a cursor that has its pattern."""
    microseconds, _, row = cursor.partition(".")
    return moment_at(int(microseconds)), UUID(row)
