"""WS /api/events: who hears of what, for how long, and how a connection ends. Real tokens, real Realtime."""

import asyncio
import socket as sockets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
from aiohttp import WSMsgType

from localstack.client import Stack
from tests.kit.database import Db, Row, Run
from tests.kit.served_api import (
    AWAY_KEY,
    HOME_KEY,
    PROXY_KEY,
    Ground,
    Organization,
    Person,
    Served,
    make_ground,
    served,
)
from tests.kit.worker_process import until

PATIENCE = 15.0
PNG = "data:image/png;base64,AAAA"


class Listener:
    """A client: what it was told, and how its connection ended."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.told: list[Row] = []

    async def next(self) -> Row:
        """Wait for the next message."""
        async with asyncio.timeout(PATIENCE):
            message = await self.socket.receive()
        if message.type is not WSMsgType.TEXT:
            raise AssertionError(f"closed with {self.socket.close_code} {message.extra} after {self.told}")
        said: Row = message.json()
        self.told.append(said)
        return said

    async def until(self, kind: str, **wanted: Any) -> Row:
        """Wait for a message of this type with these values; what comes before it is kept in ``told``."""
        while True:
            said = await self.next()
            if said["type"] == kind and all(said.get(name) == value for name, value in wanted.items()):
                return said

    async def closes(self) -> tuple[int | None, str]:
        """Wait for the end: its code and reason."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await self.socket.receive()
                if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR):
                    return self.socket.close_code, str(message.extra or "")

    async def subscribe(self, sessions: Any = "all") -> Row:
        """Subscribe; the snapshot."""
        await self.socket.send_json({"type": "subscribe", "sessions": sessions})
        return await self.until("snapshot")

    def heard(self, kind: str) -> list[Row]:
        return [said for said in self.told if said["type"] == kind]


Connect = Callable[..., Any]


@pytest.fixture(scope="module")
def ground(stack: Stack) -> Iterator[Ground]:
    """Two organisations that no other test touches."""
    with Db.connect(stack.database_url, autocommit=True) as db:
        yield make_ground(stack, db)


@pytest.fixture(scope="module")
async def api(ground: Ground) -> AsyncIterator[Served]:
    """The API between them."""
    async with served(ground) as made:
        yield made


@asynccontextmanager
async def connected(api: Served, **request: Any) -> AsyncIterator[Listener]:
    async with api.http.ws_connect(f"{api.url}/api/events", **request) as socket:
        yield Listener(socket)


@pytest.fixture
async def listen(ground: Ground, api: Served) -> AsyncIterator[Connect]:
    """Connects people as their browsers do, with the token as a subprotocol; ``key`` as servers do."""
    async with AsyncExitStack() as exits:

        async def connect(person: Person | None = None, *, key: str | None = None, token: str = "") -> Listener:
            token = token or (ground.token(person) if person else "")
            if key:
                headers = {"X-API-Key": key, **({"Authorization": f"Bearer {token}"} if token else {})}
                listener = await exits.enter_async_context(connected(api, headers=headers))
            else:
                listener = await exits.enter_async_context(
                    connected(api, protocols=("herald.v1", f"bearer.{token}"))
                )
                assert listener.socket.protocol == "herald.v1"
            assert (await listener.next())["type"] == "ready"
            return listener

        yield connect


@pytest.fixture
def account(ground: Ground) -> UUID:
    """An account of the home organisation that nobody else's test changes."""
    return ground.db.insert("public.whatsapp_sessions", organization_id=ground.home.id, display_name="Events")


def report(ground: Ground, session: UUID, status: str, **facts: Any) -> None:
    """Write what the holder of an account sees, as a worker does."""
    ground.db.run("update public.whatsapp_sessions set desired_state = 'connected' where id = %s", session)
    run = Run(ground.db)
    run.heartbeat(capacity=1000, lease=60)
    run.report(session, status=status, **facts)
    ground.db.call("whatsapp_lease_release", **run.fence(session))


def connect_account(ground: Ground, session: UUID) -> None:
    report(ground, session, "connected", whatsapp_id="49170@s.whatsapp.net", phone_number="+4917012345678")


def settle(ground: Ground, message: UUID, **columns: Any) -> None:
    """Write what became of a message, as its settling does."""
    names = ", ".join(f"{name} = %s" for name in columns)
    sql: Any = f"update public.scheduled_whatsapp_messages set {names} where id = %s"
    ground.db.run(sql, *columns.values(), message)


