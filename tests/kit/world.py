"""A small world of real parts: local Supabase, simulated WhatsApp, workers, and an organisation with its admin.

Everything is started on loopback and ends with the program that made it. The CRM's part is played with the
official client and the admin's own token, so that row level security and grants hold here as for the CRM.
"""

import asyncio
import base64
import io
import json
import os
import secrets
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import psycopg
import zxingcpp
from PIL import Image
from postgrest import APIResponse
from psycopg.rows import dict_row
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from localstack.client import Stack
from localstack.kept_logs import keep_logs, note_secrets
from simulator.client import Simulator
from tests.kit.http import loopback
from tests.kit.memory import in_memory, whatsapp
from tests.kit.noted_rows import note_rows
from tests.kit.project import project
from tests.kit.worker_process import Worker, free_port, until

#: What of a worker's settings no log may hold.
SECRETS = ("SUPABASE_SERVICE_KEY", "ENCRYPTION_KEY", "ENCRYPTION_KEYS", "API_KEY", "METRICS_KEY")

Row = dict[str, Any]
T = TypeVar("T")


def qr_text(data_uri: str) -> str:
    """Read a QR picture as a phone's camera would."""
    picture = Image.open(io.BytesIO(base64.b64decode(data_uri.partition(",")[2])))
    # One format: now and then a part of a QR looks like some other kind of code (1 picture of 400).
    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    if len(found) != 1:
        raise ValueError(f"{len(found)} codes in the picture")
    note_secrets([found[0].text])
    return str(found[0].text)


def rows_of(answer: APIResponse) -> list[Row]:
    """The rows of a table's answer; the client types them as any JSON."""
    return cast("list[Row]", answer.data)


