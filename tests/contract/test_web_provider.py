"""What WhatsApp Web alone promises: linked devices, live stores, leases, journals; said to a real server."""

import asyncio
import time
from pathlib import Path
from uuid import uuid4

import pytest

from simulator.client import Recipient, Simulator
from simulator.faults import FaultKind
from tests.kit.phones import new_phone
from tests.kit.web_world import PATIENCE, WebWorld
from worker.errors import ProviderError
from worker.events import Connected, Ended, Inbound, QrShown, Receipt, SentFact
from worker.message import MessageKind
from worker.outcome import Accepted, Indeterminate, Rejected, Unavailable
from worker.providers.web.outcomes import NACKS
from worker.providers.web.ports import Unsent, Written
from worker.session import Ending, remedy

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


async def test_a_scanned_session_reopens_without_a_qr(world: WebWorld) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.provider.close(session)
    again = await world.open(session)
    assert (again.phone, again.newly_paired) == (f"+{phone}", False)
    assert len(world.events.all(QrShown)) == 1


async def test_a_session_is_linked_by_pairing_code(world: WebWorld) -> None:
    phone, session = new_phone(), uuid4()
    await world.simulator.account(phone)
    await world.begin(session)
    await world.events.expects(QrShown)
    await world.simulator.enter_code(phone, await world.provider.pairing_code(session, f"+{phone}"))
    assert (await world.events.expects(Connected)).phone == f"+{phone}"


async def test_a_text_reaches_a_person_once_and_its_receipts_come_back(world: WebWorld, asha: Recipient) -> None:
    session = await world.link(new_phone())
    claim = world.claim(session, f"+{asha.phone}", "good morning")
    outcome = await world.provider.send(claim)
    assert isinstance(outcome, Accepted)
    await asha.expects("good morning")
    await asha.read(outcome.wa_message_id)
    await asyncio.gather(*(world.receipt(outcome.wa_message_id, kind) for kind in ("delivered", "read", "sender")))
    sent = await world.events.expects(SentFact)
    assert (sent.token, sent.wa_message_id) == (claim.token, outcome.wa_message_id)
    assert asha.times_received("good morning") == 1


async def test_a_group_gets_texts_and_images(world: WebWorld, asha: Recipient) -> None:
    phone = new_phone()
    session = await world.link(phone)
    group = await world.simulator.create_group("Pottery", phone, [phone, asha.phone])
    assert isinstance(await world.provider.send(world.claim(session, group, "we are live")), Accepted)
    picture = world.claim(session, group, "the first bowl", MessageKind.IMAGE)
    assert isinstance(await world.provider.send(picture, PNG), Accepted)
    await asha.expects("we are live")
    await asha.expects("the first bowl")


@pytest.mark.parametrize("message_id", [b"A\0B", b"no \xff UTF-8", b"X" * 5000], ids=["NUL", "no UTF-8", "long"])
async def test_a_receipt_of_a_strange_id_is_told_as_text_or_not_at_all(world: WebWorld, message_id: bytes) -> None:
    """The id is its sender's choice, and the network hands it on."""
    phone, stranger = new_phone(), new_phone()
    await world.link(phone)
    await world.simulator.account(stranger)
    await world.simulator.confirm(stranger, phone, message_id)
    await world.simulator.confirm(stranger, phone, b"3EB0AFTER")
    await world.receipt("3EB0AFTER", "delivered")
    ids = [one for receipt in world.events.all(Receipt) for one in receipt.wa_message_ids]
    assert ids[:-1] == (
        [] if len(message_id) > 128 else [message_id.decode(errors="replace").replace("\0", "\ufffd")]
    )
    await world.simulator.until_delivered(phone)


async def test_texts_and_group_names_with_nul_are_told_without(world: WebWorld, asha: Recipient) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await asha.send(phone, "ST\0OP")
    assert (await world.events.expects(Inbound)).text == "ST\ufffdOP"
    group = await world.simulator.create_group("Ki\0ln", asha.phone, [phone, asha.phone])
    assert {one.jid: one.name for one in await world.provider.groups(session)}[group] == "Ki\ufffdln"


