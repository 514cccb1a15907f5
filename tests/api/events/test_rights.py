"""Who hears of what, and for how long: real tokens, real Realtime."""

from typing import Any
from uuid import UUID, uuid4

from tests.kit.event_listener import (
    PNG,
    Connect,
    connect_account,
    connected,
    inbound,
    report,
)
from tests.kit.served_api import AWAY_KEY, HOME_KEY, Ground, Person, served
from worker.api.events.limits import EventLimits


async def test_a_qr_is_for_admins_only(ground: Ground, listen: Connect, account: UUID) -> None:
    member, admin = await listen(Person.MEMBER), await listen(Person.ADMIN)
    for listener in (member, admin):
        await listener.subscribe()
    report(ground, account, "qr_pending", qr_code=PNG, qr_expires_at=ground.db.now().isoformat())
    await admin.until("qr_code", session_id=str(account))
    shown = {row["id"]: row.get("qr_code") for row in (await admin.subscribe())["sessions"]}
    assert shown[str(account)] == PNG
    snapshot = await member.subscribe()
    connect_account(ground, account)
    await member.until("connection_success", session_id=str(account))
    assert PNG not in str(member.told)
    assert not any("qr_code" in row for row in snapshot["sessions"])


async def test_no_event_of_another_organisation_is_heard(ground: Ground, listen: Connect, account: UUID) -> None:
    listeners = {
        "theirs": await listen(Person.OTHER_ADMIN),
        "their server's": await listen(key=AWAY_KEY),
        "ours": await listen(Person.ADMIN),
        "our server's": await listen(key=HOME_KEY),
    }
    for listener in listeners.values():
        await listener.subscribe()
    connect_account(ground, account)
    inbound(ground, ground.home, ground.home.session, "for home only")
    inbound(ground, ground.away, ground.away.session, "for away only")
    for name, listener in listeners.items():
        own, others = ("away", "home") if name.startswith("their") else ("home", "away")
        await listener.until("incoming_message", content=f"for {own} only")
        assert f"for {others} only" not in str(listener.told), name
        assert bool(listener.heard("connection_success")) is (own == "home"), name


async def test_another_organisations_account_is_as_one_that_is_not_there(ground: Ground, listen: Connect) -> None:
    listener = await listen(Person.ADMIN)
    for session in (ground.away.session, uuid4()):
        await listener.socket.send_json({"type": "subscribe", "sessions": [str(session)]})
        assert await listener.until("error") == {"type": "error", "code": "not-found", "session_id": str(session)}
        assert (await listener.until("snapshot"))["sessions"] == []


async def test_a_private_account_is_its_peoples_only(ground: Ground, listen: Connect, account: UUID) -> None:
    private: Any = "update public.workshop_automation_config set private_sessions = %s where organization_id = %s"
    ground.db.run(private, True, ground.home.id)
    own = ground.db.insert(
        "public.whatsapp_sessions", organization_id=ground.home.id, owner_id=ground.users[Person.MEMBER]
    )
    try:
        member, admin = await listen(Person.MEMBER), await listen(Person.ADMIN)
        seen = {row["id"] for row in (await member.subscribe())["sessions"]}
        assert seen == {str(own)}
        await admin.subscribe()
        inbound(ground, ground.home, account, "private to others")
        inbound(ground, ground.home, own, "to the member")
        assert (await member.until("incoming_message"))["content"] == "to the member"
        await admin.until("incoming_message", content="to the member")
        assert [said["content"] for said in admin.heard("incoming_message")] == [
            "private to others",
            "to the member",
        ]
    finally:
        ground.db.run(private, False, ground.home.id)


async def test_who_leaves_the_organisation_hears_nothing_more(ground: Ground, account: UUID) -> None:
    user = ground.db.insert("auth.users", email=f"{uuid4()}@api.test")
    ground.db.insert("public.profiles", id=user, organization_id=ground.home.id, role="member")
    protocols = ("herald.v1", f"bearer.{ground.sign(user)}")
    async with (
        served(ground, event_limits=EventLimits(fresh_seconds=0.0), remember_seconds=0.0) as api,
        connected(api, protocols=protocols) as listener,
    ):
        await listener.subscribe()
        ground.db.run("delete from public.profiles where id = %s", user)
        inbound(ground, ground.home, account, "after they left")
        code, reason = await listener.closes()
    assert (code, reason.partition(":")[0]) == (4403, "not-your-organization")
    assert "after they left" not in str(listener.told)


async def test_a_connection_ends_with_its_token_unless_it_is_renewed(ground: Ground) -> None:
    soon = int(ground.db.now().timestamp()) + 2
    protocols = ("herald.v1", f"bearer.{ground.token(Person.MEMBER, exp=soon)}")
    async with (
        served(ground, event_limits=EventLimits(token_seconds=0.05), clock_leeway=0.0) as api,
        connected(api, protocols=protocols) as ends,
        connected(api, protocols=protocols) as stays,
    ):
        await stays.until("ready")
        await stays.socket.send_json({"type": "authenticate", "token": ground.token(Person.MEMBER)})
        await stays.until("ready")
        code, reason = await ends.closes()
        assert (code, reason.partition(":")[0]) == (4401, "token-expired")
        await stays.socket.send_json({"type": "ping"})
        await stays.until("pong")


async def test_the_next_token_must_be_the_same_persons(ground: Ground, listen: Connect) -> None:
    listener = await listen(Person.MEMBER)
    await listener.socket.send_json({"type": "authenticate", "token": ground.token(Person.ADMIN)})
    assert (await listener.closes())[0] == 4403