def inbound(ground: Ground, organization: Organization, session: UUID, text: str) -> None:
    person = ground.db.insert(
        "public.whatsapp_contacts", organization_id=organization.id, lid=f"{uuid4().int % 10**15}@lid"
    )
    chat = ground.db.insert(
        "public.whatsapp_conversations", organization_id=organization.id, session_id=session, contact_id=person
    )
    ground.db.insert(
        "public.whatsapp_messages",
        organization_id=organization.id,
        session_id=session,
        conversation_id=chat,
        direction="inbound",
        wa_message_id=uuid4().hex,
        content=text,
        sent_at=ground.db.now(),
    )


async def test_a_subscription_begins_with_what_is(ground: Ground, listen: Connect, account: UUID) -> None:
    listener = await listen(Person.MEMBER)
    snapshot = await listener.subscribe([str(account)])
    assert snapshot["gap"] is False
    (shown,) = snapshot["sessions"]
    assert (shown["id"], shown["status"], shown["display_name"]) == (str(account), "disconnected", "Events")
    everything = await listener.subscribe()
    assert {str(account), str(ground.home.session)} <= {row["id"] for row in everything["sessions"]}
    assert str(ground.away.session) not in {row["id"] for row in everything["sessions"]}


async def test_an_account_is_linked_and_lost_before_the_eyes_of_an_admin(
    ground: Ground, listen: Connect, account: UUID
) -> None:
    admin = await listen(Person.ADMIN)
    await admin.subscribe([str(account)])
    report(ground, account, "qr_pending", qr_code=PNG, qr_expires_at=ground.db.now().isoformat())
    assert (await admin.until("qr_code", session_id=str(account)))["qr_code"] == PNG
    connect_account(ground, account)
    assert (await admin.until("connection_success", session_id=str(account)))["phone_number"] == "+4917012345678"
    report(
        ground, account, "logged_out", last_error="The phone unlinked this device.", desired_state="disconnected"
    )
    lost = await admin.until("connection_lost", session_id=str(account))
    assert (lost["status"], lost["reason"]) == ("logged_out", "The phone unlinked this device.")


async def test_a_qr_is_for_admins_only(ground: Ground, listen: Connect, account: UUID) -> None:
    member, admin = await listen(Person.MEMBER), await listen(Person.ADMIN)
    for listener in (member, admin):
        await listener.subscribe()
    report(ground, account, "qr_pending", qr_code=PNG, qr_expires_at=ground.db.now().isoformat())
    await admin.until("qr_code", session_id=str(account))
    shown = {row["id"]: row.get("qr_code") for row in (await admin.subscribe())["sessions"]}
    assert shown[str(account)] == PNG
    snapshot = await member.subscribe()
    connect_account(ground, account)
    await member.until("connection_success", session_id=str(account))
    assert PNG not in str(member.told)
    assert not any("qr_code" in row for row in snapshot["sessions"])


async def test_a_messages_way_is_told(ground: Ground, listen: Connect) -> None:
    message = ground.new_message(ground.home, scheduled_for="2030-01-01T00:00:00Z")
    member = await listen(Person.MEMBER)
    await member.subscribe()
    settle(ground, message, message_content="Hello again")
    settle(ground, message, status="sending")
    settle(ground, message, status="sent", wa_message_id="3EB0", sent_at=ground.db.now())
    sent = await member.until("message_sent", message_id=str(message))
    assert (sent["wa_message_id"], sent["session_id"]) == ("3EB0", str(ground.home.session))
    settle(ground, message, status="delivered", delivered_count=1, delivered_at=ground.db.now())
    settle(ground, message, delivered_count=2)
    await member.until("message_status", message_id=str(message), delivered_count=2)
    mine = [said for said in member.told if said.get("message_id") == str(message)]
    assert [said["status"] for said in mine] == ["sending", "sent", "delivered", "delivered"]
    assert "Hello again" not in str(mine)
    assert "+491709876567" not in str(mine)


async def test_what_people_write_is_told_and_what_is_ours_is_not(ground: Ground, listen: Connect) -> None:
    member = await listen(Person.MEMBER)
    await member.subscribe()
    inbound(ground, ground.home, ground.home.session, "Is it hot?")
    told = await member.until("incoming_message")
    assert (told["content"], told["session_id"]) == ("Is it hot?", str(ground.home.session))


