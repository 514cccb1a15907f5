"""`python -m localstack.gateway DIR --port … --postgres … --postgrest …`, started by the supervisor."""

import argparse
import asyncio
import contextlib
import gc
import logging
from pathlib import Path

from aiohttp import web

from localstack.credentials import Credentials
from localstack.gateway.app import Upstreams, build
from localstack.gateway.forwarding import LONGEST_LINE
from localstack.layout import Layout


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m localstack.gateway", description=__doc__)
    parser.add_argument("directory", type=Path)
    for port in ("--port", "--postgres", "--postgrest"):
        parser.add_argument(port, type=int, required=True)
    parser.add_argument("--functions", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    layout = Layout.at(options.directory)
    credentials = Credentials.load_or_generate(layout.credentials)
    upstreams = Upstreams(
        url=f"http://127.0.0.1:{options.port}",
        postgrest=f"http://127.0.0.1:{options.postgrest}",
        admin_dsn=credentials.dsn("supabase_admin", options.postgres),
        authenticator_dsn=credentials.dsn("authenticator", options.postgres),
        dsn_of=lambda role: credentials.dsn(role, options.postgres) if role in credentials.passwords else None,
        storage=layout.storage,
        functions=options.functions,
        function_secrets=layout.function_secrets,
        logs=layout.logs,
    )
    with contextlib.suppress(web.GracefulExit):
        asyncio.run(serve(build(credentials, upstreams), options.port))


async def serve(app: web.Application, port: int) -> None:
    """Until SIGTERM."""
    runner = web.AppRunner(
        app,
        handle_signals=True,
        access_log=None,  # it would hold API keys from WebSocket URLs
        shutdown_timeout=1,
        handler_cancellation=True,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )
    await runner.setup()
    gc.freeze()  # as in worker/__main__.py
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    main()
