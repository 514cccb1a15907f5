"""What a member's browser asks of the queue: lists and analytics, through row level security with a real JWT."""

import secrets
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import LiteralString

import httpx
from supabase import AsyncClientOptions, acreate_client

from localstack.client import Stack
from scripts.drills.queue_sql import ACCOUNTS
from scripts.drills.queue_world import QueueWorld
from scripts.drills.report import Report, percentile, rounded

PANEL = (
    "id,session_id,group_id,contact_id,recipient_phone,recipient_name,message_type,message_content,media_url,"
    "priority,scheduled_for,status,retry_count,error_message,sent_at,delivered_at,read_at,delivered_count,read_count"
)
WAITING: LiteralString = """
select distinct on (organization_id) organization_id, id from public.scheduled_whatsapp_messages
where sent_at is null and status = 'pending' limit %s
"""
MEMBERS = 5  #: each of another organisation, so that no answer is only the last one again


@dataclass(slots=True)
class Member:
    """A person of an organisation who has signed in."""

    organization: str
    message: str  #: one of the organisation's that waits
    token: str = field(repr=False)


async def members(world: QueueWorld) -> list[Member]:
    """Sign up members of several organisations, as Auth does it."""
    await world.queue(ACCOUNTS)
    rows = await world.rows(WAITING, [MEMBERS])
    return [await _member(world, str(row["organization_id"]), str(row["id"])) for row in rows]


async def _member(world: QueueWorld, organization: str, message: str) -> Member:
    stack, password = world.stack, secrets.token_urlsafe(12)
    email = f"member-{secrets.token_hex(4)}@bench.example"
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        options = AsyncClientOptions(httpx_client=http)
        service = await acreate_client(stack.url, stack.secret_key, options)
        made = await service.auth.admin.create_user({"email": email, "password": password, "email_confirm": True})
        await world.owner.execute(
            "insert into public.profiles (id, organization_id, role) values (%s, %s, 'member')",
            [made.user.id, organization],
        )
        client = await acreate_client(stack.url, stack.publishable_key, AsyncClientOptions(httpx_client=http))
        signed_in = await client.auth.sign_in_with_password({"email": email, "password": password})
    if signed_in.session is None:
        raise RuntimeError(f"{email} could not sign in")
    return Member(organization, message, signed_in.session.access_token)


class NoAnswerError(Exception):
    """PostgREST refused, or the statement took longer than its role may."""


class Browser:
    """Asks PostgREST, through the gateway or directly, as these members in turn."""

    def __init__(self, stack: Stack, people: list[Member], *, direct: bool) -> None:
        self._people = people
        self._key = stack.publishable_key
        self._base = f"http://127.0.0.1:{stack.state.ports['postgrest']}" if direct else f"{stack.url}/rest/v1"

    async def times(self, path: str, asked: int, **parameters: str) -> tuple[list[float], list[int]]:
        """Milliseconds of each answer, and how many rows each had. The first, one a member, are not counted.

        ``{organization}``, ``{message}`` and ``{day}`` (another of the last month each time) are filled in.
        """
        waits: list[float] = []
        sizes: list[int] = []
        async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
            for number in range(-len(self._people), asked):
                member = self._people[number % len(self._people)]
                filling = {"organization": member.organization, "message": member.message, "day": _day(number)}
                query = {key: value.format(**filling) for key, value in parameters.items()}
                headers = {"apikey": self._key, "Authorization": f"Bearer {member.token}"}
                begun = time.perf_counter()
                answer = await http.get(f"{self._base}/{path}", params=query, headers=headers)
                waited = (time.perf_counter() - begun) * 1000
                if answer.status_code != 200:
                    raise NoAnswerError(f"{path} answers {answer.status_code}: {answer.text[:300]}")
                told = answer.json()
                if number >= 0:
                    waits.append(waited)
                    sizes.append(len(told))
        return waits, sizes


def _day(number: int) -> str:
    return (date.today() - timedelta(days=2 + number % 28)).isoformat()


async def reads(report: Report, world: QueueWorld, asked: int) -> None:
    """What members wait for."""
    people = await members(world)
    latest = {"select": PANEL, "order": "scheduled_for.desc", "limit": "50"}
    mine = {"organization_id": "eq.{organization}"}
    for direct, way in ((True, ""), (False, ", through the gateway")):
        browser = Browser(world.stack, people, direct=direct)
        waits, sizes = await browser.times("scheduled_whatsapp_messages", asked, **latest, **mine)
        if set(sizes) != {50}:
            raise RuntimeError(f"a member's list has {set(sizes)} rows")
        report.bar(f"member's last 50 messages{way}, p95", rounded(percentile(waits, 0.95)), "ms", "<=", 20)
        waits, sizes = await browser.times("whatsapp_analytics", asked, day="eq.{day}", **mine)
        if not any(sizes):
            raise RuntimeError("a day's analytics has no row")
        report.bar(f"a day's analytics{way}, p95", rounded(percentile(waits, 0.95)), "ms", "<=", 200)
    browser = Browser(world.stack, people, direct=True)
    for name, path, parameters in (
        ("member's last 50 messages without naming the organisation", "scheduled_whatsapp_messages", latest),
        ("whatsapp_stats", "rpc/whatsapp_stats", {"p_organization": "{organization}"}),
        ("why_not_sent", "rpc/why_not_sent", {"p_message": "{message}"}),
    ):
        try:
            waits, _ = await browser.times(path, max(asked // 20, 5), **parameters)
        except NoAnswerError as error:
            report.say(str(error))
            waits = []
        report.note(f"{name}, p95", rounded(percentile(waits, 0.95)), "ms")
