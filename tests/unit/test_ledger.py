"""The ledger: the first word on a claim counts, nothing is forgotten before it is in the database."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from worker.errors import StoreError, Unstorable
from worker.events import Receipt, SentFact
from worker.message import Claim, MessageKind, WebTrace
from worker.outcome import Accepted, Indeterminate, Rejected, Settlement, Unavailable
from worker.ports import Outbox
from worker.sending.ledger import RECEIPTS_PER_CALL, Ledger
from worker.session import ProviderName

NOW = datetime(2026, 11, 20, 19, 0, tzinfo=UTC)
SESSION = uuid4()


class Written:
    """What reached the database and the journal; ``away``: it does not answer; bad: what it can't take."""

    def __init__(self) -> None:
        self.bad: Receipt | None = None
        self.receipts: list[list[Receipt]] = []
        self.acknowledged: list[tuple[UUID, int]] = []
        self.away = False

    async def write(self, receipts: Sequence[Receipt]) -> None:
        if self.away:
            raise StoreError("away")
        if self.bad in receipts:
            raise Unstorable("whatsapp_receipts failed with 22P05")
        self.receipts.append(list(receipts))

    async def acknowledge(self, session_id: UUID, sequence: int) -> None:
        self.acknowledged.append((session_id, sequence))


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def work() -> asyncio.Event:
    """What makes the dispatcher look."""
    return asyncio.Event()


@pytest.fixture
def ledger(written: Written, work: asyncio.Event) -> Ledger:
    class Receipts(Outbox):  # the ledger uses this one call of the outbox
        async def receipts(self, receipts: Sequence[Receipt]) -> None:
            await written.write(receipts)

    return Ledger(Receipts(), written.acknowledge, work)  # type: ignore[abstract]


def claimed(former: UUID | None = None) -> Claim:
    return Claim(
        message_id=uuid4(),
        token=uuid4(),
        organization_id=uuid4(),
        session_id=SESSION,
        provider=ProviderName.WEB,
        until=NOW,
        to="+491511234567",
        kind=MessageKind.TEXT,
        text="hello",
        trace=WebTrace(secret=bytes(32), incarnation=uuid4(), former_token=former),
    )


def receipt(number: int) -> Receipt:
    return Receipt(
        session_id=SESSION,
        wa_message_ids=(f"ID{number}",),
        chat="491511234567@s.whatsapp.net",
        participant=None,
        type="delivered",
        at=NOW,
    )


def fact_of(token: UUID) -> SentFact:
    return SentFact(session_id=SESSION, token=token, wa_message_id="ID", at=NOW)


def test_the_first_word_on_a_claim_counts(ledger: Ledger) -> None:
    claim = claimed()
    ledger.took(claim)
    ledger.outcome(claim, Accepted(wa_message_id="ID", at=NOW))
    ledger.outcome(claim, Indeterminate(reason="late"))
    assert [s.outcome for s in ledger.take()] == [Accepted(wa_message_id="ID", at=NOW)]


def test_a_claim_that_nobody_could_read_is_in_hand_until_it_is_settled(ledger: Ledger) -> None:
    refused = Settlement(
        message_id=uuid4(), token=uuid4(), outcome=Rejected(code="unreadable", reason="It is odd.")
    )
    ledger.add([refused])
    assert ledger.in_hand == {refused.message_id}
    ledger.settled(ledger.take())
    assert (ledger.in_hand, ledger.take()) == (frozenset(), [])


def test_a_claim_stays_in_hand_until_the_database_has_answered(ledger: Ledger) -> None:
    claim = claimed()
    ledger.took(claim)
    ledger.outcome(claim, Unavailable(reason="not open"))
    settlements = ledger.take()
    assert ledger.in_hand == {claim.message_id}
    assert ledger.take() == settlements, "an exchange that failed is tried again with the same words"
    ledger.settled(settlements)
    assert (ledger.in_hand, ledger.take()) == (frozenset(), [])


def test_a_claim_that_came_again_is_not_settled_by_the_word_on_its_former_token(ledger: Ledger) -> None:
    before, after = claimed(), claimed()
    after = Claim(**{**{f: getattr(after, f) for f in Claim.__slots__}, "message_id": before.message_id})
    ledger.took(before)
    ledger.took(after)
    ledger.outcome(before, Indeterminate(reason="of the former claim"))
    assert ledger.take() == []


def test_the_journal_settles_a_claim_that_is_adopted_later(ledger: Ledger) -> None:
    former = uuid4()
    ledger.sent(fact_of(former), sequence=7)
    claim = claimed(former)
    ledger.took(claim)
    assert ledger.knows_sent(claim)
    assert [s.outcome for s in ledger.take()] == [Accepted(wa_message_id="ID", at=NOW)]


def test_the_journal_settles_the_claim_in_hand_that_has_its_token_and_no_other(ledger: Ledger) -> None:
    first, second = claimed(), claimed()
    ledger.took(first)
    ledger.took(second)
    ledger.sent(fact_of(second.token), sequence=7)
    assert [s.token for s in ledger.take()] == [second.token]


