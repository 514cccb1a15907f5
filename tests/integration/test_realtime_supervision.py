"""The Realtime client dies in many ways; the worker's hints come back from each, and cost little meanwhile.

Beside the worker's wake-ups listens the official client as its documentation shows it, to prove that each failure
really is one: what `bare` doesn't hear, nobody would.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from realtime import AsyncRealtimeClient
from realtime.types import RealtimePostgresChangesListenEvent as Kind

from localstack.client import LocalStack, Stack
from tests.kit.faults.proxy import TcpProxy
from tests.kit.realtime import BACK, DEADLINE, Bare, Ears, Realtime, listening
from tests.kit.worker_process import until
from worker.supabase.realtime.subscription import PING_SECONDS, PONG_SECONDS
from worker.supabase.realtime.wakeups import HINTS

#: realtime 2.34 reads a property of a closed connection that websockets 15 calls deprecated; as an error the
#: warning would end the client's listener.
pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed.(code|reason) is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture
async def realtime(stack: Stack) -> AsyncIterator[Realtime]:
    async with (
        httpx.AsyncClient(trust_env=False) as http,
        await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as database,
    ):
        made = Realtime(stack, http, database)
        yield made
        await made.ask("on")


@pytest.fixture
async def network(stack: Stack) -> AsyncIterator[TcpProxy]:
    """Between Realtime and those who listen."""
    async with TcpProxy("127.0.0.1", httpx.URL(stack.url).port or 80) as proxy:
        yield proxy


@pytest.fixture
async def ears(stack: Stack, network: TcpProxy) -> AsyncIterator[Ears]:
    """The worker's wake-ups; they send a canary every second."""
    async with listening(stack, network.port, canary_every=1.0) as made:
        yield made


@pytest.fixture
async def make_bare(stack: Stack, network: TcpProxy) -> AsyncIterator[Callable[..., Any]]:
    async with AsyncExitStack() as closing:

        async def make(token: str = "") -> Bare:
            """Joined; whether it hears yet is another matter."""
            client = AsyncRealtimeClient(f"http://127.0.0.1:{network.port}/realtime/v1", token=stack.secret_key)
            closing.push_async_callback(client.close)
            if token:
                await client.set_auth(token)
            bare = Bare(client, client.channel("bare"))
            bare.channel.on_postgres_changes(
                Kind.Insert,
                lambda payload: bare.heard.append(UUID((payload["data"]["record"] or {})["id"])),
                table="whatsapp_sessions",
                schema="public",
            )
            await bare.channel.subscribe()
            return bare

        yield make


@pytest.fixture
async def bare(realtime: Realtime, make_bare: Callable[..., Any]) -> Bare:
    """Proven to hear."""
    made: Bare = await make_bare()
    await made.until_hears(realtime)
    return made


async def test_nobody_hears_of_what_was_there_before(realtime: Realtime, make_bare: Callable[..., Any]) -> None:
    before = await realtime.add_row()
    bare: Bare = await make_bare()
    await bare.until_hears(realtime)
    assert before not in bare.heard


async def test_what_happens_in_a_gap_is_polled_for(realtime: Realtime, ears: Ears, bare: Bare) -> None:
    await realtime.ask("cut")
    await ears.until_live(False)
    missed = await realtime.add_row()
    polled = asyncio.create_task(ears.until_hinted(*HINTS, seconds=BACK))
    await realtime.ask("on")
    await polled
    await ears.until_live()
    await ears.hear(realtime)
    await bare.until_hears(realtime)
    assert missed not in bare.heard


@pytest.mark.full  # the official client takes long to give up
async def test_a_server_that_is_away_for_long_is_found_again(realtime: Realtime, ears: Ears, bare: Bare) -> None:
    await realtime.ask("cut")
    listener = bare.client._listen_task
    while listener and not listener.done():  # each reconnect has a listener of its own
        with suppress(Exception):
            await asyncio.wait_for(asyncio.shield(listener), 60)
        listener = bare.client._listen_task
    assert not bare.client.is_connected  # it has given up, and nobody was told
    await realtime.until_turned_away(1)  # we have not
    await realtime.ask("on")
    await ears.until_live()
    row = await ears.hear(realtime)
    assert row not in bare.heard


async def test_a_token_whose_time_has_come_is_no_end(realtime: Realtime, ears: Ears, bare: Bare) -> None:
    await realtime.ask(path="/expire")
    await ears.until_live(False)
    await ears.until_live()
    row = await ears.hear(realtime)
    assert bare.client.is_connected
    assert bare.channel.is_closed
    assert row not in bare.heard


