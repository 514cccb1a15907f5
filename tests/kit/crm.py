"""Two organisations of a CRM on a local stack, and people of each kind who call functions as a browser would."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from localstack.client import Stack
from tests.kit.http import loopback

PASSWORD = "correct horse"
#: name → (organisation, role)
PEOPLE = {
    "owner": ("home", "owner"),
    "admin": ("home", "admin"),
    "member": ("home", "member"),
    "other admin": ("away", "admin"),
    "super admin": (None, "super_admin"),
    "newcomer": (None, "member"),
}


@dataclass
class Crm:
    """Who is who on this stack."""

    stack: Stack
    organizations: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    async def found(cls, stack: Stack) -> "Crm":
        crm = cls(stack)
        async with crm.http() as http, await crm.database() as database:
            for name in ("home", "away"):
                made = await database.execute(
                    "insert into public.organizations (name) values (%s) returning id::text", [name]
                )
                crm.organizations[name] = (await made.fetchone() or {})["id"]
            for name, (organization, role) in PEOPLE.items():
                email = f"{uuid.uuid4()}@crm.example"
                answer = await http.post("/auth/v1/signup", json={"email": email, "password": PASSWORD})
                session = answer.raise_for_status().json()
                crm.users[name], crm.tokens[name] = session["user"]["id"], session["access_token"]
                await database.execute(
                    "insert into public.profiles (id, organization_id, role) values (%s, %s, %s)",
                    [crm.users[name], organization and crm.organizations[organization], role],
                )
        return crm

    def http(self, **options: Any) -> httpx.AsyncClient:
        """A client that sends the publishable key, as the CRM's does."""
        headers = {"apikey": self.stack.publishable_key}
        return loopback(base_url=self.stack.url, headers=headers, timeout=60, **options)

    async def database(self) -> psycopg.AsyncConnection[dict[str, Any]]:
        return await psycopg.AsyncConnection[dict[str, Any]].connect(
            self.stack.database_url, autocommit=True, row_factory=dict_row
        )

    def bearer(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    def token(self, name: str, **claims: object) -> str:
        """A token signed with Auth's key that Auth would not issue."""
        usual = {"sub": self.users[name], "role": "authenticated", "exp": int(time.time()) + 600}
        return self.stack.sign({key: value for key, value in (usual | claims).items() if value is not None})

    async def call(
        self, function: str, name: str | None = None, method: str = "GET", **options: Any
    ) -> httpx.Response:
        """Call a function as this person; function may have a path behind its name."""
        headers = (self.bearer(name) if name else {}) | options.pop("headers", {})
        async with self.http() as http:
            return await http.request(method, f"/functions/v1/{function}", headers=headers, **options)