class World:
    """A stack, a simulator, one organisation, and the workers that a script asks for."""

    stack: Stack
    simulator: Simulator
    admin: AsyncClient  #: signed in as the organisation's admin: what the CRM may do
    service: AsyncClient  #: the secret key: to arrange and to look
    database: "psycopg.AsyncConnection[Row]"
    organization: str
    state_dir: Path  #: holds the workers' live stores

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.encryption_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.workers: list[Worker] = []
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.state_dir = self._exits.enter_context(in_memory("world"))
        try:
            self.stack = await self._exits.enter_async_context(project(self.directory / "stack"))
            self.simulator = await self._exits.enter_async_context(whatsapp(self.directory / "whatsapp"))
            await self.reconnect()
            self._exits.push_async_callback(self._disconnect)
            self.service = await self._client(self.stack.secret_key)
            self.organization, self.admin = await self.found_organization("Clay & Co.")
            self._exits.push_async_callback(self._stop_workers)
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await asyncio.to_thread(note_rows, self.stack.database_url)
        finally:
            await self._exits.aclose()
            keep_logs(self.directory)

    async def _stop_workers(self) -> None:
        await asyncio.gather(*(worker.stop() for worker in self.workers))

    async def _client(self, key: str) -> AsyncClient:
        """An official client that is closed with the world."""
        http = await self._exits.enter_async_context(loopback(timeout=30))
        client = await acreate_client(self.stack.url, key, AsyncClientOptions(httpx_client=http))
        self._exits.push_async_callback(client.realtime.close)
        return client

    async def realtime(self, mode: str) -> None:
        """Let the local stack serve Realtime (``on``), abort its sockets and refuse new ones (``cut``)."""
        async with loopback() as http:
            headers = {"apikey": self.stack.secret_key}
            answer = await http.post(f"{self.stack.url}/localstack/realtime", json={"mode": mode}, headers=headers)
            answer.raise_for_status()

    async def reconnect(self) -> None:
        """Connect to the database, also anew when Postgres was restarted."""
        self.database = await psycopg.AsyncConnection.connect(
            self.stack.database_url, autocommit=True, row_factory=dict_row
        )

    async def _disconnect(self) -> None:
        await self.database.close()

    async def rows(self, sql: str, *arguments: object) -> list[Row]:
        """Look into the database as its owner."""
        return await (await self.database.execute(sql.encode(), arguments or None)).fetchall()

    async def row(self, sql: str, *arguments: object) -> Row | None:
        """The first row, None if there is none."""
        found = await self.rows(sql, *arguments)
        return found[0] if found else None

    async def found_organization(self, name: str, email: str | None = None) -> tuple[str, AsyncClient]:
        """Make an organisation with one admin; its id and the admin's signed-in client. Both go with the world."""
        password = secrets.token_urlsafe(12)
        email = email or f"admin-{secrets.token_hex(4)}@clay.example"
        user = await self.service.auth.admin.create_user(
            {"email": email, "password": password, "email_confirm": True}
        )
        organization = rows_of(await self.service.table("organizations").insert({"name": name}).execute())[0]["id"]
        self._exits.push_async_callback(self._dissolve, organization, user.user.id)
        profile = {"id": user.user.id, "organization_id": organization, "role": "admin"}
        await self.service.table("profiles").insert(profile).execute()
        client = await self._client(self.stack.publishable_key)
        await client.auth.sign_in_with_password({"email": email, "password": password})
        return organization, client

    async def _dissolve(self, organization: str, user: str) -> None:
        await self.rows("delete from public.organizations where id = %s returning id", organization)
        await self.service.auth.admin.delete_user(user)

    def make_worker(self, worker_id: str = "worker-1", **settings: str) -> Worker:
        """A worker of this world, not started yet; settings override its environment."""
        state = self.state_dir / worker_id
        engine = [sys.executable, "-m", "simulator.launch_engine", "--library", "worker.engine.library"]
        engine += ["--simulator", str(self.simulator.file)]
        environment = {
            **{key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG", "TMPDIR")},
            "SUPABASE_URL": self.stack.url,
            "SUPABASE_SERVICE_KEY": self.stack.secret_key,
            "ENCRYPTION_KEY": self.encryption_key,
            "ENGINE_COMMAND": " ".join([*engine, "--", "worker.engine"]),
            "STATE_DIR": str(state),
            "WORKER_ID": worker_id,
            "PORT": str(free_port()),
            **settings,
        }
        given = ",".join(environment[name] for name in SECRETS if name in environment)
        note_secrets(key.rpartition(":")[2] for key in given.split(","))
        worker = Worker(worker_id, environment, self.directory / f"{worker_id}.log")
        self.workers.append(worker)
        return worker

    async def add_account(self, name: str, *, min_gap_ms: int = 0) -> str:
        """Insert a session row as the CRM does and ask for its connection; its id."""
        row = {
            "organization_id": self.organization,
            "display_name": name,
            "desired_state": "connected",
            "min_gap_ms": min_gap_ms,
        }
        return str(rows_of(await self.admin.table("whatsapp_sessions").insert(row).execute())[0]["id"])

    async def shown_qr(self, session: str, seconds: float = 30) -> str:
        """Wait until the session's row shows a QR; the picture's data URI, as the admin's browser gets it."""

        async def look() -> str | None:
            query = self.admin.table("whatsapp_sessions").select("qr_code, status, last_error").eq("id", session)
            return cast("str | None", rows_of(await query.execute())[0]["qr_code"])

        return await until(look, seconds, "a QR code in the session's row")

    async def until_status(self, session: str, status: str, seconds: float = 30) -> Row:
        """Wait until a session has a status; its row."""
        sql = "select * from public.whatsapp_sessions where id = %s and status = %s"
        return await until(lambda: self.row(sql, session, status), seconds, f"a session that is {status}")

    async def link(self, name: str, phone: str, *, min_gap_ms: int = 0) -> str:
        """Add an account and scan its QR with a simulated phone (digits only); its id once it is connected."""
        session = await self.add_account(name, min_gap_ms=min_gap_ms)
        await self.simulator.scan(phone, qr_text(await self.shown_qr(session)))
        await self.until_status(session, "connected")
        return session

    async def group(self, session: str, jid: str, seconds: float = 30) -> Row:
        """Wait until a group has been synchronised, asking for a refresh; its row."""
        await self.command(session, "refresh_groups")
        sql = "select * from public.whatsapp_groups where session_id = %s and group_jid = %s"
        return await until(lambda: self.row(sql, session, jid), seconds, "the group's row")

    async def command(self, session: str, kind: str, seconds: float = 30, **arguments: Any) -> Row:
        """Insert a command as the CRM does and wait for its end; the row."""
        asked = {
            "organization_id": self.organization,
            "session_id": session,
            "kind": kind,
            "arguments": arguments,
        }
        made = rows_of(await self.admin.table("whatsapp_commands").insert(asked).execute())[0]["id"]
        sql = "select * from public.whatsapp_commands where id = %s and state in ('done', 'failed')"
        return await until(lambda: self.row(sql, made), seconds, f"the end of the command {kind}")

    async def schedule(self, messages: list[Row]) -> list[str]:
        """Insert messages as the CRM does; their ids."""
        full = [{"organization_id": self.organization, **message} for message in messages]
        made = await self.admin.table("scheduled_whatsapp_messages").insert(full).execute()
        return [str(row["id"]) for row in rows_of(made)]

    async def until_settled(self, ids: list[str], statuses: tuple[str, ...], seconds: float) -> list[Row]:
        """Wait until every message has one of the statuses; their rows. Says what it saw if not."""
        sql = "select * from public.scheduled_whatsapp_messages where id = any(%s::uuid[])"

        async def look() -> list[Row] | None:
            rows = await self.rows(sql, ids)
            return rows if all(row["status"] in statuses for row in rows) else None

        try:
            return await until(look, seconds, f"messages that are {' or '.join(statuses)}")
        except TimeoutError as error:
            rows = await self.rows(sql, ids)
            seen = {s: sum(r["status"] == s for r in rows) for s in {r["status"] for r in rows}}
            raise TimeoutError(f"{error}; they are {json.dumps(seen)}") from None
