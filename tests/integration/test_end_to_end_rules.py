"""Rules that SQL holds, seen by recipients: a linked workshop speaks by itself, who opts out hears no more."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import counted, settled
from tests.kit.worker_process import until
from tests.kit.world import World, rows_of

pytestmark = pytest.mark.usefixtures("worker")


async def test_a_workshop_that_is_linked_to_a_group_announces_itself(
    world: World, new_phone: Callable[[], str]
) -> None:
    account, member = new_phone(), new_phone()
    ann = await world.simulator.recipient(member)
    session = await world.link("Announcer", account)
    group = await world.group(session, await world.simulator.create_group("Glazing", account, [member]))
    start = datetime.now(UTC) + timedelta(seconds=1)
    workshop = {
        "organization_id": world.organization,
        "title": "Glazing for beginners",
        "starts_at": start.isoformat(),
        "whatsapp_group_id": str(group["id"]),
    }
    [made] = rows_of(await world.admin.table("workshops").insert(workshop).execute())
    await ann.expects("We are live! Glazing for beginners begins now.")
    sql = "select id from public.scheduled_whatsapp_messages where workshop_id = %s and message_type = %s"
    live = await world.row(sql, made["id"], "we_are_live")
    assert live
    await counted(world, str(live["id"]), delivered=1)
    await world.admin.table("workshops").update({"whatsapp_group_id": None}).eq("id", made["id"]).execute()
    left = await world.rows(
        "select distinct status from public.scheduled_whatsapp_messages where workshop_id = %s", made["id"]
    )
    assert {row["status"] for row in left} == {"delivered", "cancelled"}


async def test_a_contact_gets_messages_until_they_opt_out(world: World, new_phone: Callable[[], str]) -> None:
    number = new_phone()
    recipient = await world.simulator.recipient(number)
    session = await world.link("Consent", new_phone())
    person = {"organization_id": world.organization, "phone": f"+{number}", "display_name": "Bela"}
    [contact] = rows_of(await world.admin.table("whatsapp_contacts").insert(person).execute())
    to_bela = {"session_id": session, "contact_id": contact["id"]}
    [first] = await world.schedule([to_bela | {"message_content": "Hello Bela"}])
    await recipient.expects("Hello Bela")
    await settled(world, first, "delivered")

    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    [waiting] = await world.schedule([to_bela | {"message_content": "Tomorrow then", "scheduled_for": later}])
    now = datetime.now(UTC).isoformat()
    await world.admin.table("whatsapp_contacts").update({"opted_out_at": now}).eq("id", contact["id"]).execute()
    assert (await settled(world, waiting, "failed"))["error_code"] == "suppressed"
    [refused] = await world.schedule([to_bela | {"message_content": "One more thing"}])
    row = await settled(world, refused, "failed")
    assert row["error_code"] == "suppressed"
    assert "opted out" in row["error_message"]


async def test_what_this_version_cant_send_fails_with_a_reason(world: World, new_phone: Callable[[], str]) -> None:
    number = new_phone()
    await world.simulator.recipient(number)
    session = await world.link("Polls", new_phone())
    poll = {"kind": "poll", "question": "When?", "options": ["Monday", "Friday"]}
    [message] = await world.schedule([{"session_id": session, "recipient_phone": f"+{number}", "payload": poll}])
    row = await settled(world, message, "failed")
    assert (row["error_code"], row["retry_count"]) == ("unsupported-kind", 0)
    assert "poll" in row["error_message"]


async def test_an_account_at_its_limit_waits_and_says_so(world: World, new_phone: Callable[[], str]) -> None:
    number = new_phone()
    recipient = await world.simulator.recipient(number)
    session = await world.link("Limited", new_phone())
    await world.admin.table("whatsapp_sessions").update({"daily_limit": 2}).eq("id", session).execute()
    row = {"session_id": session, "recipient_phone": f"+{number}"}
    ids = await world.schedule([row | {"message_content": f"Number {place}"} for place in range(3)])
    await until(lambda: two_left(world, ids), 20, "two delivered")
    [held] = await world.rows(
        "select id from public.scheduled_whatsapp_messages where id = any(%s::uuid[]) and status = 'pending'", ids
    )
    answer = await world.admin.rpc("why_not_sent", {"p_message": str(held["id"])}).execute()
    [reason] = rows_of(answer)
    assert reason["rule"] == "account-limit"
    assert reason["until"] is not None
    await world.admin.table("whatsapp_sessions").update({"daily_limit": 3}).eq("id", session).execute()
    await settled(world, str(held["id"]), "delivered")
    assert sum(recipient.times_received(f"Number {place}") for place in range(3)) == 3


async def two_left(world: World, ids: list[str]) -> bool | None:
    """True once two of the messages are delivered; None before."""
    sql = (
        "select 1 from public.scheduled_whatsapp_messages where id = any(%s::uuid[]) and status = 'delivered'"
        " having count(*) = 2"
    )
    return True if await world.row(sql, ids) else None


async def test_a_message_that_the_database_fails_at_fails_alone_and_says_why(
    world: World, new_phone: Callable[[], str]
) -> None:
    """A CRM's own trigger that divides by zero at one text: it made every claim of the worker fail, for everybody."""
    number = new_phone()
    recipient = await world.simulator.recipient(number)
    first, second = [await world.link(name, new_phone()) for name in ("Poisoned", "Beside it")]
    await world.database.execute(
        "create function public.crm_rule() returns trigger language plpgsql as $$ begin"
        " if new.status = 'sending' and new.message_content = 'Poison' then perform 1 / 0; end if;"
        " return new; end $$;"
        " create trigger crm_rule before update on public.scheduled_whatsapp_messages"
        " for each row execute function public.crm_rule()"
    )
    try:
        to_them = {"recipient_phone": f"+{number}"}
        poison, after, beside = await world.schedule(
            [
                to_them | {"session_id": first, "message_content": "Poison", "priority": 9},
                to_them | {"session_id": first, "message_content": "After it", "priority": 5},
                to_them | {"session_id": second, "message_content": "Beside it", "priority": 5},
            ]
        )
        row = await settled(world, poison, "failed")
        assert (row["error_code"], "22012" in row["error_message"]) == ("unreadable", True)
        for message in (after, beside):
            await settled(world, message, "delivered")
    finally:
        await world.database.execute(
            "drop trigger crm_rule on public.scheduled_whatsapp_messages; drop function public.crm_rule"
        )
    assert [recipient.times_received(text) for text in ("Poison", "After it", "Beside it")] == [0, 1, 1]
