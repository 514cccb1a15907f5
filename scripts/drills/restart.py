"""How soon a killed worker, or a killed engine process, is back at work; no message may be lost or doubled."""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from scripts.drills.report import Report, percentile, run
from simulator.faults import FaultKind
from tests.kit.worker_process import Worker, until
from tests.kit.world import Row, World

ACCOUNTS = ["491511111101", "491511111102", "491511111103"]
RECIPIENTS = ["491522222201", "491522222202"]

#: Seconds that WhatsApp's servers take to answer here, so that kills strike in every stage of a send.
ROUND_TRIP = 0.1

#: One row if the number of sessions that can send now meets this comparison.
READY = "select 1 from herald.session_leases where ready and expires_at > now() having count(*)"


class Restarts:
    """Keeps messages flowing over three accounts while it kills, and counts what arrived."""

    def __init__(self, world: World, worker: Worker, sessions: list[str]) -> None:
        self.world = world
        self.worker = worker
        self.sessions = sessions
        self.ids: list[str] = []
        self.texts: dict[str, str] = {}  #: text → the phone that it goes to

    async def schedule(self, count: int) -> None:
        """Insert so many direct messages, spread over accounts and recipients."""
        rows: list[Row] = []
        for _ in range(count):
            number = len(self.texts)
            text, phone = f"restart {number:04d}", RECIPIENTS[number % len(RECIPIENTS)]
            self.texts[text] = phone
            session = self.sessions[number % len(self.sessions)]
            rows.append({"session_id": session, "recipient_phone": f"+{phone}", "message_content": text})
        self.ids += await self.world.schedule(rows)

    async def kill_worker(self) -> float:
        """SIGKILL the daemon, start it again; seconds from its start until every account can send."""
        await self.worker.kill()
        begun = time.monotonic()
        await self.worker.start()
        await self.worker.until_serving(len(self.sessions))
        return time.monotonic() - begun

    async def kill_engine(self) -> float:
        """SIGKILL one engine process; seconds until every account can send again, by the database's word."""
        every = len(self.sessions)
        begun = time.monotonic()
        os.kill(self.worker.engine_of(self.sessions[0]), signal.SIGKILL)
        await until(lambda: self.world.row(f"{READY} < %s", every), 30, "the loss of an engine")
        await until(lambda: self.world.row(f"{READY} = %s", every), 30, "its sessions' return")
        return time.monotonic() - begun

    async def judge(self) -> tuple[int, int, int]:
        """Wait until all is settled; how many messages were lost, doubled, and are left in doubt."""
        rows = await self.world.until_settled(self.ids, ("delivered", "read", "failed", "in_doubt"), 60)
        doubtful = {row["message_content"] for row in rows if row["status"] == "in_doubt"}
        times = {
            text: self.world.simulator.ledger.times_received(phone, text) for text, phone in self.texts.items()
        }
        lost = sum(count == 0 for text, count in times.items() if text not in doubtful)
        return lost, sum(count > 1 for count in times.values()), len(doubtful)


async def bench(as_json: bool, messages: int, kills: int) -> int:
    """Kill and measure; the exit code."""
    report = Report("restart", as_json)
    rng = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="herald-restart-") as folder:
        report.say("starting the stack, the simulator and a worker")
        async with World(Path(folder)) as world:
            worker = world.make_worker("bench-worker", ENGINE_SHARD_SIZE="2", LOG_LEVEL="WARNING")
            await worker.start()
            await asyncio.gather(*(world.simulator.recipient(phone) for phone in RECIPIENTS))
            sessions = [await world.link(f"Account {phone}", phone) for phone in ACCOUNTS]
            restarts = Restarts(world, worker, sessions)
            await world.simulator.fault(FaultKind.DELAY, seconds=ROUND_TRIP)
            back: dict[str, list[float]] = {"worker": [], "engine": []}
            for victim, kill in (("worker", restarts.kill_worker), ("engine", restarts.kill_engine)):
                for number in range(kills):
                    await restarts.schedule(messages // (2 * kills))
                    await asyncio.sleep(rng.uniform(0, 0.6))  # at any moment of a send
                    back[victim].append(await kill())
                    report.say(f"{victim} killed, {number + 1} of {kills}: back after {back[victim][-1]:.2f} s")
            lost, doubled, doubtful = await restarts.judge()
            shown = await world.rows("select 1 from public.whatsapp_sessions where qr_code is not null")
            alive = worker.process is not None and worker.process.returncode is None
    for victim, seconds in back.items():
        name = f"{victim} killed → every account sends again"
        report.bar(f"{name}, median", round(percentile(seconds, 0.5) or 0, 2), "s", "<=", 5)
        report.bar(f"{name}, worst", round(max(seconds), 2), "s", "<=", 5)
    report.bar("messages lost", lost, f"of {messages}", "==", 0)
    report.bar("messages received twice", doubled, f"of {messages}", "==", 0)
    report.bar("left in doubt", doubtful, f"of {messages}", "<=", kills)
    report.bar("QR codes shown again", len(shown), "", "==", 0)
    report.bar("daemon outlived its engines", int(alive), "", "==", 1)
    return report.finish()


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench restart", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--messages", type=int, default=200, help="how many in all (default 200)")
    parser.add_argument("--kills", type=int, default=10, help="of the worker, and of an engine (default 10)")
    options = parser.parse_args()
    return run(bench(options.json, options.messages, options.kills))


if __name__ == "__main__":
    sys.exit(main())
