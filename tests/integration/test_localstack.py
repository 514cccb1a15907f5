"""The local stack as the official Supabase clients see it."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from postgrest import CountMethod
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from localstack.client import LocalStack, Stack

#: realtime 2.34 reads a property of a closed connection that websockets 15 calls deprecated; as an error the
#: warning would end the client's listener.
pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed.(code|reason) is deprecated:DeprecationWarning")

REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse"
DEADLINE = 10.0  # seconds

NOTES = """
create table public.notes (
  id bigint generated always as identity primary key,
  owner uuid not null default auth.uid() references auth.users (id),
  body text not null,
  labels text[] not null default '{}',
  at timestamptz not null default '2026-01-02 03:04:05+00'
);
alter table public.notes enable row level security;
create policy own on public.notes to authenticated
  using ((select auth.uid()) = owner) with check ((select auth.uid()) = owner);
grant select, insert, update, delete on public.notes to authenticated;
grant select on public.notes to service_role;
create table public.secrets (id int primary key);
grant insert on public.secrets to authenticated;
alter publication supabase_realtime add table public.notes, public.secrets;
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("stack"), migrate=False) as stack:
        execute(stack, NOTES)
        yield stack


class Clients:
    """Opens official clients and closes what they leave open."""

    def __init__(self, stack: Stack, closing: AsyncExitStack) -> None:
        self._stack = stack
        self._closing = closing

    async def connect(self, key: str) -> AsyncClient:
        http = await self._closing.enter_async_context(httpx.AsyncClient())
        client = await acreate_client(self._stack.url, key, AsyncClientOptions(httpx_client=http))
        self._closing.push_async_callback(client.realtime.close)
        return client

    async def visitor(self) -> AsyncClient:
        return await self.connect(self._stack.publishable_key)

    async def service(self) -> AsyncClient:
        return await self.connect(self._stack.secret_key)

    async def user(self) -> AsyncClient:
        client, email = await self.visitor(), f"user-{time.monotonic_ns()}@py.test"
        await client.auth.sign_up({"email": email, "password": PASSWORD})
        await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
        return client


@pytest.fixture
async def clients(stack: Stack) -> AsyncIterator[Clients]:
    async with AsyncExitStack() as closing:
        yield Clients(stack, closing)


@pytest.fixture
async def asha(clients: Clients) -> AsyncClient:
    return await clients.user()


@pytest.fixture
async def binh(clients: Clients) -> AsyncClient:
    return await clients.user()


def execute(stack: Stack, query: str, *values: object) -> None:
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(query.encode(), values or None)


class Listener:
    """What a client hears of a table, in order."""

    def __init__(self) -> None:
        self.systems: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.changes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.states: asyncio.Queue[str] = asyncio.Queue()

    @classmethod
    async def on(cls, client: AsyncClient, table: str = "notes", **options: Any) -> "Listener":
        """Returns when the database's side of the subscription is ready."""
        listener = cls()
        channel = client.channel(f"{table}-{time.monotonic_ns()}")
        channel.on_postgres_changes(
            options.pop("event", "*"),
            lambda payload: listener.changes.put_nowait(dict(payload["data"])),
            table=table,
            schema="public",
            **options,
        )
        channel.on_system(lambda said: listener.systems.put_nowait((str(said.status), said.message)))
        await channel.subscribe(lambda state, _: listener.states.put_nowait(state.value))
        await listener.confirmed()
        return listener

    async def confirmed(self) -> None:
        async with asyncio.timeout(DEADLINE):
            assert (await self.systems.get())[1] == "Subscribed to PostgreSQL"

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE):
            return await self.changes.get()

    async def next_body(self) -> str:
        return str((await self.next())["record"]["body"])

    async def state(self, wanted: str) -> None:
        async with asyncio.timeout(DEADLINE):
            while await self.states.get() != wanted:
                pass


# -- Auth and REST --------------------------------------------------------------------------------------------