async def test_no_event_of_another_organisation_is_heard(ground: Ground, listen: Connect, account: UUID) -> None:
    listeners = {
        "theirs": await listen(Person.OTHER_ADMIN),
        "their server's": await listen(key=AWAY_KEY),
        "ours": await listen(Person.ADMIN),
        "our server's": await listen(key=HOME_KEY),
    }
    for listener in listeners.values():
        await listener.subscribe()
    connect_account(ground, account)
    inbound(ground, ground.home, ground.home.session, "for home only")
    inbound(ground, ground.away, ground.away.session, "for away only")
    for name, listener in listeners.items():
        own, others = ("away", "home") if name.startswith("their") else ("home", "away")
        await listener.until("incoming_message", content=f"for {own} only")
        assert f"for {others} only" not in str(listener.told), name
        assert bool(listener.heard("connection_success")) is (own == "home"), name


async def test_another_organisations_account_is_as_one_that_is_not_there(ground: Ground, listen: Connect) -> None:
    listener = await listen(Person.ADMIN)
    for session in (ground.away.session, uuid4()):
        await listener.socket.send_json({"type": "subscribe", "sessions": [str(session)]})
        assert await listener.until("error") == {"type": "error", "code": "not-found", "session_id": str(session)}
        assert (await listener.until("snapshot"))["sessions"] == []


async def test_only_what_was_subscribed_is_told(ground: Ground, listen: Connect, account: UUID) -> None:
    listener = await listen(Person.MEMBER)
    await listener.subscribe([str(account)])
    inbound(ground, ground.home, ground.home.session, "to another account")
    inbound(ground, ground.home, account, "to this account")
    assert (await listener.until("incoming_message"))["content"] == "to this account"
    await listener.socket.send_json({"type": "unsubscribe", "sessions": [str(account)]})
    await listener.socket.send_json({"type": "ping"})
    await listener.until("pong")
    inbound(ground, ground.home, account, "not any more")
    await listener.subscribe([str(ground.home.session)])
    inbound(ground, ground.home, ground.home.session, "now the other")
    assert (await listener.until("incoming_message"))["content"] == "now the other"


async def test_a_private_account_is_its_peoples_only(ground: Ground, listen: Connect, account: UUID) -> None:
    private: Any = "update public.workshop_automation_config set private_sessions = %s where organization_id = %s"
    ground.db.run(private, True, ground.home.id)
    own = ground.db.insert(
        "public.whatsapp_sessions", organization_id=ground.home.id, owner_id=ground.users[Person.MEMBER]
    )
    try:
        member, admin = await listen(Person.MEMBER), await listen(Person.ADMIN)
        seen = {row["id"] for row in (await member.subscribe())["sessions"]}
        assert seen == {str(own)}
        await admin.subscribe()
        inbound(ground, ground.home, account, "private to others")
        inbound(ground, ground.home, own, "to the member")
        assert (await member.until("incoming_message"))["content"] == "to the member"
        await admin.until("incoming_message", content="to the member")
        assert [said["content"] for said in admin.heard("incoming_message")] == [
            "private to others",
            "to the member",
        ]
    finally:
        ground.db.run(private, False, ground.home.id)


