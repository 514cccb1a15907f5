"""The server side of WhatsApp on loopback.

`python -m simulator run --dir DIR` writes DIR/simulator.json when it is ready; clients and tests read there
where it listens. SIGTERM or SIGINT stops it. Accounts, groups and queues live in memory. The ledger of what
recipients received stays in DIR.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from simulator import lifetime
from simulator.control import Control
from simulator.process import Child, claim_stdout, die_with_parent
from simulator.recipients import Recipients
from simulator.server import ChatServer
from simulator.tls import ConnectProxy, server_context


async def run(directory: Path, control_port: int, on_ready: Callable[[], None]) -> None:
    """Serve until a signal comes."""
    found_by = _prepare(directory)
    server, recipients = ChatServer(), Recipients(directory)
    control = Control(server, recipients)
    ledger = directory / "ledger.jsonl"
    keeper = await Child.start("simulator.ledger", "--file", str(ledger), log=directory / "ledger.log")
    try:
        async with (
            lifetime.listening(server.application(), tls=server_context(directory)) as tls_port,
            lifetime.listening(control.application(), port=control_port) as control_port,
            ConnectProxy(tls_port) as proxy_port,
        ):
            endpoint = {
                "proxy": f"http://127.0.0.1:{proxy_port}",
                "tls_port": tls_port,
                "control_url": f"http://127.0.0.1:{control_port}",
                "ledger_url": keeper.said,
                "ledger": str(ledger),
                "ca": str(directory / "ca.pem"),
                "root_public_key": server.root.public.hex(),
                "pid": os.getpid(),
            }
            _write_atomically(found_by, json.dumps(endpoint, indent=1))
            on_ready()
            await lifetime.until_signalled()
            await recipients.stop()
    finally:
        await keeper.stop()
        await asyncio.to_thread(found_by.unlink, missing_ok=True)


def _prepare(directory: Path) -> Path:
    """Create the directory and delete an earlier run's simulator.json. Returns where the new one goes."""
    directory.mkdir(parents=True, exist_ok=True)
    found_by = directory / "simulator.json"
    found_by.unlink(missing_ok=True)
    return found_by


def _write_atomically(path: Path, text: str) -> None:
    written = path.with_suffix(".tmp")
    written.write_text(text)
    written.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run", help="serve until stopped")
    running.add_argument("--dir", type=Path, required=True, help="where simulator.json, the ledger and logs go")
    running.add_argument(
        "--state-port", type=int, default=0, metavar="PORT", help="port of the control API (default: a free one)"
    )
    running.add_argument("--die-with-parent", action="store_true", help="end when the parent process does")
    running.add_argument("--say-ready", action="store_true", help="print one line when simulator.json is written")
    running.add_argument("--verbose", action="store_true", help="log every stanza")
    options = parser.parse_args()
    if options.die_with_parent:
        die_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole addresses with phone numbers in them
    if options.verbose:
        logging.getLogger("simulator").setLevel(logging.DEBUG)
    on_ready = partial(claim_stdout(), "ready") if options.say_ready else lambda: None
    asyncio.run(run(options.dir.resolve(), options.state_port, on_ready))


if __name__ == "__main__":
    main()
