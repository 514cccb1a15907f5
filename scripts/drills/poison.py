"""Messages that can never go out, among many that can: each stops at its limit, and the others are not slower.

Blocks of messages at a steady pace: without poison, with, with, without, and so on, so that what else the machine
does hits both, and poison of one block is tried again beside the healthy messages of the next. A block without
poison begins when all poison has ended. Arrivals are the recipients' ledger's.
"""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from enum import StrEnum
from pathlib import Path

from scripts.drills.report import Report, percentile, run
from tests.kit.faults.gate import Trouble
from tests.kit.faults.wires import Wires
from tests.kit.project import named_project
from tests.kit.world import Row, World

ACCOUNTS, RECIPIENTS = 8, 4

#: About how many messages a block has, and how many p99 needs to be more than noise.
BLOCK, ENOUGH = 1700, 5000

#: How often messages are queued, seconds.
TICK = 0.25

#: The longest that poison may take to end: a silent host takes 30 s an attempt, and attempts wait for each other.
ENDS = 400.0

#: Where the worker takes media from although it is no public address: its own project's Storage.
MEDIA = "/storage/v1/object/public/media/{}.png"


class Poison(StrEnum):
    """Why a message can't go out."""

    SILENT = "silent"  #: its media's host never answers: tried again
    REFUSED = "refused"  #: its media's host is ill: tried again
    NO_IMAGE = "no image"  #: its media are something else: final
    NO_NUMBER = "no number"  #: nobody has its number: final

    @property
    def tried_again(self) -> bool:
        """Whether it is worth its retries."""
        return self in (Poison.SILENT, Poison.REFUSED)


class Blocks:
    """Queues them, and knows when each message was queued."""

    def __init__(self, wires: Wires, sessions: list[str], recipients: list[str], retries: int) -> None:
        self._wires, self._world = wires, wires.world
        self._sessions, self._recipients, self._retries = sessions, recipients, retries
        self._rng = random.Random(3)
        self.queued: dict[bool, dict[str, float]] = {False: {}, True: {}}  #: with poison → text → when
        self.to: dict[str, str] = {}  #: text → phone
        self.poison: dict[str, Poison] = {}  #: by id

    async def block(self, count: int, rate: float, poison: int) -> None:
        """Queue so many messages at a rate a second, and poison among them; wait until the messages have ended."""
        begun, sent, ids = time.monotonic(), 0, list[str]()
        laced = set(self._rng.sample(range(count), poison))
        while sent < count:
            due = min(count, int((time.monotonic() - begun) * rate) + 1)
            rows = [self._message(bool(poison)) for _ in range(sent, due)]
            bad = [n for n in range(sent, due) if n in laced]
            ids += await self._queue(rows)
            for _ in bad:
                await self._lace()
            sent = due
            await asyncio.sleep(TICK)
        await self._world.until_settled(ids, ("sent", "delivered", "read", "failed", "in_doubt"), 120)

    async def until_poison_ended(self) -> None:
        """Wait for its last attempts, two of which take 70 s for a host that is silent."""
        await self._world.until_settled(list(self.poison), ("failed",), ENDS)

    async def _queue(self, rows: list[Row]) -> list[str]:
        return await self._world.schedule(rows) if rows else []

    def _message(self, laced: bool) -> Row:
        number = len(self.to)
        text, phone = f"healthy {number}", self._recipients[number % len(self._recipients)]
        self.to[text], self.queued[laced][text] = phone, time.time()
        session = self._sessions[number % len(self._sessions)]
        return {"session_id": session, "recipient_phone": f"+{phone}", "message_content": text}

    async def _lace(self) -> None:
        kind = list(Poison)[len(self.poison) % len(Poison)]
        row: Row = {
            "session_id": self._sessions[len(self.poison) % len(self._sessions)],
            "recipient_phone": f"+{self._recipients[0]}",
            "message_content": f"poison {len(self.poison)}",
            "max_retries": self._retries,
        }
        match kind:
            case Poison.NO_NUMBER:
                row |= {"recipient_phone": f"+49199{len(self.poison):07d}"}
            case Poison.NO_IMAGE:
                row |= {"media_kind": "image", "media_url": "data:image/png;base64,bm8gaW1hZ2U="}
            case _:
                row |= {"media_kind": "image", "media_url": self._wires.gate.url + MEDIA.format(kind.value)}
        [made] = await self._world.schedule([row])
        self.poison[made] = kind

    async def wrong(self) -> int:
        """How many of the poison have not ended as they should."""
        rows = await self._world.rows(
            "select id, status, retry_count, error_message from public.scheduled_whatsapp_messages"
            " where id = any(%s::uuid[])",
            list(self.poison),
        )
        return sum(
            row["status"] != "failed"
            or not row["error_message"]
            or row["retry_count"] != (self._retries if self.poison[str(row["id"])].tried_again else 0)
            for row in rows
        )

    def judge(self) -> tuple[int, int, dict[bool, list[float]]]:
        """How many healthy messages were lost and doubled; milliseconds until each arrived, without and with."""
        entries = [entry for entry in self._world.simulator.ledger.received() if entry.text in self.to]
        times = Counter(entry.text for entry in entries)
        arrived = {entry.text: entry.arrived_at for entry in reversed(entries)}
        waits = {
            laced: [(arrived[text] - when) * 1000 for text, when in queued.items() if text in arrived]
            for laced, queued in self.queued.items()
        }
        return len(self.to) - len(times), sum(count > 1 for count in times.values()), waits