async def test_a_mistake_in_a_callback_is_no_end(realtime: Realtime, ears: Ears, bare: Bare) -> None:
    def mistake(_: object) -> None:
        raise RuntimeError("a mistake in a callback")

    bare.channel.postgres_changes_callbacks[0].callback = mistake
    ears.fail = True
    await realtime.add_row()
    await ears.until_live(False)
    await ears.until_live()
    row = await ears.hear(realtime)
    assert bare.channel.is_joined  # so it says
    assert bare.client._listen_task
    assert bare.client._listen_task.done()
    assert row not in bare.heard


async def test_a_server_that_closes_what_it_takes_is_tried_ever_less_often(realtime: Realtime, ears: Ears) -> None:
    await realtime.ask("storm")
    began, worked = time.monotonic(), time.process_time()
    await realtime.until_turned_away(4)
    seconds, busy = time.monotonic() - began, time.process_time() - worked
    assert seconds > 1  # each pause is at least half a second
    assert busy / seconds < 0.5, f"{busy:.1f} s of CPU in {seconds:.1f} s"  # what looks at the server is in it
    await realtime.ask("on")
    await ears.until_live()
    await ears.hear(realtime)


async def test_the_bare_client_storms_such_a_server(realtime: Realtime, bare: Bare) -> None:
    assert bare.seems_well
    await realtime.ask("storm")
    await realtime.until_turned_away(200, seconds=20)


async def test_a_connection_whose_other_end_is_gone_is_found_within_seconds(
    realtime: Realtime, network: TcpProxy, stack: Stack, bare: Bare
) -> None:
    """No canary helps here: its next is a minute away. A ping is not."""
    async with listening(stack, network.port) as ears:
        for link in list(network.links):
            link.half_open()
        began = time.monotonic()
        await ears.until_live(False)
        assert time.monotonic() - began < PING_SECONDS + PONG_SECONDS + 2
        await ears.until_live()
        row = await ears.hear(realtime)
        assert bare.seems_well
        assert row not in bare.heard
    for link in list(network.links):  # else the official client waits long for a farewell
        link.reset()


async def test_subscribed_is_believed_only_when_a_canary_came_through(
    realtime: Realtime, ears: Ears, make_bare: Callable[..., Any]
) -> None:
    await realtime.ask("late")
    await realtime.ask(path="/expire")
    polled = asyncio.create_task(ears.until_hinted(*HINTS, seconds=BACK))  # when it says SUBSCRIBED
    bare: Bare = await make_bare()
    missed = await realtime.add_row()
    assert bare.seems_well
    await polled
    assert not ears.wakeups.live
    polled = asyncio.create_task(ears.until_hinted(*HINTS, seconds=BACK))  # and when it is
    await realtime.ask("on")
    await polled
    await ears.until_live()
    await ears.hear(realtime)
    await bare.until_hears(realtime)
    assert missed not in bare.heard


async def test_a_server_that_says_all_is_well_and_tells_nothing_is_found_by_the_canary(
    realtime: Realtime, ears: Ears, bare: Bare
) -> None:
    await realtime.ask("deaf")
    await ears.until_live(False)
    assert bare.seems_well
    await realtime.ask("on")
    await ears.until_live()
    await ears.hear(realtime)


async def test_canaries_are_heard_by_nobody_else(
    stack: Stack, realtime: Realtime, ears: Ears, make_bare: Callable[..., Any]
) -> None:
    token = stack.sign({"sub": str(uuid4()), "role": "authenticated", "exp": int(time.time()) + 3600})
    everything: list[object] = []
    for given in (token, stack.publishable_key):
        client = (await make_bare(given)).client
        channel = client.channel("everything")
        channel.on_postgres_changes(Kind.All, everything.append, schema="*")
        ready = asyncio.Event()
        channel.on_system(lambda _, ready=ready: ready.set())
        await channel.subscribe()
        async with asyncio.timeout(DEADLINE):
            await ready.wait()
    beats = "select max(beat) from herald.realtime_canaries"
    first = await (await realtime.database.execute(beats)).fetchone()

    async def look() -> bool | None:
        now = await (await realtime.database.execute(beats)).fetchone()
        return True if now and first and now[0] > first[0] + 2 else None

    await until(look, DEADLINE, "three canaries")
    assert ears.wakeups.live
    assert everything == []


async def test_a_message_is_a_hint_for_the_time_when_it_is_due(realtime: Realtime, ears: Ears) -> None:
    account = await ears.hear(realtime)
    for due, seconds in (("now()", 0), ("now() + interval '1 hour'", 3600)):
        hinted = asyncio.create_task(ears.until_hinted("queue"))
        await asyncio.sleep(0)  # it counts hints from here on
        await realtime.database.execute(
            "insert into public.scheduled_whatsapp_messages"
            " (organization_id, session_id, recipient_phone, message_content, scheduled_for)"
            f" select organization_id, id, '+491701234567', 'Later', {due}"
            " from public.whatsapp_sessions where id = %s".encode(),
            [account],
        )
        await hinted
        assert ears.after["queue"] == pytest.approx(seconds, abs=1)
