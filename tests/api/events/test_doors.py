"""Who may connect, how many of them, and how a connection ends."""

import asyncio
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from tests.kit.event_listener import (
    PATIENCE,
    Connect,
    Listener,
    clients,
    clients_are,
    connected,
    inbound,
    reluctant,
)
from tests.kit.served_api import PROXY_KEY, Ground, Person, Served, served
from tests.kit.worker_process import until
from worker.api.events.limits import EventLimits


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


async def test_who_says_nothing_at_all_is_turned_away(ground: Ground) -> None:
    limits = EventLimits(authenticate_seconds=0.2)
    async with served(ground, event_limits=limits) as api, connected(api) as listener:
        assert (await listener.closes())[0] == 4408


async def test_strangers_leave_room_for_those_who_are_known(ground: Ground) -> None:
    protocols = ("herald.v1", f"bearer.{ground.token(Person.MEMBER)}")
    async with served(ground, event_limits=EventLimits(strangers=1)) as api, connected(api):
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


async def test_one_organisation_does_not_take_all_the_room(ground: Ground) -> None:
    protocols = {
        person: ("herald.v1", f"bearer.{ground.token(person)}")
        for person in (Person.MEMBER, Person.ADMIN, Person.OTHER_ADMIN)
    }
    async with (
        served(ground, event_limits=EventLimits(of_one_organization=1)) as api,
        connected(api, protocols=protocols[Person.MEMBER]) as first,
    ):
        await first.subscribe()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(api, protocols=protocols[Person.ADMIN]):
                pass
        assert refused.value.status == 429
        async with connected(api, protocols=protocols[Person.OTHER_ADMIN]) as other:
            await other.until("ready")


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


@pytest.mark.parametrize("reads_again", [True, False])
async def test_who_does_not_read_is_cut_off_and_costs_nobody_else_anything(
    ground: Ground, account: UUID, *, reads_again: bool
) -> None:
    limits = EventLimits(backlog_bytes=200_000, close_seconds=60.0 if reads_again else 0.5)
    token = ground.token(Person.MEMBER)
    async with (
        served(ground, event_limits=limits) as api,
        connected(api, protocols=("herald.v1", f"bearer.{token}")) as reader,
        reluctant(api, token) as (listener, transport),
    ):
        await reader.subscribe([str(account)])
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
