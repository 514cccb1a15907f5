"""Who gets what from which route: a line a route. The routes themselves come from the API's own table."""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.kit.served_api import AWAY_KEY, HOME_KEY, PROXY_KEY, Ground, Organization, Person

Request = dict[str, Any]


class Whose(StrEnum):
    """What a request is about, and as what organisation it comes."""

    OWN = "own org, own things"
    OTHER = "other org named, its things"
    CROSS = "own org named, the other's things"


class Standing(StrEnum):
    """What a caller is where they are at home."""

    MEMBER = "member"
    ADMIN = "admin"
    SERVER = "server"


MEMBERS: Set[Standing] = set(Standing)
ADMINS: Set[Standing] = {Standing.ADMIN, Standing.SERVER}
SERVERS: Set[Standing] = {Standing.SERVER}


@dataclass(frozen=True, slots=True)
class Speaker:
    """A caller. refused: the problem that they meet everywhere; everywhere: they may name any organisation."""

    key: str | None = PROXY_KEY
    token: Callable[[Ground], str] | None = None
    standing: Standing | None = None
    at_home: bool = True  #: false: in the other organisation
    everywhere: bool = False
    refused: tuple[int, str] | None = None


def _person(person: Person, **claims: Any) -> Callable[[Ground], str]:
    return lambda ground: ground.token(person, **claims)


