"""What a client is told: what there is, what happens, and that it may have missed something."""

from uuid import UUID

import aiohttp

from tests.kit.event_listener import (
    PNG,
    Connect,
    connect_account,
    connected,
    inbound,
    report,
    settle,
)
from tests.kit.served_api import Ground, Person, Served, served


async def test_a_subscription_begins_with_what_is(ground: Ground, listen: Connect, account: UUID) -> None:
    listener = await listen(Person.MEMBER)
    snapshot = await listener.subscribe([str(account)])
    assert snapshot["gap"] is False
    (shown,) = snapshot["sessions"]
    assert (shown["id"], shown["status"], shown["display_name"]) == (str(account), "disconnected", "Events")
    everything = await listener.subscribe()
    assert {str(account), str(ground.home.session)} <= {row["id"] for row in everything["sessions"]}
    assert str(ground.away.session) not in {row["id"] for row in everything["sessions"]}


async def test_an_account_is_linked_and_lost_before_the_eyes_of_an_admin(
    ground: Ground, listen: Connect, account: UUID
) -> None:
    admin = await listen(Person.ADMIN)
    await admin.subscribe([str(account)])
    report(ground, account, "qr_pending", qr_code=PNG, qr_expires_at=ground.db.now().isoformat())
    assert (await admin.until("qr_code", session_id=str(account)))["qr_code"] == PNG
    phone = connect_account(ground, account)
    assert (await admin.until("connection_success", session_id=str(account)))["phone_number"] == phone
    report(
        ground, account, "logged_out", last_error="The phone unlinked this device.", desired_state="disconnected"
    )
    lost = await admin.until("connection_lost", session_id=str(account))
    assert (lost["status"], lost["reason"]) == ("logged_out", "The phone unlinked this device.")


async def test_a_messages_way_is_told(ground: Ground, listen: Connect) -> None:
    message = ground.new_message(ground.home, scheduled_for="2030-01-01T00:00:00Z")
    member = await listen(Person.MEMBER)
    await member.subscribe()
    settle(ground, message, message_content="Hello again")
    settle(ground, message, status="sending")
    settle(ground, message, status="sent", wa_message_id="3EB0", sent_at=ground.db.now())
    sent = await member.until("message_sent", message_id=str(message))
    assert (sent["wa_message_id"], sent["session_id"]) == ("3EB0", str(ground.home.session))
    settle(ground, message, status="delivered", delivered_count=1, delivered_at=ground.db.now())
    settle(ground, message, delivered_count=2)
    await member.until("message_status", message_id=str(message), delivered_count=2)
    mine = [said for said in member.told if said.get("message_id") == str(message)]
    assert [said["status"] for said in mine] == ["sending", "sent", "delivered", "delivered"]
    assert "Hello again" not in str(mine)
    assert "+491709876567" not in str(mine)


async def test_what_people_write_is_told_and_what_is_ours_is_not(ground: Ground, listen: Connect) -> None:
    member = await listen(Person.MEMBER)
    await member.subscribe()
    inbound(ground, ground.home, ground.home.session, "Is it hot?")
    told = await member.until("incoming_message")
    assert (told["content"], told["session_id"]) == ("Is it hot?", str(ground.home.session))


async def test_only_what_was_subscribed_is_told(ground: Ground, listen: Connect, account: UUID) -> None:
    listener = await listen(Person.MEMBER)
    await listener.subscribe([str(account)])
    inbound(ground, ground.home, ground.home.session, "to another account")
    inbound(ground, ground.home, account, "to this account")
    assert (await listener.until("incoming_message"))["content"] == "to this account"
    await listener.socket.send_json({"type": "unsubscribe", "sessions": [str(account)]})
    await listener.socket.send_json({"type": "ping"})
    await listener.until("pong")
    inbound(ground, ground.home, account, "not any more")
    await listener.subscribe([str(ground.home.session)])
    inbound(ground, ground.home, ground.home.session, "now the other")
    assert (await listener.until("incoming_message"))["content"] == "now the other"


async def test_a_gap_of_realtime_is_told_with_what_is_now(ground: Ground, listen: Connect, account: UUID) -> None:
    listener = await listen(Person.MEMBER)
    await listener.subscribe([str(account)])
    headers = {"apikey": ground.stack.secret_key}
    async with aiohttp.ClientSession() as http:

        async def realtime(mode: str) -> None:
            async with http.post(
                f"{ground.stack.url}/localstack/realtime", json={"mode": mode}, headers=headers
            ) as answer:
                answer.raise_for_status()

        await realtime("cut")
        connect_account(ground, account)
        await realtime("on")
    again = await listener.until("snapshot")
    assert (again["gap"], again["sessions"][0]["status"]) == (True, "connected")
    inbound(ground, ground.home, account, "after the gap")
    await listener.until("incoming_message", content="after the gap")


async def test_who_connects_again_sees_what_happened_meanwhile(
    ground: Ground, api: Served, listen: Connect, account: UUID
) -> None:
    protocols = ("herald.v1", f"bearer.{ground.token(Person.MEMBER)}")
    async with connected(api, protocols=protocols) as first:
        assert (await first.subscribe([str(account)]))["sessions"][0]["status"] == "disconnected"
    connect_account(ground, account)
    again = await listen(Person.MEMBER)
    assert (await again.subscribe([str(account)]))["sessions"][0]["status"] == "connected"


async def test_clients_of_another_worker_hear_the_same(ground: Ground, listen: Connect, account: UUID) -> None:
    protocols = ("herald.v1", f"bearer.{ground.token(Person.MEMBER)}")
    async with served(ground) as other, connected(other, protocols=protocols) as there:
        here = await listen(Person.MEMBER)
        for listener in (here, there):
            await listener.subscribe([str(account)])
        connect_account(ground, account)
        for listener in (here, there):
            await listener.until("connection_success", session_id=str(account))
