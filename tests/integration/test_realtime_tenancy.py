"""Nobody hears of another organisation's rows: 10,000 changes (200 without --full), and listeners proven awake.

Realtime asks row level security about the row as it is when the change is delivered. A DELETE has no row any more,
so Supabase tells it to every subscriber of the table who may read its columns, and shows only the key, a random id
(https://supabase.com/docs/guides/realtime/postgres-changes). Who subscribes with the organisation as the filter
doesn't hear even that, since the key doesn't match a filter on another column.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx
import pytest
from realtime import AsyncRealtimeClient
from realtime.types import RealtimePostgresChangesListenEvent as Kind

from localstack.client import LocalStack, Stack
from tests.kit.database import Db
from tests.sql.matrix.catalog import Catalog
from tests.sql.matrix.expected import TABLES
from tests.sql.matrix.ground import Api, Ground
from tests.sql.matrix.recipes import RECIPES, Json
from tests.sql.matrix.rows import Rows
from tests.sql.matrix.speakers import POSTS, Place, Speaker, standing

#: realtime 2.34 reads a property of a closed connection that websockets 15 calls deprecated; as an error the
#: warning would end the client's listener.
pytestmark = [
    pytest.mark.filterwarnings("ignore:ConnectionClosed.(code|reason) is deprecated:DeprecationWarning"),
    pytest.mark.timeout(400),
]
DEADLINE = 120.0  # seconds; one step of 10,000 changes, on a machine that has other things to do
CHANGES = 200
#: Rows that are added to the other organisation, changed, and half of them removed; of other tables a few.
MANY = {"whatsapp_groups": 21, "scheduled_whatsapp_messages": 28, "whatsapp_messages": 28}


class Change(NamedTuple):
    table: str
    kind: str
    id: str


@dataclass(frozen=True)
class Heard:
    change: Change
    organization: str | None  #: null when the payload doesn't tell
    columns: frozenset[str]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Heard":
        kind = Kind(data["type"])
        row: Json = data["old_record" if kind is Kind.Delete else "record"]
        return cls(Change(data["table"], kind.value, row["id"]), row.get("organization_id"), frozenset(row))


@dataclass
class Ear:
    """One person's subscription to every published table, with or without their organisation as the filter."""

    speaker: Speaker
    filtered: bool
    heard: list[Heard] = field(default_factory=list)
    confirmed: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __str__(self) -> str:
        return f"{self.speaker}{' (by organisation)' if self.filtered else ''}"

    def take(self, payload: Mapping[str, Any]) -> None:
        self.heard.append(Heard.of(payload["data"]))
        self._news.set()

    def system(self, said: Any) -> None:
        """Set when the subscription works, and never before."""
        if said.message == "Subscribed to PostgreSQL":
            self.confirmed.set()

    async def until_heard(self, changes: Collection[Change]) -> None:
        """Wait for these changes; what is missing when the time is up."""
        missing, seen = set(changes), 0
        try:
            async with asyncio.timeout(DEADLINE):
                while missing:
                    missing -= {heard.change for heard in self.heard[seen:]}
                    seen = len(self.heard)
                    if missing:
                        await self._news.wait()
                        self._news.clear()
        except TimeoutError:
            raise AssertionError(
                f"{self} hasn't heard {len(missing)} changes, but {len(self.heard)}: {sorted(missing)[:5]}"
            ) from None


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture
def ground(stack: Stack) -> Iterator[Ground]:
    with Db.connect(stack.database_url, autocommit=True) as db, httpx.Client(trust_env=False) as http:
        catalog = Catalog(db)
        yield Ground(db, catalog, Rows(db, catalog), Api(stack, http))


@pytest.fixture
def published(ground: Ground) -> list[str]:
    rows = ground.db.rows(
        "select tablename from pg_publication_tables where pubname = 'supabase_realtime' and schemaname = 'public'"
    )
    return sorted(row["tablename"] for row in rows)


Listen = Callable[[Speaker, bool], Any]


@pytest.fixture
async def listen(stack: Stack, ground: Ground, published: list[str]) -> AsyncIterator[Listen]:
    async with AsyncExitStack() as closing:

        async def listen(speaker: Speaker, filtered: bool) -> Ear:
            """Returns when every later change is heard."""
            ear = Ear(speaker, filtered)
            client = AsyncRealtimeClient(f"{stack.url}/realtime/v1", token=stack.publishable_key)
            closing.push_async_callback(client.close)
            if speaker is not Speaker.ANON:
                claims = {"sub": ground.users[speaker], "role": "authenticated", "exp": int(time.time()) + 3600}
                await client.set_auth(stack.sign(claims))
            channel = client.channel(f"{speaker}-{filtered}")
            for table in published:
                wanted = f"organization_id=eq.{ground.organizations[POSTS[speaker].place]}" if filtered else None
                channel.on_postgres_changes(Kind.All, ear.take, table=table, schema="public", filter=wanted)
            channel.on_system(ear.system)
            await channel.subscribe()
            async with asyncio.timeout(DEADLINE):
                await ear.confirmed.wait()
            return ear

        yield listen