async def test_groups_and_invite_links_are_listed(world: WebWorld, asha: Recipient) -> None:
    phone = new_phone()
    session = await world.link(phone)
    group = await world.simulator.create_group("Kiln", phone, [phone, asha.phone])
    theirs = await world.simulator.create_group("Theirs", asha.phone, [phone, asha.phone], announce=True)
    found = {one.jid: one for one in await world.provider.groups(session)}
    assert (found[group].name, found[group].participants, found[group].is_admin) == ("Kiln", 2, True)
    assert (found[theirs].is_admin, found[theirs].announce_only) == (False, True)
    assert (await world.provider.invite_link(session, group)).startswith("https://chat.whatsapp.com/")
    with pytest.raises(ProviderError):
        await world.provider.invite_link(session, theirs)


async def test_what_others_write_is_told(world: WebWorld, asha: Recipient) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await asha.send(phone, "STOP")
    inbound = await world.events.expects(Inbound)
    assert (inbound.session_id, inbound.text, inbound.kind, inbound.from_me) == (session, "STOP", "text", False)
    assert inbound.sender == f"{asha.phone}@s.whatsapp.net"


@pytest.mark.parametrize(
    ("nack", "code", "retry"),
    [(400, "wa-bad-request", False), (406, "wa-not-acceptable", False), (479, "wa-stale-devices", True)],
)
async def test_a_refusal_says_why(world: WebWorld, asha: Recipient, nack: int, code: str, *, retry: bool) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.simulator.fault(FaultKind.NACK, phone, count=1, code=nack)
    outcome = await world.provider.send(world.claim(session, f"+{asha.phone}", f"refused {nack}"))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry) == (code, retry)


@pytest.mark.parametrize("nack", [463, 475])
async def test_who_may_not_write_to_strangers_waits_with_them(world: WebWorld, asha: Recipient, nack: int) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.simulator.fault(FaultKind.NACK, phone, count=1, code=nack)
    outcome = await world.provider.send(world.claim(session, f"+{asha.phone}", f"restricted {nack}"))
    assert isinstance(outcome, Unavailable)
    assert outcome.new_chats_pause == outcome.retry_after > 3600
    assert outcome.pause == 0


async def test_too_fast_costs_the_message_nothing(world: WebWorld, asha: Recipient) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.simulator.fault(FaultKind.NACK, phone, count=1, code=429)
    outcome = await world.provider.send(world.claim(session, f"+{asha.phone}", "too fast"))
    assert outcome == NACKS["429"]
    assert isinstance(outcome, Unavailable)
    assert outcome.pause > 0


async def test_what_can_never_be_sent_is_rejected_at_once(world: WebWorld, asha: Recipient) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.simulator.account(asha.phone)
    closed = await world.simulator.create_group("Closed", asha.phone, [asha.phone, phone], announce=True)
    foreign = await world.simulator.create_group("Foreign", asha.phone, [asha.phone])
    expected = {
        closed: "wa-announce-only",
        foreign: "wa-not-a-member",
        "+490000001": "wa-not-on-whatsapp",
        "not an address": "wa-invalid-message",
    }
    for to, code in expected.items():
        outcome = await world.provider.send(world.claim(session, to, "never"))
        assert isinstance(outcome, Rejected), (to, outcome)
        assert outcome.code == code
    no_image = world.claim(session, f"+{asha.phone}", "", MessageKind.IMAGE)
    assert isinstance(await world.provider.send(no_image, b"<html>"), Rejected)


async def test_a_number_without_a_lid_is_tried_again(world: WebWorld) -> None:
    session, phone = await world.link(new_phone()), new_phone()
    person = await world.simulator.recipient(phone)
    await world.simulator.fault(FaultKind.NO_LID, phone)
    outcome = await world.provider.send(world.claim(session, f"+{phone}", "in a moment"))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry) == ("wa-no-lid", True)
    await world.simulator.clear_faults(FaultKind.NO_LID)
    assert isinstance(await world.provider.send(world.claim(session, f"+{phone}", "in a moment")), Accepted)
    await person.expects("in a moment")