async def test_a_user_reads_and_writes_own_rows_only(asha: AsyncClient, binh: AsyncClient) -> None:
    await asha.table("notes").insert({"body": "of asha"}).execute()
    await binh.table("notes").insert({"body": "of binh"}).execute()
    seen = await asha.table("notes").select("body").execute()
    assert seen.data == [{"body": "of asha"}]


async def test_counts_and_long_filters_pass_the_gateway(asha: AsyncClient) -> None:
    await asha.table("notes").insert([{"body": "one"}, {"body": "two"}]).execute()
    wanted = [f"{number:036}" for number in range(400)] + ["two"]
    query = asha.table("notes").select("*", count=CountMethod.exact, head=True).in_("body", wanted)
    assert (await query.execute()).count == 1


async def test_a_session_is_refreshed_once_per_token(asha: AsyncClient) -> None:
    first = await asha.auth.get_session()
    assert first
    await asha.auth.refresh_session()
    with pytest.raises(Exception, match="Refresh Token Not Found"):
        await asha.auth.refresh_session(first.refresh_token)


async def test_claims_verify_against_the_published_keys(asha: AsyncClient) -> None:
    verified = await asha.auth.get_claims()
    user = await asha.auth.get_user()
    assert verified
    assert user
    assert verified["claims"]["sub"] == user.user.id


async def test_the_secret_key_administers_users_and_the_publishable_key_does_not(clients: Clients) -> None:
    admin, visitor = await clients.service(), await clients.visitor()
    new = {"email": "cato@py.test", "password": PASSWORD, "email_confirm": True}
    assert (await admin.auth.admin.create_user({**new})).user.email == "cato@py.test"  # type: ignore[typeddict-item]
    with pytest.raises(Exception, match="not allowed"):
        await visitor.auth.admin.create_user({**new})  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/rest/v1/notes", {}, 401),
        ("/rest/v1/notes", {"apikey": "sb_secret_guess"}, 401),
        ("/rest/v1/notes", {"apikey": "PUBLISHABLE", "Authorization": "Bearer not.a.jwt"}, 401),
        ("/rest/v1/notes", {"apikey": "PUBLISHABLE", "Authorization": "Bearer EXPIRED"}, 401),
        ("/rest/v1/notes", {"apikey": "PUBLISHABLE"}, 401),  # anon has no grant
        ("/rest/v1/notes?limit=1", {"Authorization": "Bearer SECRET"}, 200),
        ("/auth/v1/.well-known/jwks.json", {}, 200),
        ("/nothing/here", {}, 404),
    ],
)
async def test_the_gate(stack: Stack, path: str, headers: dict[str, str], status: int) -> None:
    words = {
        "PUBLISHABLE": stack.publishable_key,
        "SECRET": stack.secret_key,
        "EXPIRED": stack.sign({"sub": "00000000-0000-0000-0000-000000000001", "role": "authenticated", "exp": 1}),
    }
    for name, value in headers.items():
        for word, meaning in words.items():
            headers = {**headers, name: headers.get(name, value).replace(word, meaning)}
    async with httpx.AsyncClient(base_url=stack.url) as client:
        answer = await client.get(path, headers=headers)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (status, "application/json")


# -- Realtime -------------------------------------------------------------------------------------------------


async def test_a_change_reaches_the_owner_and_nobody_else(asha: AsyncClient, binh: AsyncClient) -> None:
    listener = await Listener.on(asha)
    await binh.table("notes").insert({"body": "of binh"}).execute()
    await asha.table("notes").insert({"body": "of asha", "labels": ["a", "b c"]}).execute()
    change = await listener.next()
    del change["record"]["id"], change["record"]["owner"], change["commit_timestamp"]
    assert change == {
        "schema": "public",
        "table": "notes",
        "type": "INSERT",
        "errors": None,
        "columns": [
            {"name": "id", "type": "int8"},
            {"name": "owner", "type": "uuid"},
            {"name": "body", "type": "text"},
            {"name": "labels", "type": "_text"},
            {"name": "at", "type": "timestamptz"},
        ],
        "record": {"body": "of asha", "labels": ["a", "b c"], "at": "2026-01-02T03:04:05+00:00"},
    }