def test_a_settlement_under_a_former_token_leaves_the_new_claim_in_hand(ledger: Ledger) -> None:
    before = claimed()
    ledger.took(before)
    ledger.outcome(before, Indeterminate(reason="of the former claim"))
    settlements = ledger.take()
    after = replace(before, token=uuid4())
    ledger.took(after)
    ledger.settled(settlements)
    assert ledger.in_hand == {after.message_id}
    ledger.outcome(after, Accepted(wa_message_id="ID", at=NOW))
    assert [s.token for s in ledger.take()] == [after.token]


def test_an_outcome_and_a_journalled_receipt_make_the_dispatcher_look(ledger: Ledger, work: asyncio.Event) -> None:
    claim = claimed()
    ledger.took(claim)
    assert not work.is_set()
    ledger.outcome(claim, Unavailable(reason="not open"))
    assert work.is_set()
    work.clear()
    ledger.receipt(receipt(1), sequence=1)
    assert work.is_set()


def test_an_adopted_claim_that_the_journal_does_not_know_is_left_to_the_store(ledger: Ledger) -> None:
    ledger.sent(fact_of(uuid4()), sequence=1)
    claim = claimed(former=uuid4())
    ledger.took(claim)
    assert not ledger.knows_sent(claim)


async def test_receipts_go_out_in_bounded_calls_and_then_the_journal_is_acknowledged(
    ledger: Ledger, written: Written
) -> None:
    for number in range(RECEIPTS_PER_CALL + 1):
        ledger.receipt(receipt(number), sequence=number + 1)
    ledger.take()
    await ledger.write_receipts()
    assert [len(batch) for batch in written.receipts] == [RECEIPTS_PER_CALL, 1]
    assert written.acknowledged == [(SESSION, RECEIPTS_PER_CALL + 1)]


async def test_receipts_that_could_not_be_written_are_kept_and_not_acknowledged(
    ledger: Ledger, written: Written
) -> None:
    ledger.receipt(receipt(1), sequence=1)
    ledger.take()
    written.away = True
    with pytest.raises(StoreError):
        await ledger.write_receipts()
    assert written.acknowledged == []
    written.away = False
    await ledger.write_receipts()
    assert (len(written.receipts), written.acknowledged) == (1, [(SESSION, 1)])


async def test_a_receipt_that_the_database_cannot_take_holds_up_no_other(ledger: Ledger, written: Written) -> None:
    for number in range(7):
        ledger.receipt(receipt(number), sequence=number + 1)
    written.bad = receipt(3)
    ledger.take()
    await ledger.write_receipts()
    assert [one for batch in written.receipts for one in batch] == [receipt(n) for n in range(7) if n != 3]
    assert written.acknowledged == [(SESSION, 7)]


async def test_what_the_journal_tells_during_an_exchange_is_acknowledged_by_the_next(
    ledger: Ledger, written: Written
) -> None:
    claim = claimed()
    ledger.took(claim)
    ledger.take()
    ledger.sent(fact_of(claim.token), sequence=3)  # its settlement is not in the exchange under way
    await ledger.write_receipts()
    assert written.acknowledged == []
    ledger.take()
    await ledger.write_receipts()
    assert written.acknowledged == [(SESSION, 3)]


async def test_a_send_that_the_journal_tells_of_too_late_for_its_claim_is_written_as_evidence(
    ledger: Ledger, written: Written
) -> None:
    fact = SentFact(session_id=SESSION, token=uuid4(), wa_message_id="3EB0", at=NOW)
    ledger.sent(fact, 7)
    ledger.take()
    await ledger.write_receipts()
    [[evidence]] = written.receipts
    assert (evidence.session_id, evidence.wa_message_ids, evidence.type) == (SESSION, ("3EB0",), "sender")
    assert written.acknowledged == [(SESSION, 7)]


async def test_a_session_is_given_back_only_when_its_claims_are_settled(ledger: Ledger) -> None:
    claim = claimed()
    ledger.took(claim)
    waiting = asyncio.create_task(ledger.until_settled(SESSION, 5))
    ledger.outcome(claim, Unavailable(reason="closed"))
    await asyncio.sleep(0)
    assert not waiting.done()
    ledger.settled(ledger.take())
    await asyncio.wait_for(waiting, 1)


async def test_a_session_with_two_claims_is_given_back_after_the_second(ledger: Ledger) -> None:
    claims = [claimed(), claimed()]
    for claim in claims:
        ledger.took(claim)
    waiting = asyncio.create_task(ledger.until_settled(SESSION, 5))
    for claim in claims:
        await asyncio.sleep(0)
        assert not waiting.done()
        ledger.outcome(claim, Unavailable(reason="closed"))
        ledger.settled(ledger.take())
    await asyncio.wait_for(waiting, 1)


async def test_a_claim_that_is_never_settled_holds_a_session_back_for_a_while_only(ledger: Ledger) -> None:
    ledger.took(claimed())
    await asyncio.wait_for(ledger.until_settled(SESSION, 0.01), 1)
