"""Workers under the real PM2, with the repository's ecosystem.config.js; judged by what recipients received."""

import asyncio
import itertools
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from simulator.client import Recipient
from simulator.faults import FaultKind
from tests.conftest import until_delivered
from tests.kit.pm2 import Pm2, moment, until_ended, until_serving
from tests.kit.worker_process import free_port, until
from tests.kit.world import World
from worker.__main__ import Exit

RunPm2 = Callable[..., Pm2]

LEASES = "select 1 from herald.session_leases where session_id = %s and expires_at > now()"
CLEAN = "select clean from herald.session_credentials where session_id = %s"

_names = itertools.count(1)


@pytest.fixture
async def run_pm2(world: World) -> AsyncIterator[RunPm2]:
    """Makes PM2s of the test's own, not started yet; they end with the test."""
    async with AsyncExitStack() as exits:
        made: list[Pm2] = []

        def make(*, workers: int = 1, **settings: str) -> Pm2:
            settings = {"POLL_INTERVAL": "1", **settings}
            made.append(Pm2(world, f"pm2-{next(_names)}", workers=workers, **settings))
            exits.push_async_exit(made[-1])
            return made[-1]

        yield make
        await world.simulator.clear_faults()
        await world.rows(
            "update public.whatsapp_sessions set desired_state = 'disconnected'"
            " where desired_state <> 'disconnected' returning id"
        )


async def schedule(world: World, sessions: list[str], recipient: Recipient, count: int) -> list[str]:
    """Queue direct messages over the accounts, each with a text of its own."""
    return await world.schedule(
        [
            {
                "session_id": sessions[number % len(sessions)],
                "recipient_phone": f"+{recipient.phone}",
                "message_content": f"{sessions[0]} {number:03}",
            }
            for number in range(count)
        ]
    )


def received(world: World, recipient: Recipient) -> Counter[str]:
    """How often each text came."""
    return Counter(entry.text for entry in world.simulator.ledger.received(recipient.phone))


@pytest.mark.full  # test_handover.py shows an orderly stop at work, and test_a_stop_hands_over_in_order PM2's own part
async def test_a_reload_under_load_loses_and_doubles_nothing_not_even_a_line_of_the_log(
    world: World, run_pm2: RunPm2, new_phone: Callable[[], str]
) -> None:
    pm2 = run_pm2(LOG_FILE_MB="0.1", LOG_FILES="100")
    await pm2.start()
    recipient = await world.simulator.recipient(new_phone())
    sessions = [await world.link(f"Reloaded {number}", new_phone()) for number in range(2)]
    await world.simulator.fault(FaultKind.DELAY, seconds=0.05)
    ids = await schedule(world, sessions, recipient, 150)
    for _ in range(2):
        before = await pm2.process()
        since = await moment(world)
        await pm2.run("reload", "ecosystem.config.js")
        await until_serving(world, sessions, 20, since=since)
        after = await pm2.process()
        assert (after.status, after.exit_code) == ("online", Exit.STOPPED)
        assert after.restarts == before.restarts + 1
        assert after.pid != before.pid
    await until_delivered(world, ids)
    assert received(world, recipient) == {f"{sessions[0]} {number:03}": 1 for number in range(150)}
    lines = pm2.log_lines()
    tried = Counter(line["message_id"] for line in lines if line["event"] == "message_tried")
    assert tried == dict.fromkeys(ids, 1)
    assert sum(line["event"] == "worker_stopped" for line in lines) == 2
    assert (pm2.logs / "herald-1.log").stat().st_size <= 0.1 * 2**20


async def test_a_wrong_setting_is_told_and_not_tried_for_ever(run_pm2: RunPm2) -> None:
    pm2 = run_pm2()
    right = pm2.settings["ENCRYPTION_KEY"]
    pm2.configure(ENCRYPTION_KEY="c2hvcnQ=")
    await pm2.start()
    process = await pm2.until_process("a worker that has ended", pid=0)
    assert process.exit_code == Exit.SETTINGS
    assert process.restarts == 0
    with pytest.raises(TimeoutError):
        await pm2.until_process("another start", restarts=1, seconds=3)
    assert "herald: ENCRYPTION_KEY is wrong" in pm2.start_log()
    pm2.configure(ENCRYPTION_KEY=right)
    await pm2.run("restart", "herald-1")
    assert (await pm2.process()).status == "online"
    assert pm2.log_lines()[-1]["event"] in {"worker_started", "realtime_subscribed", "engine_started"}


async def test_a_supabase_that_is_away_is_tried_until_it_is_back(run_pm2: RunPm2) -> None:
    pm2 = run_pm2()
    url = pm2.settings["SUPABASE_URL"]
    pm2.configure(SUPABASE_URL=f"http://127.0.0.1:{free_port()}")
    await pm2.start()
    process = await pm2.until_process("a third start", restarts=2)
    assert process.exit_code == Exit.LATER
    assert pm2.log_lines()[-1]["event"] in {"worker_ended", "engine_started"}
    pm2.configure(SUPABASE_URL=url)
    await until_logged(pm2, "worker_started")
    assert (await pm2.process()).status == "online"


async def until_logged(pm2: Pm2, event: str, seconds: float = 40) -> None:
    """Wait for a line of the worker's log."""

    async def look() -> bool | None:
        return True if any(line["event"] == event for line in pm2.log_lines()) else None

    await until(look, seconds, f"the line {event}")


