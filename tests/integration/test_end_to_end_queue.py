"""What people may do to a message before it goes out, and why one can't."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from postgrest.exceptions import APIError

from simulator.client import Recipient
from simulator.faults import FaultKind
from tests.conftest import settled
from tests.kit.project import named_project
from tests.kit.worker_process import Worker, until
from tests.kit.world import World

pytestmark = pytest.mark.usefixtures("worker")

Linked = tuple[str, Recipient]


def moment(**later: float) -> str:
    return (datetime.now(UTC) + timedelta(**later)).isoformat()


@pytest.fixture
async def linked(world: World, new_phone: Callable[[], str]) -> Linked:
    """A connected account and a recipient whom it writes to."""
    recipient = await world.simulator.recipient(new_phone())
    return await world.link("Queue", new_phone()), recipient


@pytest.fixture
def direct(world: World, linked: Linked) -> Callable[..., Awaitable[str]]:
    """Schedules a direct text from the account to its recipient; gives the message's id."""
    session, recipient = linked

    async def schedule(text: str, **columns: object) -> str:
        row = {"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": text}
        return (await world.schedule([row | columns]))[0]

    return schedule


async def change(world: World, message: str, **columns: object) -> None:
    await world.admin.table("scheduled_whatsapp_messages").update(columns).eq("id", message).execute()


async def test_an_edit_while_pending_is_what_goes_out(
    world: World, linked: Linked, direct: Callable[..., Awaitable[str]]
) -> None:
    _, recipient = linked
    message = await direct("Come at five", scheduled_for=moment(minutes=5))
    await change(world, message, message_content="Come at six", scheduled_for=moment())
    await recipient.expects("Come at six")
    await settled(world, message, "delivered")
    assert recipient.times_received("Come at five") == 0
    with pytest.raises(APIError, match="can't be edited any more"):
        await change(world, message, message_content="Come at seven")


async def test_a_message_that_was_cancelled_before_its_time_never_goes_out(
    world: World, linked: Linked, direct: Callable[..., Awaitable[str]]
) -> None:
    _, recipient = linked
    cancelled = await direct("Never mind", scheduled_for=moment(seconds=1.5))
    await change(world, cancelled, status="cancelled")
    later = await direct("After that", scheduled_for=moment(seconds=1.6))
    await settled(world, later, "delivered")
    assert (await settled(world, cancelled, "cancelled"))["sent_at"] is None
    assert recipient.times_received("Never mind") == 0


async def test_an_expired_message_fails_unsent(
    world: World, linked: Linked, direct: Callable[..., Awaitable[str]]
) -> None:
    _, recipient = linked
    pause = {"paused_until": moment(hours=1)}
    await world.admin.table("whatsapp_sessions").update(pause).eq("id", linked[0]).execute()
    message = await direct("Yesterday's news", expires_at=moment(seconds=1))
    row = await settled(world, message, "failed", seconds=30)
    assert (row["error_code"], row["sent_at"]) == ("expired", None)
    assert recipient.times_received("Yesterday's news") == 0
    with pytest.raises(APIError, match="would expire before"):
        await direct("The day before's", scheduled_for=moment(hours=-2), expires_at=moment(hours=-1))


async def test_a_group_that_the_account_is_not_in_fails_with_its_code(
    world: World, linked: Linked, new_phone: Callable[[], str]
) -> None:
    session, recipient = linked
    stranger = new_phone()
    await world.simulator.account(stranger)
    foreign = await world.simulator.create_group("Closed circle", stranger, [recipient.phone])
    group = {"organization_id": world.organization, "session_id": session, "group_jid": foreign}
    await world.service.table("whatsapp_groups").insert(group).execute()
    found = await world.row("select id from public.whatsapp_groups where group_jid = %s", foreign)
    assert found
    [message] = await world.schedule(
        [{"session_id": session, "group_id": str(found["id"]), "message_content": "Let me in"}]
    )
    row = await settled(world, message, "failed")
    assert (row["error_code"], row["retry_count"]) == ("wa-not-a-member", 0)
    assert "not in this group" in row["error_message"]


async def test_a_number_that_is_not_on_whatsapp_fails_with_its_reason(
    world: World, linked: Linked, new_phone: Callable[[], str]
) -> None:
    session, _ = linked
    row = {"session_id": session, "recipient_phone": f"+{new_phone()}", "message_content": "Anyone?"}
    [message] = await world.schedule([row])
    failed = await settled(world, message, "failed")
    assert (failed["error_code"], failed["retry_count"]) == ("wa-not-on-whatsapp", 0)
    assert failed["error_message"] == "This number is not on WhatsApp."


async def test_a_person_retries_what_whatsapp_refused(
    world: World, linked: Linked, direct: Callable[..., Awaitable[str]]
) -> None:
    session, recipient = linked
    number = await world.row("select phone_number from public.whatsapp_sessions where id = %s", session)
    assert number
    await world.simulator.fault(FaultKind.NACK, number["phone_number"].lstrip("+"), count=1, code=420)
    message = await direct("Second try")
    failed = await settled(world, message, "failed")
    assert failed["error_code"] == "wa-announce-only"
    await change(world, message, status="pending")
    await settled(world, message, "delivered")
    assert recipient.times_received("Second try") == 1


@pytest.mark.parametrize("failure", ["cut", "storm", "deaf"])
async def test_the_poll_finds_what_realtime_does_not_tell(
    world: World, worker: Worker, linked: Linked, direct: Callable[..., Awaitable[str]], failure: str
) -> None:
    if named_project():
        pytest.skip("only a local stack's Realtime can be cut")
    _, recipient = linked

    async def hears(expected: bool) -> bool | None:
        health = await worker.health()
        return True if health and health["realtime"] is expected else None

    await until(lambda: hears(True), 40, "Realtime")
    await world.realtime(failure)
    try:
        if failure != "deaf":  # only the next canary, within a minute, tells of that
            await until(lambda: hears(False), 10, "the loss of Realtime")
        message = await direct("By the poll")
        await settled(world, message, "delivered", seconds=10)
    finally:
        await world.realtime("on")
    await until(lambda: hears(True), 40, "Realtime's return")
    message = await direct("By the hint")
    row = await settled(world, message, "delivered")
    assert recipient.times_received("By the poll") == recipient.times_received("By the hint") == 1
    assert row["sent_at"] - row["created_at"] < timedelta(seconds=2)


async def test_messages_of_one_account_go_out_in_their_order(world: World, linked: Linked) -> None:
    session, recipient = linked
    due = datetime.now(UTC) - timedelta(minutes=1)
    texts = [f"in order {number}" for number in range(10)]
    ids = await world.schedule(
        [
            {
                "session_id": session,
                "recipient_phone": f"+{recipient.phone}",
                "message_content": text,
                "scheduled_for": (due + timedelta(seconds=number)).isoformat(),
            }
            for number, text in enumerate(texts)
        ]
    )
    await world.until_settled(ids, ("delivered",), 30)
    assert [entry.text for entry in world.simulator.ledger.received(recipient.phone)] == texts
