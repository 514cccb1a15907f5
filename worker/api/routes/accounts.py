"""Linking accounts, and how they are: for the CRM's connection screen."""

import base64
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from worker.api.http.fields import Moment, Phone, Text
from worker.api.http.problem import Problem, not_found
from worker.api.http.routing import Access, Answer, Body, Call, Cost, Query, Reply, Routes
from worker.api.routes.commands import Command, ask
from worker.session import DesiredState, SessionStatus
from worker.supabase.tenant import Row, accounts

routes = Routes("Accounts")

#: What a call waits for by itself, seconds: a QR is there within two on a healthy worker.
LINK_SECONDS, LONGEST_WAIT = 8.0, 30.0

#: What WhatsApp may take for a pairing code, seconds.
CODE_SECONDS = 15.0

_S = SessionStatus

#: Statuses at which a call that connects has something to show a person.
_SHOWN = frozenset({_S.QR_PENDING, _S.CONNECTED, _S.LOGGED_OUT, _S.BANNED, _S.ERROR})

#: Statuses in which a worker may have it open.
_ON = frozenset({_S.CONNECTED, _S.CONNECTING, _S.QR_PENDING})


class Account(Answer):
    """A linked account, as members see it."""

    id: UUID
    provider: str
    enabled: bool
    owner_id: UUID | None
    phone_number: str | None
    display_name: str | None
    status: SessionStatus
    desired_state: DesiredState
    connected_at: Moment | None
    last_connected_at: Moment | None
    last_disconnected_at: Moment | None
    last_active_at: Moment | None
    last_error: str | None = Field(description="what is wrong and what to do")
    paused_until: Moment | None
    pause_reason: str | None
    daily_limit: int
    health_score: int
    health_reasons: list[str]


class AccountList(Answer):
    """The organisation's accounts."""

    accounts: list[Account]


class Linking(Answer):
    """How far linking is. What is shown is a key to the account until it expires."""

    id: UUID = Field(description="the account: session_id of other calls")
    status: SessionStatus
    qr_code: str | None = Field(description="a PNG as data URI, to be scanned with WhatsApp on the phone")
    pairing_code: str | None = Field(description="to be typed into WhatsApp on the phone instead")
    qr_expires_at: Moment | None
    phone_number: str | None
    last_error: str | None


class Done(Answer):
    """It was done, and there is nothing to tell of it."""


class Connect(Body):
    """Which account, and how it is to be linked."""

    session_id: UUID | None = Field(None, description="an account that exists; else a new one is made")
    display_name: Annotated[Text, Field(min_length=1, max_length=200)] | None = Field(
        None, description="of a new account"
    )
    phone: Phone | None = Field(None, description="give it to get a pairing code beside the QR code")


class WhichAccount(Body):
    """One account."""

    session_id: UUID


class AccountQuery(Query):
    """One account or all."""

    session_id: UUID | None = None


class LinkQuery(Query):
    """How long to wait for the QR code."""

    wait: float = Field(LINK_SECONDS, ge=0, le=LONGEST_WAIT, description="seconds")


class StateQuery(Query):
    """How long to wait until it is so."""

    wait: float = Field(LINK_SECONDS, ge=0, le=LONGEST_WAIT, description="seconds")


@routes.post("/api/auth/connect", access=Access.ADMIN, answers={200: Linking, 201: Linking})
async def connect(call: Call, query: LinkQuery, body: Connect) -> Reply:
    """Link an account, or connect one that is linked.

    Answers with the QR code (and the pairing code, if a phone was given), or with connected. If neither is there
    in time, it tells how far it is: then poll GET /api/auth/qr or GET /api/auth/status, or listen by Realtime.
    """
    if body.session_id:
        row = await _want(call, body.session_id, DesiredState.CONNECTED)
    else:
        row = await accounts.create(
            call.tenant, desired_state=DesiredState.CONNECTED.value, display_name=body.display_name
        )
    account = await _until(call, Linking.model_validate(row), query.wait)
    if body.phone and account.status is _S.QR_PENDING and not account.pairing_code:
        asked = {"phone": body.phone}
        await ask(call, account.id, "pairing_code", asked, wait=CODE_SECONDS, answer=Done)
        account = await _linking(call, account.id)
    if body.session_id:
        return Reply(account)
    return Reply(account, status=201, headers={"Location": f"/api/auth/status?session_id={account.id}"})


