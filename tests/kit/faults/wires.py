"""What one worker's connections run through: a gate before Supabase, a TCP proxy before WhatsApp."""

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.kit.faults.gate import HttpGate
from tests.kit.faults.proxy import TcpProxy
from tests.kit.worker_process import Worker
from tests.kit.world import World
from worker.engine.store import SessionFolder


@dataclass(frozen=True, slots=True)
class Wires:
    """A worker's connections. whatsapp: its engines' way to the simulator, media too."""

    world: World
    worker: Worker
    gate: HttpGate
    whatsapp: TcpProxy

    @classmethod
    @asynccontextmanager
    async def of(cls, world: World, worker: Worker) -> AsyncIterator["Wires"]:
        """Lay them for a worker that has not started yet; they last for the block, over any number of restarts."""
        inner = urlsplit(world.simulator.endpoint.proxy)
        async with HttpGate(world.stack.url) as gate, TcpProxy(str(inner.hostname), inner.port or 80) as whatsapp:
            found_by = world.directory / f"{worker.worker_id}-simulator.json"
            endpoint = json.loads(world.simulator.file.read_text())
            found_by.write_text(json.dumps({**endpoint, "proxy": f"http://127.0.0.1:{whatsapp.port}"}))
            command = worker.environment["ENGINE_COMMAND"]
            worker.environment["ENGINE_COMMAND"] = command.replace(str(world.simulator.file), str(found_by))
            worker.environment["SUPABASE_URL"] = gate.url
            yield cls(world, worker, gate, whatsapp)

    async def claimed(self, *, written: bool) -> dict[str, str]:
        """The messages claimed now whose secret is (or is not) in this worker's live stores; with sessions."""
        rows = await self.world.rows("select message_id, session_id, secret from herald.message_claims")
        state = Path(self.worker.environment["STATE_DIR"])
        found: dict[str, str] = {}
        for row in rows:
            folder = SessionFolder(state, str(row["session_id"]))
            if folder.store.exists() and (folder.written(bytes(row["secret"])) is not None) is written:
                found[str(row["message_id"])] = folder.session
        return found

    async def kill(self) -> None:
        """Kill the worker and its engines at once, as the end of its host does; the live store stays."""
        if self.worker.process and self.worker.process.returncode is None:
            for pid in (self.worker.process.pid, *self.worker.engines()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        await self.worker.kill()
