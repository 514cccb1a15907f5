"""The main job as a story: a QR is scanned, a group is linked to a workshop, messages arrive on phones.

All on this machine: a local Supabase, a simulated WhatsApp whose phones really decrypt, and the real worker.
"""

import argparse
import asyncio
import base64
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image, ImageDraw

from scripts.drills.report import Report, run
from simulator.client import Recipient
from tests.kit.world import Row, World, qr_text
from worker.sessions.qr_image import qr_terminal

#: (account, its phone's digits, group, the group's real recipients)
CAST = [
    ("Pottery studio", "491511111101", "Pottery on Saturday", ["491522222201", "491522222202"]),
    ("Yoga house", "491511111102", "Morning flow", ["491522222202", "491522222203"]),
    ("Kitchen lab", "491511111103", "Sourdough basics", ["491522222203", "491522222201"]),
]
LIGHT_MEMBERS = [f"4915333333{n:02d}" for n in range(5)]


def picture() -> str:
    """A small drawing as a data URI, for the image message."""
    image = Image.new("RGB", (320, 180), "#f4efe6")
    draw = ImageDraw.Draw(image)
    draw.ellipse((110, 40, 210, 140), fill="#b5651d", outline="#5b3210", width=6)
    draw.text((120, 150), "we are live", fill="#5b3210")
    out = io.BytesIO()
    image.save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


class Demo:
    """Plays the story in a world and measures its stages."""

    def __init__(self, world: World, report: Report, messages: int, show_qr: bool) -> None:
        self.world = world
        self.report = report
        self.messages = messages
        self.show_qr = show_qr
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str, text: str) -> Iterator[None]:
        """Say what happens and note how long it took."""
        self.report.say(text)
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 2)

    async def play(self) -> None:
        """The whole story."""
        world = self.world
        with self.stage("worker", "starting the worker"):
            await world.make_worker("demo-worker").start()
        with self.stage("link", f"linking {len(CAST)} accounts: the admin's page shows a QR, a phone scans it"):
            joining = asyncio.create_task(self._join_recipients())
            self.sessions = await asyncio.gather(*(self._link(*cast[:2]) for cast in CAST))
        with self.stage("groups", "waiting for the recipients' phones, then finding the groups"):
            self.recipients = await joining
            await self._find_groups()
        with self.stage("workshops", "linking each group to a workshop"):
            await self._link_workshops()
        with self.stage("schedule", f"scheduling {self.messages} messages, as the CRM inserts them"):
            self.ids = await world.schedule(self._script())
        with self.stage("delivered", "waiting until every message is delivered"):
            await self._watch()
        await self._judge()

    async def _link(self, name: str, phone: str) -> str:
        session = await self.world.add_account(name)
        uri = await self.world.shown_qr(session)
        text = qr_text(uri)
        if self.show_qr and name == CAST[0][0]:
            self.report.say(f"the QR of {name} (simulated: no real phone can use it)")
            sys.stderr.write(qr_terminal(text) + "\n")
        await self.world.simulator.scan(phone, text)
        await self.world.until_status(session, "connected")
        self.report.say(f"  {name} is connected")
        return session

    async def _join_recipients(self) -> dict[str, Recipient]:
        phones = sorted({phone for *_, members in CAST for phone in members})
        joined = await asyncio.gather(*(self.world.simulator.recipient(phone) for phone in phones))
        return dict(zip(phones, joined, strict=True))

    async def _find_groups(self) -> None:
        simulator = self.world.simulator
        self.groups = [
            await simulator.create_group(subject, admin, [*members, *LIGHT_MEMBERS])
            for _, admin, subject, members in CAST
        ]
        found = (self.world.group(session, jid) for session, jid in zip(self.sessions, self.groups, strict=True))
        self.group_rows = await asyncio.gather(*found)
        for row in self.group_rows:
            self.report.say(f"  {row['group_name']}: {row['participant_count']} members")

    async def _link_workshops(self) -> None:
        start = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        for row in self.group_rows:
            workshop = {
                "organization_id": self.world.organization,
                "title": row["group_name"],
                "starts_at": start,
                "whatsapp_group_id": str(row["id"]),
            }
            await self.world.admin.table("workshops").insert(workshop).execute()

    def _script(self) -> list[Row]:
        """Most to the groups in turn, an image each, and every sixth to one person."""
        rows: list[Row] = []
        for number in range(self.messages):
            turn = number % len(CAST)
            row: Row = {
                "session_id": self.sessions[turn],
                "message_content": f"Message {number + 1}: see you soon!",
            }
            if number % 6 == 5:
                row["recipient_phone"] = "+" + CAST[turn][3][0]
            else:
                row["group_id"] = str(self.group_rows[turn]["id"])
            if number < len(CAST):
                row |= {"media_url": picture(), "media_kind": "image", "priority": 9}
            else:
                row |= {"media_url": None, "media_kind": None, "priority": 5}
            rows.append({"group_id": None, "recipient_phone": None, **row})
        return rows

    async def _watch(self) -> None:
        settled = asyncio.create_task(
            self.world.until_settled(self.ids, ("delivered", "read", "failed", "in_doubt"), 60)
        )
        while not settled.done():
            await asyncio.wait([settled], timeout=1)
            done = await self.world.row(
                "select count(*) filter (where status in ('delivered', 'read')) as n"
                " from public.scheduled_whatsapp_messages where id = any(%s::uuid[])",
                self.ids,
            )
            self.report.say(f"  {done['n'] if done else 0} of {len(self.ids)} delivered")
        self.rows = settled.result()

    async def _judge(self) -> None:
        """Count what arrived, by the recipients' own ledger."""
        lost = duplicated = expected = 0
        groups = {str(row["id"]): members for row, (*_, members) in zip(self.group_rows, CAST, strict=True)}
        for row in self.rows:
            phones = groups[str(row["group_id"])] if row["group_id"] else [row["recipient_phone"].lstrip("+")]
            for phone in phones:
                expected += 1
                with contextlib.suppress(TimeoutError):
                    await self.recipients[phone].expects(row["message_content"])
                times = self.recipients[phone].times_received(row["message_content"])
                lost += times == 0
                duplicated += times > 1
        delivered = sum(row["status"] in ("delivered", "read") for row in self.rows)
        report = self.report
        report.bar("accounts linked by QR", len(self.sessions), "", ">=", len(CAST))
        report.bar("groups", len(self.groups), "", ">=", len(CAST))
        report.bar("messages delivered", delivered, f"of {len(self.rows)}", "==", len(self.rows))
        report.bar("lost at recipients", lost, f"of {expected}", "==", 0)
        report.bar("received twice", duplicated, f"of {expected}", "==", 0)
        report.extra = {
            "messages": len(self.rows),
            "sent": sum(row["sent_at"] is not None for row in self.rows),
            "delivered": delivered,
            "lost": lost,
            "duplicated": duplicated,
            "stages": self.seconds,
        }


