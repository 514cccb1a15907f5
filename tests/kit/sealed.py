"""Sealed records in numbers, and the ``herald`` command as an operator runs it."""

import asyncio
import base64
import secrets
import sys
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from localstack.layout import REPOSITORY
from simulator.process import die_with_parent
from tests.kit import forked
from tests.kit.world import Row, World
from worker.errors import CredentialsError
from worker.vault.keyring import Keyring, Place

COLUMNS = "session_id, organization_id, generation, incarnation, clean, sealed"


def new_key() -> str:
    """A key as ENCRYPTION_KEYS takes it."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def keyring(keys: str) -> Keyring:
    """A keyring as the setting tells it."""
    entries = (entry.partition(":") for entry in keys.split(","))
    return Keyring({key_id: base64.b64decode(key) for key_id, _, key in entries})


@dataclass
class Sealed:
    """Records of sessions that no worker serves, and what is in them."""

    world: World
    plaintext: dict[UUID, bytes] = field(default_factory=dict)

    async def add(self, count: int, organization: str, keys: Keyring) -> None:
        """Seal states of different sizes for new sessions of an organisation."""
        secret = await self._secret(organization)
        sessions = await self.world.rows(
            "insert into public.whatsapp_sessions (organization_id) select %s from generate_series(1, %s)"
            " returning id",
            *(organization, count),
        )
        for row in sessions:
            place = Place(
                organization=UUID(organization),
                session=row["id"],
                generation=secrets.randbelow(10_000) + 1,
                incarnation=uuid4(),
                clean=secrets.choice([True, False]),
            )
            self.plaintext[place.session] = secrets.token_bytes(secrets.randbelow(40_000))
            sealed = keys.seal(self.plaintext[place.session], place, secret)
            await self.world.rows(
                f"insert into herald.session_credentials ({COLUMNS}, key_id, written_at)"
                " values (%s, %s, %s, %s, %s, %s, %s, now()) returning session_id",
                *(place.session, place.organization, place.generation, place.incarnation, place.clean, sealed),
                keys.active,
            )

    async def _secret(self, organization: str) -> bytes:
        row = await self.world.row("select herald.organization_secret(%s, true) as secret", organization)
        assert row
        return base64.b64decode(row["secret"])

    async def rows(self) -> dict[UUID, Row]:
        """What is stored, by session in its order."""
        found = await self.world.rows(
            f"select {COLUMNS} from herald.session_credentials where session_id = any(%s) order by session_id",
            list(self.plaintext),
        )
        return {row["session_id"]: row for row in found}

    async def readable(self, keys: Keyring) -> int:
        """How many records open and hold what was sealed."""
        found = 0
        for session, row in (await self.rows()).items():
            place = Place(
                organization=row["organization_id"],
                session=session,
                generation=row["generation"],
                incarnation=row["incarnation"],
                clean=row["clean"],
            )
            secret = await self._secret(str(row["organization_id"]))
            try:
                found += keys.open(bytes(row["sealed"]), place, secret) == self.plaintext[session]
            except CredentialsError:
                continue
        return found


async def herald(world: World, keys: str, *arguments: str) -> asyncio.subprocess.Process:
    """Start the command; stdout and stderr in one pipe."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker.cli", *arguments),
        cwd=REPOSITORY,
        env=_environment(world, keys),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=die_with_parent,
    )


async def run_herald(world: World, keys: str, *arguments: str) -> tuple[int, str]:
    """Run the command to its end; exit code and output."""
    return await forked.run("worker.cli", *arguments, environment=_environment(world, keys))


def _environment(world: World, keys: str) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "COLUMNS": "200",
        "SUPABASE_URL": world.stack.url,
        "SUPABASE_SERVICE_KEY": world.stack.secret_key,
        "ENCRYPTION_KEYS": keys,
    }
