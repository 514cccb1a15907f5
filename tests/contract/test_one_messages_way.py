"""The modules that one message passes, from its claim to its settlement, as docs/architecture.md lists them."""

import asyncio
import base64
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import respx

from localstack.layout import REPOSITORY
from simulator.client import Recipient, Simulator
from tests.kit.phones import new_phone
from tests.kit.web_world import WebWorld
from worker.outcome import Accepted, Settlement
from worker.receiving.router import EventRouter
from worker.sending.dispatcher import Dispatcher
from worker.sending.fetches import Fetches
from worker.sending.ledger import Ledger
from worker.session import ProviderName
from worker.supabase.client import Database
from worker.supabase.outbox import SupabaseOutbox

LONGEST_WAY = 10
LOGGING = {"worker/logs.py", "worker/process/log_file.py"}


def listed() -> list[str]:
    """The modules in the table of the chapter about one message's way."""
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    chapter = page.split("# One message's way", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| \d+ \| `(worker/[\w/]+\.py)` \|", chapter, flags=re.M)


@contextmanager
def traced() -> Iterator[set[str]]:
    """The worker's modules of which any code runs in the block; logging aside, which every line may do."""
    seen: set[str] = set()

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            seen.add(frame.f_code.co_filename)

    found: set[str] = set()
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(before)
        inside = {Path(name) for name in seen if name.startswith(str(REPOSITORY / "worker") + "/")}
        found |= {str(path.relative_to(REPOSITORY)) for path in inside} - LOGGING


class Postgrest:
    """Answers as the project does: hands out one claim, then takes its settlement."""

    def __init__(self, claim: dict[str, Any]) -> None:
        self.claims = [claim]
        self.settled: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name, asked = request.url.path.rpartition("/")[2], json.loads(request.content)
        if name != "whatsapp_settle_and_claim":
            return httpx.Response(200, json=[])
        claims, self.claims = self.claims, []
        self.settled += asked["p_results"]
        settled = [row["message_id"] for row in asked["p_results"]]
        return httpx.Response(200, json={"settled": settled, "claims": claims, "next_due": None})


def claim_row(session: UUID, to: str, text: str) -> dict[str, Any]:
    """A text message as herald.claim_bodies gives it."""
    return {
        **{name: str(uuid4()) for name in ("message_id", "token", "organization_id", "incarnation")},
        "session_id": str(session),
        "provider": "web",
        "former_token": None,
        "until": (datetime.now(UTC) + timedelta(seconds=150)).isoformat(),
        "secret": base64.b64encode(bytes(32)).decode(),
        "to": to,
        "kind": "text",
        "text": text,
        "media_url": None,
        "attempt": 1,
    }


def test_the_way_is_short_and_its_modules_are_there() -> None:
    assert 5 <= len(listed()) <= LONGEST_WAY
    assert [name for name in listed() if not (REPOSITORY / name).exists()] == []


async def test_a_message_passes_the_listed_modules_and_no_others(
    simulator: Simulator, asha: Recipient, state_dir: Path
) -> None:
    router = EventRouter()
    world = WebWorld(simulator, state_dir)
    await world.provider.start()
    session = await world.link(new_phone())
    world.events.also = router  # as the daemon wires it

    claim = claim_row(session, f"+{asha.phone}", f"on its way {session}")
    project = Postgrest(claim)
    http = respx.MockRouter(base_url="http://project.invalid")
    http.post(path__startswith="/rest/v1/rpc/").mock(side_effect=project)
    database = Database("http://project.invalid", "a-key", transport=httpx.MockTransport(http.async_handler))
    outbox, work, done = SupabaseOutbox(database, uuid4()), asyncio.Event(), asyncio.Event()
    ledger = Ledger(outbox, world.provider.acknowledge, work)
    router.connect(ledger, lambda _: None)
    dispatcher = Dispatcher(
        outbox, {ProviderName.WEB: world.provider}, ledger, work, Fetches(pytest.fail, lambda _: 0.0)
    )
    heard: list[Settlement] = []

    def hear(settlement: Settlement) -> None:
        heard.append(settlement)
        done.set()

    dispatcher.listeners.append(hear)
    with traced() as passed:
        running = asyncio.create_task(dispatcher.run())
        work.set()
        async with asyncio.timeout(20):
            await done.wait()
        running.cancel()
    await world.provider.aclose()
    await database.aclose()

    assert [type(one.outcome) for one in heard] == [Accepted]
    assert [row["message_id"] for row in project.settled] == [claim["message_id"]]
    await asha.expects(claim["text"])
    assert passed == set(listed())
