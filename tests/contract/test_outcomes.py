"""Each row of the table of outcomes that a server can bring about, brought about by a server."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulator.client import Recipient, Simulator
from simulator.faults import FaultKind
from tests.kit.phones import new_phone
from tests.kit.web_world import PATIENCE, WebWorld, web_world
from worker.errors import EngineRefused
from worker.events import Connected, Ended
from worker.outcome import Accepted, Indeterminate, Rejected, Unavailable
from worker.providers.web.outcomes import MOVING, NACKS, NOT_OPEN, TABLE, outcome_of
from worker.providers.web.shards import ShardLimits


@pytest.fixture
async def world(simulator: Simulator, state_dir: Path) -> AsyncIterator[WebWorld]:
    """A world whose sends hang after 6 seconds."""
    async with web_world(simulator, state_dir, ShardLimits(send_seconds=6.0)) as made:
        yield made


async def test_every_number_that_whatsapp_refuses_with_has_its_outcome(world: WebWorld, asha: Recipient) -> None:
    phone = new_phone()
    session = await world.link(phone)
    outcomes = {}
    for number in NACKS:
        await world.simulator.fault(FaultKind.NACK, phone, count=1, code=int(number))
        outcomes[number] = await world.provider.send(world.claim(session, f"+{asha.phone}", f"refused {number}"))
    assert outcomes == NACKS
    await world.simulator.fault(FaultKind.NACK, phone, count=1, code=599)
    unknown = await world.provider.send(world.claim(session, f"+{asha.phone}", "refused 599"))
    assert isinstance(unknown, Rejected)
    assert (unknown.code, unknown.retry) == ("wa-nack-599", True)
    assert isinstance(await world.provider.send(world.claim(session, f"+{asha.phone}", "and on")), Accepted)


@pytest.mark.parametrize(
    ("fault", "code"),
    [(FaultKind.LOG_OUT, "wa-logged-out"), (FaultKind.REPLACED, "wa-stream-replaced")],
)
async def test_an_end_in_mid_send_leaves_a_doubt_that_says_which(
    world: WebWorld, asha: Recipient, fault: FaultKind, code: str
) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.simulator.fault(FaultKind.STALL_PROCESSED, phone, count=1)
    text = f"out before {code}"
    sending = asyncio.create_task(world.provider.send(world.claim(session, f"+{asha.phone}", text)))
    await asha.expects(text)
    await world.simulator.fault(fault, phone)
    outcome = await asyncio.wait_for(sending, PATIENCE)
    assert isinstance(outcome, Indeterminate)
    assert outcome.code == code
    # An unlinked device's store is emptied, sooner or later than it is asked.
    assert outcome.wa_message_id is not None or fault is FaultKind.LOG_OUT
    await world.events.expects(Ended)


async def test_a_lease_that_ends_in_mid_send_leaves_a_doubt(world: WebWorld, asha: Recipient) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.simulator.fault(FaultKind.STALL_PROCESSED, phone, count=1)
    sending = asyncio.create_task(world.provider.send(world.claim(session, f"+{asha.phone}", "lease over")))
    await asha.expects("lease over")
    world.provider.extend_lease({session: time.monotonic() + 0.2})
    outcome = await asyncio.wait_for(sending, PATIENCE)
    assert isinstance(outcome, Indeterminate)
    assert outcome.code == "herald-lease-ended"


async def test_a_question_before_the_message_that_is_never_answered_costs_an_attempt(
    world: WebWorld, asha: Recipient
) -> None:
    phone = new_phone()
    session = await world.link(phone)
    await world.simulator.fault(FaultKind.STALL_QUERY, phone, count=1)
    outcome = await world.provider.send(world.claim(session, f"+{asha.phone}", "who is that"))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry) == ("wa-no-answer", True)
    assert asha.times_received("who is that") == 0


async def test_an_account_that_nobody_has_linked_says_so(world: WebWorld, asha: Recipient) -> None:
    session = await world.link(new_phone())
    await world.provider.logout(session)
    outcome = await world.provider.send(world.claim(session, f"+{asha.phone}", "not linked"))
    assert outcome == NOT_OPEN
    assert len(world.events.all(Connected)) == 1


@pytest.mark.parametrize("outcome", [*TABLE.values(), MOVING], ids=lambda outcome: outcome.code)
def test_every_row_has_a_stable_code_and_a_sentence(outcome: Rejected | Unavailable | Indeterminate) -> None:
    assert re.fullmatch(r"(wa|herald)(-[a-z]+)+|not-(open|connected|linked)", outcome.code)
    assert re.fullmatch(r"[A-Z].*\.", outcome.reason)


def test_what_can_fail_for_ever_counts_attempts_or_says_it_waits() -> None:
    for (code, detail), outcome in TABLE.items():
        if code == "unknown":
            assert isinstance(outcome, Indeterminate), detail
        elif isinstance(outcome, Unavailable):
            assert outcome.retry_after > 0, detail
        else:
            assert isinstance(outcome, Rejected), detail


def test_details_lead_to_their_row_and_unknown_ones_to_the_codes_own() -> None:
    assert outcome_of(EngineRefused("unsent", "query 500")) is TABLE["unsent", "query"]
    assert outcome_of(EngineRefused("unsent", "KeyError")) is TABLE["unsent", ""]
    assert outcome_of(EngineRefused("not-connected", "lost")) is TABLE["not-connected", ""]
    assert outcome_of(EngineRefused("never heard of")).code == "wa-unconfirmed"  # type: ignore[union-attr]
