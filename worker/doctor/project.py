"""The Supabase project: reachable, the right key, the database's own findings, Auth, Storage, Realtime."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx

from worker.doctor.finding import Case, Finding, LiveWorker, Severity, error, warning
from worker.doctor.schema import PUSH, compare
from worker.errors import HeraldError, SettingsError
from worker.supabase.client import Database
from worker.supabase.diagnosis import Diagnosis
from worker.supabase.realtime.subscription import Binding, Subscription, SubscriptionLost
from worker.supabase.rows import CANARIES, PRIVATE_SCHEMA

#: If the clocks differ by more, tokens and the times shown are wrong, seconds.
MOST_SKEW = 5.0

#: How long Realtime may take to report a change, seconds.
DELIVER_SECONDS = 6.0

_ENABLE = "Supabase dashboard, Settings, Realtime: enable it; then restart the project"

_ASYMMETRIC = {"EC", "RSA", "OKP"}
_STATUS = "https://status.supabase.com  # or the project is paused: Supabase dashboard"


async def database(case: Case) -> list[Finding]:
    """Connect with the key, compare clocks and schema, and ask what the database finds."""
    settings = case.set
    try:
        opened = Database(settings.supabase_url, settings.supabase_service_key.get_secret_value())
    except HeraldError as problem:
        return [_refusal(problem)]
    begun, at = time.monotonic(), time.time()
    try:
        answer = await Diagnosis(opened).answer(case.old_seconds)
    except HeraldError as problem:
        await opened.aclose()
        return [_refusal(problem)]
    case.database = opened
    case.workers = tuple(
        LiveWorker(worker_id=row["worker_id"], seconds=float(row["seconds"])) for row in answer["workers"]
    )
    facts = {(thing, part): value for thing, part, value in answer["facts"]}
    found = [Finding(**{**row, "severity": Severity(row["severity"])}) for row in answer["findings"]]
    case.not_set_up = frozenset(one.topic for one in found if one.severity is Severity.OPTIONAL)
    return [*_clock(answer, at, time.monotonic() - begun), *compare(facts, answer["migrations"]), *found]


def _clock(answer: Mapping[str, Any], at: float, seconds: float) -> list[Finding]:
    """Compare clocks: the database read its own at some moment between question and answer."""
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
            PUSH,
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
    """Realtime accepts a subscription, down to the database, and reports a change."""
    settings, heard = case.set, asyncio.Event()
    canary = Binding(schema=PRIVATE_SCHEMA, table=CANARIES, event="UPDATE", heard=lambda _: heard.set())
    subscription = Subscription(
        settings.supabase_url,
        settings.supabase_service_key.get_secret_value(),
        "herald-doctor",
        [canary],
        listening=lambda: None,
    )
    try:
        await subscription.open()
        if await Diagnosis(case.calls).change_canary():
            async with asyncio.timeout(DELIVER_SECONDS):
                await subscription.unless_lost(heard.wait())
    except SubscriptionLost as lost:
        what = f"Realtime accepts no subscription ({lost.kind}), so messages go out some seconds late."
        return [warning("realtime", what, _ENABLE)]
    except TimeoutError:
        what = "Realtime accepts a subscription but reports no change, so messages go out some seconds late."
        return [warning("realtime", what, _ENABLE)]
    finally:
        await subscription.close()
    return []
