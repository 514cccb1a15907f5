"""net in the local stack: requests leave after the commit, and what came back is kept."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from aiohttp import web
from psycopg.rows import dict_row

from localstack.client import LocalStack, Stack
from localstack.gateway.net import AT_ONCE, LARGEST_ANSWER, POLL

DEADLINE = 10.0  # seconds


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("stack"), migrate=False) as stack:
        with psycopg.connect(stack.database_url, autocommit=True) as db:
            db.execute("create extension if not exists pg_net with schema extensions")
        yield stack


class Site:
    """An HTTP server that remembers what it was asked; its answers are named by the path."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.most_at_once = 0
        self._now = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            self.heard.put_nowait(
                {
                    "method": request.method,
                    "path": request.raw_path,
                    "type": request.headers.get("Content-Type"),
                    "key": request.headers.get("X-Key"),
                    "body": await request.text(),
                }
            )
            match request.path:
                case "/slow":
                    await asyncio.Event().wait()
                case "/brief":
                    await asyncio.sleep(0.05)  # long enough to meet others
                case "/huge":
                    return web.Response(body=b"x" * (LARGEST_ANSWER + 1))
            return web.json_response({"ok": True}, status=201, headers={"X-Said": "yes"})
        finally:
            self._now -= 1

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE):
            return await self.heard.get()


@pytest.fixture
async def site() -> Site:
    return Site()


@pytest.fixture
async def url(site: Site) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def db(stack: Stack) -> AsyncIterator[psycopg.AsyncConnection[dict[str, Any]]]:
    """As `postgres`, each statement its own transaction."""
    async with await psycopg.AsyncConnection[dict[str, Any]].connect(
        stack.database_url, autocommit=True, row_factory=dict_row
    ) as connection:
        yield connection


Db = psycopg.AsyncConnection[dict[str, Any]]


async def ask(db: Db, query: str, *values: object) -> int:
    row = await (await db.execute(query.encode(), values)).fetchone()
    assert row
    return int(next(iter(row.values())))


async def answered(db: Db, request: int) -> dict[str, Any]:
    async with asyncio.timeout(DEADLINE):
        while True:
            cursor = await db.execute("select * from net._http_response where id = %s", [request])
            if row := await cursor.fetchone():
                return row
            await asyncio.sleep(0.02)


async def test_a_post_carries_its_body_and_its_answer_is_kept(db: Db, site: Site, url: str) -> None:
    request = await ask(
        db,
        "select net.http_post(url := %s, body := %s::jsonb, params := %s::jsonb, headers := %s::jsonb)",
        *(f"{url}/hook?a=1", '{"n": [1]}', '{"q": "a b&c/ü"}', '{"X-Key": "k"}'),
    )
    heard = await site.next()
    assert json.loads(heard.pop("body")) == {"n": [1]}
    assert heard == {
        "method": "POST",
        "path": "/hook?a=1&q=a%20b%26c%2F%C3%BC",
        "type": "application/json",
        "key": "k",
    }
    kept = await answered(db, request)
    assert (kept["status_code"], kept["timed_out"], kept["error_msg"]) == (201, False, None)
    assert kept["content_type"].startswith("application/json")
    assert (kept["headers"]["X-Said"], json.loads(kept["content"])) == ("yes", {"ok": True})


async def test_get_and_delete(db: Db, site: Site, url: str) -> None:
    await ask(db, 'select net.http_get(%s, \'{"q": "1"}\')', f"{url}/a")
    assert {**(await site.next()), "type": None} == {
        "method": "GET", "path": "/a?q=1", "type": None, "key": None, "body": "",
    }  # fmt: skip
    await ask(db, 'select net.http_delete(%s, headers := \'{"X-Key": "d"}\')', f"{url}/b")
    heard = await site.next()
    assert (heard["method"], heard["path"], heard["key"]) == ("DELETE", "/b", "d")


