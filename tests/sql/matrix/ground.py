"""Two organisations and their people on a running stack, and PostgREST asked as one of them."""

import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from localstack.client import Stack
from tests.kit.database import Db
from tests.sql.matrix.access import Verb
from tests.sql.matrix.catalog import Catalog
from tests.sql.matrix.recipes import Json
from tests.sql.matrix.rows import Rows
from tests.sql.matrix.speakers import PEOPLE, POSTS, Place, Speaker

_METHODS = {Verb.SELECT: "GET", Verb.INSERT: "POST", Verb.UPDATE: "PATCH", Verb.DELETE: "DELETE"}


class Api:
    """The stack's REST API, spoken to by role key and by user token."""

    def __init__(self, stack: Stack, http: httpx.Client) -> None:
        self._stack = stack
        self._http = http
        self._tokens: dict[str, str] = {}

    def ask(
        self, method: str, path: str, user: str | None, *, key: str | None = None, **request: Any
    ) -> httpx.Response:
        """As a user, or with a bare key (the publishable one unless told otherwise)."""
        headers = {"apikey": key or self._stack.publishable_key, "Prefer": "return=representation"}
        if user:
            headers["Authorization"] = f"Bearer {self._token(user)}"
        return self._http.request(
            method, f"{self._stack.url}/rest/v1/{path}", headers=headers | request.pop("headers", {}), **request
        )

    def _token(self, user: str) -> str:
        if user not in self._tokens:
            claims = {"sub": user, "role": "authenticated", "exp": int(time.time()) + 3600}
            self._tokens[user] = self._stack.sign(claims)
        return self._tokens[user]

    @property
    def secret_key(self) -> str:
        return self._stack.secret_key


@dataclass
class Ground:
    """Committed, so that PostgREST sees it; the stack is thrown away with all rows."""

    db: Db
    catalog: Catalog
    rows: Rows
    api: Api
    organizations: dict[Place, str] = field(default_factory=dict)
    users: dict[Speaker, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for speaker in PEOPLE:
            self.users[speaker] = str(self.db.insert("auth.users", email=f"{uuid4()}@matrix.test"))
        for place in (Place.HOME, Place.AWAY):
            self.found(place)
        self.db.insert("public.profiles", id=self.users[Speaker.SUPER_ADMIN], role="super_admin")

    def found(self, place: Place) -> Json:
        """A new organisation, to which this place's people move; its row."""
        organization = self.rows.make("organizations", None)
        self.organizations[place] = organization["id"]
        for speaker, post in POSTS.items():
            if post.place is place:
                self.db.run(
                    "insert into public.profiles (id, organization_id, role) values (%s, %s, %s)"
                    " on conflict (id) do update set organization_id = excluded.organization_id",
                    self.users[speaker],
                    organization["id"],
                    post.role,
                )
        if place is Place.AWAY:
            self.db.run(
                "update public.workshop_automation_config set private_sessions = true where organization_id = %s",
                organization["id"],
            )
        return organization

    def places(self, table: str) -> tuple[Place, ...]:
        """Whose rows there can be; of no organisation, where the column may be null."""
        owner = self.catalog.relations[table].columns.get("organization_id")
        return tuple(Place) if owner and not owner.required else (Place.HOME, Place.AWAY)

    def row(self, table: str, place: Place, **given: Any) -> Json:
        """A new row of this place."""
        if table == "organizations":
            return self.found(place)
        self.make_room(table, place)
        row = self.rows.make(table, self.organizations.get(place), **given)
        if place is not Place.AWAY:
            return row
        self._share_accounts()
        found = self.rows.find(table, {column: row[column] for column in self.catalog.relations[table].key})
        assert found
        return found

    def _share_accounts(self) -> None:
        """The other organisation's accounts have their holder and somebody who is assigned."""
        self.db.run(
            "with held as (update public.whatsapp_sessions set owner_id = %s"
            " where organization_id = %s and owner_id is null returning organization_id, id)"
            " insert into public.whatsapp_session_users (organization_id, session_id, user_id)"
            " select organization_id, id, %s from held",
            self.users[Speaker.OTHER_HOLDER],
            self.organizations[Place.AWAY],
            self.users[Speaker.OTHER_ASSIGNED],
        )

    def make_room(self, table: str, place: Place) -> None:
        """Where an organisation has one row at most, remove it."""
        if self.catalog.relations[table].one_per_organization:
            self.rows.clear(table, self.organizations.get(place))

    def ask(self, speaker: Speaker, method: str, path: str, **request: Any) -> httpx.Response:
        key = self.api.secret_key if speaker is Speaker.SERVICE else None
        return self.api.ask(method, path, self.users.get(speaker), key=key, **request)

    def speak(
        self, speaker: Speaker, verb: Verb, table: str, where: Json, body: Json | None = None
    ) -> httpx.Response:
        """One statement about the rows that match, or an insert."""
        filters = {column: f"eq.{value}" for column, value in where.items()}
        return self.ask(speaker, _METHODS[verb], table, params=filters, json=body)

    def call(self, speaker: Speaker, function: str, arguments: Json, **request: Any) -> httpx.Response:
        return self.ask(speaker, "POST", f"rpc/{function}", json=arguments, **request)
