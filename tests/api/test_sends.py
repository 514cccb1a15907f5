"""Sends through the API: once each, to whom was meant, and with an answer that tells what came of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.kit.faults.gate import HttpGate
from tests.kit.served_api import HOME_KEY, PROXY_KEY, Ground, Person, Said, Served, served
from tests.kit.worker_process import until


@pytest.fixture
def admin(ground: Ground) -> str:
    """The home organisation's admin's token."""
    return ground.token(Person.ADMIN)


async def _first(events: list[float]) -> bool | None:
    return True if events else None


async def send(api: Served, body: dict[str, Any], **request: Any) -> Said:
    given = {"key": HOME_KEY, **request}
    return await api.ask("POST", given.pop("path", "/api/send"), json=body, **given)


async def test_an_hour_of_retries_at_once_queues_one_message(api: Served, admin: str) -> None:
    body = {"to": {"phone": "+491709990001"}, "text": "Once"}
    headers = {"Idempotency-Key": str(uuid4())}
    answers = await asyncio.gather(*(send(api, body, headers=headers) for _ in range(20)))
    assert sorted(said.status for said in answers) == [200] * 19 + [201]
    assert len({said.json["message"]["id"] for said in answers}) == 1
    again = await send(api, body, key=PROXY_KEY, token=admin, headers=headers)
    assert again.status == 200, "the key is the organisation's, whoever repeats the call"


async def test_a_key_in_the_body_is_the_same_as_in_the_header(api: Served) -> None:
    key = str(uuid4())
    body = {"to": {"phone": "+491709990002"}, "text": "Once"}
    first = await send(api, body | {"idempotency_key": key})
    again = await send(api, body, headers={"Idempotency-Key": key})
    assert first.json["message"]["id"] == again.json["message"]["id"]
    both = await send(api, body | {"idempotency_key": key}, headers={"Idempotency-Key": "another"})
    assert (both.status, both.code) == (409, "idempotency-keys-differ")


@pytest.mark.parametrize(
    ("to", "pointer", "words"),
    [
        ({}, "/to", "Give exactly one of group, contact and phone."),
        ({"phone": "+491709876567", "contact": str(UUID(int=1))}, "/to", "Give exactly one of"),
        ({"phone": "01701234567"}, "/to/phone", "This number has no country code: write it with country code"),
        ({"phone": "+49"}, "/to/phone", "This is no phone number"),
        ({"phone": "+1201555"}, "/to/phone", "This number is too short or too long for its country"),
        ({"group": "friends"}, "/to/group", "Input should be a valid UUID"),
        ({"phon": "+491709876567"}, "/to/phon", "Extra inputs are not permitted."),
    ],
)
async def test_a_wrong_recipient_is_told_with_a_pointer(
    api: Served, to: dict[str, str], pointer: str, words: str
) -> None:
    said = await send(api, {"to": to, "text": "Hello"})
    assert (said.status, said.code) == (422, "invalid-request")
    error = next(error for error in said.json["errors"] if error["pointer"] == pointer)
    assert error["detail"].startswith(words)
    assert not any(number.encode() in said.content for number in to.values() if len(number) > 4)


async def test_what_makes_no_sense_is_told(api: Served) -> None:
    to = {"phone": "+491709876567"}
    for wrong, pointer in (
        ({}, ""),
        ({"text": "a\0b"}, "/text"),
        ({"text": "Hi", "priority": 11}, "/priority"),
        ({"text": "Hi", "priority": "5"}, "/priority"),
        ({"text": "Hi", "scheduled_for": "2026-12-01T09:00:00"}, "/scheduled_for"),
        ({"text": "Hi", "media": {"url": "ftp://x/y.png", "kind": "image"}}, "/media/url"),
        ({"text": "Hi", "media": {"url": "https://x/y.mp4", "kind": "video"}}, "/media/kind"),
    ):
        said = await send(api, {"to": to, **wrong})
        assert (said.status, said.json["errors"][0]["pointer"]) == (422, pointer), said.json


async def test_rules_of_the_database_are_told_in_its_words(api: Served, admin: str) -> None:
    to = {"phone": "+491709876567"}
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    late = await send(api, {"to": to, "text": "Hi", "expires_at": past}, key=PROXY_KEY, token=admin)
    assert (late.status, late.code) == (409, "refused-by-rule")
    assert late.json["detail"] == "This message would expire before it could be sent: expires_at has passed."
    server = await send(api, {"to": to, "text": "Hi", "expires_at": past})
    assert (server.status, server.code) == (409, "refused-by-rule")
    stranger = await send(api, {"to": {"group": str(uuid4())}, "text": "Hi"})
    assert (stranger.status, stranger.json["detail"]) == (404, "This group is not known to the organisation.")
    account = await send(api, {"to": to, "text": "Hi", "session_id": str(uuid4())})
    assert (account.status, account.code) == (404, "not-found")


async def test_who_opted_out_gets_nothing_and_the_answer_says_so(ground: Ground, api: Served) -> None:
    ground.db.insert(
        "public.whatsapp_contacts",
        organization_id=ground.home.id,
        phone="+491709990009",
        opted_out_at=datetime.now(UTC),
        opt_out_source="crm",
    )
    said = await send(api, {"to": {"phone": "+491709990009"}, "text": "Buy"})
    assert (said.json["message"]["status"], said.json["message"]["error_code"]) == ("failed", "suppressed")
    retried = await api.ask("POST", f"/api/messages/{said.json['message']['id']}/retry", key=HOME_KEY)
    assert (retried.status, retried.code) == (409, "refused-by-rule")
    assert b"1709990009" not in retried.content, "a problem holds no number"
    assert "…09 has opted out" in retried.json["detail"]


async def test_a_template_is_found_by_name_and_filled(ground: Ground, api: Served) -> None:
    to = {"phone": "+491709990003", "name": "Asha"}
    path = "/api/send-template"
    own = await send(api, {"to": to, "template": "greeting"}, path=path)
    assert own.json["message"]["message_content"] == "Hi Asha"
    system = await send(
        api, {"to": to, "template": "payment_reminder", "variables": {"amount": "5 €", "date": 3}}, path=path
    )
    assert "5 € is due on 3" in system.json["message"]["message_content"]
    missing = await send(api, {"to": {"phone": "+491709990003"}, "template": "greeting"}, path=path)
    assert (missing.status, missing.code) == (409, "refused-by-rule")
    assert missing.json["detail"] == 'The template "greeting" needs a value for name.'
    unknown = await send(api, {"to": to, "template": "no_such"}, path=path)
    assert (unknown.status, unknown.code) == (404, "not-found")
    foreign = await send(api, {"to": to, "template": str(ground.away.template)}, path=path)
    assert (foreign.status, foreign.code) == (404, "not-found")


async def test_a_call_to_many_queues_one_message_each(ground: Ground, api: Served) -> None:
    recipients: list[dict[str, Any]] = [
        {"phone": f"+4917088800{n:02d}", "name": f"Person {n}", "variables": {"item": n}} for n in range(30)
    ]
    twice = {"phone": "+49 170 888 00 00", "name": "Person 0 again"}
    body = {"recipients": [*recipients, twice], "template": "greeting", "idempotency_key": str(uuid4())}
    first = await send(api, body, path="/api/send-bulk")
    assert first.status == 201, first.json
    assert (first.json["queued"], first.json["replayed"], first.json["duplicates"]) == (30, 0, 1)
    assert [entry["index"] for entry in first.json["recipients"]] == list(range(31))
    assert first.json["recipients"][30]["message_id"] is None
    row = ground.message(first.json["recipients"][7]["message_id"])
    assert (row["recipient_phone"], row["message_content"]) == ("+491708880007", "Hi Person 7")
    more = body | {"recipients": [*recipients, {"phone": "+491708880099", "name": "New"}]}
    again = await send(api, more, path="/api/send-bulk")
    assert (again.status, again.json["queued"], again.json["replayed"]) == (201, 1, 30)
    assert again.json["recipients"][7]["message_id"] == str(row["id"])
    assert "88800" not in str(row["idempotency_key"]), "a number is not to be read in a key"


async def test_a_call_to_many_under_the_longest_key_is_repeated_too(api: Served) -> None:
    """Its messages are found by their keys, which stand in a URL, and quoted three times as long."""
    recipients = [{"phone": f"+4917088700{n:02d}"} for n in range(100)]
    body = {"recipients": recipients, "text": "Hi", "idempotency_key": uuid4().hex.ljust(150, '"')}
    first = await send(api, body, path="/api/send-bulk")
    again = await send(api, body, path="/api/send-bulk")
    assert (first.status, again.status, again.json["replayed"]) == (201, 200, 100)


async def test_a_key_with_other_values_is_refused(api: Served) -> None:
    """Else the caller would think that the new values went out."""
    to = {"phone": "+491709990007", "name": "Asha"}
    body = {"to": to, "template": "payment_reminder", "idempotency_key": str(uuid4())}
    first = await send(api, body | {"variables": {"amount": "5 €", "date": 3}}, path="/api/send-template")
    same = await send(api, body | {"variables": {"date": 3, "amount": "5 €"}}, path="/api/send-template")
    other = await send(api, body | {"variables": {"amount": "9 €", "date": 3}}, path="/api/send-template")
    assert (first.status, same.status) == (201, 200)
    assert (other.status, other.code) == (409, "idempotency-key-reused")


async def test_a_call_to_many_is_all_or_nothing(ground: Ground, api: Served) -> None:
    name = f"batch_{uuid4().hex[:8]}"
    body = {
        "recipients": [{"phone": "+491708881001", "name": "A"}, {"phone": "+491708881002"}],
        "template": "greeting",
        "message_type": name,
    }
    said = await send(api, body, path="/api/send-bulk")
    assert (said.status, said.code) == (409, "refused-by-rule")
    made = ground.db.value("select count(*) from public.scheduled_whatsapp_messages where message_type = %s", name)
    assert made == 0
    wrong = await send(
        api, body | {"recipients": [{"phone": "+491708881001"}, {"phone": "x"}]}, path="/api/send-bulk"
    )
    assert wrong.json["errors"][0]["pointer"] == "/recipients/1/phone"


async def test_wait_ends_when_the_message_is_settled(ground: Ground, api: Served) -> None:
    began = asyncio.get_running_loop().time()
    asking = asyncio.create_task(
        send(api, {"to": {"phone": "+491709990005"}, "text": "W"}, path="/api/send?wait=20")
    )

    async def look() -> UUID | None:
        query = "select id from public.scheduled_whatsapp_messages where recipient_phone = '+491709990005'"
        return next((row["id"] for row in ground.db.rows(query)), None)

    message = await until(look, 10, "a message in the queue")
    ground.db.run(
        "update public.scheduled_whatsapp_messages set status = 'failed', error_code = 'test' where id = %s",
        message,
    )
    api.api.changes.tell(message)
    said = await asking
    assert (said.json["message"]["status"], said.json["message"]["error_code"]) == ("failed", "test")
    assert asyncio.get_running_loop().time() - began < 10


async def test_wait_ends_with_what_there_is_when_the_worker_stops(ground: Ground) -> None:
    async with served(ground) as other:
        body = {"to": {"phone": "+491709990006"}, "text": "W"}
        asking = asyncio.create_task(send(other, body, path="/api/send?wait=30"))
        await until(lambda: _first(other.woken), 10, "a message in the queue")
        began = asyncio.get_running_loop().time()
    said = await asking  # the server is gone by now
    assert (said.status, said.json["message"]["status"]) == (201, "pending")
    assert asyncio.get_running_loop().time() - began < 5


async def test_what_is_queued_is_answered_as_queued_though_supabase_goes_away_meanwhile(ground: Ground) -> None:
    async with HttpGate(ground.stack.url) as gate, served(ground, supabase_url=gate.url) as other:
        body = {"to": {"phone": "+491709990007"}, "text": "W"}
        asking = asyncio.create_task(send(other, body, path="/api/send?wait=30"))
        await until(lambda: _first(other.woken), 10, "a message in the queue")
        await gate.network.cut()
        said = await asking
    assert (said.status, said.json["message"]["status"]) == (201, "pending")


async def test_only_what_waits_is_cancelled_and_what_failed_is_sent_again(ground: Ground, api: Served) -> None:
    message = ground.new_message(ground.home)
    path = f"/api/messages/{message}"
    cancelled = await api.ask("POST", f"{path}/cancel", key=HOME_KEY)
    again = await api.ask("POST", f"{path}/cancel", key=HOME_KEY)
    assert [said.json["status"] for said in (cancelled, again)] == ["cancelled", "cancelled"]
    retried = await api.ask("POST", f"{path}/retry", key=HOME_KEY)
    assert (retried.status, retried.code) == (409, "wrong-status")
    assert retried.json["detail"].startswith("The message is cancelled: only one that is failed or in_doubt")


async def test_messages_come_by_pages_without_gaps_while_new_ones_arrive(ground: Ground, api: Served) -> None:
    moment = datetime(2031, 1, 1, tzinfo=UTC)
    ids = [
        ground.new_message(ground.home, scheduled_for=moment, message_type="paged", campaign_id=None)
        for _ in range(7)
    ]
    seen: list[str] = []
    cursor = ""
    for _ in range(10):
        page = await api.ask("GET", f"/api/messages?limit=3&status=pending{cursor}", key=HOME_KEY)
        assert page.status == 200, page.json
        seen += [message["id"] for message in page.json["messages"]]
        ground.new_message(ground.home, scheduled_for=moment + timedelta(days=1))
        if page.json["next"] is None:
            break
        cursor = f"&cursor={page.json['next']}"
    assert {str(id_) for id_ in ids} <= set(seen)
    assert len(seen) == len(set(seen))


async def test_the_dispatcher_is_woken_when_the_message_is_due(api: Served) -> None:
    api.woken.clear()
    await send(api, {"to": {"phone": "+491709990071"}, "text": "Now"})
    later = datetime.now(UTC) + timedelta(hours=1)
    await send(api, {"to": {"phone": "+491709990071"}, "text": "Later", "scheduled_for": later.isoformat()})
    now, then = api.woken
    assert now == 0
    assert then == pytest.approx(3600, abs=30)


async def test_drain_wakes_the_dispatcher_and_counts_what_is_due(api: Served) -> None:
    api.woken.clear()
    server = await api.ask("POST", "/api/queue/drain", key=HOME_KEY)
    operator = await api.ask("POST", "/api/queue/drain", key=PROXY_KEY)
    assert server.json["woken"]
    assert len(api.woken) == 2
    assert operator.json["due"] > server.json["due"] > 0


async def test_stats_are_the_database_s_own(api: Served, admin: str) -> None:
    said = await api.ask("GET", "/api/stats", token=admin)
    assert said.json["accounts"] == {"total": 2, "connected": 0}
    assert said.json["queue"]["pending"] > 0


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2036-05-17T12:00:00+19:52", "2036-05-16T16:08:00+00:00"),  # Postgres itself refuses 16 hours and more
        ("0001-01-01T00:00:00+01:00", None),
    ],
)
async def test_a_time_with_a_strange_zone_is_understood_or_refused(
    api: Served, given: str, kept: str | None
) -> None:
    said = await send(api, {"to": {"phone": "+491707654321"}, "text": "Soon", "scheduled_for": given})
    if kept:
        assert said.status == 201, said.json
        assert datetime.fromisoformat(said.json["message"]["scheduled_for"]) == datetime.fromisoformat(kept)
    else:
        assert (said.status, said.json["errors"][0]["pointer"]) == (422, "/scheduled_for")


async def test_a_whole_number_may_be_written_as_a_fraction(api: Served) -> None:
    said = await send(api, {"to": {"phone": "+491707654321"}, "text": "Soon", "priority": 3.0})
    assert (said.status, said.json["message"]["priority"]) == (201, 3)
    said = await send(api, {"to": {"phone": "+491707654321"}, "text": "Soon", "priority": 3.5})
    assert said.status == 422


@pytest.mark.parametrize("moment", ["0026-01-01T00:00:00Z", "1899-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
async def test_a_time_that_can_only_be_a_slip_is_refused_in_words(
    ground: Ground, api: Served, moment: str
) -> None:
    body = {"to": {"phone": "+491707654321"}, "text": "Hello", "expires_at": moment}
    said = await api.ask("POST", "/api/send", token=ground.token(Person.ADMIN), json=body)
    assert said.status in (400, 409, 422), said.json
    assert said.json["detail"]