async def test_a_login_that_is_refused_because_the_phone_is_gone_says_so(world: WebWorld) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.simulator.fault(FaultKind.PHONE_GONE, phone, count=1)
    await world.simulator.fault(FaultKind.DROP, phone)
    ended = await world.events.expects(Ended, lambda event: event.session_id == session)
    assert (ended.ending, ended.retry) == (Ending.LOGGED_OUT, False)
    assert "phone is gone" in remedy(ended.ending, ended.detail)


async def test_a_closed_session_is_unavailable(world: WebWorld) -> None:
    assert isinstance(await world.provider.send(world.claim(uuid4(), "+491522222222", "later")), Unavailable)


async def test_a_send_cut_before_its_acknowledgement_is_settled_without_a_second_copy(
    world: WebWorld, asha: Recipient
) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.simulator.fault(FaultKind.DROP_PROCESSED, phone, count=1)
    outcome = await world.provider.send(world.claim(session, f"+{asha.phone}", "cut"))
    assert isinstance(outcome, Accepted)
    await asha.expects("cut")
    assert asha.times_received("cut") == 1
    assert not world.events.all(Ended)


@pytest.mark.parametrize("fault", [FaultKind.STALL_PROCESSED, FaultKind.STALL_UNPROCESSED])
async def test_a_send_without_acknowledgement_is_in_doubt_under_its_id(
    world: WebWorld, asha: Recipient, fault: FaultKind
) -> None:
    phone = new_phone()
    session = await world.link(phone)
    assert isinstance(await world.provider.send(world.claim(session, f"+{asha.phone}", "before")), Accepted)
    await world.simulator.fault(fault, phone, count=1)
    claim = world.claim(session, f"+{asha.phone}", f"stalled {fault}")
    sending = asyncio.create_task(world.provider.send(claim))
    written = await world.until_written(claim)
    await world.provider.close(session)
    outcome = await asyncio.wait_for(sending, PATIENCE)
    assert isinstance(outcome, Indeterminate)
    assert outcome.wa_message_id == written.wa_message_id
    assert claim.trace
    assert await world.provider.lookup(session, claim.trace.secret) == written


async def test_the_store_tells_what_was_sent_and_what_was_not(world: WebWorld, asha: Recipient) -> None:
    session = await world.link(new_phone())
    claim = world.claim(session, f"+{asha.phone}", "looked up")
    assert claim.trace
    outcome = await world.provider.send(claim)
    assert isinstance(outcome, Accepted)
    for _ in ("open", "closed"):
        assert await world.provider.lookup(session, claim.trace.secret) == Written(outcome.wa_message_id)
        assert isinstance(await world.provider.lookup(session, b"?" * 32), Unsent)
        await world.provider.close(session)


async def test_a_stalled_session_holds_up_no_other(world: WebWorld, asha: Recipient) -> None:
    slow, quick = new_phone(), new_phone()
    stalled, free = await world.link(slow), await world.link(quick)
    await world.simulator.fault(FaultKind.STALL_UNPROCESSED, slow)
    waiting = asyncio.create_task(world.provider.send(world.claim(stalled, f"+{asha.phone}", "waiting")))
    assert isinstance(await world.provider.send(world.claim(free, f"+{asha.phone}", "passing by")), Accepted)
    assert not waiting.done()
    await world.provider.close(stalled)
    assert isinstance(await waiting, Indeterminate | Unavailable)


@pytest.mark.parametrize(
    ("fault", "ending"),
    [(FaultKind.LOG_OUT, Ending.LOGGED_OUT), (FaultKind.REPLACED, Ending.REPLACED)],
)
async def test_an_end_that_needs_a_person_is_told_once(world: WebWorld, fault: FaultKind, ending: Ending) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.simulator.fault(fault, phone)
    ended = await world.events.expects(Ended)
    assert (ended.session_id, ended.ending, ended.retry) == (session, ending, False)
    assert isinstance(await world.provider.send(world.claim(session, "+491522222222", "late")), Unavailable)


