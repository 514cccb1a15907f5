"""A worker whose clock is ten minutes off, or jumps, serves as any other."""

from collections.abc import Callable
from pathlib import Path

import pytest

from localstack.layout import REPOSITORY
from tests.conftest import MakeWorker, until_delivered
from tests.kit.world import World, qr_text

#: Python code that every process of the worker runs first: the wall clock is off, the monotonic one is not. With
#: "jump" the offset comes after some seconds, all at once, and later the other way.
SHIFT = """
import datetime, time
real, begun = time.time, time.monotonic()
def offset():
    seconds = {seconds}
    if {jumps}:
        phase = int(time.monotonic() - begun) // 4
        return (0, seconds, -seconds)[phase % 3]
    return seconds
time.time = lambda: real() + offset()
class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(real() + offset(), tz)
    @classmethod
    def utcnow(cls):
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)
datetime.datetime = Shifted
"""


@pytest.mark.parametrize(
    ("seconds", "jumps"),
    [
        pytest.param(600, False, marks=pytest.mark.full),
        pytest.param(-600, False, marks=pytest.mark.full),
        (600, True),
    ],
)
async def test_a_worker_with_a_wrong_clock_links_sends_and_keeps_its_lease(
    world: World,
    make_worker: MakeWorker,
    new_phone: Callable[[], str],
    tmp_path: Path,
    seconds: int,
    *,
    jumps: bool,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SHIFT.format(seconds=seconds, jumps=jumps))
    worker = make_worker(LEASE_SECONDS="4", HEARTBEAT_SECONDS="1", POLL_INTERVAL="1")
    worker.environment["PYTHONPATH"] = f"{tmp_path}:{REPOSITORY}"
    await worker.start()
    session = await world.add_account("Wrong clock")
    picture = await world.shown_qr(session)
    left = "select extract(epoch from qr_expires_at - now())::float as left from public.whatsapp_sessions"
    row = await world.row(f"{left} where id = %s", session)
    assert row
    assert 0 < row["left"] <= 60
    await world.simulator.scan(new_phone(), qr_text(picture))
    await world.until_status(session, "connected")
    recipient = await world.simulator.recipient(new_phone())
    to = {"session_id": session, "recipient_phone": f"+{recipient.phone}"}
    ids: list[str] = []
    for number in range(12):  # a message a second: more than one lease, and each jump
        ids += await world.schedule([{**to, "message_content": f"{seconds} {jumps} {number}"}])
        await until_delivered(world, ids[-1:], 20)
        await world.row("select pg_sleep(1)")
    lease = await world.row("select epoch from herald.session_leases where session_id = %s", session)
    assert lease == {"epoch": 1}  # never lost
