"""Two organisations, their people and keys, and the API between them and a real PostgREST."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from localstack.client import Stack
from localstack.credentials import Credentials
from tests.kit.database import Db, Row
from worker.api import Api
from worker.api.app import ApiSettings
from worker.api.http.metrics import Metrics
from worker.api_keys import ApiKey
from worker.logs import configure_logs

PROXY_KEY = "proxy-0123456789abcdef0123456789abcdef"
FORMER_PROXY_KEY = "former-0123456789abcdef0123456789abcdef"
HOME_KEY = "home-0123456789abcdef0123456789abcdef"
AWAY_KEY = "away-0123456789abcdef0123456789abcdef"

#: A PNG of one pixel.
PICTURE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
)


class Person(StrEnum):
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"
    OTHER_ADMIN = "other org's admin"
    SUPER_ADMIN = "super admin"
    UNPLACED = "user of no org"


@dataclass(slots=True)
class Organization:
    """One with an account, another that shows a QR, a group, a contact, a template and a pending message."""

    id: UUID
    name: str
    session: UUID
    linking: UUID
    group: UUID
    group_jid: str
    contact: UUID
    template: UUID
    message: UUID

    def marks(self, content: bytes) -> bool:
        """Whether an answer tells of this organisation's things."""
        ids = (self.id, self.session, self.linking, self.group, self.contact, self.template, self.message)
        return any(mark.encode() in content for mark in (f"of {self.name}", self.group_jid, *map(str, ids)))


@dataclass(slots=True)
class Ground:
    """Committed rows, so that PostgREST sees them; the stack is thrown away with them."""

    stack: Stack
    db: Db
    home: Organization
    away: Organization
    users: Mapping[Person, UUID]
    credentials: Credentials = field(repr=False)

    def token(self, person: Person, **claims: Any) -> str:
        """The person's access token, as Supabase Auth signs it."""
        return self.sign(self.users[person], **claims)

    def sign(self, user: UUID | str, **claims: Any) -> str:
        return self.credentials.sign(self.claims(user) | claims)

    def claims(self, user: UUID | str) -> dict[str, Any]:
        return {
            "sub": str(user),
            "role": "authenticated",
            "aud": "authenticated",
            "iss": f"{self.stack.url}/auth/v1",
            "exp": int(time.time()) + 600,
        }

    def forged(self, person: Person) -> str:
        """A token that all is right with but the key that signed it."""
        key = ec.generate_private_key(ec.SECP256R1())
        headers = {"kid": self.credentials.key_id}
        return jwt.encode(self.claims(self.users[person]), key, algorithm="ES256", headers=headers)

    def new_message(self, organization: Organization, **columns: Any) -> UUID:
        row: dict[str, Any] = {
            "organization_id": organization.id,
            "session_id": organization.session,
            "recipient_phone": "+491709876567",
            "message_content": "Hello",
        }
        return self.db.insert("public.scheduled_whatsapp_messages", **(row | columns))

    def message(self, message: UUID | str) -> Row:
        return self.db.row("select * from public.scheduled_whatsapp_messages where id = %s", message)


def found_organization(db: Db, name: str) -> Organization:
    organization = db.insert("public.organizations", name=name)
    session = db.insert(
        "public.whatsapp_sessions", organization_id=organization, display_name=f"Account of {name}", min_gap_ms=0
    )
    linking = db.insert(
        "public.whatsapp_sessions",
        organization_id=organization,
        display_name=f"New account of {name}",
        status="qr_pending",
        qr_code=PICTURE,
    )
    jid = f"1203{int(organization) % 10**14:014d}@g.us"
    group = db.insert(
        "public.whatsapp_groups",
        organization_id=organization,
        session_id=session,
        group_jid=jid,
        group_name=f"Group of {name}",
    )
    contact = db.insert("public.whatsapp_contacts", organization_id=organization, phone="+491511234567")
    template = db.insert(
        "public.whatsapp_message_templates", organization_id=organization, name="greeting", content="Hi {{name}}"
    )
    message = db.insert(
        "public.scheduled_whatsapp_messages",
        organization_id=organization,
        session_id=session,
        group_id=group,
        message_content=f"Secret of {name}",
    )
    return Organization(organization, name, session, linking, group, jid, contact, template, message)


def make_ground(stack: Stack, db: Db) -> Ground:
    home, away = found_organization(db, "Home"), found_organization(db, "Away")
    users = {}
    for person, organization, role in (
        (Person.MEMBER, home.id, "member"),
        (Person.ADMIN, home.id, "admin"),
        (Person.OWNER, home.id, "owner"),
        (Person.OTHER_ADMIN, away.id, "admin"),
        (Person.SUPER_ADMIN, None, "super_admin"),
        (Person.UNPLACED, None, None),
    ):
        users[person] = db.insert("auth.users", email=f"{uuid4()}@api.test")
        if role:
            db.insert("public.profiles", id=users[person], organization_id=organization, role=role)
    credentials = Credentials.load_or_generate(stack.directory / "credentials.json")
    return Ground(stack, db, home, away, users, credentials)


@dataclass(slots=True)
class Served:
    """An API that is served, and what it said to the worker."""

    url: str
    api: Api
    woken: list[float]  #: after how many seconds the dispatcher is to look at the queue
    http: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, *, key: str | None = PROXY_KEY, token: str | None = None, **request: Any
    ) -> "Said":
        """Ask with a key and maybe a user's token; ``organization`` becomes X-Org-Id."""
        headers = dict(request.pop("headers", {}))
        if key is not None:
            headers["X-API-Key"] = key
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if (organization := request.pop("organization", None)) is not None:
            headers["X-Org-Id"] = str(organization)
        async with self.http.request(method, self.url + path, headers=headers, **request) as answer:
            content = await answer.read()
            said = await answer.json(content_type=None) if "json" in answer.content_type else None
            return Said(answer.status, said, answer.headers, content)


@dataclass(frozen=True, slots=True)
class Said:
    """What the API answered. json: None if it was no JSON."""

    status: int
    json: Any
    headers: Mapping[str, str]
    content: bytes

    @property
    def code(self) -> str | None:
        """The problem's code, None if it is none."""
        return str(self.json["code"]) if "problem" in self.headers.get("Content-Type", "") else None


@asynccontextmanager
async def served(ground: Ground, **settings: Any) -> AsyncIterator[Served]:
    """The API with limits that no test meets by chance; ``settings`` override, ``wake`` the dispatcher's."""
    woken: list[float] = []
    wake = settings.pop("wake", woken.append)
    configure_logs("DEBUG")  # as in a worker, so that the watch over the logs sees what a worker writes
    given: dict[str, Any] = {
        "supabase_url": ground.stack.url,
        "service_key": ground.stack.secret_key,
        "keys": (
            ApiKey(organization=None, secret=FORMER_PROXY_KEY),
            ApiKey(organization=None, secret=PROXY_KEY),
            ApiKey(organization=ground.home.id, secret=HOME_KEY),
            ApiKey(organization=ground.away.id, secret=AWAY_KEY),
        ),
        "version": "0.0.0",
        "requests_per_minute": 1_000_000,
        "sends_per_minute": 1_000_000,
    }
    health = {"live": True, "ready": True}
    metrics = Metrics("api-test", "0.0.0")
    made = Api(ApiSettings(**(given | settings)), lambda: health, wake, metrics)
    async with made as api, aiohttp.ClientSession() as http:
        runner = web.AppRunner(api.app, access_log=None, shutdown_timeout=2)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            yield Served(f"http://{host}:{port}", api, woken, http)
        finally:
            await runner.cleanup()
