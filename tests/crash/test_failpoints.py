"""A worker is held at each failpoint with one real message, and killed with its engines exactly there.

The wires hold from outside, so the worker that dies is the one that ships.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.client import Recipient
from tests.conftest import settled, until_delivered, workers
from tests.kit.faults.failpoints import Failpoint, armed
from tests.kit.faults.wires import Wires
from tests.kit.world import Row, World


@dataclass
class Case:
    """A worker on wires that serves one account, and somebody to write to."""

    wires: Wires
    account: str
    session: str
    recipient: Recipient

    async def write(self, text: str) -> str:
        """Queue a message to the recipient; its id."""
        row = {
            "session_id": self.session,
            "recipient_phone": f"+{self.recipient.phone}",
            "message_content": text,
        }
        return (await self.wires.world.schedule([row]))[0]

    async def restart(self) -> None:
        """Start the worker that was killed, and wait until the account can send."""
        await self.wires.worker.start()
        await self.wires.worker.until_serving(1)

    def arrived(self, text: str) -> int:
        return self.recipient.times_received(text)


@pytest.fixture(scope="module")
async def serving(world: World) -> AsyncIterator[Case]:
    async with workers(world) as make:
        worker = make(POLL_INTERVAL="1")
        async with Wires.of(world, worker) as wires:
            await worker.start()
            account = "491700000001"
            session = await world.link("Held", account)
            yield Case(wires, account, session, await world.simulator.recipient("491700000002"))
            await wires.kill()


@pytest.fixture
async def case(serving: Case, new_phone: Callable[[], str]) -> Case:
    """The same account with a recipient that it has not written to."""
    recipient = await serving.wires.world.simulator.recipient(new_phone())
    return Case(serving.wires, serving.account, serving.session, recipient)


@pytest.mark.parametrize(
    "failpoint",
    [
        Failpoint.AFTER_CLAIM,
        Failpoint.BEFORE_WRITE_AHEAD,
        Failpoint.AFTER_WIRE,
        Failpoint.BEFORE_SETTLE,
        Failpoint.AFTER_SETTLE,
    ],
)
async def test_a_message_whose_worker_was_killed_arrives_once(
    world: World, case: Case, failpoint: Failpoint
) -> None:
    text = f"killed at {failpoint}"
    async with armed(failpoint, case.wires, account=case.account) as point:
        message = await case.write(text)
        assert (await point.reached()).messages == {message}
        left_by_then = case.arrived(text)
        await case.wires.kill()
    await case.restart()
    await until_delivered(world, [message], 20)
    assert case.arrived(text) == 1
    if failpoint in (Failpoint.AFTER_CLAIM, Failpoint.BEFORE_WRITE_AHEAD):
        assert left_by_then == 0


async def test_a_message_that_was_written_and_never_left_waits_in_doubt_for_a_person(
    world: World, case: Case
) -> None:
    text = "written ahead, not on the wire"
    known = await case.write("whose devices are known")  # so that the message itself is what is withheld
    await until_delivered(world, [known], 20)
    async with armed(Failpoint.BEFORE_WIRE, case.wires) as point:
        message = await case.write(text)
        assert (await point.reached()).messages == {message}
        assert await case.wires.claimed(written=True) == {message: case.session}
        await case.wires.kill()
    await case.restart()
    row = await settled(world, message, "in_doubt")
    assert row["wa_message_id"]
    assert row["error_message"]
    assert await world.simulator.times_processed(row["wa_message_id"]) == 0
    table = world.admin.table("scheduled_whatsapp_messages")
    await table.update({"status": "pending"}).eq("id", message).execute()
    await until_delivered(world, [message], 20)
    assert case.arrived(text) == 1


async def test_a_send_waits_for_a_locked_store_instead_of_leaving_unwritten(world: World, case: Case) -> None:
    text = "not before it is written"
    known = await case.write("asked about already")  # else the answers are what waits for the store
    await until_delivered(world, [known], 20)
    store = Path(case.wires.worker.environment["STATE_DIR"]) / case.session / "store.db"
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        async with armed(Failpoint.AFTER_WIRE, case.wires, account=case.account) as point:
            other.execute("begin immediate")
            message = await case.write(text)
            with pytest.raises(TimeoutError):
                await point.reached(7)  # the library by itself gives up after 5 s, and sends
            assert case.arrived(text) == 0
            other.execute("rollback")
            assert (await point.reached()).messages == {message}
            await case.wires.kill()
    await case.restart()
    await until_delivered(world, [message], 20)
    assert case.arrived(text) == 1


async def test_all_but_the_message_passes_while_a_worker_is_brought_before_the_wire(
    world: World, case: Case
) -> None:
    async with armed(Failpoint.BEFORE_WIRE, case.wires) as point:
        reaching = asyncio.create_task(point.reached())
        await case.recipient.send(case.account, "an answer")
        await world.simulator.until_delivered(case.account)  # the account's client confirmed it
        message = await case.write("held alone")
        assert (await reaching).messages == {message}
        assert case.arrived("held alone") == 0
    # nobody was killed: the library sends again what the reset connection lost
    await until_delivered(world, [message], 40)
    assert case.arrived("held alone") == 1


@pytest.mark.parametrize("failpoint", [Failpoint.DURING_SNAPSHOT, Failpoint.AFTER_SNAPSHOT])
async def test_a_store_whose_snapshot_was_cut_off_by_a_kill_sends_on(
    world: World, case: Case, failpoint: Failpoint
) -> None:
    before, after = f"before {failpoint}", f"after {failpoint}"
    earlier = await case.write(before)
    await until_delivered(world, [earlier], 20)
    generation = await stored_generation(world, case.session)
    async with armed(failpoint, case.wires) as point:
        assert case.wires.worker.process
        case.wires.worker.process.terminate()  # the last thing that it does is to seal its stores
        exchange = (await point.reached()).exchange
        assert exchange
        assert exchange.asked["p_clean"]
        await case.wires.kill()
    written = 1 if failpoint is Failpoint.AFTER_SNAPSHOT else 0
    assert await stored_generation(world, case.session) == generation + written
    await case.restart()
    message = await case.write(after)
    await until_delivered(world, [message], 20)
    assert (case.arrived(before), case.arrived(after)) == (1, 1)


@pytest.mark.parametrize("failpoint", [Failpoint.DURING_TAKEOVER, Failpoint.DURING_ADOPTION])
async def test_a_message_survives_the_death_of_its_worker_and_of_the_next(
    world: World, case: Case, failpoint: Failpoint
) -> None:
    text = f"killed again at {failpoint}"
    async with armed(Failpoint.AFTER_CLAIM, case.wires) as point:
        message = await case.write(text)
        await point.reached()
        await case.wires.kill()
    async with armed(failpoint, case.wires) as point:
        await case.wires.worker.start()
        reached = await point.reached()
        assert reached.messages == ({message} if failpoint is Failpoint.DURING_ADOPTION else set())
        await case.wires.kill()
    await case.restart()
    await until_delivered(world, [message], 20)
    assert case.arrived(text) == 1


async def test_a_failpoint_that_is_not_reached_says_so_and_leaves_nothing_behind(world: World, case: Case) -> None:
    async with armed(Failpoint.AFTER_WIRE, case.wires, account=case.account) as point:
        with pytest.raises(TimeoutError):
            await point.reached(0.1)
    async with armed(Failpoint.BEFORE_SETTLE, case.wires) as point:
        with pytest.raises(TimeoutError):
            await point.reached(0.1)
    message = await case.write("nothing in the way")
    await until_delivered(world, [message], 20)
    assert case.arrived("nothing in the way") == 1


async def stored_generation(world: World, session: str) -> int:
    """The number of the newest sealed store of a session."""
    sql = "select generation from herald.session_credentials where session_id = %s"
    row: Row | None = await world.row(sql, session)
    assert row
    return int(row["generation"])