async def _until(call: Call, account: Linking, seconds: float) -> Linking:
    """Wait until there is something to show; the account as it is then."""
    latest = account

    async def look() -> Linking | None:
        nonlocal latest
        latest = await _linking(call, account.id)
        return latest if latest.status in _SHOWN else None

    if account.status is _S.CONNECTED or not seconds:
        return account
    await call.parts.changes.until(account.id, look, seconds)
    return latest


async def _linking(call: Call, session: UUID) -> Linking:
    row = await accounts.linking(call.tenant, session)
    if row is None:
        raise not_found("account")
    return Linking.model_validate(row)


@routes.get("/api/auth/qr", access=Access.ADMIN, cost=Cost.POLL, content_types=("application/json", "image/png"))
async def get_qr(call: Call, query: AccountQuery) -> Linking | Reply:
    """Look at the QR code of an account that waits to be linked.

    With Accept: image/png the answer is the picture. Without session_id: of the one account that shows a code.
    """
    rows = await accounts.showing_qr(call.tenant, query.session_id, limit=2)
    if not rows:
        raise Problem(
            404,
            "no-qr",
            "No such account shows a QR code now.",
            "Call POST /api/auth/connect, and look at its status.",
        )
    if len(rows) > 1:
        raise Problem(409, "session-needed", "Several accounts show a QR code.", "Name one by session_id.")
    account = Linking.model_validate(rows[0])
    if "image/png" not in call.request.headers.get("Accept", ""):
        return account
    picture = base64.b64decode((account.qr_code or "").partition(",")[2])
    return Reply(content=picture, content_type="image/png")


@routes.get("/api/auth/status", access=Access.MEMBER, cost=Cost.POLL)
async def get_status(call: Call, query: AccountQuery) -> AccountList:
    """Tell how the accounts are: one, or all of the organisation."""
    rows = await accounts.overview(call.tenant, query.session_id)
    if query.session_id and not rows:
        raise not_found("account")
    return AccountList(accounts=[Account.model_validate(row) for row in rows])


@routes.post("/api/auth/disconnect", access=Access.ADMIN)
async def disconnect(call: Call, query: StateQuery, body: WhichAccount) -> Account:
    """Switch an account off. It stays linked, and its messages wait."""
    await _want(call, body.session_id, DesiredState.DISCONNECTED)
    return await _until_off(call, body.session_id, query.wait)


@routes.post("/api/auth/reconnect", access=Access.ADMIN, answers={200: Account, 202: Command})
async def reconnect(call: Call, query: StateQuery, body: WhichAccount) -> Reply:
    """Close an account's connection and open it again; no message is lost by it. One that is off is connected.

    Answers as soon as it is being opened again; look at GET /api/auth/status for how far it is. It stays wanted
    connected all the while: if its worker ends meanwhile, the next one opens it. If none has done it in time, the
    answer is 202 with the command.
    """
    account = await _account(call, body.session_id)
    if account.desired_state is not DesiredState.CONNECTED:
        await _want(call, body.session_id, DesiredState.CONNECTED)
    if account.desired_state is DesiredState.CONNECTED or account.status in _ON:
        said = await ask(call, body.session_id, "reconnect", {}, wait=query.wait, answer=Done)
        if said.status == 202:
            return said
    return Reply(await _account(call, body.session_id))


@routes.post("/api/auth/logout", access=Access.ADMIN)
async def logout(call: Call, query: StateQuery, body: WhichAccount) -> Account:
    """Unlink an account from its phone. To use it again, a new QR code has to be scanned.

    If no worker does it in time, it is done as soon as one serves the account.
    """
    await _account(call, body.session_id)
    await ask(call, body.session_id, "logout", {}, wait=query.wait, answer=Done)
    return await _account(call, body.session_id)


async def _want(call: Call, session: UUID, state: DesiredState) -> Row:
    row = await accounts.want(call.tenant, session, state.value)
    if row is None:
        raise not_found("account")
    return row


async def _until_off(call: Call, session: UUID, seconds: float) -> Account:
    """Wait until no worker has it open; the account as it is then."""
    latest: Any = None

    async def look() -> Account | None:
        nonlocal latest
        latest = await _account(call, session)
        return None if latest.status in _ON else latest

    await call.parts.changes.until(session, look, seconds)
    account: Account = latest
    return account


async def _account(call: Call, session: UUID) -> Account:
    rows = await accounts.overview(call.tenant, session)
    if not rows:
        raise not_found("account")
    return Account.model_validate(rows[0])
