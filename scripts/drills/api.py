"""How fast the HTTP API answers: reads, calls that send, events; and how many reads it can take.

One worker, one linked account, an organisation with messages of the past. PostgREST, Postgres, the gateway and
what makes the calls are on the same machine. Limits are raised; only a 2xx counts, and nothing else may come.
"""

import argparse
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from scripts.drills import events_latency
from scripts.drills.load import Load, highest_rate, offer
from scripts.drills.processor import processor_times
from scripts.drills.report import Report, rounded, run
from tests.kit.api_world import RECIPIENT, ApiWorld, api_world

#: Messages of the past that lists and pages are read from.
PAST = 5000

#: Statuses that are written one by one, and clients that hear of them.
EVENTS, CLIENTS = 200, 10

READS_PER_SECOND, SENDS_PER_SECOND = 200.0, 50.0
READ_P99, SEND_P99, MOST_P99 = 25.0, 50.0, 100.0  #: milliseconds

_PAST = """
insert into public.scheduled_whatsapp_messages
(organization_id, session_id, recipient_phone, message_content, scheduled_for, status, sent_at, wa_message_id)
select %s, %s, %s, 'Message ' || n, moment, 'sent', moment, 'P' || n
from generate_series(1, %s) as n, lateral (select now() - n * interval '1 minute') as t (moment)
returning id
"""

Call = Callable[[int], Awaitable[int]]


class Caller:
    """Calls as the organisation's admin, through keys that a proxy has."""

    def __init__(self, http: aiohttp.ClientSession, place: ApiWorld, token: str, past: list[str]) -> None:
        self._http = http
        self._place = place
        self._past = past
        self._headers = {
            "X-API-Key": place.operator_key,
            "Authorization": f"Bearer {token}",
            "X-Org-Id": place.world.organization,
        }

    async def read(self, number: int) -> int:
        """Half lists of 50 messages, the rest single messages with their reasons and groups."""
        match number % 8:
            case 0 | 4:
                path = "/api/messages?limit=50"
            case 1:
                path = "/api/messages?limit=50&status=sent"
            case 2:
                path = f"/api/messages?limit=50&session_id={self._place.session}"
            case 3 | 7:
                path = f"/api/messages/{self._past[number % len(self._past)]}"
            case 5:
                path = "/api/groups"
            case _:
                path = f"/api/groups/{self._place.group['group_jid']}"
        return await self._ask("GET", path)

    async def send(self, number: int) -> int:
        """Queue a message for next year."""
        body = {
            "to": {"phone": f"+{RECIPIENT}"},
            "text": f"Message {number} of a bench",
            "session_id": self._place.session,
            "scheduled_for": "2036-01-01T00:00:00Z",
        }
        return await self._ask("POST", "/api/send", body)

    async def _ask(self, method: str, path: str, body: object = None) -> int:
        try:
            async with self._http.request(
                method, self._place.url + path, json=body, headers=self._headers
            ) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A load, and the milliseconds of a processor that a call of it cost each program."""

    load: Load
    cost: Mapping[str, float]


async def take(place: ApiWorld, rate: float, seconds: float, call: Call) -> Taken:
    """Offer a load and look at what it costs."""
    assert place.worker.process
    worker = place.worker.process.pid
    before = processor_times(place.world.stack, worker)
    load = await offer(rate, seconds, call)
    after = processor_times(place.world.stack, worker)
    calls = len(load.latencies) + load.others.total()
    return Taken(load, {program: (after[program] - before[program]) / calls for program in after})


async def bench(as_json: bool, seconds: float, search_seconds: float) -> int:
    """Measure all; the exit code."""
    report = Report("api", as_json)
    with tempfile.TemporaryDirectory(prefix="herald-api-") as folder:
        async with (
            api_world(Path(folder), report.say) as place,
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=10)
            ) as http,
        ):
            past = await place.world.rows(_PAST, place.world.organization, place.session, f"+{RECIPIENT}", PAST)
            await place.world.database.execute("analyze public.scheduled_whatsapp_messages")
            caller = Caller(http, place, await place.token(), [str(row["id"]) for row in past])
            for call in (caller.read, caller.send):
                await offer(20, 2, call)  # connections, plans and caches
            report.say(f"{READS_PER_SECOND:g} reads a second")
            reads = await take(place, READS_PER_SECOND, seconds, caller.read)
            report.say(f"{SENDS_PER_SECOND:g} send calls a second")
            sends = await take(place, SENDS_PER_SECOND, seconds, caller.send)
            report.say(f"{EVENTS} statuses to {CLIENTS} WebSocket clients")
            events = await events_latency.measure(place.world, place.worker.port, EVENTS, CLIENTS)
            report.say("the highest rate")
            most = await highest_rate(READS_PER_SECOND, search_seconds, MOST_P99, caller.read, report.say)
    show(report, "reads", reads, READ_P99)
    show(report, "send calls", sends, SEND_P99)
    events_latency.show(report, *events)
    report.note(f"highest rate of reads with p99 <= {MOST_P99:g} ms", round(most.rate) if most else None, "/s")
    report.extra = {"seconds": seconds, "past_messages": PAST}
    return report.finish()


def show(report: Report, what: str, taken: Taken, limit: float) -> None:
    """Tell of one load."""
    load = taken.load
    name = f"{what} at {load.rate:g}/s"
    report.note(f"{name}: p50", rounded(load.percentile(0.5)), "ms")
    report.note(f"{name}: p95", rounded(load.percentile(0.95)), "ms")
    report.bar(f"{name}: p99", rounded(load.percentile(0.99)), "ms", "<=", limit)
    report.bar(f"{name}: without a 2xx", load.others.total(), "", "==", 0)
    report.note(f"{name}: processor time a call", rounded(sum(taken.cost.values())), "ms")
    for program, cost in taken.cost.items():
        report.note(f"{name}: of it {program}", rounded(cost), "ms")


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench api", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--seconds", type=float, default=60, help="how long each rate is offered (default 60)")
    parser.add_argument("--search-seconds", type=float, default=10, help="and each of the search for the highest")
    options = parser.parse_args()
    return run(bench(options.json, options.seconds, options.search_seconds))


if __name__ == "__main__":
    sys.exit(main())