async def test_a_delete_carries_the_key_alone(asha: AsyncClient) -> None:
    made = await asha.table("notes").insert({"body": "soon gone"}).execute()
    row: Any = made.data[0]
    listener = await Listener.on(asha, event="DELETE")
    await asha.table("notes").delete().eq("id", row["id"]).execute()
    assert (await listener.next())["old_record"] == {"id": row["id"]}


@pytest.mark.parametrize("wanted", ["body=eq.b", "body=in.(b,c)", "body=neq.a", "body=gt.a"])
async def test_a_filter_lets_through_what_matches(asha: AsyncClient, wanted: str) -> None:
    listener = await Listener.on(asha, filter=wanted)
    await asha.table("notes").insert([{"body": "a"}, {"body": "b"}]).execute()
    assert await listener.next_body() == "b"


async def test_a_table_without_select_yields_nothing(stack: Stack, asha: AsyncClient) -> None:
    secrets, notes = await Listener.on(asha, "secrets"), await Listener.on(asha)
    execute(stack, "insert into public.secrets values (%s)", time.monotonic_ns() % 2**31)
    await asha.table("notes").insert({"body": "after"}).execute()
    await notes.next()
    assert secrets.changes.empty()


async def test_the_secret_key_hears_every_row(clients: Clients, asha: AsyncClient) -> None:
    listener = await Listener.on(await clients.service())
    await asha.table("notes").insert({"body": "of asha"}).execute()
    assert await listener.next_body() == "of asha"


async def test_an_expired_token_closes_the_channel(stack: Stack, clients: Clients, asha: AsyncClient) -> None:
    user = await asha.auth.get_user()
    assert user
    soon = stack.sign({"sub": user.user.id, "role": "authenticated", "exp": int(time.time()) + 2})
    visitor = await clients.visitor()
    await visitor.realtime.set_auth(soon)
    listener = await Listener.on(visitor)
    await listener.state("CLOSED")


async def test_realtime_can_be_cut_and_comes_back(stack: Stack, asha: AsyncClient) -> None:
    async def switch(mode: str) -> Any:
        headers = {"apikey": stack.secret_key}
        answer = await http.post("/localstack/realtime", json={"mode": mode}, headers=headers)
        return answer.raise_for_status().json()

    async with httpx.AsyncClient(base_url=stack.url) as http:
        listener = await Listener.on(asha)
        assert (await switch("cut"))["mode"] == "cut"
        refused = await http.get("/realtime/v1/websocket", params={"apikey": stack.publishable_key})
        assert refused.status_code == 503
        await switch("on")
        await listener.confirmed()  # the client's own reconnect
        await asha.table("notes").insert({"body": "after the cut"}).execute()
        assert await listener.next_body() == "after the cut"


async def test_the_javascript_client_sees_the_same(stack: Stack) -> None:
    node = await asyncio.create_subprocess_exec(
        *("node", REPOSITORY / "tests/integration/supabase_js/own_rows_only.mjs"),
        cwd=REPOSITORY,
        env={
            "PATH": os.environ["PATH"],
            "SUPABASE_URL": stack.url,
            "SUPABASE_PUBLISHABLE_KEY": stack.publishable_key,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaint = await node.communicate()
    assert node.returncode == 0, complaint.decode()
    assert json.loads(said) == {"read": ["last"], "heard": [["INSERT", "first"], ["UPDATE", "last"]]}


async def test_realtime_survives_a_killed_postgres(stack: Stack, asha: AsyncClient) -> None:
    listener = await Listener.on(asha)
    await asyncio.to_thread(stack.await_restart, "postgres", stack.kill("postgres"))
    await listener.confirmed()  # told again: changes in between were lost
    await asha.table("notes").insert({"body": "after the crash"}).execute()
    assert await listener.next_body() == "after the crash"
