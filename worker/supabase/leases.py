"""The leases and the rows of sessions over PostgREST."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from worker.session import DesiredState, Held, ProviderName, SessionStatus
from worker.supabase.client import ATTEMPT_SECONDS, Database
from worker.supabase.fence import fence

#: How long a heartbeat may wait, as a share of the lease, and at least (seconds). If a half-open network swallows
#: one answer, time for two more remains before the engines close what was not renewed.
HEARTBEAT_SHARE, HEARTBEAT_LEAST = 0.3, 2.0


class SupabaseLeases:
    """Implements worker.ports.Leases for one run of the worker."""

    def __init__(self, database: Database, run: UUID, lease_seconds: float) -> None:
        self._database = database
        self._run = run
        self._lease_seconds = lease_seconds

    async def start(self, worker_id: str, version: str) -> None:
        """See Leases."""
        arguments = {"p_worker": worker_id, "p_run": str(self._run), "p_version": version}
        await self._database.call("whatsapp_worker_start", arguments)

    async def heartbeat(self, capacity: int) -> list[Held]:
        """See Leases."""
        arguments = {"p_run": str(self._run), "p_capacity": capacity, "p_lease_seconds": self._lease_seconds}
        seconds = min(ATTEMPT_SECONDS, max(HEARTBEAT_LEAST, HEARTBEAT_SHARE * self._lease_seconds))
        rows = await self._database.call("whatsapp_heartbeat", arguments, attempts=1, seconds=seconds)
        return [
            Held(
                session_id=UUID(row["session_id"]),
                organization_id=UUID(row["organization_id"]),
                provider=ProviderName(row["provider"]),
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
        """See Leases."""
        await self._database.call("whatsapp_lease_release", fence(self._run, held))

    async def deleted(self, sessions: Sequence[UUID]) -> list[UUID]:
        """See Leases."""
        arguments = {"p_run": str(self._run), "p_sessions": [str(session_id) for session_id in sessions]}
        return [UUID(found) for found in await self._database.call("whatsapp_sessions_deleted", arguments)]

    async def report(self, held: Held, **facts: object) -> bool:
        """See Leases."""
        report = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in facts.items()}
        return bool(
            await self._database.call("whatsapp_session_report", fence(self._run, held) | {"p_report": report})
        )

    async def alert(self, held: Held, kind: str, message: str | None, **details: object) -> None:
        """See Leases."""
        alert = {"p_kind": kind, "p_message": message, "p_details": details}
        await self._database.call("whatsapp_session_alert", fence(self._run, held) | alert)