SPEAKERS: Mapping[str, Speaker] = {
    "no key": Speaker(key=None, token=_person(Person.ADMIN), refused=(401, "key-missing")),
    "wrong key": Speaker(key="x" * 40, token=_person(Person.ADMIN), refused=(401, "key-wrong")),
    "member": Speaker(token=_person(Person.MEMBER), standing=Standing.MEMBER),
    "admin": Speaker(token=_person(Person.ADMIN), standing=Standing.ADMIN),
    "owner": Speaker(token=_person(Person.OWNER), standing=Standing.ADMIN),
    "other org's admin": Speaker(token=_person(Person.OTHER_ADMIN), standing=Standing.ADMIN, at_home=False),
    "super admin": Speaker(token=_person(Person.SUPER_ADMIN), standing=Standing.ADMIN, everywhere=True),
    "user of no org": Speaker(token=_person(Person.UNPLACED)),
    "expired": Speaker(token=_person(Person.ADMIN, exp=1_700_000_000), refused=(401, "token-expired")),
    "wrong signature": Speaker(token=lambda g: g.forged(Person.ADMIN), refused=(401, "token-invalid")),
    "wrong audience": Speaker(token=_person(Person.ADMIN, aud="anon"), refused=(401, "token-invalid")),
    "wrong issuer": Speaker(token=_person(Person.ADMIN, iss="https://x"), refused=(401, "token-invalid")),
    "service role's token": Speaker(
        token=_person(Person.ADMIN, role="service_role"), refused=(401, "token-invalid")
    ),
    "org server key": Speaker(key=HOME_KEY, standing=Standing.SERVER),
    "other org's server key": Speaker(key=AWAY_KEY, standing=Standing.SERVER, at_home=False),
    "org server key with its admin": Speaker(key=HOME_KEY, token=_person(Person.ADMIN), standing=Standing.ADMIN),
    "org server key with its member": Speaker(
        key=HOME_KEY, token=_person(Person.MEMBER), standing=Standing.MEMBER
    ),
    "org server key with the other's admin": Speaker(key=HOME_KEY, token=_person(Person.OTHER_ADMIN)),
    "operator": Speaker(standing=Standing.SERVER, everywhere=True),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """who may call it; ask: a request about an organisation's things; own and cross: (status, code) of who may.

    cross None: the request names no things, so that there is nothing of another organisation to ask for.
    """

    who: Set[Standing]
    ask: Callable[[Ground, Organization], Request] = lambda _ground, _org: {}
    own: tuple[int, str | None] = (200, None)
    cross: tuple[int, str | None] | None = (404, "not-found")


def _path(**parts: Callable[[Ground, Organization], Any]) -> Callable[[Ground, Organization], Request]:
    return lambda ground, org: {"parts": {name: made(ground, org) for name, made in parts.items()}}


def _message(status: str) -> Callable[[Ground, Organization], Any]:
    why = {"error_code": "test", "error_message": "test"} if status == "failed" else {}
    return lambda ground, org: ground.new_message(org, status=status, **why)


def _command(ground: Ground, org: Organization) -> Any:
    return ground.db.insert(
        "public.whatsapp_commands", organization_id=org.id, session_id=org.session, kind="refresh_groups"
    )


def _session(body: Request | None = None, **query: Any) -> Callable[[Ground, Organization], Request]:
    return lambda _, org: {"json": {"session_id": str(org.session), **(body or {})}, "params": query}


def _wanted_session(ground: Ground, org: Organization) -> Request:
    ground.db.run("update public.whatsapp_sessions set desired_state = 'connected' where id = %s", org.session)
    return _session(wait="0")(ground, org)


def _body(make: Callable[[Organization], Request]) -> Callable[[Ground, Organization], Request]:
    return lambda _, org: {"json": make(org)}


_JID = _path(jid=lambda _, org: org.group_jid)
_NOT_CONNECTED = (409, "not-connected")
_TO_MEMBER = {"action": "promote", "members": ["+491709876567"]}

CELLS: Mapping[str, Cell] = {
    # Accounts
    "POST /api/auth/connect": Cell(ADMINS, _session(wait="0")),
    "GET /api/auth/qr": Cell(
        ADMINS, lambda _, org: {"params": {"session_id": str(org.linking)}}, cross=(404, "no-qr")
    ),
    "GET /api/auth/status": Cell(MEMBERS, lambda _, org: {"params": {"session_id": str(org.session)}}),
    "POST /api/auth/disconnect": Cell(ADMINS, _session(wait="0")),
    "POST /api/auth/reconnect": Cell(ADMINS, _wanted_session, own=(202, None)),
    "POST /api/auth/logout": Cell(ADMINS, _session(wait="0")),
    # Sending
    "POST /api/send": Cell(
        ADMINS, _body(lambda org: {"to": {"group": str(org.group)}, "text": "Hello"}), own=(201, None)
    ),
    "POST /api/send-template": Cell(
        ADMINS,
        _body(lambda org: {"to": {"contact": str(org.contact), "name": "Mira"}, "template": str(org.template)}),
        own=(201, None),
    ),
    "POST /api/send-bulk": Cell(
        ADMINS,
        _body(
            lambda org: {
                "recipients": [{"phone": "+491709876567"}],
                "session_id": str(org.session),
                "text": "Hello",
            }
        ),
        own=(201, None),
    ),
    # Messages
    "GET /api/messages": Cell(
        MEMBERS, lambda _, org: {"params": {"session_id": str(org.session)}}, cross=(200, None)
    ),
    "GET /api/messages/{id}": Cell(MEMBERS, _path(id=lambda _, org: org.message)),
    "POST /api/messages/{id}/cancel": Cell(ADMINS, _path(id=_message("pending"))),
    "POST /api/messages/{id}/retry": Cell(ADMINS, _path(id=_message("failed"))),
    # Groups
    "GET /api/groups": Cell(
        MEMBERS, lambda _, org: {"params": {"session_id": str(org.session)}}, cross=(200, None)
    ),
    "GET /api/groups/{jid}": Cell(MEMBERS, _JID),
    "POST /api/groups": Cell(
        ADMINS, _body(lambda org: {"session_id": str(org.session), "name": "New"}), own=_NOT_CONNECTED
    ),
    "PATCH /api/groups/{jid}": Cell(
        ADMINS, lambda g, org: _JID(g, org) | {"json": {"name": "New"}}, own=_NOT_CONNECTED
    ),
    "GET /api/groups/{jid}/invite": Cell(ADMINS, _JID, own=_NOT_CONNECTED),
    "POST /api/groups/{jid}/invite": Cell(ADMINS, _JID, own=_NOT_CONNECTED),
    "POST /api/groups/{jid}/members": Cell(
        ADMINS, lambda g, org: _JID(g, org) | {"json": _TO_MEMBER}, own=_NOT_CONNECTED
    ),
    "POST /api/groups/{jid}/contacts/sync": Cell(ADMINS, _JID, own=_NOT_CONNECTED),
    "GET /api/commands/{id}": Cell(ADMINS, _path(id=_command)),
    # Queue
    "GET /api/stats": Cell(MEMBERS, cross=None),
    "POST /api/queue/drain": Cell(SERVERS, cross=None),
}


def expected(cell: Cell, speaker: Speaker, whose: Whose) -> tuple[int, str | None] | None:
    """What a cell should say; None: there is nothing to ask."""
    if speaker.refused:
        return speaker.refused
    if speaker.standing is None or (whose is Whose.OTHER and not speaker.everywhere):
        return (403, "not-your-organization")
    if speaker.standing not in cell.who:
        return (403, "not-allowed")
    return cell.cross if whose is Whose.CROSS else cell.own