def how_to_look(world: World) -> str:
    """What a person can do while the demo stays up."""
    worker = world.workers[0]
    return f"""
The demo stays up until you press Ctrl-C. Look at it:
  curl http://127.0.0.1:{worker.port}/health        the worker: sessions held and connected
  tail -f {worker.log}
  set -a; . {world.stack.directory}/env; set +a     SUPABASE_URL and keys of the local stack
  curl "$SUPABASE_URL/rest/v1/scheduled_whatsapp_messages?select=status,message_content,delivered_count" \\
       -H "apikey: $SUPABASE_SERVICE_KEY"
"""


async def play(once: bool, as_json: bool, messages: int) -> int:
    """Play it; the exit code."""
    report = Report("demo", as_json)
    with tempfile.TemporaryDirectory(prefix="herald-demo-") as folder:
        report.say("starting a local Supabase and a simulated WhatsApp")
        async with World(Path(folder)) as world:
            demo = Demo(world, report, messages, show_qr=not as_json)
            await demo.play()
            code = report.finish()
            if not once:
                sys.stderr.write(how_to_look(world))
                await asyncio.Event().wait()
    return code


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself instead of staying up")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--messages", type=int, default=54, help="how many (default 54)")
    options = parser.parse_args()
    return run(play(options.once, options.json, options.messages))


if __name__ == "__main__":
    sys.exit(main())
