"""proxy-whatsapp-vps through the gateway, with real sessions of real users."""

from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from localstack.client import Stack
from tests.functions.conftest import ORIGIN
from tests.kit.crm import PEOPLE, Crm
from tests.kit.vps import KEY, Vps
from tests.kit.worker_process import until
from worker.api.app import ROUTES
from worker.api.http.routing import Access

PROXY = "proxy-whatsapp-vps"
SEND = {"to": {"phone": "+491709876567"}, "text": "hello"}
#: What a page's preflight asks for; the last three by newer or differently set up clients.
SENT_BY_SUPABASE_JS = (
    "authorization",
    "apikey",
    "content-type",
    "x-client-info",
    "x-region",
    "x-retry-count",
    "x-supabase-api-version",
)
EXAMPLES = {"jid": "120363000000000001@g.us", "id": "0b5a"}
#: Every call that a person may make, by who may make it at least.
MEMBER_ROUTES, ADMIN_ROUTES = (
    [(route.method, route.path.format(**EXAMPLES)) for route in ROUTES if route.access is access]
    for access in (Access.MEMBER, Access.ADMIN)
)


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Its status and code, after a look that it is a whole problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    said = answer.json()
    assert said["status"] == answer.status_code
    assert said["detail"]
    assert said["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, said["code"]


async def test_an_admins_call_reaches_the_worker_with_the_key_and_the_users_own_token(crm: Crm, vps: Vps) -> None:
    home = crm.organizations["home"]
    answer = await crm.call(
        f"{PROXY}/api/send?wait=5&x=a%20b",
        "admin",
        "POST",
        json=SEND,
        headers={"X-Org-Id": home, "Idempotency-Key": "k1"},
    )
    assert (answer.status_code, answer.json()) == (200, {"answered": "/api/send"})
    (heard,) = vps.heard
    assert (heard.method, heard.path) == ("POST", "/api/send?wait=5&x=a%20b")
    assert heard.headers["x-api-key"] == KEY
    assert heard.headers["authorization"] == f"Bearer {crm.tokens['admin']}"
    assert (heard.headers["x-org-id"], heard.headers["idempotency-key"]) == (home, "k1")
    assert heard.headers["x-request-id"] == answer.headers["x-request-id"]


async def test_what_else_the_client_sends_stays_behind(crm: Crm, vps: Vps) -> None:
    hostile = {
        "X-API-Key": "mine",
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Host": "evil.example",
        "X-Real-IP": "10.0.0.1",
        "Forwarded": "for=10.0.0.1",
        "X-Request-Id": "chosen",
        "X-HTTP-Method-Override": "DELETE",
        "Cookie": "a=b",
        "TE": "trailers",
        "Connection": "close, x-org-id",
        "X-Whatever": "1",
    }
    assert (await crm.call(f"{PROXY}/api/groups", "member", headers=hostile)).status_code == 200
    (heard,) = vps.heard
    assert heard.headers["x-api-key"] == KEY
    assert heard.headers["x-request-id"] != "chosen"
    told = {"accept", "authorization", "x-api-key", "x-request-id", "host", "user-agent", "accept-language"}
    assert set(heard.headers) - told <= {"accept-encoding"}


@pytest.mark.parametrize("name", PEOPLE)
async def test_each_role_has_its_routes(crm: Crm, vps: Vps, name: str) -> None:
    """Every role × route, in the caller's own organisation, in the other one, and without naming one."""
    organization, role = PEOPLE[name]
    wrong = []
    for place in ("home", "away", None):
        for method, path in MEMBER_ROUTES + ADMIN_ROUTES:
            vps.heard.clear()
            headers = {"X-Org-Id": crm.organizations[place]} if place else {}
            body: dict[str, Any] = {} if method == "GET" else {"json": {}}
            answer = await crm.call(f"{PROXY}{path}", name, method, headers=headers, **body)
            own = organization is not None and place in (organization, None)
            may = role == "super_admin" or (own and ((method, path) in MEMBER_ROUTES or role != "member"))
            if may and (answer.status_code, len(vps.heard)) != (200, 1):
                wrong.append(f"{method} {path} in {place}: {answer.status_code} {answer.text}")
            if not may and (answer.status_code, len(vps.heard)) != (403, 0):
                wrong.append(f"{method} {path} in {place}: {answer.status_code}, {len(vps.heard)} went on")
    assert not wrong, "\n".join(wrong)


async def test_a_token_that_is_not_a_signed_in_persons_is_refused(stack: Stack, crm: Crm, vps: Vps) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    claims = {"sub": crm.users["admin"], "role": "authenticated", "aud": "authenticated", "exp": 2**40}
    missing = {
        "none": {},
        "no JWT": {"Authorization": "Bearer nonsense"},
        "the API key": {"Authorization": f"Bearer {stack.publishable_key}"},
        "no signature": {"Authorization": f"Bearer {jwt.encode(claims, '', algorithm='none')}"},
    }
    invalid = {
        "another audience": {"Authorization": f"Bearer {crm.token('admin', aud='elsewhere')}"},
        "another issuer": {"Authorization": f"Bearer {crm.token('admin', iss='https://evil.example/auth/v1')}"},
        "a stranger's signature": {"Authorization": f"Bearer {jwt.encode(claims, stranger, algorithm='ES256')}"},
        "not a person's": {"Authorization": f"Bearer {crm.token('admin', role='service_role')}"},
        "a changed body": {"Authorization": f"Bearer {_changed(crm.tokens['member'], crm.users['admin'])}"},
    }
    expired = {"expired": {"Authorization": f"Bearer {crm.token('admin', exp=1)}"}}
    for code, tokens in (("token-missing", missing), ("token-invalid", invalid), ("token-expired", expired)):
        for what, headers in tokens.items():
            answer = await crm.call(f"{PROXY}/api/groups", headers=headers)
            assert (what, *problem(answer)) == (what, 401, code)
    assert vps.heard == []


def _changed(token: str, user: str) -> str:
    """The token with another user in it, under the same signature."""
    head, body, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False}) | {"sub": user}
    forged = jwt.encode(claims, "x" * 32, algorithm="HS256").split(".")[1]
    assert forged != body
    return f"{head}.{forged}.{signature}"


