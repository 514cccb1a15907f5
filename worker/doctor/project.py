"""The Supabase project: reachable, the right key, the database's own findings, Auth, Storage, Realtime."""

import asyncio
import importlib.resources
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import httpx
from realtime.types import RealtimePostgresChangesListenEvent
from supabase import AsyncClient, acreate_client

from worker.doctor.finding import Case, Finding, LiveWorker, Severity, error, warning
from worker.errors import HeraldError, SettingsError
from worker.supabase.client import Database

#: Tokens, and what a person reads, are wrong if the clocks are further apart, seconds.
MOST_SKEW = 5.0

#: How long Realtime may take to subscribe (hosted: about 2), and to tell of a change, seconds.
SUBSCRIBE_SECONDS, DELIVER_SECONDS = 12.0, 6.0

_ENABLE = "Supabase dashboard, Settings, Realtime: enable it; then restart the project"

_ASYMMETRIC = {"EC", "RSA", "OKP"}
_STATUS = "https://status.supabase.com  # or the project is paused: Supabase dashboard"


def expected_schema() -> list[list[str]]:
    """What this version's migrations make: [kind, name, value] each."""
    text = importlib.resources.files("worker.doctor").joinpath("schema.txt").read_text()
    return [line.split(" | ", 2) for line in text.splitlines() if not line.startswith("#")]


async def schema(case: Case) -> list[Finding]:
    """Connect with the key, compare the clocks, and hear what the database finds."""
    settings = case.set
    try:
        database = Database(settings.supabase_url, settings.supabase_service_key.get_secret_value())
    except HeraldError as problem:
        return [_refusal(problem)]
    begun, at = time.monotonic(), time.time()
    try:
        asked = {"p_expected": expected_schema(), "p_old_seconds": case.old_seconds}
        answer = await database.call("whatsapp_doctor", asked, attempts=2)
    except HeraldError as problem:
        await database.aclose()
        return [_refusal(problem)]
    case.database = database
    case.workers = tuple(
        LiveWorker(worker_id=row["worker_id"], seconds=float(row["seconds"])) for row in answer["workers"]
    )
    found = [
        Finding(severity=Severity(row["severity"]), topic=row["topic"], what=row["what"], mend=row["mend"])
        for row in answer["findings"]
    ]
    return _clock(answer, at, time.monotonic() - begun) + found


def _clock(answer: Mapping[str, Any], at: float, seconds: float) -> list[Finding]:
    """The database looked somewhere between the question and the answer."""
    theirs = datetime.fromisoformat(answer["now"]).timestamp()
    skew = max(at - theirs, theirs - (at + seconds), 0.0)
    if skew <= MOST_SKEW:
        return []
    ahead = "behind" if theirs > at else "ahead of"
    what = (
        f"This machine's clock is {skew:.0f} s {ahead} the database's: tokens count as expired or not yet valid."
    )
    return [warning("clock", what, "sudo timedatectl set-ntp true")]


def _refusal(problem: HeraldError) -> Finding:
    text = str(problem)
    topic, _, rest = text.partition(": ")
    if "not migrated" in text:
        return error(
            "migrations",
            "The database has no Herald, or an older one than this worker.",
            'supabase db push --remote="$DATABASE_URL"',
        )
    if isinstance(problem, SettingsError) and rest:
        return error(topic, f"{rest[0].upper()}{rest[1:]}.", "Supabase dashboard, Settings, API keys")
    return error("SUPABASE_URL", f"{text}.", _STATUS)


@asynccontextmanager
async def asking(case: Case) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the project that sends the secret key."""
    key = case.set.supabase_service_key.get_secret_value()
    headers = {"apikey": key, "Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=case.set.supabase_url, headers=headers, timeout=10) as http:
        yield http


async def auth(case: Case) -> list[Finding]:
    """Auth signs people's tokens with a key that the worker can check."""
    try:
        async with asking(case) as http:
            answer = await http.get("/auth/v1/.well-known/jwks.json")
            keys = answer.json()["keys"] if answer.is_success else None
    except (httpx.HTTPError, ValueError, KeyError):
        keys = None
    if keys is None:
        return [error("auth", "Supabase Auth does not answer: nobody can sign in.", _STATUS)]
    if not any(key.get("kty") in _ASYMMETRIC for key in keys):
        what = "Auth still signs with the legacy shared secret: the API can't verify people's tokens."
        return [error("auth", what, "Supabase dashboard, Settings, JWT keys: migrate, then rotate to ES256")]
    return []


async def storage(case: Case) -> list[Finding]:
    """Storage answers; media comes from there."""
    try:
        async with asking(case) as http:
            answer = await http.get("/storage/v1/bucket")
    except httpx.HTTPError:
        return [error("storage", "Supabase Storage does not answer: media can't be sent.", _STATUS)]
    if answer.is_success:
        return []
    return [error("storage", f"Supabase Storage answers {answer.status_code}: media can't be sent.", _STATUS)]


async def realtime(case: Case) -> list[Finding]:
    """Realtime takes a subscription, down to the database, and tells of a change."""
    client = await acreate_client(case.set.supabase_url, case.set.supabase_service_key.get_secret_value())
    try:
        async with asyncio.timeout(SUBSCRIBE_SECONDS):
            heard, status = await _subscribe(client)
    except Exception as problem:  # the client raises whatever its transport does
        status = type(problem).__name__
    try:
        if status != "ok":
            what = f"Realtime takes no subscription ({status}): messages go out by the poll, some seconds later."
            return [warning("realtime", what, _ENABLE)]
        if await case.calls.call("whatsapp_doctor_canary", {}):
            await asyncio.wait_for(heard.wait(), DELIVER_SECONDS)
    except TimeoutError:
        what = "Realtime takes a subscription and tells of no change: messages go out by the poll."
        return [warning("realtime", what, _ENABLE)]
    finally:
        with suppress(Exception):
            await asyncio.wait_for(client.realtime.close(), 2.0)
    return []


async def _subscribe(client: AsyncClient) -> tuple[asyncio.Event, str]:
    """An event that is set by a change, and the status that the database's own subscription ends up with."""
    heard = asyncio.Event()
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def system(payload: Any) -> None:
        if not told.done():
            told.set_result(str(getattr(payload, "status", "")))

    channel = client.channel("herald-doctor")
    channel.on_postgres_changes(
        RealtimePostgresChangesListenEvent.Update,
        callback=lambda _: heard.set(),
        schema="herald",
        table="realtime_canaries",
    )
    channel.on_system(system)
    await channel.subscribe()
    return heard, await told
