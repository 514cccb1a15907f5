"""How large an account's snapshots are in the database, and how many bytes that makes in a day."""

from dataclasses import dataclass
from math import ceil

from scripts.drills.report import Report
from tests.kit.worker_process import Worker
from tests.kit.world import Row, World
from worker.engine.copies import SECRETS_KEPT
from worker.vault.live_store import LONGEST_UNSEALED

#: Messages a day, as the bar has it, and the day for which it is computed.
A_DAY, DAY = 200, 30

#: Devices of the group that is written to; light members, whose phones only confirm.
MEMBERS = 40

#: Snapshots a day of an account at work: one an hour, and one as its worker starts, after a clean one at its stop.
HOURLY = ceil(86_400 / LONGEST_UNSEALED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Bytes of sealed records. messages: sent between `before` and `after`.

    linked: of the first one.  before, after: of an account at work.  clean: at the last stop.  unasked: snapshots
    that were written while the messages went out.
    """

    messages: int
    linked: int
    before: int
    after: int
    clean: int
    unasked: int

    @classmethod
    async def measure(cls, world: World, worker: Worker, messages: int) -> "Volume":
        """Send, and look at the records of orderly stops and starts before and after."""
        await worker.start()
        phone = "491830000000"
        await world.simulator.recipient("491840000000")
        session = await world.link("Weighed", phone)
        linked = await _record(world, session)
        members = ["491840000000", *(f"49184100{n:04d}" for n in range(MEMBERS))]
        group = await world.group(session, await world.simulator.create_group("Weighed", phone, members))
        more = "update public.whatsapp_sessions set daily_limit = 100000, per_group_per_minute = 100000"
        await world.rows(f"{more} where id = %s returning id", session)
        ways: list[Row] = [
            {"session_id": session, "group_id": str(group["id"])},
            {"session_id": session, "recipient_phone": "+491840000000"},
        ]

        async def send(count: int) -> None:
            rows = [{**ways[n % 2], "message_content": f"weighed {n} of {count}"} for n in range(count)]
            await world.until_settled(await world.schedule(rows), ("delivered", "read"), 60 + count)

        async def restarted() -> tuple[Row, Row]:
            await worker.stop()
            clean = await _record(world, session)
            await worker.start()
            await worker.until_serving(1)
            return clean, await _record(world, session)

        await send(2)
        _, before = await restarted()
        await send(messages)
        clean, after = await restarted()
        await worker.stop()
        return cls(
            messages=messages,
            linked=linked["bytes"],
            before=before["bytes"],
            after=after["bytes"],
            clean=clean["bytes"],
            unasked=clean["generation"] - before["generation"] - 1,
        )

    @property
    def a_message(self) -> float:
        """Bytes that a message adds, as long as its secret is among the newest."""
        return (self.after - self.before) / self.messages

    @property
    def a_recipient(self) -> float:
        """Bytes that a recipient's device adds."""
        return (self.before - self.linked) / (MEMBERS + 1)

    def megabytes(self, day: int) -> float:
        """Of one day: every message so far to somebody else, and one orderly restart a day."""
        sent = A_DAY * day
        record = self.linked + min(sent, SECRETS_KEPT) * self.a_message + sent * self.a_recipient
        by_keys = self.unasked * A_DAY / self.messages
        whole = record + self.clean - self.after  # the clean one, with ratchets
        return ((HOURLY + 1 + by_keys) * record + whole) / 1e6

    def tell(self, report: Report) -> None:
        """Add the figures."""
        limit = f"MB, computed from what {self.messages} messages added"
        report.bar(f"snapshots on day {DAY} at {A_DAY} messages", round(self.megabytes(DAY), 1), limit, "<=", 20)
        report.note("snapshots on day 1", round(self.megabytes(1), 1), "MB")
        report.note("a snapshot of an account at work", round(self.after / 1e3, 1), "kB")
        report.note("a clean one", round(self.clean / 1e3, 1), "kB")
        report.note("a message adds", round(self.a_message), "bytes")
        report.note("a recipient's device adds", round(self.a_recipient), "bytes")
        report.note("snapshots while these messages went out", self.unasked, f"of {self.messages} messages")


async def _record(world: World, session: str) -> Row:
    sql = "select generation, octet_length(sealed) as bytes from herald.session_credentials where session_id = %s"
    row = await world.row(sql, session)
    assert row
    return row
