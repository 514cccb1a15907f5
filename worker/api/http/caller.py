"""Who calls, and for which organisation: found by the key, the user's token and the database, never by a header.

=================  ===================  ==============================================================
X-API-Key          Authorization        the caller
=================  ===================  ==============================================================
proxy, operator    a user's token       the user, in one of their organisations
proxy, operator    none                 the operator, in the organisation that X-Org-Id names
ORG-UUID:key       none                 a server of that organisation
ORG-UUID:key       a user's token       the user, in that organisation only
=================  ===================  ==============================================================
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from aiohttp import web

from worker.api.http.problem import Problem
from worker.api.http.tokens import Tokens
from worker.api_keys import ApiKey, matching_key
from worker.errors import HeraldError
from worker.supabase.api_calls import ApiCalls, CallerPlace

#: How long, and for how many users, their organisations are cached. The database still decides about each row.
REMEMBER_SECONDS, REMEMBERED = 5.0, 10_000


class Role(StrEnum):
    """What a caller is in the organisation that they act for."""

    MEMBER = "member"
    ADMIN = "admin"  #: owner, admin or super admin
    SERVER = "server"  #: a key that is bound to the organisation
    OPERATOR = "operator"  #: the unbound key, without a user


@dataclass(frozen=True, slots=True)
class Caller:
    """token: the user's own; None: a server or the operator. organization: None if none was named."""

    role: Role
    organization: UUID | None
    user: UUID | None = None
    token: str | None = field(default=None, repr=False)

    @property
    def administers(self) -> bool:
        """Whether they may link accounts, send and change; for a user the database checks again."""
        return self.role is not Role.MEMBER


class Callers:
    """Tells callers apart."""

    def __init__(
        self, keys: Sequence[ApiKey], tokens: Tokens, calls: ApiCalls, remember_seconds: float = REMEMBER_SECONDS
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self._calls = calls
        self._remember_seconds = remember_seconds
        self._places: OrderedDict[tuple[UUID | None, UUID | None], tuple[float, CallerPlace]] = OrderedDict()

    async def identify(self, request: web.Request) -> Caller:
        """Tell who calls. Raises Problem: 401, 403, 503."""
        key = self._key(request)
        wanted = key.organization or _named_organization(request)
        if key.organization and wanted != (_named_organization(request) or wanted):
            raise _not_yours("This key belongs to another organisation.")
        token = _bearer(request)
        if token is not None:
            return await self._user(token, wanted)
        if wanted is not None and not (await self._place(None, None, wanted)).known:
            raise _not_yours("There is no such organisation.")
        return Caller(Role.SERVER if key.organization else Role.OPERATOR, wanted)

    def has_ended(self, token: str) -> bool:
        """Whether a token that was verified has expired since."""
        return self._tokens.has_ended(token)

    async def identify_user(self, token: str, organization: UUID | None) -> Caller:
        """Tell who calls by their token alone: a browser's WebSocket can't send a key. Raises Problem."""
        self._expect_keys()
        return await self._user(token, organization)

    def is_operator(self, given: str) -> bool:
        """Whether this is a key without an organisation."""
        key = matching_key(self._keys, given)
        return key is not None and key.organization is None

    def _expect_keys(self) -> None:
        if not self._keys:
            raise Problem(503, "api-closed", "This worker has no API keys.", "The operator sets API_KEY.")

    def _key(self, request: web.Request) -> ApiKey:
        self._expect_keys()
        given = request.headers.get("X-API-Key")
        if not given:
            raise Problem(401, "key-missing", "An API key is needed.", "Send it as the header X-API-Key.")
        key = matching_key(self._keys, given)
        if key is None:
            raise Problem(
                401, "key-wrong", "This API key is not one of the worker's.", "See API_KEY of the worker."
            )
        return key

    async def _user(self, token: str, wanted: UUID | None) -> Caller:
        user = await self._tokens.verify(token)
        place = await self._place(user.id, token, None)
        own = place.organizations
        if wanted is None:
            if len(own) != 1:
                raise Problem(
                    403 if not own else 400,
                    "organization-needed",
                    "The user is in several organisations." if own else "The user is in no organisation.",
                    "Name one in the header X-Org-Id."
                    if own or place.super_admin
                    else "An admin has to add them.",
                )
            wanted = next(iter(own))
        elif wanted not in own and not (place.super_admin and (await self._place(user.id, token, wanted)).known):
            raise _not_yours("The user is not in this organisation.")
        admin = place.super_admin or own.get(wanted, False)
        return Caller(Role.ADMIN if admin else Role.MEMBER, wanted, user.id, token)

    async def _place(self, user: UUID | None, token: str | None, wanted: UUID | None) -> CallerPlace:
        now = time.monotonic()
        if (known := self._places.get((user, wanted))) and known[0] > now:
            return known[1]
        place = await self._calls.caller(token, wanted)
        if place.user != user:
            # The secret key also carries users' calls: if their token got lost on the way, it would open everything.
            raise HeraldError("Supabase's gateway does not hand on the user's token; nothing is done as another")
        self._places[user, wanted] = (now + self._remember_seconds, place)
        if len(self._places) > REMEMBERED:
            self._places.popitem(last=False)
        return place


def _bearer(request: web.Request) -> str | None:
    given = request.headers.get("Authorization")
    if given is None:
        return None
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(
            401, "token-invalid", "Authorization must be a user's token.", "Send Authorization: Bearer TOKEN."
        )
    return token.strip()


def _named_organization(request: web.Request) -> UUID | None:
    given = request.headers.get("X-Org-Id")
    if given is None:
        return None
    try:
        return UUID(given)
    except ValueError:
        raise Problem(400, "bad-request", "X-Org-Id is not the id of an organisation.", "It is a UUID.") from None


def _not_yours(detail: str) -> Problem:
    return Problem(
        403, "not-your-organization", detail, "Leave X-Org-Id out, or name an organisation of the caller's."
    )