async def test_a_stop_hands_over_in_order_and_a_start_takes_up_again(
    world: World, run_pm2: RunPm2, new_phone: Callable[[], str]
) -> None:
    pm2 = run_pm2()
    await pm2.start()
    recipient = await world.simulator.recipient(new_phone())
    session = await world.link("Stopped by PM2", new_phone())
    [first] = await schedule(world, [session], recipient, 1)
    await until_delivered(world, [first])
    await pm2.run("stop", "herald-1")
    assert (await pm2.process()).status == "stopped"
    assert await world.row(LEASES, session) is None
    assert await world.row(CLEAN, session) == {"clean": True}
    later = await world.schedule(
        [{"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": "after the stop"}]
    )
    await pm2.start()
    await until_delivered(world, later)
    assert recipient.times_received("after the stop") == 1


async def test_several_workers_share_the_accounts_and_no_secret_is_in_pm2s_dump(
    world: World, run_pm2: RunPm2, new_phone: Callable[[], str]
) -> None:
    pm2 = run_pm2(workers=2, WORKER_MAX_SESSIONS="1")
    pm2.shell |= {"SUPABASE_SERVICE_KEY": "sb_secret_of_the_shell", "MY_TOKEN": "token-of-the-shell"}
    await pm2.start()
    sessions = [await world.link(f"Shared {number}", new_phone()) for number in range(2)]
    await pm2.run("reload", "ecosystem.config.js")
    await until_serving(world, sessions)
    holders = await world.rows(
        "select worker_id from herald.session_leases where session_id = any(%s::uuid[]) order by 1", sessions
    )
    first = pm2.settings["WORKER_ID"]
    assert [row["worker_id"] for row in holders] == [first, f"{first}-2"]
    await pm2.run("save")
    kept = (pm2.home / "dump.pm2").read_text()
    for process in await pm2.processes():
        kept += Path(f"/proc/{process.pid}/environ").read_text()
    assert str(pm2.env_file) in kept
    for secret in ("sb_secret_of_the_shell", "token-of-the-shell", pm2.settings["ENCRYPTION_KEY"], "sb_secret"):
        assert secret not in kept


async def test_the_end_of_pm2_is_an_orderly_end_of_the_worker_and_a_resurrection_serves_again(
    world: World, run_pm2: RunPm2, new_phone: Callable[[], str]
) -> None:
    pm2 = run_pm2()
    await pm2.start()
    await pm2.run("save")
    recipient = await world.simulator.recipient(new_phone())
    session = await world.link("Orphan of PM2", new_phone())
    await world.simulator.fault(FaultKind.DELAY, seconds=0.1)
    ids = await schedule(world, [session], recipient, 40)
    orphan = await pm2.process()
    await world.until_settled(ids[:1], ("sent", "delivered"), 20)
    await pm2.kill_daemon()
    await until_ended(orphan.pid, 15)
    assert await world.row(CLEAN, session) == {"clean": True}
    assert [line["event"] for line in pm2.log_lines()][-1] == "worker_stopped"
    await pm2.run("resurrect")
    await until_delivered(world, ids)
    assert received(world, recipient) == {f"{session} {number:03}": 1 for number in range(40)}


@pytest.mark.full
async def test_a_killed_worker_is_started_again(
    world: World, run_pm2: RunPm2, new_phone: Callable[[], str]
) -> None:
    pm2 = run_pm2()
    await pm2.start()
    recipient = await world.simulator.recipient(new_phone())
    session = await world.link("Killed under PM2", new_phone())
    await world.simulator.fault(FaultKind.DELAY, seconds=0.1)
    ids = await schedule(world, [session], recipient, 40)
    for kill in range(1, 4):
        await asyncio.sleep(0.4 * kill)  # at different moments of a send
        since = await moment(world)
        os.kill((await pm2.process()).pid, signal.SIGKILL)
        await pm2.until_process("another start", restarts=kill)
        await until_serving(world, [session], since=since)
    await until_delivered(world, ids)
    assert received(world, recipient) == {f"{session} {number:03}": 1 for number in range(40)}


@pytest.mark.full
async def test_a_worker_above_its_memory_limit_is_reloaded_in_order(
    world: World, run_pm2: RunPm2, new_phone: Callable[[], str]
) -> None:
    pm2 = run_pm2(HERALD_MEMORY_LIMIT="20M")
    pm2.shell["PM2_WORKER_INTERVAL"] = "6000"
    await pm2.start()
    recipient = await world.simulator.recipient(new_phone())
    session = await world.link("Too large", new_phone())
    ids = await schedule(world, [session], recipient, 20)

    async def look() -> bool | None:
        process = await pm2.process()
        return True if process.restarts >= 2 and process.status == "online" else None

    await until(look, 40, "two restarts for memory")
    assert (await pm2.process()).exit_code == Exit.STOPPED
    pm2.configure(HERALD_MEMORY_LIMIT="1G")
    await pm2.run("reload", "ecosystem.config.js")
    await until_delivered(world, ids)
    assert received(world, recipient) == {f"{session} {number:03}": 1 for number in range(20)}


@pytest.mark.full
async def test_two_workers_of_one_name_do_not_throw_each_other_out_for_ever(run_pm2: RunPm2) -> None:
    first, second = run_pm2(), run_pm2()
    second.configure(WORKER_ID=first.settings["WORKER_ID"])
    await first.start()
    await second.start()
    process = await first.until_process("the end of the first", pid=0)
    assert process.exit_code == Exit.REPLACED
    assert "WORKER_ID" in first.start_log()
    with pytest.raises(TimeoutError):
        await first.until_process("another start", restarts=1, seconds=3)
    assert (await second.process()).status == "online"
