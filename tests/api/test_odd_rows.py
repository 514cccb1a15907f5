"""Lists of rows that nobody would write today: times that no client can read, and more bytes than an answer has."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from tests.kit.served_api import Ground, Person, Served

RULES = ("message_scheduled_for_is_a_date", "message_expires_at_is_a_date", "message_expires_after_its_time")


@pytest.fixture
def old_queue(ground: Ground) -> Iterator[Ground]:
    """A queue as it was before these rules."""
    table = "public.scheduled_whatsapp_messages"
    db = ground.db.connection
    written = {
        rule: db.execute("select pg_get_constraintdef(oid) as text from pg_constraint where conname = %s", [rule])
        for rule in RULES
    }
    texts = {rule: row["text"] for rule, found in written.items() if (row := found.fetchone())}
    for rule in RULES:
        db.execute(f"alter table {table} drop constraint {rule}")
    yield ground
    db.execute("delete from public.scheduled_whatsapp_messages where not isfinite(scheduled_for)")
    for rule, text in texts.items():
        db.execute(f"alter table {table} add constraint {rule} {text} not valid")


async def test_a_list_and_a_message_are_shown_with_times_that_no_client_can_read(
    old_queue: Ground, api: Served
) -> None:
    made: dict[str, UUID] = {}
    for moment in ("infinity", "-infinity"):
        made[moment] = old_queue.db.insert(
            "public.scheduled_whatsapp_messages",
            organization_id=old_queue.home.id,
            session_id=old_queue.home.session,
            recipient_phone="+491701234567",
            message_content="Some day",
            scheduled_for=moment,
            expires_at=moment,
        )
    token = old_queue.token(Person.ADMIN)
    listed = await api.ask("GET", "/api/messages?limit=500", token=token)
    assert listed.status == 200, listed.json
    shown = {message["id"]: message["scheduled_for"] for message in listed.json["messages"]}
    assert shown[str(made["infinity"])].startswith("9999-12-30")
    assert shown[str(made["-infinity"])].startswith("0001-01-02")
    first = await api.ask("GET", "/api/messages?limit=1", token=token)
    assert first.json["messages"][0]["id"] == str(made["infinity"])
    second = await api.ask("GET", f"/api/messages?limit=1&cursor={first.json['next']}", token=token)
    assert second.status == 200, second.json
    assert second.json["messages"][0]["id"] != str(made["infinity"])
    for message in made.values():
        one = await api.ask("GET", f"/api/messages/{message}", token=token)
        assert (one.status, bool(one.json["why_not_sent"])) == (200, True), one.json


@pytest.mark.full
async def test_a_page_of_very_large_messages_is_shorter_and_the_next_goes_on(ground: Ground, api: Served) -> None:
    ground.db.run(
        "insert into public.scheduled_whatsapp_messages"
        " (organization_id, session_id, recipient_phone, message_content, media_kind, media_url, status)"
        " select %s, %s, '+491701234567', 'Large', 'image', 'data:,' || repeat('A', 1000000), 'cancelled'"
        " from generate_series(1, 80)",
        ground.home.id,
        ground.home.session,
    )
    token, seen, cursor, pages = ground.token(Person.ADMIN), [], "", 0
    while True:
        page = await api.ask("GET", f"/api/messages?limit=100{cursor}", token=token)
        assert page.status == 200, page.json
        seen += [message["id"] for message in page.json["messages"] if message["message_content"] == "Large"]
        pages += 1
        if page.json["next"] is None:
            break
        cursor = f"&cursor={page.json['next']}"
    ground.db.run("delete from public.scheduled_whatsapp_messages where message_content = 'Large'")
    assert len(seen) == len(set(seen)) == 80
    assert pages > 1
