"""What every provider promises, each tried against a simulated WhatsApp with real recipients (see worlds.py)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from simulator.client import Recipient, Simulator
from tests.contract.worlds import SAMPLES, WORLDS, ProviderWorld
from tests.kit.one_claim import dispatched
from worker.message import MessageKind
from worker.outcome import Accepted, Indeterminate, Rejected, Unavailable
from worker.sending.media import Media
from worker.session import ProviderName


@pytest.fixture(params=WORLDS)
async def world(
    request: pytest.FixtureRequest, simulator: Simulator, state_dir: Path
) -> AsyncIterator[ProviderWorld]:
    async with WORLDS[request.param](simulator, state_dir) as started:
        yield started


async def fetch_nothing(_url: str) -> Media:
    raise AssertionError("nothing was to be fetched")


def test_every_provider_that_a_claim_can_name_is_tried() -> None:
    """The Cloud API joins with its own world."""
    assert WORLDS.keys() >= {ProviderName.WEB}


async def test_every_kind_is_sent_and_received_as_what_it_is(world: ProviderWorld, asha: Recipient) -> None:
    session = await world.account()
    for kind in world.provider.kinds:
        sample = SAMPLES[kind]
        text = f"{sample.text} {uuid4()}"
        outcome = await world.provider.send(world.claim(session, f"+{asha.phone}", text, kind), sample.media)
        assert isinstance(outcome, Accepted), kind
        received = await asha.expects(text)
        assert (received.kind, received.media_sha256) == (kind.value, sample.sha256)
        assert received.message_id == outcome.wa_message_id


async def test_a_kind_that_the_provider_does_not_send_is_refused_with_words(
    world: ProviderWorld, asha: Recipient
) -> None:
    session = await world.account()
    others = [kind for kind in MessageKind if kind not in world.provider.kinds]
    assert others
    for kind in others:
        claim = world.claim(session, f"+{asha.phone}", f"no {kind} {session}", kind)
        outcome = (await dispatched(claim, {world.name: world.provider}, fetch_nothing)).outcome
        assert isinstance(outcome, Rejected)
        assert (outcome.code, outcome.retry) == ("unsupported-kind", False)
        assert kind.value in outcome.reason
        assert asha.times_received(claim.text) == 0


async def test_the_dispatcher_sends_by_the_claims_provider(world: ProviderWorld, asha: Recipient) -> None:
    session = await world.account()
    claim = world.claim(session, f"+{asha.phone}", f"by its provider {session}")
    settlement = await dispatched(claim, {world.name: world.provider}, fetch_nothing)
    assert isinstance(settlement.outcome, Accepted)
    assert (settlement.message_id, settlement.token) == (claim.message_id, claim.token)
    await asha.expects(claim.text)


async def test_receipts_come_back_under_the_messages_id(world: ProviderWorld, asha: Recipient) -> None:
    session = await world.account()
    outcome = await world.provider.send(world.claim(session, f"+{asha.phone}", f"with receipts {session}"))
    assert isinstance(outcome, Accepted)
    await asha.expects(f"with receipts {session}")
    await asha.read(outcome.wa_message_id)
    for kind in ("delivered", "read"):
        receipt = await world.receipt(outcome.wa_message_id, kind)
        assert receipt.session_id == session


async def test_a_recipient_that_whatsapp_refuses_is_rejected_for_good(world: ProviderWorld) -> None:
    session = await world.account()
    outcome = await world.provider.send(world.claim(session, world.unreachable(), "to nobody"))
    assert isinstance(outcome, Rejected)
    assert not outcome.retry
    assert outcome.reason.endswith(".")


async def test_an_account_that_is_not_connected_surely_sends_nothing(
    world: ProviderWorld, asha: Recipient
) -> None:
    session = await world.account()
    await world.disconnect(session)
    outcome = await world.provider.send(world.claim(session, f"+{asha.phone}", f"not connected {session}"))
    assert isinstance(outcome, Unavailable)
    assert outcome.retry_after > 0
    other = await world.account()
    assert isinstance(
        await world.provider.send(world.claim(other, f"+{asha.phone}", f"after it {session}")), Accepted
    )
    await asha.expects(f"after it {session}")
    assert asha.times_received(f"not connected {session}") == 0


async def test_an_account_that_it_never_saw_is_unavailable(world: ProviderWorld, asha: Recipient) -> None:
    assert isinstance(await world.provider.send(world.claim(uuid4(), f"+{asha.phone}", "unseen")), Unavailable)


async def test_a_connection_lost_in_mid_send_is_never_told_as_unsent_and_sends_once(
    world: ProviderWorld, asha: Recipient
) -> None:
    session = await world.account()
    await world.cut_in_next_send(session)
    outcome = await world.provider.send(world.claim(session, f"+{asha.phone}", f"cut {session}"))
    assert isinstance(outcome, Accepted | Indeterminate)
    received = await asha.expects(f"cut {session}")
    if outcome.wa_message_id is not None:
        assert received.message_id == outcome.wa_message_id
    assert asha.times_received(f"cut {session}") == 1


async def test_accounts_send_beside_each_other_and_each_gets_its_own_outcome(
    world: ProviderWorld, asha: Recipient
) -> None:
    claims = [world.claim(await world.account(), f"+{asha.phone}", f"beside {n} {uuid4()}") for n in range(2)]
    outcomes = await asyncio.gather(*(world.provider.send(claim) for claim in claims))
    for claim, outcome in zip(claims, outcomes, strict=True):
        assert isinstance(outcome, Accepted)
        assert (await asha.expects(claim.text)).message_id == outcome.wa_message_id


async def test_whatever_stands_in_a_claim_its_send_never_raises(world: ProviderWorld, asha: Recipient) -> None:
    session, asha_number = await world.account(), f"+{asha.phone}"
    image = world.claim(session, asha_number, "no image", MessageKind.IMAGE)
    strange = [
        (world.claim(session, "", "to no address"), None),
        (world.claim(session, "not an address\n@g.us", "to a strange one"), None),
        (world.claim(session, "1@g.us", "to a group that is none"), None),
        (world.claim(session, asha_number, "nul \0 and \ud800"), None),
        (world.claim(session, asha_number, "x" * 200_000), None),
        (image, None),
        (image, b""),
        (image, b"<html>"),
        (replace(world.claim(session, asha_number, "without evidence"), trace=None), None),
    ]
    for claim, media in strange:
        outcome = await world.provider.send(claim, media)
        assert isinstance(outcome, Accepted | Rejected | Unavailable | Indeterminate), claim.text[:20]
        if not isinstance(outcome, Accepted):
            assert outcome.reason, claim.text[:20]
    last = world.claim(session, asha_number, f"and on {session}")
    assert isinstance(await world.provider.send(last), Accepted)
    await asha.expects(last.text)
