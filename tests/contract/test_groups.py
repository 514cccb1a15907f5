"""Groups made and changed by a provider, as the people in them see it on their own clients."""

import pytest

from simulator.client import Recipient
from tests.kit.phones import new_phone
from tests.kit.web_world import WebWorld
from worker.errors import ProviderError
from worker.groups import GroupSetting, Member, MemberChange
from worker.outcome import Accepted


async def test_a_group_is_made_of_those_who_can_be_added(
    world: WebWorld, asha: Recipient, bela: Recipient
) -> None:
    phone, unsociable = new_phone(), new_phone()
    session = await world.link(phone)
    await world.simulator.account(unsociable)
    await world.simulator.joins_when_added(unsociable, on=False)
    people = [f"+{asha.phone}", f"+{unsociable}", "+491500000000"]
    jid, outcomes = await world.provider.create_group(session, "Töpfern ☕", people)
    assert [(one.member, one.code) for one in outcomes] == [
        (people[0], "ok"),
        (people[1], "invite-needed"),
        (people[2], "not-found"),
    ]
    assert "invite link" in str(outcomes[1].reason)
    seen = (await asha.groups())[jid]
    assert (seen["name"], seen["members"], seen["admins"]) == ("Töpfern ☕", sorted([asha.phone, phone]), [phone])
    assert isinstance(await world.provider.send(world.claim(session, jid, "welcome to it")), Accepted)
    await asha.expects("welcome to it")
    assert bela.times_received("welcome to it") == 0


async def test_members_are_added_promoted_demoted_and_removed(
    world: WebWorld, asha: Recipient, bela: Recipient
) -> None:
    phone = new_phone()
    session, provider = await world.link(phone), world.provider
    group, _ = await provider.create_group(session, "Kiln", [f"+{asha.phone}"])

    async def change(what: MemberChange, *people: str) -> list[str]:
        return [one.code for one in await provider.change_members(session, group, what, people)]

    both = [f"+{asha.phone}", f"+{bela.phone}"]
    assert await change(MemberChange.ADD, *both) == ["already-member", "ok"]
    await provider.send(world.claim(session, group, "hello Bela"))
    await bela.expects("hello Bela")
    assert await change(MemberChange.PROMOTE, both[1], "+491500000000") == ["ok", "not-found"]
    assert bela.phone in (await asha.groups())[group]["admins"]
    assert await change(MemberChange.DEMOTE, both[1]) == ["ok"]
    assert (await asha.groups())[group]["admins"] == [phone]
    assert await change(MemberChange.REMOVE, both[1]) == ["ok"]
    assert group not in await bela.groups()
    assert await change(MemberChange.REMOVE, both[1]) == ["not-found"]
    await provider.send(world.claim(session, group, "without Bela"))
    await asha.expects("without Bela")
    assert bela.times_received("without Bela") == 0


async def test_name_description_and_rights_are_set_as_the_members_see_it(world: WebWorld, asha: Recipient) -> None:
    session, provider = await world.link(new_phone()), world.provider
    group, _ = await provider.create_group(session, "Draft", [f"+{asha.phone}"])
    settings: list[tuple[GroupSetting, str | bool]] = [
        (GroupSetting.NAME, "Glazing, 7 pm"),
        (GroupSetting.DESCRIPTION, "Bring an apron.\nDoors open at 6."),
        (GroupSetting.ANNOUNCE_ONLY, True),
        (GroupSetting.LOCKED, True),
    ]
    for setting, value in settings:
        await provider.set_group(session, group, setting, value)
        assert (await asha.groups())[group][setting.value] == value
    detail = await provider.group(session, group)
    assert (detail.name, detail.description) == ("Glazing, 7 pm", "Bring an apron.\nDoors open at 6.")
    assert (detail.announce_only, detail.locked) == (True, True)
    for setting, value in ((GroupSetting.DESCRIPTION, "Bring two."), (GroupSetting.DESCRIPTION, "")):
        await provider.set_group(session, group, setting, value)
        assert (await asha.groups())[group]["description"] == value
    await provider.set_group(session, group, GroupSetting.ANNOUNCE_ONLY, False)
    assert not (await asha.groups())[group]["announce_only"]


async def test_a_group_tells_its_members_by_number_and_lid_but_not_the_account(
    world: WebWorld, asha: Recipient
) -> None:
    session = await world.link(new_phone())
    group, _ = await world.provider.create_group(session, "Wheel", [f"+{asha.phone}"])
    (member,) = (await world.provider.group(session, group)).members
    lid = f"9{asha.phone[::-1]}@lid"
    assert member == Member(phone=f"+{asha.phone}", lid=lid, is_admin=False)
    (outcome,) = await world.provider.change_members(session, group, MemberChange.PROMOTE, [lid])
    assert outcome.ok
    assert (await world.provider.group(session, group)).members[0].is_admin


async def test_a_new_invite_link_ends_the_old_one(world: WebWorld, asha: Recipient) -> None:
    session = await world.link(new_phone())
    group, _ = await world.provider.create_group(session, "Invited", [f"+{asha.phone}"])
    first = await world.provider.invite_link(session, group)
    assert await world.provider.invite_link(session, group) == first
    second = await world.provider.invite_link(session, group, reset=True)
    assert second != first
    assert await world.provider.invite_link(session, group) == second


async def test_what_may_not_be_done_is_told_in_words(world: WebWorld, asha: Recipient) -> None:
    phone = new_phone()
    session, provider = await world.link(phone), world.provider
    theirs = await world.simulator.create_group("Theirs", asha.phone, [phone])
    foreign = await world.simulator.create_group("Foreign", asha.phone, [])
    with pytest.raises(ProviderError, match="not an admin"):
        await provider.change_members(session, theirs, MemberChange.REMOVE, [f"+{asha.phone}"])
    with pytest.raises(ProviderError, match="not an admin"):
        await provider.set_group(session, theirs, GroupSetting.ANNOUNCE_ONLY, True)
    with pytest.raises(ProviderError, match="not in it"):
        await provider.group(session, foreign)
    with pytest.raises(ProviderError, match="not in it"):
        await provider.group(session, "120363000000000000@g.us")
    with pytest.raises(ProviderError, match="Shorten it"):
        await provider.set_group(session, theirs, GroupSetting.NAME, "n" * 101)
    for hostile in ("x", "+491522222222@g.us", "1@s.whatsapp.net", "1@g.us\n"):
        with pytest.raises(ProviderError, match="no group"):
            await provider.group(session, hostile)
    for hostile in ("0170 1", "+49 151; drop", "1@evil"):
        with pytest.raises(ProviderError, match="no group, number"):
            await provider.change_members(session, theirs, MemberChange.ADD, [hostile])
    assert asha.phone in (await asha.groups())[theirs]["members"]


async def test_a_session_that_is_not_open_says_so(world: WebWorld) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.provider.close(session)
    with pytest.raises(ProviderError, match="not connected now"):
        await world.provider.create_group(session, "Nobody", [])