async def test_an_api_key_is_not_needed_beside_a_token(crm: Crm, vps: Vps) -> None:
    async with httpx.AsyncClient(base_url=crm.stack.url, trust_env=False) as http:
        answer = await http.get(f"/functions/v1/{PROXY}/api/groups", headers=crm.bearer("member"))
    assert (answer.status_code, len(vps.heard)) == (200, 1)


@pytest.mark.parametrize(
    "path",
    [
        "/api/queue/drain",
        "/api/contacts",
        "/metrics",
        "/health",
        "/openapi.json",
        "/docs",
        "/api",
        "/api/groups/",
        "//api/groups",
        "/api/groups/..%2f..%2fmetrics",
        "/api/groups/%2e%2e/queue/drain",
        "/api/groups/a%2finvite",
        "/api/groups/%zz",
        "/api/messages/a%0d%0ab",
        "/api/groups;x=/api/queue/drain",
    ],
)
async def test_only_listed_paths_go_on(crm: Crm, vps: Vps, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await crm.call(f"{PROXY}{path}", "super admin", method)
        assert (answer.status_code, vps.heard) == (404, []), method


async def test_only_listed_methods_go_on(crm: Crm, vps: Vps) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD", "TRACE"):
        answer = await crm.call(f"{PROXY}/api/send", "admin", method)
        assert answer.status_code == 405, method
        assert answer.headers["allow"] == "POST"
    assert vps.heard == []


async def test_bodies_are_json_and_bounded(crm: Crm, vps: Vps) -> None:
    async def send(content: bytes, kind: str = "application/json") -> tuple[int, str]:
        headers = {"Content-Type": kind}
        return problem(await crm.call(f"{PROXY}/api/send", "admin", "POST", content=content, headers=headers))

    assert await send(b'"' + b"x" * 2**20 + b'"') == (413, "too-large")
    assert await send(b'{"half": ') == (400, "bad-json")
    assert await send(b'"\xff"') == (400, "bad-json")
    assert await send(b"a=b", "application/x-www-form-urlencoded") == (415, "wrong-content-type")
    assert vps.heard == []


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("slowly", (504, "vps-timeout")),
        ("with a page", (502, "vps-bad-answer")),
        ("with a gateway's error", (502, "vps-unreachable")),
        ("with broken JSON", (502, "vps-bad-answer")),
        ("with a redirect", (502, "vps-bad-answer")),
        ("with the key", (502, "vps-bad-answer")),
        ("with too much", (502, "vps-bad-answer")),
        ("cut off", (502, "vps-unreachable")),
        ("by hanging up", (502, "vps-unreachable")),
    ],
)
async def test_a_server_that_misbehaves_is_told_plainly(
    crm: Crm, vps: Vps, behaviour: str, expected: tuple[int, str]
) -> None:
    vps.behaves = behaviour
    answer = await crm.call(f"{PROXY}/api/send", "admin", "POST", json=SEND, headers={"Origin": ORIGIN})
    assert problem(answer) == expected
    assert len(vps.heard) == 1  # what may have been done is not asked for again
    assert answer.json()["hint"]
    assert answer.headers["access-control-allow-origin"] == ORIGIN  # so that the CRM can read it
    _leaks_nothing(answer, vps)


