"""Rows and functions over PostgREST, for the HTTP API: as a user under their own token, or as a server.

``Tenant`` is the one place where the organisation is fixed: whatever is read, written or called through it is of that
organisation. For a user row level security and column grants decide besides, exactly as for the CRM.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import aiohttp

from worker.errors import HeraldError, StoreError

Row = dict[str, Any]

#: Seconds for one question; a list of 100 messages takes 3 ms beside ten million rows.
QUESTION_SECONDS = 10.0

#: Connections to Supabase, for all callers together.
CONNECTIONS = 64

#: What PostgREST says when it or its database is away, busy or restarting; and SQLSTATE classes of the same kind.
_AWAY = ("PGRST000", "PGRST001", "PGRST002", "PGRST003", "08", "53", "57", "40")


#: What a function of Herald's raises when something has too many requests waiting.
TOO_MANY = "53400"


class Refused(HeraldError):  # noqa: N818 - it reads as what it is
    """The database refused a question. status: PostgREST's; code: SQLSTATE or PGRST…; text may quote rows."""

    def __init__(self, status: int, code: str, text: str, hint: str | None) -> None:
        super().__init__(f"the database refused with {code}")
        self.status = status
        self.code = code
        self.text = text
        self.hint = hint


class Rest:
    """One client for all callers; it keeps its connections."""

    def __init__(self, url: str, key: str) -> None:
        self._url = f"{url}/rest/v1"
        self._key = key
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=QUESTION_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        params: Sequence[tuple[str, str]] = (),
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Ask as the token's user, or without one as service_role; the answer's JSON, None if it has none.

        Raises Refused, and StoreError when Supabase is away.
        """
        sent = {
            "apikey": self._key,
            "Authorization": f"Bearer {token or self._key}",
            "Accept": "application/json",
            **(headers or {}),
        }
        try:
            async with self._session.request(
                method, self._url + path, params=params, json=body, headers=sent, allow_redirects=False
            ) as answer:
                return await self._read(answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StoreError(f"Supabase does not answer ({type(error).__name__})") from None

    async def _read(self, answer: aiohttp.ClientResponse) -> Any:
        content = await answer.read()
        if not content and answer.ok:
            return None
        try:
            said = await answer.json()
        except (aiohttp.ContentTypeError, ValueError):
            raise StoreError(f"Supabase answered {answer.status} and no JSON") from None
        if answer.ok:
            return said
        told = said if isinstance(said, dict) else {}
        code = str(told.get("code") or "")
        if (code.startswith(_AWAY) and code != TOO_MANY) or (answer.status >= 500 and not code):
            raise StoreError(f"Supabase is busy or away ({code or answer.status})")
        raise Refused(answer.status, code, str(told.get("message") or ""), told.get("hint"))

    async def call(self, function: str, *, token: str | None = None, **arguments: Any) -> Any:
        """Call a function of the database that is bound to no organisation."""
        return await self.ask("POST", f"/rpc/{function}", token=token, body=arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One organisation's rows, as one caller may have them.

    token: the user's own JWT; None: as service_role. headers go with every question (they name the request to the
    audit). ``params`` are PostgREST's, such as ``("status", "eq.pending")``.
    """

    rest: Rest
    organization: UUID
    token: str | None = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    async def select(self, table: str, columns: str, *params: tuple[str, str]) -> list[Row]:
        """Read rows of the organisation."""
        rows: list[Row] = await self._ask("GET", table, (("select", columns), self._own, *params))
        return rows

    async def select_shared(self, table: str, columns: str, *params: tuple[str, str]) -> list[Row]:
        """Read rows of the organisation and those that belong to none and are there for all."""
        own = f"({self._own[0]}.{self._own[1]},{self._own[0]}.is.null)"
        rows: list[Row] = await self._ask("GET", table, (("select", columns), ("or", own), *params))
        return rows

    async def insert(
        self, table: str, rows: Iterable[Mapping[str, Any]], columns: str, *, once_by: str = ""
    ) -> list[Row]:
        """Insert rows of the organisation, all with the same keys; those that were inserted.

        once_by: columns of a unique key; a row whose key is taken is left out of the answer.
        """
        prefer = "return=representation" + (",resolution=ignore-duplicates" if once_by else "")
        params = [("select", columns)] + ([("on_conflict", once_by)] if once_by else [])
        body = [{**row, "organization_id": str(self.organization)} for row in rows]
        made: list[Row] = await self._ask("POST", table, params, body, {"Prefer": prefer})
        return made

    async def update(
        self, table: str, changes: Mapping[str, Any], columns: str, *params: tuple[str, str]
    ) -> list[Row]:
        """Change rows of the organisation; those that were changed."""
        asked = (("select", columns), self._own, *params)
        rows: list[Row] = await self._ask(
            "PATCH", table, asked, dict(changes), {"Prefer": "return=representation"}
        )
        return rows

    async def call(self, function: str, **arguments: Any) -> Any:
        """Call a function that takes p_organization."""
        return await self._ask(
            "POST", f"rpc/{function}", (), {**arguments, "p_organization": str(self.organization)}
        )

    @property
    def _own(self) -> tuple[str, str]:
        return ("organization_id", f"eq.{self.organization}")

    async def _ask(
        self,
        method: str,
        path: str,
        params: Sequence[tuple[str, str]],
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        return await self.rest.ask(
            method,
            f"/{path}",
            token=self.token,
            params=params,
            body=body,
            headers={**self.headers, **(headers or {})},
        )
