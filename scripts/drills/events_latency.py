"""How soon a client of WS /api/events hears of a status: from before the write to the client's having read it."""

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from scripts.drills.report import Report, percentile, run
from scripts.drills.world import World, rows_of

KEY = f"bench-{secrets.token_hex(16)}"


async def statuses(world: World, session: str, count: int, said: dict[str, asyncio.Future[float]]) -> list[float]:
    """Milliseconds from just before each status is written until the client has read of it, one at a time."""
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
    waits = []
    for message in messages:
        # At random, so that writes don't ride on the rhythm of anything that polls.
        await asyncio.sleep(random.uniform(0.02, 0.12))
        heard = said[message] = asyncio.get_running_loop().create_future()
        began = time.monotonic()
        await world.rows(
            "update public.scheduled_whatsapp_messages set status = 'sent', sent_at = now(), wa_message_id = %s"
            " where id = %s returning id",
            secrets.token_hex(8),
            message,
        )
        waits.append((await asyncio.wait_for(heard, 10) - began) * 1000)
    return waits


async def listen(socket: aiohttp.ClientWebSocketResponse, said: dict[str, asyncio.Future[float]]) -> None:
    """Note when each message is heard to be sent."""
    async for message in socket:
        told = message.json()
        if told["type"] == "message_sent" and (heard := said.get(told["message_id"])) and not heard.done():
            heard.set_result(time.monotonic())


async def bench(as_json: bool, count: int, clients: int) -> int:
    """Measure one client, beside others that hear the same; the exit code."""
    report = Report("events_latency", as_json)
    with tempfile.TemporaryDirectory(prefix="herald-events-") as folder:
        report.say("starting the stack and a worker")
        async with World(Path(folder)) as world, aiohttp.ClientSession() as http:
            worker = world.make_worker("bench-worker", API_KEY=KEY, LOG_LEVEL="WARNING")
            await worker.start()
            await worker.until_serving(0)
            account = {"organization_id": world.organization, "display_name": "Bench"}
            session = rows_of(await world.admin.table("whatsapp_sessions").insert(account).execute())[0]["id"]
            signed_in = await world.admin.auth.get_session()
            assert signed_in
            said: dict[str, asyncio.Future[float]] = {}
            tasks = []
            for number in range(clients):
                socket = await http.ws_connect(
                    f"http://127.0.0.1:{worker.port}/api/events",
                    protocols=("herald.v1", f"bearer.{signed_in.access_token}"),
                )
                await socket.send_json({"type": "subscribe", "sessions": "all"})
                while (await socket.receive_json())["type"] != "snapshot":
                    pass
                tasks.append(asyncio.create_task(listen(socket, said if number == 0 else {})))
            await statuses(world, session, 5, said)
            report.say(f"{count} statuses, {clients} clients")
            waits = await statuses(world, session, count, said)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    report.note("status written → event, median", round(percentile(waits, 0.5) or 0, 1), "ms")
    report.bar("status written → event, p95", round(percentile(waits, 0.95) or 0, 1), "ms", "<=", 50)
    report.note("status written → event, worst", round(max(waits), 1), "ms")
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