async def test_who_leaves_the_organisation_hears_nothing_more(
    ground: Ground, api: Served, account: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.api.events.rights.FRESH_SECONDS", 0.0)
    monkeypatch.setattr("worker.api.http.caller.REMEMBER_SECONDS", 0.0)
    user = ground.db.insert("auth.users", email=f"{uuid4()}@api.test")
    ground.db.insert("public.profiles", id=user, organization_id=ground.home.id, role="member")
    async with connected(api, protocols=("herald.v1", f"bearer.{ground.sign(user)}")) as listener:
        await listener.subscribe()
        ground.db.run("delete from public.profiles where id = %s", user)
        inbound(ground, ground.home, account, "after they left")
        code, reason = await listener.closes()
    assert (code, reason.partition(":")[0]) == (4403, "not-your-organization")
    assert "after they left" not in str(listener.told)


async def test_a_token_comes_in_the_first_message_too(ground: Ground, api: Served, account: UUID) -> None:
    async with connected(api) as listener:
        await listener.socket.send_json({"type": "authenticate", "token": ground.token(Person.MEMBER)})
        assert (await listener.next())["role"] == "member"
        assert (await listener.subscribe([str(account)]))["sessions"]


async def test_key_and_token_come_from_a_server(listen: Connect) -> None:
    listener = await listen(Person.ADMIN, key=PROXY_KEY)
    assert listener.told[0]["role"] == "admin"


@pytest.mark.parametrize(
    ("first", "code", "word"),
    [
        ({"type": "subscribe", "sessions": "all"}, 4401, "authenticate"),
        ({"type": "authenticate", "token": "not.a.token"}, 4401, "token-invalid"),
        ({"type": "authenticate", "token": ""}, 4400, "bad-message"),
        ({"type": "drop", "table": "x"}, 4400, "bad-message"),
        ("no json", 4400, "bad-message"),
        (b"\x00", 4400, "bad-message"),
    ],
)
async def test_who_says_nothing_sensible_is_turned_away(api: Served, first: Any, code: int, word: str) -> None:
    async with connected(api) as listener:
        if isinstance(first, bytes):
            await listener.socket.send_bytes(first)
        elif isinstance(first, str):
            await listener.socket.send_str(first)
        else:
            await listener.socket.send_json(first)
        closed = await listener.closes()
    assert (closed[0], closed[1].partition(":")[0]) == (code, word)


async def test_who_says_nothing_at_all_is_turned_away(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.api.events.client.AUTHENTICATE_SECONDS", 0.2)
    async with connected(api) as listener:
        assert (await listener.closes())[0] == 4408


async def test_strangers_leave_room_for_those_who_are_known(
    ground: Ground, api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.api.events.endpoint.MOST_STRANGERS", 1)
    protocols = ("herald.v1", f"bearer.{ground.token(Person.MEMBER)}")
    async with connected(api):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(api):
                pass
        assert refused.value.status == 503
        async with connected(api, protocols=protocols) as listener:
            await listener.until("ready")


@pytest.mark.parametrize("place", ["subprotocol", "message", "header"])
async def test_a_bad_token_opens_nothing(ground: Ground, api: Served, place: str) -> None:
    tokens = {
        "forged": ground.forged(Person.ADMIN),
        "expired": ground.token(Person.ADMIN, exp=1_700_000_000),
        "of another project": ground.token(Person.ADMIN, iss="https://evil.example/auth/v1"),
    }
    for name, token in tokens.items():
        if place == "message":
            async with connected(api) as listener:
                await listener.socket.send_json({"type": "authenticate", "token": token})
                assert (await listener.closes())[0] == 4401, name
            continue
        offered = {"protocols": ("herald.v1", f"bearer.{token}")}
        headers = {"headers": {"X-API-Key": PROXY_KEY, "Authorization": f"Bearer {token}"}}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(api, **(offered if place == "subprotocol" else headers)):
                pass
        assert refused.value.status == 401, name


async def test_one_organisation_does_not_take_all_the_room(
    listen: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    await listen(Person.MEMBER)
    monkeypatch.setattr("worker.api.events.client.MOST_OF_ONE", 1)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await listen(Person.ADMIN)
    assert refused.value.status == 429
    await listen(Person.OTHER_ADMIN)


async def test_nothing_of_it_may_stand_in_the_url(ground: Ground, api: Served) -> None:
    said = await api.ask(
        "GET", f"/api/events?token={ground.token(Person.ADMIN)}", headers={"Upgrade": "websocket"}
    )
    assert (said.status, said.code) == (400, "bad-request")
    said = await api.ask("GET", "/api/events", token=ground.token(Person.ADMIN))
    assert (said.status, said.code) == (426, "websocket-needed")


async def test_pages_of_strangers_may_not_connect(ground: Ground, api: Served) -> None:
    protocols = ("herald.v1", f"bearer.{ground.token(Person.ADMIN)}")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with connected(api, protocols=protocols, headers={"Origin": "https://evil.example"}):
            pass
    assert refused.value.status == 403
    async with (
        served(ground, allowed_origins=("https://crm.example",)) as open_api,
        connected(open_api, protocols=protocols, headers={"Origin": "https://crm.example"}) as listener,
    ):
        assert (await listener.next())["type"] == "ready"


async def test_a_connection_ends_with_its_token_unless_it_is_renewed(
    ground: Ground, listen: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.api.events.client.TOKEN_SECONDS", 0.05)
    monkeypatch.setattr("worker.api.http.tokens.LEEWAY", 0)
    soon = int(ground.db.now().timestamp()) + 2
    ends, stays = [await listen(token=ground.token(Person.MEMBER, exp=soon)) for _ in range(2)]
    await stays.socket.send_json({"type": "authenticate", "token": ground.token(Person.MEMBER)})
    await stays.until("ready")
    code, reason = await ends.closes()
    assert (code, reason.partition(":")[0]) == (4401, "token-expired")
    await stays.socket.send_json({"type": "ping"})
    await stays.until("pong")


async def test_the_next_token_must_be_the_same_persons(ground: Ground, listen: Connect) -> None:
    listener = await listen(Person.MEMBER)
    await listener.socket.send_json({"type": "authenticate", "token": ground.token(Person.ADMIN)})
    assert (await listener.closes())[0] == 4403


@asynccontextmanager
async def reluctant(api: Served, token: str) -> AsyncIterator[tuple[Listener, asyncio.ReadTransport]]:
    """A client with a narrow socket, and the transport that it reads from."""

    def narrow(address: Any) -> sockets.socket:
        made = sockets.socket(address[0], address[1])
        made.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        return made

    connector = aiohttp.TCPConnector(socket_factory=narrow)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=4096) as http:
        there = Served(api.url, api.api, api.woken, http)
        async with connected(there, protocols=("herald.v1", f"bearer.{token}")) as listener:
            connection = listener.socket._response.connection
            assert connection
            transport = connection.transport
            assert isinstance(transport, asyncio.ReadTransport)
            yield listener, transport


@pytest.mark.parametrize("reads_again", [True, False])
async def test_who_does_not_read_is_cut_off_and_costs_nobody_else_anything(
    ground: Ground,
    api: Served,
    listen: Connect,
    account: UUID,
    monkeypatch: pytest.MonkeyPatch,
    *,
    reads_again: bool,
) -> None:
    monkeypatch.setattr("worker.api.events.backlog.MOST_BYTES", 200_000)
    monkeypatch.setattr("worker.api.events.client.CLOSE_SECONDS", 60.0 if reads_again else 0.5)
    reader = await listen(Person.MEMBER)
    await reader.subscribe([str(account)])
    async with reluctant(api, ground.token(Person.MEMBER)) as (listener, transport):
        await listener.subscribe([str(account)])
        before = await clients(api)
        transport.pause_reading()
        for number in range(100):
            inbound(ground, ground.home, account, f"{number} " + "x" * 60_000)
            await reader.until("incoming_message")
        if reads_again:
            transport.resume_reading()
            code, reason = await listener.closes()
            assert (code, reason.partition(":")[0]) == (4429, "too-slow")
        else:
            await until(lambda: clients_are(api, before - 1), PATIENCE, "one client less")
            transport.abort()  # type: ignore[attr-defined]
    assert len(reader.heard("incoming_message")) == 100


async def clients(api: Served) -> int:
    text = (await api.ask("GET", "/metrics", key=PROXY_KEY)).content.decode()
    (line,) = [line for line in text.splitlines() if line.startswith("herald_event_clients ")]
    return int(float(line.split()[1]))


async def clients_are(api: Served, count: int) -> bool | None:
    return await clients(api) == count or None


async def test_a_gap_of_realtime_is_told_with_what_is_now(ground: Ground, listen: Connect, account: UUID) -> None:
    listener = await listen(Person.MEMBER)
    await listener.subscribe([str(account)])
    headers = {"apikey": ground.stack.secret_key}
    async with aiohttp.ClientSession() as http:

        async def realtime(mode: str) -> None:
            async with http.post(
                f"{ground.stack.url}/localstack/realtime", json={"mode": mode}, headers=headers
            ) as answer:
                answer.raise_for_status()

        await realtime("cut")
        connect_account(ground, account)
        await realtime("on")
    again = await listener.until("snapshot")
    assert (again["gap"], again["sessions"][0]["status"]) == (True, "connected")
    inbound(ground, ground.home, account, "after the gap")
    await listener.until("incoming_message", content="after the gap")


async def test_who_connects_again_sees_what_happened_meanwhile(
    ground: Ground, api: Served, listen: Connect, account: UUID
) -> None:
    protocols = ("herald.v1", f"bearer.{ground.token(Person.MEMBER)}")
    async with connected(api, protocols=protocols) as first:
        assert (await first.subscribe([str(account)]))["sessions"][0]["status"] == "disconnected"
    connect_account(ground, account)
    again = await listen(Person.MEMBER)
    assert (await again.subscribe([str(account)]))["sessions"][0]["status"] == "connected"


async def test_clients_of_another_worker_hear_the_same(ground: Ground, listen: Connect, account: UUID) -> None:
    protocols = ("herald.v1", f"bearer.{ground.token(Person.MEMBER)}")
    async with served(ground) as other, connected(other, protocols=protocols) as there:
        here = await listen(Person.MEMBER)
        for listener in (here, there):
            await listener.subscribe([str(account)])
        connect_account(ground, account)
        for listener in (here, there):
            await listener.until("connection_success", session_id=str(account))


async def test_a_worker_that_stops_says_so(ground: Ground) -> None:
    async with served(ground) as api:
        socket = await api.http.ws_connect(
            f"{api.url}/api/events", protocols=("herald.v1", f"bearer.{ground.token(Person.MEMBER)}")
        )
        listener = Listener(socket)
        await listener.subscribe()
        stopping = asyncio.create_task(api.api.app.shutdown())
        assert await listener.closes() == (1001, "worker-stops: connect again")
        await stopping
