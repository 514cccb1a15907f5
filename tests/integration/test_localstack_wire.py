"""The local stack's Realtime frame by frame, in both versions of the protocol."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from websockets.asyncio.client import ClientConnection, connect

from localstack.client import LocalStack, Stack
from tests.kit.worker_process import until

DEADLINE = 10.0  # seconds
ASHA, BINH = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"

TABLES = """
create table public.notes (id int primary key, owner uuid not null, body text not null, private text);
alter table public.notes enable row level security;
create policy own on public.notes to authenticated using ((select auth.uid()) = owner);
grant select (id, owner, body) on public.notes to authenticated;
create table public.ledger (a int, b text, primary key (a, b));
alter table public.ledger replica identity full;
grant select on public.ledger to authenticated;
alter publication supabase_realtime add table public.notes, public.ledger;
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("stack"), migrate=False) as stack:
        execute(stack, TABLES)
        yield stack


def execute(stack: Stack, query: str) -> None:
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(query.encode())


class Phoenix:
    """Speaks frames; `hear` skips to the next frame of an event and gives its payload."""

    def __init__(self, socket: ClientConnection, version: str) -> None:
        self._socket = socket
        self._version = version

    async def say(self, event: str, payload: dict[str, Any]) -> None:
        topic = "realtime:room"
        frame: Any = {"topic": topic, "event": event, "payload": payload, "ref": "7", "join_ref": "7"}
        await self._socket.send(
            json.dumps(["7", "7", topic, event, payload] if self._version[0] == "2" else frame)
        )

    async def hear(self, event: str) -> Any:
        async with asyncio.timeout(DEADLINE):
            while True:
                frame = json.loads(await self._socket.recv())
                heard, payload = frame[3:] if self._version[0] == "2" else (frame["event"], frame["payload"])
                if heard == event:
                    return payload

    async def listen(self, token: str, table: str) -> None:
        wanted = {"event": "*", "schema": "public", "table": table}
        await self.say("phx_join", {"config": {"postgres_changes": [wanted]}, "access_token": token})
        reply = await self.hear("phx_reply")
        [binding] = reply["response"]["postgres_changes"]
        assert binding.pop("id") > 0
        assert binding == wanted
        assert (await self.hear("system"))["status"] == "ok"


@asynccontextmanager
async def phoenix(stack: Stack, version: str = "1.0.0") -> AsyncIterator[Phoenix]:
    url = stack.url.replace("http", "ws", 1)
    query = f"apikey={stack.publishable_key}&vsn={version}"
    async with connect(f"{url}/realtime/v1/websocket?{query}") as socket:
        yield Phoenix(socket, version)


def token(stack: Stack, user: str) -> str:
    return stack.sign({"sub": user, "role": "authenticated", "exp": int(time.time()) + 60})


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
async def test_a_join_with_a_bad_token_is_refused(stack: Stack, version: str) -> None:
    async with phoenix(stack, version) as client:
        await client.say("phx_join", {"config": {}, "access_token": token(stack, ASHA)[:-8] + "AAAAAAAA"})
        reply = await client.hear("phx_reply")
    assert (reply["status"], reply["response"]["reason"].split(":")[0]) == ("error", "InvalidJWTToken")


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
async def test_a_new_token_changes_what_is_heard(stack: Stack, version: str) -> None:
    async with phoenix(stack, version) as client:
        await client.listen(token(stack, ASHA), "notes")
        await client.say("access_token", {"access_token": token(stack, BINH)})
        await client.say("heartbeat", {})
        await client.hear("phx_reply")  # the token was read before the heartbeat
        execute(
            stack, f"delete from notes; insert into notes values (1, '{ASHA}', 'a', 'p'), (2, '{BINH}', 'b', 'p')"
        )
        change = (await client.hear("postgres_changes"))["data"]
        while change["type"] == "DELETE":
            change = (await client.hear("postgres_changes"))["data"]
    # and only the columns that the role may select
    assert change["record"] == {"id": 2, "owner": BINH, "body": "b"}


async def test_a_spoilt_token_closes_the_channel(stack: Stack) -> None:
    async with phoenix(stack) as client:
        await client.listen(token(stack, ASHA), "notes")
        await client.say("access_token", {"access_token": "not.a.token"})
        assert (await client.hear("system"))["status"] == "error"
        await client.hear("phx_close")


async def test_an_update_carries_the_old_row_as_its_replica_identity_says(stack: Stack) -> None:
    async with phoenix(stack) as client:
        await client.listen(token(stack, ASHA), "ledger")
        execute(stack, "insert into ledger values (1, 'x'); update ledger set b = 'y'")
        await client.hear("postgres_changes")
        change = (await client.hear("postgres_changes"))["data"]
    assert (change["old_record"], change["record"]) == ({"a": 1, "b": "x"}, {"a": 1, "b": "y"})


async def test_what_was_read_is_not_decoded_again(stack: Stack) -> None:
    """Postgres by itself would let go of it every 15 s, so at most one of the rounds would pass."""
    behind = (
        "select max(pg_wal_lsn_diff(pg_current_wal_flush_lsn(), restart_lsn)) from pg_replication_slots"
        " where slot_name like 'localstack_realtime_%'"
    )
    owner = psycopg.AsyncConnection.connect(stack.database_url, autocommit=True)
    async with phoenix(stack) as client, await owner as database:
        await client.listen(stack.secret_key, "ledger")
        for number in range(3):
            written = "insert into public.ledger select n, repeat('x', 500) from generate_series(%s::int, %s) as n"
            await database.execute(written, [number * 2000, number * 2000 + 1999])

            async def caught_up() -> bool | None:
                await database.execute("update public.ledger set b = b where a = 0")  # the log grows, so it looks
                found = await (await database.execute(behind)).fetchone()
                return True if found and found[0] < 100_000 else None

            await until(caught_up, 4, "a slot that is not a megabyte behind")
