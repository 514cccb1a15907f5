"""The registry over PostgREST."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from worker.registry import Command, Sealed
from worker.session import DesiredState, Held, SessionStatus
from worker.supabase.client import ATTEMPT_SECONDS, Database
from worker.ports import Group, GroupDetail

#: How long a heartbeat may wait, as a share of the lease. One whose answer a half-open network swallowed leaves time for
#: two more before the engines close what it did not renew; at least so many seconds.
HEARTBEAT_SHARE, HEARTBEAT_LEAST = 0.3, 2.0


class SupabaseRegistry:
    """Implements worker.registry.Registry for one run of the worker."""

    def __init__(self, database: Database, run: UUID, lease_seconds: float) -> None:
        self._database = database
        self._run = str(run)
        self._lease_seconds = lease_seconds

    def _fence(self, held: Held) -> dict[str, Any]:
        return {"p_run": self._run, "p_session": str(held.session_id), "p_epoch": held.epoch}

    async def start(self, worker_id: str, version: str) -> None:
        """See Registry."""
        arguments = {"p_worker": worker_id, "p_run": self._run, "p_version": version}
        await self._database.call("whatsapp_worker_start", arguments)

    async def heartbeat(self, capacity: int) -> list[Held]:
        """See Registry."""
        arguments = {"p_run": self._run, "p_capacity": capacity, "p_lease_seconds": self._lease_seconds}
        seconds = min(ATTEMPT_SECONDS, max(HEARTBEAT_LEAST, HEARTBEAT_SHARE * self._lease_seconds))
        rows = await self._database.call("whatsapp_heartbeat", arguments, attempts=1, seconds=seconds)
        return [
            Held(
                session_id=UUID(row["session_id"]),
                organization_id=UUID(row["organization_id"]),
                epoch=row["epoch"],
                lease_seconds=row["lease_seconds"],
                desired_state=DesiredState(row["desired_state"]),
                status=SessionStatus(row["status"]),
                phone_number=row["phone_number"],
                min_gap_ms=row["min_gap_ms"],
                until=datetime.fromisoformat(row["until"]),
            )
            for row in rows
        ]

    async def release(self, held: Held) -> None:
        """See Registry."""
        await self._database.call("whatsapp_lease_release", self._fence(held))

    async def deleted(self, sessions: Sequence[UUID]) -> list[UUID]:
        """See Registry."""
        arguments = {"p_run": self._run, "p_sessions": [str(session_id) for session_id in sessions]}
        return [UUID(found) for found in await self._database.call("whatsapp_sessions_deleted", arguments)]

    async def attach(self, held: Held, incarnation: UUID) -> None:
        """See Registry."""
        await self._database.call("whatsapp_session_attach", self._fence(held) | {"p_incarnation": str(incarnation)})

    async def report(self, held: Held, **facts: object) -> bool:
        """See Registry."""
        report = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in facts.items()}
        return bool(await self._database.call("whatsapp_session_report", self._fence(held) | {"p_report": report}))

    async def alert(self, held: Held, kind: str, message: str | None, **details: object) -> None:
        """See Registry."""
        alert = {"p_kind": kind, "p_message": message, "p_details": details}
        await self._database.call("whatsapp_session_alert", self._fence(held) | alert)

    async def organization_secret(self, held: Held) -> bytes | None:
        """See Registry."""
        secret = await self._database.call("whatsapp_credentials_secret", self._fence(held))
        return base64.b64decode(secret) if secret else None

    async def read_credentials(self, held: Held) -> Sealed | None:
        """See Registry."""
        row = await self._database.call("whatsapp_credentials_read", self._fence(held))
        if row is None:
            return None
        return Sealed(
            generation=row["generation"],
            record=base64.b64decode(row["sealed"]),
            key_id=row["key_id"],
            incarnation=UUID(row["incarnation"]),
            clean=row["clean"],
            fresh=row["fresh"],
        )

    async def write_credentials(self, held: Held, sealed: Sealed) -> None:
        """See Registry."""
        await self._database.call(
            "whatsapp_credentials_write",
            self._fence(held)
            | {
                "p_generation": sealed.generation,
                "p_sealed": base64.b64encode(sealed.record).decode(),
                "p_key_id": sealed.key_id,
                "p_incarnation": str(sealed.incarnation),
                "p_clean": sealed.clean,
            },
        )

    async def forget_credentials(self, held: Held) -> None:
        """See Registry."""
        await self._database.call("whatsapp_credentials_forget", self._fence(held))

    async def sync_groups(self, held: Held, groups: Sequence[Group]) -> int:
        """See Registry."""
        rows = [asdict(group) for group in groups]
        return int(await self._database.call("whatsapp_groups_sync", self._fence(held) | {"p_groups": rows}))

    async def sync_group(self, held: Held, group: GroupDetail) -> Mapping[str, Any]:
        """See Registry."""
        written = await self._database.call("whatsapp_group_sync", self._fence(held) | {"p_group": asdict(group)})
        return {name: written[name] for name in ("members", "joined", "left")}

    async def note_invite_link(self, held: Held, group_jid: str, link: str) -> None:
        """See Registry."""
        group = {"jid": group_jid, "invite_link": link}
        await self._database.call("whatsapp_group_sync", self._fence(held) | {"p_group": group})

    async def take_commands(self) -> list[Command]:
        """See Registry."""
        rows = await self._database.call("whatsapp_commands_take", {"p_run": self._run}, attempts=1)
        return [
            Command(
                id=UUID(row["id"]),
                session_id=UUID(row["session_id"]),
                kind=row["kind"],
                arguments=row["arguments"],
                held_back=row["held_back"],
            )
            for row in rows
        ]

    async def finish_command(
        self, command: Command, *, result: Mapping[str, Any] | None = None, error: str | None = None
    ) -> None:
        """See Registry."""
        arguments = {
            "p_run": self._run,
            "p_command": str(command.id),
            "p_result": dict(result) if result is not None else None,
            "p_error": error,
        }
        await self._database.call("whatsapp_command_finish", arguments)