async def test_a_ban_is_told_with_its_end(world: WebWorld) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.provider.close(session)
    await world.simulator.fault(FaultKind.BAN, phone, seconds=7200)
    await world.begin(session)
    ended = await world.events.expects(Ended)
    assert (ended.ending, ended.retry) == (Ending.BANNED, False)
    assert ended.seconds == 7200


async def test_an_outdated_client_is_told(world: WebWorld) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.provider.close(session)
    await world.simulator.fault(FaultKind.OUTDATED, phone)
    await world.begin(session)
    ended = await world.events.expects(Ended)
    assert (ended.ending, ended.retry) == (Ending.OUTDATED, False)


async def test_a_lost_connection_comes_back_by_itself(world: WebWorld, asha: Recipient) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.simulator.fault(FaultKind.DROP, phone)
    await world.simulator.until_connected(phone)
    outcome = await world.send_when_available(world.claim(session, f"+{asha.phone}", "back again"))
    assert isinstance(outcome, Accepted)
    assert not world.events.all(Ended)


async def test_a_server_that_refuses_connections_is_tried_again(world: WebWorld) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.provider.close(session)
    await world.simulator.fault(FaultKind.REFUSE)
    await world.begin(session)
    ended = await world.events.expects(Ended)
    assert (ended.ending, ended.retry) == (Ending.LOST, True)
    await world.simulator.clear_faults()
    assert not (await world.open(session)).newly_paired


async def test_a_logout_unlinks_the_device(world: WebWorld) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.provider.logout(session)
    assert not (await world.simulator.show(phone))["devices"]
    await world.begin(session)
    await world.events.expects(QrShown, times=2)


async def test_a_session_closes_when_its_lease_ends(world: WebWorld) -> None:
    phone = new_phone()
    session = await world.link(phone)
    world.provider.extend_lease({session: time.monotonic() + 0.2})
    ended = await world.events.expects(Ended)
    assert (ended.ending, ended.detail, ended.retry) == (Ending.LOST, "lease ended", True)
    await world.simulator.until_connected(phone, 0)


async def test_what_was_not_acknowledged_is_told_again(world: WebWorld, asha: Recipient) -> None:
    session = await world.link(new_phone())
    first, second = (world.claim(session, f"+{asha.phone}", text) for text in ("first", "second"))
    await world.provider.send(first)
    await world.events.expects(SentFact, lambda event: event.token == first.token)
    await world.provider.acknowledge(session, world.events.last_sequence(session))
    await world.provider.send(second)
    number = world.events.last_sequence(session)
    await world.restart()
    await world.open(session)
    again = await world.events.expects(SentFact, lambda event: event.token == second.token)
    assert again.session_id == session
    assert not world.events.all(SentFact, lambda event: event.token == first.token)
    assert world.events.last_sequence(session) >= number


@pytest.mark.parametrize("ratchets", [True, False])
async def test_a_restored_older_store_loses_no_message(
    world: WebWorld, simulator: Simulator, asha: Recipient, tmp_path: Path, ratchets: bool
) -> None:
    """Without forget_ratchets the first direct message is lost although its delivery receipt arrives."""
    phone = new_phone()
    session = await world.link(phone)
    await world.provider.send(world.claim(session, f"+{asha.phone}", "old one"))
    older = await world.provider.snapshot(session, ratchets=ratchets)
    for text in ("later one", "later two", "later three"):
        await world.provider.send(world.claim(session, f"+{asha.phone}", text))
        await asha.send(phone, f"answer to {text}")
        await world.inbound(f"answer to {text}")
    await world.provider.close(session)
    elsewhere = WebWorld(simulator, tmp_path / "elsewhere")
    store = elsewhere.provider.store_path(session)
    store.parent.mkdir(parents=True)
    store.write_bytes(older)
    await elsewhere.provider.start()
    await elsewhere.provider.forget_ratchets(session)
    await elsewhere.open(session)
    outcome = await elsewhere.provider.send(elsewhere.claim(session, f"+{asha.phone}", "after the restore"))
    assert isinstance(outcome, Accepted)
    await asha.expects("after the restore")
    await asha.send(phone, "welcome back")
    await elsewhere.inbound("welcome back")
    await elsewhere.provider.aclose()
