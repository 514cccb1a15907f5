"""The fallback from the Vault to the worker's door: pg_cron, pg_net, the function through the gateway, alerts."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest

from localstack.client import Stack
from tests.kit.crm import Crm
from tests.kit.vps import KEY, Vps

Db = psycopg.AsyncConnection[dict[str, Any]]
DEADLINE = 20.0  #: seconds
SECRET = secrets.token_hex(32)
ALERTS = (
    "select details ->> 'reason' as reason, resolved_at is null as open, raised_count from public.whatsapp_alerts"
)


@pytest.fixture
async def db(crm: Crm) -> AsyncIterator[Db]:
    async with await crm.database() as db:
        yield db


@pytest.fixture(autouse=True)
async def scheduled(stack: Stack, db: Db, vps: Vps) -> AsyncIterator[None]:
    """The jobs are there, at a time that doesn't come: the tests run them."""
    stack.set_function_secrets(VPS_URL=vps.url, VPS_API_KEY=KEY, VPS_TIMEOUT_SECONDS="1", CRON_SECRET=SECRET)
    for name, value in (("herald_functions_url", f"{stack.url}/functions/v1"), ("herald_cron_secret", SECRET)):
        await db.execute("delete from vault.secrets where name = %s", [name])
        await db.execute("select vault.create_secret(%s, %s)", [value, name])
    await db.execute("select herald.schedule_fallback()")
    await db.execute(
        "select cron.alter_job(jobid, schedule => '0 0 29 2 *') from cron.job where jobname like 'herald-%'"
    )
    yield
    await db.execute("select herald.unschedule_fallback()")
    await db.execute("delete from public.whatsapp_alerts")
    await db.execute("update herald.fallback set asked_at = null")


@pytest.fixture
async def overdue(crm: Crm, db: Db) -> AsyncIterator[str]:
    """A message that has been due for a minute on an account that no worker serves; its account."""
    made = await db.execute(
        "insert into public.whatsapp_sessions (organization_id, desired_state)"
        " values (%s, 'connected') returning id::text",
        [crm.organizations["home"]],
    )
    session = str((await made.fetchone() or {})["id"])
    await db.execute(
        "insert into public.scheduled_whatsapp_messages"
        " (organization_id, session_id, recipient_phone, message_content, scheduled_for)"
        " values (%s, %s, '+491709876567', 'hello', now() - interval '1 minute')",
        [crm.organizations["home"], session],
    )
    yield session
    await db.execute("delete from public.scheduled_whatsapp_messages where session_id = %s", [session])
    await db.execute("delete from public.whatsapp_sessions where id = %s", [session])


async def run(stack: Stack, job: str) -> dict[str, Any]:
    """Run a job now; its details."""
    async with httpx.AsyncClient(
        base_url=stack.url, headers={"apikey": stack.secret_key}, trust_env=False
    ) as http:
        answer = await http.post("/localstack/cron", json={"run": job}, timeout=DEADLINE)
    details: dict[str, Any] = answer.raise_for_status().json()
    assert details["status"] == "succeeded", details["return_message"]
    return details


async def tick(stack: Stack, db: Db) -> int | None:
    """A minute passes: the job runs, and the function it calls answers; with what status, None if not called."""
    before = await one(db, "select request_id as value from herald.fallback")
    await run(stack, "herald-fallback")
    request = await one(db, "select request_id as value from herald.fallback")
    if request == before:
        return None
    async with asyncio.timeout(DEADLINE):
        while True:
            found = await (
                await db.execute("select status_code from net._http_response where id = %s", [request])
            ).fetchone()
            if found:
                return int(found["status_code"])
            await asyncio.sleep(0.02)


async def one(db: Db, query: str) -> Any:
    row = await (await db.execute(query.encode())).fetchone()
    return row["value"] if row else None


async def alerts(db: Db) -> list[tuple[str, bool, int]]:
    return [tuple(row.values()) for row in await (await db.execute(ALERTS.encode())).fetchall()]


@pytest.mark.usefixtures("overdue")
async def test_a_worker_is_woken_with_the_operators_key(stack: Stack, db: Db, vps: Vps) -> None:
    assert await tick(stack, db) == 200
    (heard,) = vps.heard
    assert (heard.method, heard.path, heard.headers["x-api-key"]) == ("POST", "/api/queue/drain", KEY)
    assert "authorization" not in heard.headers
    assert await alerts(db) == []


async def test_nobody_is_called_while_nothing_is_overdue(stack: Stack, db: Db, vps: Vps) -> None:
    assert await tick(stack, db) is None
    assert vps.heard == []


@pytest.mark.parametrize(
    ("behaviour", "status", "reason"),
    [
        ("slowly", 504, "vps-timeout"),
        ("with a page", 502, "vps-bad-answer"),
        ("with a gateway's error", 502, "vps-unreachable"),
    ],
)
async def test_a_worker_that_is_not_woken_is_an_alert_once_until_the_queue_moves(
    stack: Stack, db: Db, vps: Vps, overdue: str, behaviour: str, status: int, reason: str
) -> None:
    vps.behaves = behaviour
    for _ in range(3):
        assert await tick(stack, db) == status
    assert await alerts(db) == [(reason, True, 1)]
    vps.behaves = "well"
    await db.execute(
        "update public.scheduled_whatsapp_messages set status = 'cancelled' where session_id = %s", [overdue]
    )
    assert await tick(stack, db) is None
    assert await alerts(db) == [(reason, False, 1)]


@pytest.mark.usefixtures("overdue")
async def test_a_secret_that_is_not_the_functions_is_an_alert(stack: Stack, db: Db, vps: Vps) -> None:
    stack.set_function_secrets(VPS_URL=vps.url, VPS_API_KEY=KEY, CRON_SECRET="x" * 40)
    assert await tick(stack, db) == 401
    assert await tick(stack, db) == 401
    assert await alerts(db) == [("function-refused", True, 1)]
    assert vps.heard == []


@pytest.mark.usefixtures("overdue")
async def test_a_function_that_is_not_there_is_an_alert(stack: Stack, db: Db) -> None:
    await db.execute(
        "select vault.update_secret(id, %s) from vault.secrets where name = 'herald_functions_url'",
        [f"{stack.url}/functions/v1/elsewhere"],
    )
    assert await tick(stack, db) == 404
    assert await tick(stack, db) == 404
    assert await alerts(db) == [("function-missing", True, 1)]


async def test_the_other_jobs_run_as_they_are_scheduled(stack: Stack) -> None:
    for job in ("herald-housekeeping", "herald-session-cleanup"):
        assert (await run(stack, job))["return_message"] == "1 row"


async def test_a_scheduler_from_outside_cleans_up_by_the_function(stack: Stack, crm: Crm) -> None:
    cleaned = await crm.call("session-cleanup", method="POST", headers={"X-Cron-Secret": SECRET})
    assert cleaned.status_code == 200
    assert cleaned.json()["sessions"].keys() == {"stale_qr", "not_served", "workers", "job_runs"}
    assert cleaned.json()["housekeeping"]["errors"] == {}
    refused = await crm.call("session-cleanup", "super admin", method="POST")
    assert (refused.status_code, refused.json()["code"]) == (401, "cron-secret-wrong")
    for secret in (SECRET, stack.secret_key):
        assert secret not in refused.text
