"""What the API says when it can't do what was asked: problem+json (RFC 9457) with a stable code and a hint.

No problem contains a traceback, a secret, a message's text or a phone number: the words are ours. The database's words
are used only if they are ours too, with numbers removed.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from aiohttp import web
from pydantic import BaseModel, Field

CONTENT_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    place: str = Field(description="body, query, path or header")
    pointer: str = Field(description="JSON Pointer to the field, such as /to/phone")
    detail: str


class ProblemBody(BaseModel):
    """Why a request was not carried out (RFC 9457)."""

    type: str = Field(description="the code as a URI reference: /docs#code")
    title: str
    status: int
    code: str = Field(description="stable; programs decide by it")
    detail: str
    hint: str | None = Field(None, description="what to do")
    request_id: str
    errors: list[FieldError] | None = None


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it so
    """Ends a request with a problem. retry_after: seconds, for a 429 or 503."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        hint: str | None = None,
        *,
        retry_after: float | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.hint = hint
        self.errors = list(errors)
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, -int(-retry_after // 1)))

    def response(self, request_id: str) -> web.Response:
        """Write it down for the client."""
        body = ProblemBody(
            type=f"/docs#{self.code}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            code=self.code,
            detail=self.detail,
            hint=self.hint,
            request_id=request_id,
            errors=self.errors or None,
        )
        return web.Response(
            status=self.status,
            body=body.model_dump_json(exclude_none=True).encode(),
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


#: A run of seven digits or more that is no part of an id.
_NUMBER = re.compile(r"(?<![0-9A-Za-z-])\+?[0-9][0-9 ()-]{5,20}[0-9](?![0-9A-Za-z-])")


def without_numbers(text: str) -> str:
    """Replace what may be a phone number by its last two digits; a date stays."""
    return _NUMBER.sub(lambda found: found[0] if _is_date(found[0]) else f"…{found[0][-2:]}", text)


def _is_date(text: str) -> bool:
    return re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip()) is not None


def invalid(detail: str, pointer: str, hint: str | None = None, *, place: str = "body") -> Problem:
    """Make the problem of one wrong field that only the worker can find wrong."""
    error = FieldError(place=place, pointer=pointer, detail=detail)
    return Problem(422, "invalid-request", detail, hint, errors=[error])


def not_found(what: str, hint: str | None = None) -> Problem:
    """Make the problem of something that doesn't exist, or that the caller can't see: the answer is the same."""
    return Problem(404, "not-found", f"There is no such {what} in this organisation.", hint)


#: Problems that aiohttp itself finds, by status.
BY_STATUS: Mapping[int, tuple[str, str, str | None]] = {
    400: ("bad-request", "The request can't be read.", None),
    404: ("no-such-route", "There is nothing at this path.", "See /docs for what there is."),
    405: ("method-not-allowed", "This path does not take this method.", "The Allow header names those it takes."),
    413: ("too-large", "The body is larger than the API takes.", "Split a long list into several calls."),
    415: ("wrong-content-type", "The body must be JSON.", "Send it with Content-Type: application/json."),
}
