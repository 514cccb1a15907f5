"""Edge functions on the local stack, as the hosted platform serves them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from localstack.client import LocalStack, Stack

ECHO = """
export default { fetch: async (request: Request) => Response.json({
  path: new URL(request.url).pathname, method: request.method, body: await request.text(),
  env: Object.keys(Deno.env.toObject()).filter((name) => name.startsWith("SUPABASE_")).sort(),
  secret: Deno.env.get("A_SECRET"), mine: Deno.env.get("SUPABASE_URL"),
}, { headers: { "X-Own": "yes" } }) };
"""

CONFIG = """
[functions.open]
verify_jwt = false
[functions.broken]
verify_jwt = false
"""

Write = Callable[[str, str], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project") / "supabase/functions"
    folder.mkdir(parents=True)
    (folder.parent / "config.toml").write_text(CONFIG)
    for name in ("open", "closed", "_shared"):
        (folder / name).mkdir()
        (folder / name / "index.ts").write_text(ECHO)
    return folder


@pytest.fixture(scope="module")
def write(folder: Path) -> Write:
    def write(name: str, source: str) -> None:
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "index.ts").write_text(source)

    return write


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("stack"), migrate=False, functions=folder) as stack:
        yield stack


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{stack.url}/functions/v1", timeout=60, trust_env=False) as client:
        yield client


def test_a_function_sees_the_request_and_the_platforms_secrets(stack: Stack, http: httpx.Client) -> None:
    answer = http.put("/open/a%20b/c?d=e", content=b"body")
    assert (answer.status_code, answer.headers["x-own"]) == (200, "yes")
    assert "access-control-allow-origin" not in answer.headers  # hosted too, CORS is the function's own
    assert answer.json() == {
        "path": "/open/a%20b/c",
        "method": "PUT",
        "body": "body",
        "env": ["DB_URL", "JWKS", "PUBLISHABLE_KEYS", "SECRET_KEYS", "URL"],
        "mine": stack.url,
    } | {"env": [f"SUPABASE_{name}" for name in ("DB_URL", "JWKS", "PUBLISHABLE_KEYS", "SECRET_KEYS", "URL")]}


@pytest.mark.parametrize(
    ("path", "bearer", "status", "message"),
    [
        ("/closed", None, 401, "Missing authorization header"),
        ("/closed", "PUBLISHABLE", 401, "Invalid Token or Protected Header formatting"),
        ("/closed", "EXPIRED", 401, "Invalid JWT"),
        ("/closed", "USER", 200, None),
        ("/open", None, 200, None),
        ("/nowhere", None, 404, "Requested function was not found"),
        ("/_shared", None, 404, "Requested function was not found"),
        ("/..%2fopen", None, 404, "Requested function was not found"),
    ],
)
def test_the_platforms_gate(
    stack: Stack, http: httpx.Client, path: str, bearer: str | None, status: int, message: str | None
) -> None:
    user = {"sub": "00000000-0000-0000-0000-000000000001", "role": "authenticated"}
    tokens = {
        "PUBLISHABLE": stack.publishable_key,
        "USER": stack.sign({**user, "exp": int(time.time()) + 60}),
        "EXPIRED": stack.sign({**user, "exp": 1}),
    }
    answer = http.get(path, headers={"Authorization": f"Bearer {tokens[bearer]}"} if bearer else {})
    assert (answer.status_code, answer.json().get("message")) == (status, message)
    if message:
        assert answer.headers["access-control-allow-origin"] == "*"  # so that a page can read the refusal


def test_a_preflight_reaches_a_function_that_wants_a_jwt(http: httpx.Client) -> None:
    assert http.options("/closed").json()["method"] == "OPTIONS"


def test_secrets_and_source_count_from_the_next_request_on(stack: Stack, http: httpx.Client, write: Write) -> None:
    stack.set_function_secrets(A_SECRET="first", SUPABASE_URL="http://reserved.example")
    assert http.get("/open").json()["secret"] == "first"
    assert http.get("/open").json()["mine"] == stack.url
    stack.set_function_secrets(A_SECRET="second")
    assert http.get("/open").json()["secret"] == "second"
    write("open", ECHO.replace("path:", "renamed:"))
    assert "renamed" in http.get("/open").json()


def test_a_function_that_does_not_start_or_dies_is_told_and_logged(
    stack: Stack, http: httpx.Client, write: Write
) -> None:
    write("broken", "throw new Error('a mistake in the source');")
    answer = http.get("/broken")
    assert (answer.status_code, answer.json()["code"]) == (503, "BOOT_ERROR")
    assert "a mistake in the source" in (stack.directory / "logs/functions.log").read_text()
    write("broken", "export default { fetch: () => Deno.exit(3) };")
    assert (http.get("/broken").status_code, http.get("/broken").json()["code"]) == (502, "WORKER_ERROR")
    write("broken", ECHO)
    assert http.get("/broken").status_code == 200