async def bench(as_json: bool, messages: int, poison: int, rate: float, retries: int) -> int:
    """Run the blocks; the exit code."""
    report = Report("poison", as_json)
    with tempfile.TemporaryDirectory(prefix="herald-poison-") as folder:
        report.say("starting the stack, the simulator and a worker")
        async with World(Path(folder)) as world:
            worker = world.make_worker("poisoned", LOG_LEVEL="WARNING")
            async with Wires.of(world, worker) as wires:
                await worker.start()
                recipients = [f"4918500000{n:02d}" for n in range(RECIPIENTS)]
                for phone in recipients:
                    await world.simulator.recipient(phone)
                sessions = [await world.link(f"Account {n}", f"4918600000{n:02d}") for n in range(ACCOUNTS)]
                await world.rows("update public.whatsapp_sessions set daily_limit = 100000 returning id")
                for trouble, kind in ((Trouble.SILENT, Poison.SILENT), (Trouble.UNAVAILABLE, Poison.REFUSED)):
                    wires.gate.trouble(trouble, MEDIA.format(kind.value))
                blocks = Blocks(wires, sessions, recipients, retries)
                await blocks.block(4 * ACCOUNTS, rate, 0)  # ratchets are agreed on
                blocks.queued[False].clear()
                pairs = 2 * max(1, round(messages / BLOCK / 2))
                for number in range(pairs):
                    share = poison * (number + 1) // pairs - poison * number // pairs
                    size = messages * (number + 1) // pairs - messages * number // pairs
                    for laced in (True, False) if number % 2 else (False, True):
                        if not laced:
                            await blocks.until_poison_ended()
                        await blocks.block(size, rate, share if laced else 0)
                    report.say(f"{number + 1} of {pairs} pairs of blocks, {len(blocks.poison)} poison messages")
                wrong = await blocks.wrong()
                lost, twice, waits = blocks.judge()
                await wires.kill()
    beside, alone = (percentile(waits[each], 0.99) or 0.0 for each in (True, False))
    ratio = round(beside / alone, 3) if messages >= ENOUGH and alone else None
    report.bar("poison messages that did not stop at their limit", wrong, f"of {poison}", "==", 0)
    report.bar("others lost", lost, f"of {len(blocks.to)}", "==", 0)
    report.bar("others received twice", twice, f"of {len(blocks.to)}", "==", 0)
    report.bar("others' p99 with poison ÷ without", ratio, f"({messages} each)", "<=", 1.1)
    report.note("p99 with poison", round(beside), "ms")
    report.note("p99 without", round(alone), "ms")
    for name, portion in (("median", 0.5), ("p95", 0.95)):
        beside, alone = (percentile(waits[each], portion) or 0.0 for each in (True, False))
        report.note(f"{name} with poison", round(beside), f"ms (without: {alone:.0f})")
    return report.finish()


def main() -> int:
    """Read the command line."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(prog="scripts/bench poison", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--messages", type=int, default=400, help="healthy ones beside the poison (default 400)")
    parser.add_argument("--poison", type=int, default=4, help="of four kinds in turn (default 4)")
    parser.add_argument("--rate", type=float, default=40, help="messages a second (default 40)")
    parser.add_argument("--retries", type=int, default=1, help="limit of each poison message (default 1)")
    options = parser.parse_args()
    if named_project():
        sys.exit(
            "bench poison needs a gate before Supabase: unset SUPABASE_URL, so that it starts a stack of its own"
        )
    return run(bench(options.json, options.messages, options.poison, options.rate, options.retries))


if __name__ == "__main__":
    sys.exit(main())
