"""A worker with an open HTTP API, a linked account, and rows for calls to use."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.kit.worker_process import Worker
from tests.kit.world import Row, World

ACCOUNT, RECIPIENT = "491511111101", "491522222201"

#: A limit of calls a minute that no run reaches.
UNLIMITED = "1000000"

#: Messages that wait for years, so that they can be cancelled and queued again.
WAITING = 40


@dataclass(slots=True, kw_only=True)
class ApiWorld:
    """operator_key opens the API for everyone's proxy; server_key belongs to the one organisation."""

    world: World
    worker: Worker
    operator_key: str = field(repr=False)
    server_key: str = field(repr=False)
    session: str
    spare_session: str  #: linked to no phone, for what ends a session
    group: Row
    contact: str
    template: str
    command: str
    messages: list[str]

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"http://127.0.0.1:{self.worker.port}"

    async def token(self) -> str:
        """The admin's access token."""
        signed_in = await self.world.admin.auth.get_session()
        assert signed_in
        return signed_in.access_token


@asynccontextmanager
async def api_world(directory: Path, say: Callable[[str], None], **settings: str) -> AsyncIterator[ApiWorld]:
    """Start everything; the limits of the API are out of the way. ``settings`` go to the worker."""
    say("starting the stack, the simulator and a worker")
    async with World(directory) as world:
        operator_key, server_key = secrets.token_hex(24), secrets.token_hex(24)
        worker = world.make_worker(
            "api-worker",
            API_KEY=f"{operator_key},{world.organization}:{server_key}",
            API_REQUESTS_PER_MINUTE=UNLIMITED,
            API_SENDS_PER_MINUTE=UNLIMITED,
            **settings,
        )
        await worker.start()
        session = await world.link("Api", ACCOUNT)
        spare = await world.row(
            "insert into public.whatsapp_sessions (organization_id, display_name)"
            " values (%s, 'Spare') returning id",
            world.organization,
        )
        await world.simulator.recipient(RECIPIENT)
        group = await world.group(session, await world.simulator.create_group("Pottery", ACCOUNT, [RECIPIENT]))
        contact = await world.row(
            "insert into public.whatsapp_contacts (organization_id, phone) values (%s, %s) returning id",
            world.organization,
            f"+{RECIPIENT}",
        )
        template = await world.row(
            "insert into public.whatsapp_message_templates (organization_id, name, content)"
            " values (%s, 'greeting', 'Hi {{name}}') returning id",
            world.organization,
        )
        command = await world.command(session, "refresh_groups")
        text: Row = {
            "session_id": session,
            "recipient_phone": f"+{RECIPIENT}",
            "message_content": "In a few years",
        }
        waiting = [{**text, "scheduled_for": "2036-01-01T00:00:00Z"} for _ in range(WAITING)]
        assert spare
        assert contact
        assert template
        yield ApiWorld(
            world=world,
            worker=worker,
            operator_key=operator_key,
            server_key=server_key,
            session=session,
            spare_session=str(spare["id"]),
            group=group,
            contact=str(contact["id"]),
            template=str(template["id"]),
            command=str(command["id"]),
            messages=await world.schedule(waiting),
        )
