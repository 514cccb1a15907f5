"""The crash drill: its plan and its verdict, and a run of two minutes that kills everything once or twice."""

import asyncio
import json
import signal
import sys
from collections import Counter
from typing import Any

import pytest

from localstack.layout import REPOSITORY
from scripts.drills.crash_judge import Message, Verdict, by_kind, judge
from scripts.drills.crash_plan import FAILPOINTS, OTHERS, History, Kind, Order, Struck, plan, share

ONE = {"1": Message("hello", "a session", (("49151",), ("49152",)))}
BOTH = {("49151", "hello"): 1, ("49152", "hello"): 1}


def row(status: str, reason: str | None = None) -> list[dict[str, Any]]:
    return [{"id": "1", "status": status, "error_message": reason}]


@pytest.mark.parametrize("kills", [10, 27, 200])
def test_every_failpoint_gets_its_share_of_the_kills(kills: int) -> None:
    orders = plan(kills, accounts=4, seed=3)
    counts = Counter(order.kind for order in orders)
    assert len(orders) == kills
    assert min(counts[kind] for kind in FAILPOINTS) >= kills // 10 == share(kills)
    assert {order.account for order in plan(200, accounts=4, seed=3)} == {0, 1, 2, 3}
    if kills > 10:
        assert min(counts[kind] for kind in OTHERS) >= 1


def test_a_seed_repeats_the_kills_and_another_gives_another_order() -> None:
    assert plan(50, 4, seed=5) == plan(50, 4, seed=5)
    assert plan(50, 4, seed=5) != plan(50, 4, seed=6)
    assert {order.kind for order in plan(9, 4, seed=5, only=[Kind.POSTGRES, Kind.WORKER])} == {
        Kind.POSTGRES,
        Kind.WORKER,
    }


def test_a_message_that_one_of_its_recipients_never_got_is_lost() -> None:
    assert judge(ONE, row("delivered"), {("49151", "hello"): 1}) == Verdict(lost={"1"})


def test_a_message_that_one_of_its_recipients_got_twice_is_doubled_whatever_the_row_says() -> None:
    assert judge(ONE, row("read"), {**BOTH, ("49152", "hello"): 2}) == Verdict(twice={"1"})
    doubled = judge(ONE, row("failed", "why"), {("49152", "hello"): 2})
    assert (doubled.twice, doubled.lost) == ({"1"}, set())


def test_one_device_of_a_recipient_is_enough_and_each_may_show_it_once() -> None:
    one = {"1": Message("hello", "a session", (("49151:phone", "49151:desktop"),))}
    assert judge(one, row("delivered"), {("49151:desktop", "hello"): 1}) == Verdict()
    assert judge(one, row("delivered"), {("49151:desktop", "hello"): 1, ("49151:phone", "hello"): 1}) == Verdict()
    assert judge(one, row("delivered"), {("49151:phone", "hello"): 2}) == Verdict(twice={"1"})
    assert judge(one, row("delivered"), {}) == Verdict(lost={"1"})


@pytest.mark.parametrize("status", ["pending", "sending", "failed", "in_doubt"])
def test_a_message_without_an_end_and_a_reason_keeps_no_promise(status: str) -> None:
    assert judge(ONE, row(status), {}) == Verdict(lost={"1"}, unended={"1"})


def test_a_message_that_is_gone_from_the_queue_keeps_no_promise() -> None:
    assert judge(ONE, [], BOTH) == Verdict(unended={"1"})


def test_what_a_row_shows_with_a_reason_is_not_lost() -> None:
    assert judge(ONE, row("failed", "why"), {}) == Verdict(failed={"1"})
    assert judge(ONE, row("in_doubt", "why"), {}) == Verdict(in_doubt={"1"})
    assert judge(ONE, row("in_doubt", "why"), BOTH) == Verdict(in_doubt={"1"}, arrived_all_the_same={"1"})
    assert judge(ONE, row("delivered"), BOTH) == Verdict()


def test_a_message_whose_receipt_was_lost_is_neither_lost_nor_unended() -> None:
    assert judge(ONE, row("sent"), BOTH) == Verdict(unconfirmed={"1"})


def test_a_message_is_put_down_to_the_last_kill_that_had_it_in_flight() -> None:
    first, last = Order(Kind.AFTER_WIRE, 0), Order(Kind.HOST_LOSS, 0)
    history = History([Struck(first, frozenset("12"), 2.0), Struck(last, frozenset("1"), 7.0)])
    table = by_kind(history, Verdict(lost={"1"}, twice={"2"}, in_doubt={"3"}))
    assert (table["host_loss"]["lost"], table["after_wire"]["twice"], table["no kill"]["in_doubt"]) == (1, 1, 1)
    assert (table["after_wire"]["lost"], table["host_loss"]["back_worst"]) == (0, 7.0)
    assert history.in_flight == {"1", "2"}


@pytest.mark.full
@pytest.mark.timeout(700)
async def test_whatever_is_killed_every_message_arrives_once_or_shows_why_not() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.drills.crash", "--json"),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, told = await asyncio.wait_for(process.communicate(), 600)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()
    assert process.returncode == 0, told.decode()
    report = json.loads(said.splitlines()[-1])
    assert report["messages"] >= 300
    assert {name for name, figures in report["table"].items() if figures["reached"]} == set(Kind)
