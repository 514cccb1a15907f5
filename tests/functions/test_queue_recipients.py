"""queue-whatsapp through the gateway, with real sessions of real users."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from localstack.client import Stack
from tests.functions.conftest import ORIGIN
from tests.functions.test_proxy import problem
from tests.kit.crm import Crm
from tests.kit.vps import Vps

FUNCTION = "queue-whatsapp"
HINA, OMAR = "+491701111111", "+491702222222"
Db = psycopg.AsyncConnection[dict[str, Any]]


@pytest.fixture
async def db(crm: Crm) -> AsyncIterator[Db]:
    async with await crm.database() as db:
        yield db


@pytest.fixture
async def event(crm: Crm, db: Db) -> str:
    """An event of the organisation "home", which has an account."""
    await db.execute(
        "insert into public.whatsapp_sessions (organization_id, desired_state) values (%s, 'disconnected')",
        [crm.organizations["home"]],
    )
    made = await db.execute(
        "insert into public.workshops (organization_id, title, starts_at)"
        " values (%s, 'Glazing', now() + interval '2 days') returning id::text",
        [crm.organizations["home"]],
    )
    return str((await made.fetchone() or {})["id"])


async def ask(crm: Crm, name: str | None, body: object, **headers: str) -> httpx.Response:
    return await crm.call(FUNCTION, name, "POST", json=body, headers=headers)


def body(event: str, **more: object) -> dict[str, object]:
    return {"eventId": event, "recipients": [HINA, OMAR], "templateName": "we_are_live"} | more


async def rows(db: Db, event: str) -> list[dict[str, Any]]:
    found = await db.execute(
        "select recipient_phone, sent_by::text, scheduled_for from public.scheduled_whatsapp_messages"
        " where workshop_id = %s order by recipient_phone",
        [event],
    )
    return await found.fetchall()


async def test_an_admin_queues_and_asks_again_without_harm(crm: Crm, db: Db, event: str, vps: Vps) -> None:
    asked = body(event, scheduledFor="2027-01-31T18:00:00+01:00", variables={"link": "https://x.example"})
    first = await ask(crm, "admin", asked, Origin=ORIGIN)
    assert first.status_code == 200, first.text
    assert first.headers["access-control-allow-origin"] == ORIGIN
    assert [first.json()[name] for name in ("queued", "already_queued", "failed")] == [2, 0, 0]
    again = (await ask(crm, "admin", asked)).json()
    assert [again[name] for name in ("queued", "already_queued", "failed")] == [0, 2, 0]
    assert [result["message_id"] for result in again["results"]] == [
        result["message_id"] for result in first.json()["results"]
    ]
    queued = await rows(db, event)
    assert [(row["recipient_phone"], row["sent_by"]) for row in queued] == [
        (HINA, crm.users["admin"]),
        (OMAR, crm.users["admin"]),
    ]
    assert queued[0]["scheduled_for"].isoformat() == "2027-01-31T17:00:00+00:00"
    assert vps.heard == []  # the worker need not be there


async def test_the_call_is_in_the_audit_under_its_request_id(crm: Crm, db: Db, event: str) -> None:
    answer = await ask(crm, "owner", body(event))
    found = await db.execute(
        "select actor_id::text, event_data ->> 'count' as many from public.whatsapp_audit_logs"
        " where event_data ->> 'request_id' = %s",
        [answer.headers["x-request-id"]],
    )
    assert await found.fetchall() == [{"actor_id": crm.users["owner"], "many": "2"}]


async def test_what_became_of_each_recipient_is_told(crm: Crm, event: str) -> None:
    named = [HINA, "0170 11", {"phone": HINA}, {"contactId": str(uuid4())}]
    answer = (await ask(crm, "admin", body(event, recipients=named))).json()
    assert [result["status"] for result in answer["results"]] == ["queued", "failed", "duplicate", "failed"]
    assert [result.get("code") for result in answer["results"]] == [None, "invalid-phone", None, "unknown-contact"]


async def test_under_a_key_a_person_gets_one_message(crm: Crm, db: Db, event: str) -> None:
    for variables in ({"link": "a"}, {"link": "b"}):
        await ask(crm, "admin", body(event, variables=variables), **{"Idempotency-Key": "press-1"})
    assert len(await rows(db, event)) == 2


async def test_only_admins_of_the_events_organisation_queue(crm: Crm, db: Db, event: str) -> None:
    for name in ("member", "other admin", "newcomer"):
        assert problem(await ask(crm, name, body(event))) == (403, "not-allowed"), name
    assert problem(await ask(crm, "admin", body(str(uuid4())))) == (403, "not-allowed")
    assert (await ask(crm, None, body(event))).status_code == 401
    expired = {"Authorization": f"Bearer {crm.token('admin', exp=1)}"}
    assert (await ask(crm, None, body(event), **expired)).status_code == 401
    service = {"Authorization": f"Bearer {crm.token('admin', role='service_role')}"}
    assert problem(await ask(crm, None, body(event), **service)) == (401, "token-invalid")
    assert await rows(db, event) == []


@pytest.mark.parametrize(
    "change",
    [
        {"eventId": "1 or true"},
        {"eventId": None},
        {"recipients": HINA},
        {"recipients": []},
        {"recipients": [HINA] * 501},
        {"templateName": ""},
        {"templateName": "nothing"},
        {"templateName": 7},
        {"variables": [1]},
        {"scheduledFor": "2027-01-31"},
        {"scheduledFor": "2027-01-31T18:00:00"},
        {"scheduledFor": "2027-13-31T18:00:00Z"},
        {"scheduledFor": "2020-01-31T18:00:00Z"},
        {"scheduledFor": 7},
        {"organizationId": "x"},
    ],
)
async def test_a_call_that_makes_no_sense_is_told_so(crm: Crm, db: Db, event: str, change: dict[str, Any]) -> None:
    answer = await ask(crm, "admin", body(event) | change)
    assert problem(answer) == (422, "invalid-request")
    assert await rows(db, event) == []


async def test_a_body_that_is_no_object_or_too_large_is_refused(stack: Stack, crm: Crm, event: str) -> None:
    assert problem(await ask(crm, "admin", [body(event)])) == (422, "invalid-request")
    assert problem(await ask(crm, "admin", body(event), **{"Idempotency-Key": "a b"})) == (422, "invalid-request")
    large = body(event, variables={"link": "x" * 2**20})
    assert problem(await ask(crm, "admin", large)) == (413, "too-large")
    got = await crm.call(FUNCTION, "admin")
    assert (problem(got), got.headers["allow"]) == ((405, "method-not-allowed"), "POST")
    logged = (stack.directory / "logs/functions.log").read_text()
    for private in (HINA, OMAR, crm.tokens["admin"]):
        assert private not in logged