async def test_a_request_leaves_after_the_commit_and_not_after_a_rollback(db: Db, site: Site, url: str) -> None:
    async with db.transaction(force_rollback=True):
        await ask(db, "select net.http_post(%s)", f"{url}/rolled-back")
    async with db.transaction():
        await ask(db, "select net.http_post(%s)", f"{url}/committed")
        async with await psycopg.AsyncConnection.connect(db.info.dsn, password=db.info.password) as other:
            count = await (await other.execute("select count(*) from net.http_request_queue")).fetchone()
        assert count == (0,)  # nobody else sees it, so nobody can have sent it
        assert site.heard.empty()
    assert (await site.next())["path"] == "/committed"
    await ask(db, "select net.http_get(%s)", f"{url}/last")
    assert (await site.next())["path"] == "/last"


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (
            """net.http_post('http://x', headers := '{"content-type": "text/plain"}')""",
            "must be .application/json.",
        ),
        ("net.http_post('http://x', body := null)", "body must not be null"),
        ("net.http_get('file:///etc/passwd')", "URL"),
    ],
)
async def test_what_pg_net_refuses_is_refused(db: Db, attempt: str, words: str) -> None:
    with pytest.raises(psycopg.Error, match=words):
        await db.execute(f"select {attempt}".encode())


async def test_an_answer_that_does_not_come_is_told(db: Db, url: str) -> None:
    late = await answered(db, await ask(db, "select net.http_get(%s, timeout_milliseconds := 100)", f"{url}/slow"))
    assert (late["timed_out"], late["status_code"], late["error_msg"]) == (True, None, "Timeout of 100 ms reached")
    nobody = await answered(db, await ask(db, "select net.http_get('http://127.0.0.1:9/')"))
    assert (nobody["timed_out"], nobody["status_code"], bool(nobody["error_msg"])) == (False, None, True)
    huge = await answered(db, await ask(db, "select net.http_get(%s)", f"{url}/huge"))
    assert (huge["status_code"], huge["content"]) == (None, None)
    assert "longer than" in huge["error_msg"]


async def test_a_crowd_is_served_a_few_at_a_time(db: Db, site: Site, url: str) -> None:
    crowd = AT_ONCE * 3
    await ask(db, "select count(net.http_get(%s)) from generate_series(1, %s)", f"{url}/brief", crowd)
    for _ in range(crowd):
        await site.next()
    assert 1 < site.most_at_once <= AT_ONCE


async def test_a_commit_is_noticed_without_waiting_for_a_poll(db: Db, site: Site, url: str) -> None:
    started = time.monotonic()
    for _ in range(8):
        await ask(db, "select net.http_get(%s)", f"{url}/a")
        await site.next()
    assert time.monotonic() - started < 8 * POLL / 2


async def test_a_job_posts_with_a_secret_of_the_vault(stack: Stack, db: Db, site: Site, url: str) -> None:
    await db.execute("create extension if not exists pg_cron")
    await db.execute("select vault.create_secret('the key', 'hook')")
    command = f"""
      select net.http_post('{url}/wake', headers := jsonb_build_object('X-Key', s.decrypted_secret))
      from vault.decrypted_secrets s where s.name = 'hook'
    """
    await db.execute("select cron.schedule('wake', '0 0 1 1 *', %s)", [command])
    async with httpx.AsyncClient(base_url=stack.url, headers={"apikey": stack.secret_key}) as http:
        run = (await http.post("/localstack/cron", json={"run": "wake"})).json()
    assert (run["status"], run["return_message"]) == ("succeeded", "1 row")
    heard = await site.next()
    assert (heard["path"], heard["key"], heard["type"]) == ("/wake", "the key", "application/json")


async def test_answers_of_six_hours_ago_are_forgotten(stack: Stack, db: Db) -> None:
    await db.execute(
        "insert into net._http_response (id, created) values (-1, now() - interval '361 min'), (-2, now())"
    )
    await asyncio.to_thread(
        stack.await_restart, "gateway", stack.kill("gateway")
    )  # it looks at once, then by minutes
    deadline = time.monotonic() + DEADLINE
    while await ask(db, "select count(*) from net._http_response where id = -1"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert await ask(db, "select count(*) from net._http_response where id = -2") == 1


async def test_what_was_queued_while_the_gateway_was_away_is_sent(
    stack: Stack, db: Db, site: Site, url: str
) -> None:
    killed = stack.kill("gateway")
    await ask(db, "select net.http_get(%s)", f"{url}/waiting")
    await asyncio.to_thread(stack.await_restart, "gateway", killed)
    assert (await site.next())["path"] == "/waiting"
