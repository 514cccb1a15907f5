"""Who calls: keys in rotation, tokens under changing keys, several organisations, and what the audit says."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.kit.served_api import FORMER_PROXY_KEY, HOME_KEY, PROXY_KEY, Ground, Person, Served, served
from worker.api.http.problem import Problem
from worker.api.http.tokens import Tokens

USER = "7b0f3d1e-5f6c-4a52-9a0f-6f8f5f4f3e21"


class KeySet:
    """A project's key set that can be changed and be away."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.asked = 0
        self.away = False
        self.url = ""

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(status=503) if self.away else web.json_response({"keys": self.keys})

    def add(self, kid: str, key: Any) -> None:
        algorithm: Any = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
        alg = "ES256" if algorithm is ECAlgorithm else "RS256"
        self.keys.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "alg": alg, "use": "sig"})

    def token(self, kid: str, key: Any, alg: str, **claims: Any) -> str:
        known = {
            "sub": USER,
            "role": "authenticated",
            "aud": "authenticated",
            "iss": f"{self.url}/auth/v1",
            "exp": int(time.time()) + 60,
        }
        return jwt.encode(
            {name: value for name, value in (known | claims).items() if value is not None},
            key,
            algorithm=alg,
            headers={"kid": kid},
        )


@pytest.fixture
async def key_set() -> AsyncIterator[KeySet]:
    """A server of signing keys."""
    made = KeySet()
    app = web.Application()
    app.router.add_get("/auth/v1/.well-known/jwks.json", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def refused(tokens: Tokens, token: str) -> str:
    with pytest.raises(Problem) as caught:
        await tokens.verify(token)
    return caught.value.code


async def test_only_signatures_by_the_project_s_public_keys_count(key_set: KeySet) -> None:
    elliptic, modulus = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    key_set.add("ec", elliptic)
    key_set.add("rsa", modulus)
    tokens = Tokens(key_set.url)
    for kid, key, alg in (("ec", elliptic, "ES256"), ("rsa", modulus, "RS256")):
        assert str((await tokens.verify(key_set.token(kid, key, alg))).id) == USER
    wrong: list[tuple[str, Any, str]] = [
        ("ec", "x" * 32, "HS256"),  # a shared secret
        ("rsa", modulus, "PS256"),
        ("rsa", elliptic, "ES256"),  # the right id, another kind of key
        ("gone", elliptic, "ES256"),
    ]
    for kid, key, alg in wrong:
        assert await refused(tokens, key_set.token(kid, key, alg)) == "token-invalid"
    head, claims, _ = key_set.token("ec", "x" * 32, "HS256").split(".")
    public = json.dumps(key_set.keys[0]).encode()  # taken for a shared secret
    seal = hmac.digest(public, f"{head}.{claims}".encode(), "sha256")
    for signature in (base64.urlsafe_b64encode(seal).decode().rstrip("="), ""):
        assert await refused(tokens, f"{head}.{claims}.{signature}") == "token-invalid"
    assert await refused(tokens, "nonsense") == "token-invalid"


@pytest.mark.parametrize("claim", ["exp", "sub", "role", "aud", "iss"])
async def test_every_claim_must_be_there(key_set: KeySet, claim: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    key_set.add("a", key)
    missing: dict[str, Any] = {claim: None}
    assert await refused(Tokens(key_set.url), key_set.token("a", key, "ES256", **missing)) == "token-invalid"


async def test_an_unknown_key_id_asks_once_and_not_again_for_a_while(key_set: KeySet) -> None:
    old, new = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    key_set.add("old", old)
    tokens = Tokens(key_set.url)
    await tokens.verify(key_set.token("old", old, "ES256"))
    key_set.add("new", new)
    for number in range(20):
        await refused(tokens, key_set.token(f"no-{number}", new, "ES256"))
    assert key_set.asked == 1, "strangers can't make the worker ask Supabase"


async def test_while_the_key_set_is_away_known_keys_go_on(key_set: KeySet) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    key_set.add("a", key)
    key_set.away = True
    tokens = Tokens(key_set.url)
    assert await refused(tokens, key_set.token("a", key, "ES256")) == "auth-unavailable"
    key_set.away = False
    await tokens.verify(key_set.token("a", key, "ES256"))
    key_set.away = True
    await tokens.verify(key_set.token("a", key, "ES256", exp=int(time.time()) + 61))


@asynccontextmanager
async def careless_gateway(ground: Ground) -> AsyncIterator[str]:
    """A gateway that hands on the secret key, and of a user's token nothing."""

    async def hand_on(request: web.Request) -> web.Response:
        headers = {**request.headers, "Authorization": f"Bearer {ground.stack.secret_key}"}
        async with http.request(
            request.method, ground.stack.url + request.path_qs, data=await request.read(), headers=headers
        ) as answer:
            body = await answer.read()
            return web.Response(status=answer.status, body=body, content_type=answer.content_type)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hand_on)
    runner = web.AppRunner(app)
    await runner.setup()
    async with aiohttp.ClientSession() as http:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()


async def test_a_gateway_that_takes_the_user_s_token_off_opens_nothing(ground: Ground) -> None:
    async with careless_gateway(ground) as url, served(ground, supabase_url=url) as api:
        token = ground.sign(ground.users[Person.SUPER_ADMIN], iss=f"{url}/auth/v1")
        said = await api.ask("GET", "/api/groups", token=token, organization=ground.home.id)
    assert (said.status, said.code) == (500, "internal")


async def test_an_old_key_works_beside_the_new_one(api: Served, ground: Ground) -> None:
    for key in (FORMER_PROXY_KEY, PROXY_KEY):
        assert (await api.ask("GET", "/api/groups", key=key, token=ground.token(Person.ADMIN))).status == 200


async def test_who_is_in_several_organisations_has_to_choose(ground: Ground) -> None:
    user = ground.db.insert("auth.users", email=f"{uuid4()}@api.test")
    # As a CRM has it whose people belong to several organisations.
    adapter = ground.db.value("select pg_get_functiondef('herald.my_organizations()'::regprocedure)")
    ground.db.run(
        "create or replace function herald.my_organizations() returns setof uuid language sql stable"
        " security definer set search_path = '' as $$ select o.id from public.organizations as o $$"
    )
    try:
        async with served(ground) as api:
            token = ground.sign(user)
            which = await api.ask("GET", "/api/groups", token=token)
            here = await api.ask("GET", "/api/groups", token=token, organization=ground.home.id)
            there = await api.ask("GET", "/api/groups", token=token, organization=ground.away.id)
    finally:
        ground.db.connection.execute(adapter)
    assert (which.status, which.code) == (400, "organization-needed")
    assert ground.home.marks(here.content)
    assert not ground.away.marks(here.content)
    assert ground.away.marks(there.content)


async def test_the_operator_names_an_organisation_that_exists(ground: Ground, api: Served) -> None:
    unnamed = await api.ask("GET", "/api/groups")
    unknown = await api.ask("GET", "/api/groups", organization=uuid4())
    named = await api.ask("GET", "/api/groups", organization=ground.away.id)
    assert (unnamed.status, unnamed.code) == (400, "organization-needed")
    assert (unknown.status, unknown.code) == (403, "not-your-organization")
    assert ground.away.marks(named.content)


async def test_the_audit_tells_who_did_what_by_which_request(ground: Ground, api: Served) -> None:
    to = {"phone": "+491709876567"}
    asked: dict[str, dict[str, Any]] = {
        "by-the-admin-1": {"token": ground.token(Person.ADMIN)},
        "by-the-server-1": {"key": HOME_KEY},
        "by-the-operator-1": {"organization": ground.home.id},
    }
    for request_id, who in asked.items():
        said = await api.ask(
            "POST", "/api/send", json={"to": to, "text": "Hi"}, headers={"X-Request-Id": request_id}, **who
        )
        message = said.json["message"]["id"]
        path = f"/api/messages/{message}/cancel"
        await api.ask("POST", path, headers={"X-Request-Id": f"{request_id}-again"}, **who)
    rows = ground.db.rows(
        "select actor, actor_id, event_type, event_data, event_data ->> 'via' as via,"
        " event_data ->> 'request_id' as request_id from public.whatsapp_audit_logs"
        " where event_data ->> 'request_id' like 'by-the-%%' order by created_at"
    )
    assert [(row["actor"], row["actor_id"], row["event_type"], row["via"], row["request_id"]) for row in rows] == [
        ("authenticated", ground.users[Person.ADMIN], "message.queued", None, "by-the-admin-1"),
        ("authenticated", ground.users[Person.ADMIN], "message.cancelled", None, "by-the-admin-1-again"),
        ("service_role", None, "message.queued", "server", "by-the-server-1"),
        ("service_role", None, "message.cancelled", "server", "by-the-server-1-again"),
        ("service_role", None, "message.queued", "operator", "by-the-operator-1"),
        ("service_role", None, "message.cancelled", "operator", "by-the-operator-1-again"),
    ]
    assert all("709876567" not in json.dumps(row["event_data"]) for row in rows)


async def test_who_was_removed_sees_and_changes_nothing_although_a_worker_remembers_them(
    ground: Ground, api: Served
) -> None:
    user = ground.db.insert("auth.users", email=f"{uuid4()}@api.test")
    ground.db.insert("public.profiles", id=user, organization_id=ground.home.id, role="admin")
    token = ground.sign(user)
    message = ground.new_message(ground.home)
    seen = await api.ask("GET", f"/api/messages/{message}", token=token)
    ground.db.rows("delete from public.profiles where id = %s returning id", user)
    listed = await api.ask("GET", "/api/messages", token=token)
    one = await api.ask("GET", f"/api/messages/{message}", token=token)
    cancelled = await api.ask("POST", f"/api/messages/{message}/cancel", token=token)
    sent = await api.ask("POST", "/api/send", token=token, json={"to": {"phone": "+491709990072"}, "text": "Hi"})
    assert seen.status == 200
    assert (listed.status, listed.json["messages"]) == (200, []), "it is remembered, and sees no rows"
    assert (one.status, cancelled.status, sent.status) == (404, 404, 403)


async def test_a_project_that_signs_with_a_legacy_key_is_told_so_and_not_its_people(key_set: KeySet) -> None:
    legacy = key_set.token("legacy", "x" * 32, "HS256")
    with pytest.raises(Problem) as caught:
        await Tokens(key_set.url).verify(legacy)
    assert "signs with a legacy key" in caught.value.detail
    key_set.add("new", ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(Problem) as caught:
        await Tokens(key_set.url).verify(legacy)
    assert "not one of this project's" in caught.value.detail