def _leaks_nothing(answer: httpx.Response, vps: Vps) -> None:
    said = f"{answer.headers.raw!r} {answer.text}"
    for secret in (KEY, vps.url, vps.url.rpartition(":")[2]):
        assert secret not in said


async def test_a_problem_of_the_worker_is_handed_back_without_its_headers(crm: Crm, vps: Vps) -> None:
    vps.behaves = "with a problem"
    answer = await crm.call(f"{PROXY}/api/groups", "member")
    assert (answer.status_code, answer.json()["code"]) == (429, "too-many")
    assert answer.headers["retry-after"] == "7"
    assert not {"location", "set-cookie"} & set(answer.headers)
    assert "secret-name" not in str(answer.headers)
    _leaks_nothing(answer, vps)


async def test_a_page_of_the_crm_may_call_and_another_may_not(crm: Crm, vps: Vps) -> None:
    preflight = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ",".join(SENT_BY_SUPABASE_JS),
    }
    asked = await crm.call(f"{PROXY}/api/send", method="OPTIONS", headers={"Origin": ORIGIN, **preflight})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, ORIGIN)
    assert {*SENT_BY_SUPABASE_JS, "x-org-id"} <= {*asked.headers["access-control-allow-headers"].split(", ")}
    assert "POST" in asked.headers["access-control-allow-methods"]
    got = await crm.call(f"{PROXY}/api/groups", "member", headers={"Origin": ORIGIN})
    assert (got.status_code, got.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert "origin" in got.headers["vary"].lower()
    vps.heard.clear()
    for origin in ("https://evil.example", "null", f"{ORIGIN}.evil.example", "http://crm.example"):
        for method in ("OPTIONS", "GET"):
            answer = await crm.call(f"{PROXY}/api/groups", "member", method, headers={"Origin": origin})
            assert problem(answer) == (403, "origin-not-allowed")
            assert "access-control-allow-origin" not in answer.headers
    assert vps.heard == []


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        ({}, (503, "not-configured")),
        ({"VPS_URL": "VPS"}, (503, "not-configured")),
        ({"VPS_URL": "http://vps.example", "VPS_API_KEY": KEY}, (503, "not-configured")),
        ({"VPS_URL": "https://user:pass@vps.example", "VPS_API_KEY": KEY}, (503, "not-configured")),
        ({"VPS_URL": "VPS", "VPS_API_KEY": "not the worker's"}, (502, "vps-refused-key")),
        ({"VPS_URL": "http://127.0.0.1:9", "VPS_API_KEY": KEY}, (502, "vps-unreachable")),
    ],
)
async def test_what_the_operator_forgot_is_not_the_users_fault(
    stack: Stack, crm: Crm, vps: Vps, secrets: dict[str, str], expected: tuple[int, str]
) -> None:
    kept = (stack.directory / "functions.env").read_text()
    stack.set_function_secrets(**{name: value.replace("VPS", vps.url) for name, value in secrets.items()})
    try:
        answer = await crm.call(f"{PROXY}/api/groups", "member")
    finally:
        (stack.directory / "functions.env").write_text(kept)
    assert problem(answer) == expected
    for secret in (KEY, vps.url, "not the worker's", "vps.example"):
        assert secret not in answer.text


async def test_the_functions_log_holds_no_secret_and_no_body(stack: Stack, crm: Crm, vps: Vps) -> None:
    vps.behaves = "with broken JSON"
    failed = await crm.call(f"{PROXY}/api/send", "admin", "POST", json=SEND)
    log, request = stack.directory / "logs/functions.log", failed.headers["x-request-id"]

    async def written() -> str | None:
        return told if request in (told := log.read_text()) else None

    logged = await until(written, 10, "the failure in the log")
    for secret in (KEY, vps.url, SEND["text"], "+491709876567", crm.tokens["admin"], stack.secret_key):
        assert str(secret) not in logged
