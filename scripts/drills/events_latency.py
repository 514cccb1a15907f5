"""How soon a client of WS /api/events gets a status: from before the write until the client has read it."""

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import aiohttp

from scripts.drills.report import Report, percentile, run
from tests.kit.world import Row, World, rows_of
from worker.supabase.realtime.organization_feed import Changed, OrganizationFeed

KEY = f"bench-{secrets.token_hex(16)}"


@dataclass(slots=True)
class Heard:
    """When a status was heard of: at a client of the worker, and at a plain subscription to Realtime beside it."""

    at_client: asyncio.Future[float]
    from_realtime: asyncio.Future[float]


class Ears:
    """Everything that is heard, by message."""

    def __init__(self) -> None:
        self.by_message: dict[str, Heard] = {}

    def expect(self, message: str) -> Heard:
        loop = asyncio.get_running_loop()
        heard = self.by_message[message] = Heard(loop.create_future(), loop.create_future())
        return heard

    async def client(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Listen as a client; returns when cancelled."""
        async for message in socket:
            told = message.json()
            if told["type"] == "message_sent" and (heard := self.by_message.get(told["message_id"])):
                heard.at_client.set_result(time.monotonic())

    def realtime(self, _kind: Changed, row: Row, _at: str) -> None:
        """Listen as a plain subscriber."""
        heard = self.by_message.get(row["id"])
        if heard and row["status"] == "sent":
            heard.from_realtime.set_result(time.monotonic())


async def statuses(world: World, session: str, count: int, ears: Ears) -> tuple[list[float], list[float]]:
    """Milliseconds from just before each status is written, one at a time, until client and Realtime report it."""
    row = {
        "session_id": session,
        "recipient_phone": "+491522222201",
        "scheduled_for": "2100-01-01T00:00:00Z",
        "message_content": "Later",
    }
    messages = await world.schedule([row] * count)
    await world.rows(
        "update public.scheduled_whatsapp_messages set status = 'sending' where id = any(%s::uuid[]) returning id",
        messages,
    )
    to_client, to_realtime = [], []
    for message in messages:
        # At random, so that writes don't ride on the rhythm of anything that polls.
        await asyncio.sleep(random.uniform(0.02, 0.12))
        heard = ears.expect(message)
        began = time.monotonic()
        await world.rows(
            "update public.scheduled_whatsapp_messages set status = 'sent', sent_at = now(), wa_message_id = %s"
            " where id = %s returning id",
            secrets.token_hex(8),
            message,
        )
        async with asyncio.timeout(10):
            to_client.append((await heard.at_client - began) * 1000)
            to_realtime.append((await heard.from_realtime - began) * 1000)
    return to_client, to_realtime


async def measure(world: World, port: int, count: int, clients: int) -> tuple[list[float], list[float]]:
    """Milliseconds as of ``statuses``, for one client of the worker on this port beside others that listen."""
    account = {"organization_id": world.organization, "display_name": "Bench"}
    session = rows_of(await world.admin.table("whatsapp_sessions").insert(account).execute())[0]["id"]
    signed_in = await world.admin.auth.get_session()
    assert signed_in
    ears, live = Ears(), asyncio.Event()
    feed = OrganizationFeed(
        world.stack.url, world.stack.secret_key, UUID(world.organization), ears.realtime, live.set
    )
    tasks = [asyncio.create_task(feed.run())]
    async with aiohttp.ClientSession() as http:
        try:
            await live.wait()
            for number in range(clients):
                socket = await http.ws_connect(
                    f"http://127.0.0.1:{port}/api/events",
                    protocols=("herald.v1", f"bearer.{signed_in.access_token}"),
                )
                await socket.send_json({"type": "subscribe", "sessions": "all"})
                while (await socket.receive_json())["type"] != "snapshot":
                    pass
                tasks.append(asyncio.create_task((ears if number == 0 else Ears()).client(socket)))
            await statuses(world, session, 5, ears)
            return await statuses(world, session, count, ears)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def show(report: Report, waits: list[float], of_it: list[float]) -> None:
    """Tell of what was measured."""
    report.note("status written → event, median", round(percentile(waits, 0.5) or 0, 1), "ms")
    report.bar("status written → event, p95", round(percentile(waits, 0.95) or 0, 1), "ms", "<=", 50)
    report.note("of it until Realtime tells it, median", round(percentile(of_it, 0.5) or 0, 1), "ms")
    report.note("of it until Realtime tells it, p95", round(percentile(of_it, 0.95) or 0, 1), "ms")
    report.note("status written → event, worst", round(max(waits), 1), "ms")


async def bench(as_json: bool, count: int, clients: int) -> int:
    """Measure by itself; the exit code."""
    report = Report("events_latency", as_json)
    with tempfile.TemporaryDirectory(prefix="herald-events-") as folder:
        report.say("starting the stack and a worker")
        async with World(Path(folder)) as world:
            worker = world.make_worker("bench-worker", API_KEY=KEY, LOG_LEVEL="WARNING")
            await worker.start()
            await worker.until_serving(0)
            report.say(f"{count} statuses, {clients} clients")
            waits, of_it = await measure(world, worker.port, count, clients)
    show(report, waits, of_it)
    report.extra = {"statuses": count, "clients": clients}
    return report.finish()


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.drills.events_latency", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--statuses", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--clients", type=int, default=10, help="how many clients hear of them (default 10)")
    options = parser.parse_args()
    return run(bench(options.json, options.statuses, options.clients))


if __name__ == "__main__":
    sys.exit(main())
