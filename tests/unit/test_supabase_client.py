"""What HTTP can do wrong between worker and database: which error of ours results, and whether it is retried."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx

from tests.kit.clock import Clock
from worker.errors import (
    CredentialsError,
    DatabaseRefused,
    HeraldError,
    KeyRefused,
    LostLease,
    SettingsError,
    StoreError,
    Unstorable,
)
from worker.supabase import client
from worker.supabase.client import PATIENCE_SECONDS, Database, KeyTrust
from worker.supabase.sqlstate import MEANINGS, Meaning, meaning_of
from worker.supabase.tenant import Tenant, messages

URL = "https://project.test"
REAP = f"{URL}/rest/v1/rpc/whatsapp_reap"
ORGANIZATION = UUID("7b0f3d1e-5f6c-4a52-9a0f-6f8f5f4f3e21")


@pytest.fixture
async def database(respx_mock: respx.MockRouter) -> AsyncIterator[Database]:
    made = Database(
        URL, "sb_secret_key", first_pause=0.001, transport=httpx.MockTransport(respx_mock.async_handler)
    )
    yield made
    await made.aclose()


def page(status: int) -> httpx.Response:
    """What something between the worker and Supabase shows to a browser."""
    return httpx.Response(
        status, headers={"Content-Type": "text/html"}, text="<html>Sign in to the network</html>"
    )


def as_json(content: bytes) -> httpx.Response:
    """A 200 that calls itself JSON."""
    return httpx.Response(200, headers={"Content-Type": "application/json"}, content=content)


def refusal(status: int, code: str | None, message: str = "no") -> httpx.Response:
    """An error as PostgREST writes it, or without a code as a gateway does."""
    told = {"message": message, "details": None, "hint": None}
    return httpx.Response(status, json=told if code is None else {"code": code, **told})


#: What passes: (what happens, what the error says). All of them are retried.
PASSING: dict[str, tuple[httpx.Response | type[Exception], str]] = {
    "no connection": (httpx.ConnectError, "does not answer .ConnectError"),
    "no connection in time": (httpx.ConnectTimeout, "does not answer .ConnectTimeout"),
    "no answer in time": (httpx.ReadTimeout, "does not answer .ReadTimeout"),
    "no place in the pool in time": (httpx.PoolTimeout, "does not answer .PoolTimeout"),
    "connection reset": (httpx.ReadError, "does not answer .ReadError"),
    "closed before the answer's end": (httpx.RemoteProtocolError, "does not answer .RemoteProtocolError"),
    "no proxy": (httpx.ProxyError, "does not answer .ProxyError"),
    "a page of a captive network": (page(200), "answered 200 and no JSON"),
    "half a JSON document": (
        as_json(b'{"ex'),
        "no JSON",
    ),
    "text that calls itself JSON": (
        as_json(b"ok"),
        "no JSON",
    ),
    "bytes that are no text": (
        as_json(b"\xff\xfe{}"),
        "no JSON",
    ),
    "JSON of another type": (httpx.Response(200, headers={"Content-Type": "text/plain"}, text="{}"), "no JSON"),
    "an answer without a type": (httpx.Response(200, content=b"{}"), "no JSON"),
    "a redirect": (httpx.Response(301, headers={"Location": "https://elsewhere.test"}), r"redirects \(301\)"),
    "500 without a code": (refusal(500, None), "busy or away .500"),
    "502 with a page": (
        page(502),
        "502 and no JSON",
    ),
    "503 without a body": (httpx.Response(503), "503 and no JSON"),
    "504 without a code": (refusal(504, None), "busy or away .504"),
    "401 with a page": (page(401), "401 and no JSON"),
    "403 of a firewall": (page(403), "403 and no JSON"),
    "429 of a gateway": (refusal(429, None), "busy or away .429"),
    "408 of a gateway": (refusal(408, None), "busy or away .408"),
    "PostgREST without its database": (refusal(503, "PGRST000"), "busy or away .PGRST000"),
    "PostgREST that still loads": (refusal(503, "PGRST002"), "busy or away .PGRST002"),
    "PostgREST without a free connection": (refusal(504, "PGRST003"), "busy or away .PGRST003"),
    "a deadlock": (refusal(500, "40P01"), "busy or away .40P01"),
    "too many connections": (refusal(503, "53300"), "busy or away .53300"),
    "a lock that is not free": (refusal(500, "55P03"), "busy or away .55P03"),
    "a statement that took too long": (refusal(500, "57014"), "busy or away .57014"),
    "a database that shuts down": (refusal(503, "57P01"), "busy or away .57P01"),
    "a read-only disk": (refusal(500, "58030"), "busy or away .58030"),
}

#: What does not pass: (answer, our error, its words). None of them is retried.
FINAL: dict[str, tuple[httpx.Response, type[HeraldError], str]] = {
    "another run of this worker": (refusal(400, "HR001"), LostLease, "WORKER_ID"),
    "another worker has the session": (refusal(400, "HR002"), LostLease, "another worker"),
    "other credentials": (refusal(400, "HR003"), CredentialsError, "changed"),
    "no such function": (refusal(404, "PGRST202"), SettingsError, "whatsapp_reap is missing.*db push"),
    "no such schema": (refusal(406, "PGRST106"), SettingsError, "not migrated"),
    "no such function inside": (refusal(404, "42883"), SettingsError, "not migrated"),
    "a key that is no secret key": (refusal(403, "42501"), SettingsError, "SUPABASE_SERVICE_KEY: not a secret"),
    "a token of another project": (refusal(401, "PGRST301"), SettingsError, "SUPABASE_SERVICE_KEY: refused"),
    "a token with wrong claims": (refusal(401, "PGRST303"), SettingsError, "SUPABASE_SERVICE_KEY: refused"),
    "a key that the gateway refuses": (refusal(401, None, "Invalid API key"), SettingsError, "refused"),
    "a malformed value": (refusal(400, "22P02"), Unstorable, "22P02"),
    "against a rule": (refusal(400, "23514"), Unstorable, "23514"),
    "too many waiting": (refusal(500, "53400"), StoreError, "53400"),
    "a code that we don't know": (refusal(400, "ZZ999"), StoreError, "ZZ999"),
    "a status that we don't know": (refusal(418, None), StoreError, "418"),
}


@pytest.mark.parametrize("happens", PASSING)
async def test_what_passes_is_retried_and_then_told_as_supabase_being_away(
    database: Database, respx_mock: respx.MockRouter, happens: str
) -> None:
    what, words = PASSING[happens]
    respx_mock.post(REAP).mock(side_effect=[what, what])
    with pytest.raises(StoreError, match=words) as raised:
        await database.call("whatsapp_reap", {}, attempts=2)
    assert type(raised.value) is StoreError
    assert respx_mock.calls.call_count == 2


@pytest.mark.parametrize("happens", PASSING)
async def test_the_call_after_what_passes_succeeds(
    database: Database, respx_mock: respx.MockRouter, happens: str
) -> None:
    respx_mock.post(REAP).mock(side_effect=[PASSING[happens][0], httpx.Response(200, json={"expired": 0})])
    assert await database.call("whatsapp_reap", {}) == {"expired": 0}


@pytest.mark.parametrize("happens", FINAL)
async def test_what_does_not_pass_is_told_at_once(
    database: Database, respx_mock: respx.MockRouter, happens: str
) -> None:
    answer, kind, words = FINAL[happens]
    respx_mock.post(REAP).mock(return_value=answer)
    with pytest.raises(kind, match=words) as raised:
        await database.call("whatsapp_reap", {})
    assert type(raised.value) is kind
    assert respx_mock.calls.call_count == 1


async def test_what_is_too_large_is_tried_again_and_then_left_out(
    database: Database, respx_mock: respx.MockRouter
) -> None:
    done, large = httpx.Response(200, json={"expired": 0}), refusal(500, "54000")
    respx_mock.post(REAP).mock(side_effect=[large, done])
    assert await database.call("whatsapp_reap", {}) == {"expired": 0}
    respx_mock.post(REAP).mock(return_value=large)
    with pytest.raises(Unstorable, match="54000"):
        await database.call("whatsapp_reap", {})


#: What a hosted project answers to a right key now and then, or while somebody pushes migrations.
REFUSALS = {
    "401 PGRST303": refusal(401, "PGRST303", "JWT issued at future"),
    "401 PGRST301": refusal(401, "PGRST301", "No suitable key or wrong key type"),
    "401 of the gateway": refusal(401, None, "Invalid API key"),
    "403": refusal(403, "42501", "permission denied for schema public"),
    "404 PGRST202": refusal(404, "PGRST202", "Could not find the function"),
}


@pytest.mark.parametrize("happens", REFUSALS)
async def test_a_key_that_has_worked_is_never_called_wrong(
    database: Database, respx_mock: respx.MockRouter, happens: str
) -> None:
    done = httpx.Response(200, json={"expired": 0})
    respx_mock.post(REAP).mock(side_effect=[done, REFUSALS[happens], done])
    await database.call("whatsapp_reap", {})
    assert await database.call("whatsapp_reap", {}) == {"expired": 0}  # it was repeated
    respx_mock.post(REAP).mock(return_value=REFUSALS[happens])
    with pytest.raises(KeyRefused):
        await database.call("whatsapp_reap", {})


@pytest.mark.parametrize("happens", [each for each in REFUSALS if each.startswith("401")])
async def test_a_key_that_never_worked_is_wrong_after_a_minute(respx_mock: respx.MockRouter, happens: str) -> None:
    clock = Clock()
    transport = httpx.MockTransport(respx_mock.async_handler)
    trust = KeyTrust(PATIENCE_SECONDS, clock)
    database = Database(URL, "sb_secret_key", trust=trust, first_pause=0.001, transport=transport)
    respx_mock.post(REAP).mock(return_value=REFUSALS[happens])
    for seconds in (0, 30, 29):
        clock.now += seconds
        with pytest.raises(KeyRefused):
            await database.call("whatsapp_reap", {})
    clock.now += 1
    with pytest.raises(SettingsError, match="SUPABASE_SERVICE_KEY"):
        await database.call("whatsapp_reap", {})
    await database.aclose()


@pytest.mark.parametrize("answer", [httpx.Response(204), httpx.Response(200)])
async def test_an_empty_answer_is_none(
    database: Database, respx_mock: respx.MockRouter, answer: httpx.Response
) -> None:
    respx_mock.post(REAP).mock(return_value=answer)
    assert await database.call("whatsapp_reap", {}) is None


async def test_an_answer_that_comes_too_slowly_is_given_up(
    database: Database, respx_mock: respx.MockRouter
) -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    respx_mock.post(REAP).mock(side_effect=never)
    with pytest.raises(StoreError, match=r"does not answer .TimeoutError"):
        await database.call("whatsapp_reap", {}, attempts=1, seconds=0.05)


class Endless(httpx.AsyncByteStream):
    """A body without an end. taken: bytes that were read of it."""

    def __init__(self) -> None:
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += 2**20
            yield b" " * 2**20


async def test_an_answer_without_an_end_is_not_read_to_its_end(
    database: Database, respx_mock: respx.MockRouter
) -> None:
    body = Endless()
    respx_mock.post(REAP).mock(
        return_value=httpx.Response(200, headers={"Content-Type": "application/json"}, stream=body)
    )
    with pytest.raises(StoreError, match="larger than 64 MB"):
        await database.call("whatsapp_reap", {}, attempts=1)
    assert body.taken <= client.LARGEST_ANSWER + 2**20


async def test_the_key_goes_to_no_other_host(database: Database, respx_mock: respx.MockRouter) -> None:
    respx_mock.post(REAP).mock(return_value=httpx.Response(307, headers={"Location": "https://elsewhere.test/"}))
    elsewhere = respx_mock.route(host="elsewhere.test").mock(return_value=httpx.Response(200, json={}))
    with pytest.raises(StoreError, match="redirects"):
        await database.call("whatsapp_reap", {}, attempts=1)
    assert not elsewhere.called


def tenant(database: Database) -> Tenant:
    return Tenant(
        database=database, organization=ORGANIZATION, token="a-user-s-token", headers={"X-Request-Id": "r-1"}
    )


async def test_a_query_goes_out_as_the_user_and_for_their_organisation(
    database: Database, respx_mock: respx.MockRouter
) -> None:
    route = respx_mock.get(f"{URL}/rest/v1/scheduled_whatsapp_messages").mock(
        return_value=httpx.Response(200, json=[])
    )
    await messages.find(tenant(database), ORGANIZATION)
    sent = route.calls.last.request
    assert sent.headers["Authorization"] == "Bearer a-user-s-token"
    assert sent.headers["apikey"] == "sb_secret_key"
    assert sent.headers["X-Request-Id"] == "r-1"
    assert sent.url.params["organization_id"] == f"eq.{ORGANIZATION}"


@pytest.mark.parametrize("happens", PASSING)
async def test_a_caller_s_query_is_sent_once(
    database: Database, respx_mock: respx.MockRouter, happens: str
) -> None:
    what, words = PASSING[happens]
    respx_mock.get(path="/rest/v1/scheduled_whatsapp_messages").mock(side_effect=[what])
    with pytest.raises(StoreError, match=words):
        await messages.find(tenant(database), ORGANIZATION)
    assert respx_mock.calls.call_count == 1


@pytest.mark.parametrize("happens", FINAL)
async def test_what_a_caller_is_refused_keeps_status_and_code(
    database: Database, respx_mock: respx.MockRouter, happens: str
) -> None:
    answer, *_ = FINAL[happens]
    respx_mock.get(path="/rest/v1/scheduled_whatsapp_messages").mock(return_value=answer)
    with pytest.raises(DatabaseRefused) as raised:
        await messages.find(tenant(database), ORGANIZATION)
    assert raised.value.status == answer.status_code
    assert raised.value.code == json.loads(answer.content).get("code", "")
    assert raised.value.text == json.loads(answer.content)["message"]
    assert "no" not in str(raised.value).split(), "the text may quote a row, so the log has only the code"


@pytest.mark.parametrize("key", ["two words", "not-ascii-ключ", "line\nbreak"])
def test_what_can_be_no_key_is_a_wrong_setting(key: str) -> None:
    with pytest.raises(SettingsError, match="SUPABASE_SERVICE_KEY"):
        Database(URL, key)


@pytest.mark.parametrize(
    ("values", "sent"),
    [
        (["a,b", 'say "hi"', "back\\slash", "(x)"], r'in.("a,b","say \"hi\"","back\\slash","(x)")'),
        (["plain"], "in.(plain)"),
    ],
)
async def test_an_idempotency_key_of_any_characters_is_one_value(
    database: Database, respx_mock: respx.MockRouter, values: list[str], sent: str
) -> None:
    route = respx_mock.get(path="/rest/v1/scheduled_whatsapp_messages").mock(
        return_value=httpx.Response(200, json=[])
    )
    await messages.by_idempotency_keys(tenant(database), values)
    assert route.calls.last.request.url.params["idempotency_key"] == sent


async def test_many_ids_are_asked_for_in_urls_that_gateways_take(
    database: Database, respx_mock: respx.MockRouter
) -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        assert len(str(request.url)) < 8_000
        ids = request.url.params["id"].removeprefix("in.(").removesuffix(")").split(",")
        return httpx.Response(200, json=[{"id": text} for text in ids])

    respx_mock.get(path="/rest/v1/scheduled_whatsapp_messages").mock(side_effect=echo)
    ids = [UUID(int=number) for number in range(1000)]
    found: list[dict[str, Any]] = await messages.by_ids(tenant(database), ids)
    assert [row["id"] for row in found] == [str(one) for one in ids]


def test_the_longest_match_of_a_code_counts() -> None:
    assert meaning_of(500, "53400") is Meaning.TOO_MANY
    assert meaning_of(500, "53100") is Meaning.AWAY
    assert meaning_of(409, "23505") is Meaning.EXISTS
    assert meaning_of(400, "23P01") is Meaning.AGAINST_RULE
    assert all(meaning_of(400, code) is meaning for code, meaning in MEANINGS.items())
