"""What routes answer when all is right."""

from uuid import uuid4

import pytest

from tests.kit.served_api import HOME_KEY, Ground, Person, Served


@pytest.fixture
def admin(ground: Ground) -> str:
    """The home organisation's admin's token."""
    return ground.token(Person.ADMIN)


async def test_groups_come_by_pages_without_gaps(ground: Ground, api: Served, admin: str) -> None:
    for number in range(5):
        ground.db.insert(
            "public.whatsapp_groups",
            organization_id=ground.home.id,
            session_id=ground.home.session,
            group_jid=f"999{number:05d}@g.us",
        )
    whole = await api.ask("GET", "/api/groups", token=admin)
    assert whole.status == 200, whole.json
    expected = [group["id"] for group in whole.json["groups"]]
    seen, cursor = [], ""
    while True:
        page = await api.ask("GET", f"/api/groups?limit=2{cursor}", token=admin)
        seen += [group["id"] for group in page.json["groups"]]
        if page.json["next"] is None:
            break
        cursor = f"&cursor={page.json['next']}"
    assert seen == expected
    assert len(seen) >= 6


async def test_a_send_becomes_a_row_of_the_queue_under_the_user(ground: Ground, api: Served, admin: str) -> None:
    said = await api.ask(
        "POST", "/api/send", token=admin, json={"to": {"phone": "+49 170 765-4321"}, "text": "Hello there"}
    )
    assert said.status == 201, said.json
    row = ground.message(said.json["message"]["id"])
    assert (row["recipient_phone"], row["message_content"]) == ("+491707654321", "Hello there")
    assert (row["sent_by"], row["organization_id"]) == (ground.users[Person.ADMIN], ground.home.id)
    assert said.headers["Location"] == f"/api/messages/{row['id']}"
    assert api.woken


async def test_the_same_key_queues_once(ground: Ground, api: Served) -> None:
    body = {"to": {"group": str(ground.home.group)}, "text": "Once"}
    headers = {"Idempotency-Key": f"order-{uuid4()}"}
    first = await api.ask("POST", "/api/send", key=HOME_KEY, json=body, headers=headers)
    again = await api.ask("POST", "/api/send", key=HOME_KEY, json=body, headers=headers)
    assert (first.status, again.status) == (201, 200), again.json
    assert again.json["replayed"]
    assert first.json["message"]["id"] == again.json["message"]["id"]
    other = await api.ask("POST", "/api/send", key=HOME_KEY, json=body | {"text": "Twice"}, headers=headers)
    assert (other.status, other.code) == (409, "idempotency-key-reused")


async def test_a_message_tells_why_it_waits(ground: Ground, api: Served, admin: str) -> None:
    said = await api.ask("GET", f"/api/messages/{ground.home.message}", token=admin)
    assert said.status == 200, said.json
    assert [reason["rule"] for reason in said.json["why_not_sent"]] == ["account-off"]


async def test_health_and_docs_need_no_key(api: Served) -> None:
    for path, content_type in {
        "/health": "application/json; charset=utf-8",
        "/openapi.json": "application/json; charset=utf-8",
        "/docs": "text/html; charset=utf-8",
    }.items():
        said = await api.ask("GET", path, key=None)
        assert (said.status, said.headers["Content-Type"]) == (200, content_type), path
