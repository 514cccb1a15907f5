"""What an admin asks of an account's groups, through the table that the CRM writes, done by its worker."""

from collections.abc import Callable
from typing import Any

import pytest

from simulator.faults import FaultKind
from tests.kit.world import World

pytestmark = pytest.mark.usefixtures("worker")


async def contacts_of(world: World, jid: str) -> dict[str, Any]:
    """The people in a group as the CRM's admin reads them: by number, whether they are there."""
    rows = await world.rows(
        "select p.phone, p.lid, p.opted_in_at, m.is_admin, m.left_at from public.whatsapp_group_members as m"
        " join public.whatsapp_contacts as p on p.id = m.contact_id"
        " join public.whatsapp_groups as g on g.id = m.group_id where g.group_jid = %s",
        jid,
    )
    return {row["phone"]: row for row in rows}


async def test_a_group_is_made_and_run_from_the_crm(world: World, new_phone: Callable[[], str]) -> None:
    account, ann, ben = new_phone(), new_phone(), new_phone()
    session = await world.link("Groups", account)
    asha = await world.simulator.recipient(ann, "Asha")
    await world.simulator.account(ben)
    made = await world.command(session, "create_group", name=" Glazing ", participants=[f"+{ann}", "+4915000001"])
    assert made["state"] == "done", made["error_message"]
    jid = made["result"]["group_jid"]
    assert [one["code"] for one in made["result"]["members"]] == ["ok", "not-found"]
    row = await world.row("select * from public.whatsapp_groups where group_jid = %s", jid)
    assert row
    assert (row["group_name"], row["participant_count"], row["is_admin"]) == ("Glazing", 2, True)

    added = await world.command(session, "group_members", group_jid=jid, action="add", members=[f"+{ben}"])
    assert [one["ok"] for one in added["result"]["members"]] == [True]
    changed = await world.command(session, "update_group", group_jid=jid, name="Glazing 2", announce_only=True)
    assert changed["result"]["changed"] == {"name": "Glazing 2", "announce_only": True}
    seen = (await asha.groups())[jid]
    assert (seen["name"], seen["announce_only"], ben in seen["members"]) == ("Glazing 2", True, True)
    row = await world.row("select * from public.whatsapp_groups where group_jid = %s", jid)
    assert row
    assert (row["group_name"], row["participant_count"], row["announce_only"]) == ("Glazing 2", 3, True)

    synced = await world.command(session, "sync_contacts", group_jid=jid)
    assert synced["result"] == {"group_jid": jid, "members": 2, "joined": 2, "left": 0}
    people = await contacts_of(world, jid)
    assert people.keys() == {f"+{ann}", f"+{ben}"}
    assert people[f"+{ann}"]["lid"] == f"9{ann[::-1]}@lid"
    assert people[f"+{ann}"]["opted_in_at"] is None
    await world.command(session, "group_members", group_jid=jid, action="remove", members=[f"+{ben}"])
    synced = await world.command(session, "sync_contacts", group_jid=jid)
    assert (synced["result"]["members"], synced["result"]["left"]) == (1, 1)
    assert (await contacts_of(world, jid))[f"+{ben}"]["left_at"]

    first = await world.command(session, "group_invite", group_jid=jid)
    second = await world.command(session, "group_invite", group_jid=jid, reset=True)
    assert first["result"]["invite_link"] != second["result"]["invite_link"]
    row = await world.row("select invite_link from public.whatsapp_groups where group_jid = %s", jid)
    assert row == {"invite_link": second["result"]["invite_link"]}


async def test_who_opted_out_is_not_put_into_a_group(world: World, new_phone: Callable[[], str]) -> None:
    account, gone = new_phone(), new_phone()
    session = await world.link("Opted out", account)
    asha = await world.simulator.recipient(gone, "Asha")
    person = {"organization_id": world.organization, "phone": f"+{gone}", "opted_out_at": "2026-01-01T00:00:00Z"}
    await world.admin.table("whatsapp_contacts").insert(person).execute()
    made = await world.command(session, "create_group", name="Without her", participants=[f"+{gone}"])
    (told,) = made["result"]["members"]
    assert (told["ok"], told["code"]) == (False, "opted-out")
    jid = made["result"]["group_jid"]
    again = await world.command(session, "group_members", group_jid=jid, action="add", members=[f"+{gone}"])
    assert again["result"]["members"][0]["code"] == "opted-out"
    assert jid not in await asha.groups()


async def test_a_refusal_is_told_and_what_was_done_before_it(world: World, new_phone: Callable[[], str]) -> None:
    account, ann = new_phone(), new_phone()
    session = await world.link("Refused", account)
    await world.simulator.account(ann)
    theirs = await world.simulator.create_group("Theirs", ann, [account])
    row = await world.command(session, "update_group", group_jid=theirs, name="Ours now", announce_only=True)
    assert row["state"] == "failed"
    assert "announce_only: The account is not an admin" in row["error_message"]
    assert "Changed before that: name." in row["error_message"]
    group = await world.row("select group_name from public.whatsapp_groups where group_jid = %s", theirs)
    assert group == {"group_name": "Ours now"}


async def test_logging_out_by_request_unlinks_the_device(world: World, new_phone: Callable[[], str]) -> None:
    account = new_phone()
    session = await world.link("Bye", account)
    row = await world.command(session, "logout")
    assert (row["state"], row["result"]) == ("done", {})
    assert (await world.simulator.show(account))["devices"] == []
    shown = await world.until_status(session, "logged_out")
    assert shown["desired_state"] == "disconnected"


async def test_an_account_that_waits_for_an_answer_holds_up_no_other(
    world: World, new_phone: Callable[[], str]
) -> None:
    slow, quick, ann = new_phone(), new_phone(), new_phone()
    stalled, free = await world.link("Slow", slow), await world.link("Quick", quick)
    await world.simulator.account(ann)
    await world.simulator.fault(FaultKind.STALL_QUERY, slow, count=1)
    jid = await world.simulator.create_group("Stalled", slow, [ann])
    asked = {"organization_id": world.organization, "session_id": stalled, "kind": "sync_contacts"}
    await world.admin.table("whatsapp_commands").insert({**asked, "arguments": {"group_jid": jid}}).execute()
    await world.simulator.until_used_up(FaultKind.STALL_QUERY, phone=slow)
    assert (await world.command(free, "create_group", name="Free"))["state"] == "done"
    running = await world.row(
        "select state from public.whatsapp_commands where session_id = %s and kind = 'sync_contacts'", stalled
    )
    assert running == {"state": "running"}