def entitled(speaker: Speaker, table: str, place: Place) -> bool:
    return standing(speaker, place) in TABLES[table].access.select


class Flood:
    """Many changes of an organisation's rows, and which of them there were."""

    def __init__(self, ground: Ground, place: Place, tables: list[str], times: int) -> None:
        self._ground = ground
        self._place = place
        self._times = times
        self._ids: dict[str, list[str]] = {table: [] for table in tables}
        self.done: list[Change] = []

    def insert(self) -> None:
        for table, ids in self._ids.items():
            many = 1
            if self._place is Place.AWAY:
                many = MANY[table] * self._times if table in MANY else 10 + self._times
            if table == "whatsapp_commands":
                many = min(many, 49)  # an account may have fifty waiting
            first = self._ground.row(table, self._place)
            names = {
                column for key in self._ground.catalog.relations[table].foreign_keys for column in key.columns
            }
            shared = {column: first[column] for column in names - {"organization_id", "contact_id"}}
            given = {column: value for column, value in shared.items() if value is not None}
            organization = self._ground.organizations[self._place]
            drafts = [self._ground.rows.draft(table, organization, **given) for _ in range(many - 1)]
            made = self._ground.rows.write(table, drafts) if drafts else []
            ids += [first["id"], *(row["id"] for row in made)]
        self._did("INSERT", self._ids)

    def update(self) -> None:
        for table, ids in self._ids.items():
            self._ground.rows.change(table, ids, RECIPES[table].change)
        self._did("UPDATE", self._ids)

    def delete_half(self) -> None:
        halves = {table: ids[len(ids) // 2 :] for table, ids in self._ids.items() if table in MANY}
        for table, ids in reversed(halves.items()):
            self._ground.rows.remove(table, ids)
        self._did("DELETE", halves)

    def _did(self, kind: str, ids: Mapping[str, list[str]]) -> None:
        self.done += [Change(table, kind, each) for table, of_table in ids.items() for each in of_table]


@pytest.mark.parametrize("times", [1, pytest.param(50, marks=pytest.mark.full)])
async def test_nobody_hears_of_another_organisations_rows(
    ground: Ground, published: list[str], listen: Listen, times: int
) -> None:
    ears: list[Ear] = [await listen(speaker, False) for speaker in (*POSTS, Speaker.UNPLACED, Speaker.ANON)]
    ears += [await listen(speaker, True) for speaker in (Speaker.MEMBER, Speaker.ADMIN, Speaker.OTHER_ADMIN)]
    # In this order: who has heard the last change of the own organisation has passed all of the other's.
    floods = {place: Flood(ground, place, published, times) for place in (Place.AWAY, Place.HOME)}
    for step in (Flood.insert, Flood.update, Flood.delete_half):
        for flood in floods.values():
            await asyncio.to_thread(step, flood)
        await asyncio.gather(*(ear.until_heard(owed(ear, floods)) for ear in ears))
    assert len(floods[Place.AWAY].done) >= CHANGES * times
    wrong = [found for ear in ears for found in found_wrong(ground, ear)]
    assert not wrong, f"{len(wrong)} events too many:\n" + "\n".join(wrong[:20])


def owed(ear: Ear, floods: Mapping[Place, Flood]) -> list[Change]:
    """What somebody must have heard so far: of their own what they may see; of all, that rows are gone."""
    if ear.speaker is Speaker.ANON:
        return []
    post = POSTS.get(ear.speaker)
    return [
        change
        for place, flood in floods.items()
        for change in flood.done
        if (
            not ear.filtered
            if change.kind == "DELETE"
            else post and post.place is place and entitled(ear.speaker, change.table, place)
        )
    ]


def found_wrong(ground: Ground, ear: Ear) -> Iterator[str]:
    post = POSTS.get(ear.speaker)
    for heard in ear.heard:
        if heard.change.kind == "DELETE":
            right = ear.speaker is not Speaker.ANON and not ear.filtered and heard.columns == {"id"}
        else:
            right = (
                post is not None
                and heard.organization == ground.organizations[post.place]
                and entitled(ear.speaker, heard.change.table, post.place)
            )
        if not right:
            yield f"{ear} heard {heard}"
