"""A small CRM in a transaction, people who use it, and runs of a worker that make a worker's calls."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

Row = dict[str, Any]

#: The shape of every refusal by privilege or row policy.
DENIED = "42501"

#: Moves the database's one clock for this connection only; 0 elsewhere.
SHIFTED_CLOCK = """
create or replace function herald.clock() returns timestamptz
language sql stable set search_path = ''
as $$ select now() + coalesce(nullif(current_setting('herald.test_shift', true), ''), '0')::interval $$
"""


class Db:
    """A connection as `postgres`. Unless it commits, all that a test does is rolled back."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self.connection = connection
        self._seconds = 0.0

    @classmethod
    @contextmanager
    def connect(cls, url: str, *, autocommit: bool = False) -> Iterator["Db"]:
        connection = psycopg.Connection[Row].connect(url, row_factory=dict_row, autocommit=autocommit)
        try:
            yield cls(connection)
        finally:
            connection.rollback()
            connection.close()

    def rows(self, query: LiteralString, *values: object) -> list[Row]:
        cursor = self.connection.execute(query, values)
        return cursor.fetchall() if cursor.description else []

    def row(self, query: LiteralString, *values: object) -> Row:
        (found,) = self.rows(query, *values)
        return found

    def value(self, query: LiteralString, *values: object) -> Any:
        (found,) = self.row(query, *values).values()
        return found

    def run(self, query: LiteralString, *values: object) -> int:
        return self.connection.execute(query, values).rowcount

    def insert(self, table: str, **columns: object) -> UUID:
        """Add a row; its id."""
        statement = sql.SQL("insert into {} ({}) values ({}) returning id").format(
            sql.Identifier(*table.split(".")),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(sql.Placeholder() * len(columns)),
        )
        found = self.connection.execute(statement, list(columns.values())).fetchone()
        assert found
        identity = found["id"]
        assert isinstance(identity, UUID)
        return identity

    def call(self, function: str, **arguments: object) -> Any:
        """Call public.function with named arguments."""
        named = [sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder()) for name in arguments]
        statement = sql.SQL("select public.{}({}) as answer").format(
            sql.Identifier(function), sql.SQL(", ").join(named)
        )
        found = self.connection.execute(statement, list(arguments.values())).fetchone()
        assert found
        return found["answer"]

    def refusal(self, query: LiteralString, *values: object) -> str | None:
        """The SQLSTATE with which a statement is refused, None if it succeeds. It is rolled back either way."""
        try:
            with self.connection.transaction(force_rollback=True):
                self.connection.execute(query, values)
        except psycopg.Error as error:
            return error.sqlstate
        return None

    @contextmanager
    def speaking_as(self, role: LiteralString, user: UUID | None = None) -> Iterator[None]:
        """Speak as PostgREST would for this role and user; what was written stays until the test ends."""
        claims = Jsonb({"role": role, "sub": str(user)} if user else {"role": role})
        with self.connection.transaction():
            self.connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            self.run("select set_config('request.jwt.claims', %s::jsonb::text, true)", claims)
            yield
            self.run("select set_config('request.jwt.claims', '', true)")
            self.connection.execute("reset role")

    def pass_time(self, seconds: float) -> None:
        """Move the clock of this connection on."""
        self._seconds += seconds
        self.run("select set_config('herald.test_shift', %s, false)", f"{self._seconds} seconds")

    def now(self) -> datetime:
        moment = self.value("select herald.clock()")
        assert isinstance(moment, datetime)
        return moment


@dataclass
class Organisation:
    """A customer with its people, one linked account and a group of it."""

    db: Db
    id: UUID = field(init=False)
    session: UUID = field(init=False)
    group: UUID = field(init=False)
    people: dict[str, UUID] = field(init=False)

    def __post_init__(self) -> None:
        self.id = self.db.insert("public.organizations", name="Pottery")
        self.people = {role: self.person(role) for role in ("owner", "admin", "member", "super_admin")}
        self.session = self.add_session()
        self.group = self.add_group(self.session)

    def person(self, role: str) -> UUID:
        user = self.db.insert("auth.users", email=f"{uuid4()}@py.test")
        return self.db.insert("public.profiles", id=user, organization_id=self.id, role=role)

    def add_session(self, **columns: object) -> UUID:
        wanted: dict[str, object] = {"desired_state": "connected", "min_gap_ms": 0}
        return self.db.insert("public.whatsapp_sessions", organization_id=self.id, **(wanted | columns))

    def add_group(self, session: UUID) -> UUID:
        jid = f"{uuid4().int % 10**18}@g.us"
        return self.db.insert("public.whatsapp_groups", organization_id=self.id, session_id=session, group_jid=jid)

    def schedule(self, **columns: object) -> UUID:
        """Queue a text to a person, due now, on the organisation's account unless told otherwise."""
        row: dict[str, object] = {
            "organization_id": self.id,
            "session_id": self.session,
            "message_content": "The kiln is hot",
        }
        if "group_id" not in columns:
            row["recipient_phone"] = "+491709876567"
        return self.db.insert("public.scheduled_whatsapp_messages", **(row | columns))

    def message(self, message: UUID) -> Row:
        return self.db.row("select * from public.scheduled_whatsapp_messages where id = %s", message)

    def status(self, message: UUID) -> str:
        return str(self.message(message)["status"])


@dataclass
class Run:
    """One process of a worker: what it calls, as it calls it."""

    db: Db
    worker: str = field(default_factory=lambda: f"worker-{uuid4()}")
    id: UUID = field(default_factory=uuid4)
    epochs: dict[UUID, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.db.call("whatsapp_worker_start", p_worker=self.worker, p_run=self.id, p_version="0")

    def heartbeat(self, capacity: int = 10, lease: float = 20) -> list[Row]:
        held: list[Row] = self.db.call(
            "whatsapp_heartbeat", p_run=self.id, p_capacity=capacity, p_lease_seconds=lease
        )
        self.epochs = {UUID(row["session_id"]): row["epoch"] for row in held}
        return held

    def fence(self, session: UUID, epoch: int | None = None) -> dict[str, object]:
        return {"p_run": self.id, "p_session": session, "p_epoch": epoch or self.epochs[session]}

    def connect(self, *sessions: UUID, lease: float = 20) -> "Run":
        """Hold these sessions and report them connected."""
        self.heartbeat(lease=lease)
        for session in sessions:
            self.db.call("whatsapp_session_attach", **self.fence(session), p_incarnation=uuid4())
            self.report(session, status="connected", whatsapp_id="49170@s.whatsapp.net")
        return self

    def report(self, session: UUID, **facts: object) -> bool:
        return bool(self.db.call("whatsapp_session_report", **self.fence(session), p_report=Jsonb(facts)))

    def claim(self, limit: int = 50) -> list[Row]:
        claims: list[Row] = self.db.call("whatsapp_claim", p_run=self.id, p_limit=limit)
        return claims

    def claim_one(self) -> Row:
        (claim,) = self.claim()
        return claim

    def settle(self, claim: Row, outcome: str, **facts: object) -> int:
        """How many messages the database settled."""
        result = {"message_id": claim["message_id"], "token": claim["token"], "outcome": outcome, **facts}
        return len(self.db.call("whatsapp_settle", p_run=self.id, p_results=Jsonb([result])))

    def accept(self, claim: Row, wa_id: str = "3EB0A1") -> int:
        return self.settle(claim, "accepted", wa_message_id=wa_id, at=self.db.now().isoformat())

    def exchange(self, limit: int = 50) -> Row:
        answer: Row = self.db.call("whatsapp_settle_and_claim", p_run=self.id, p_results=Jsonb([]), p_limit=limit)
        return answer

    def receipt(self, session: UUID, wa_id: str, recipient: str, kind: str, lid: str | None = None) -> None:
        row = {
            "session_id": str(session),
            "wa_message_id": wa_id,
            "recipient": recipient,
            "kind": kind,
            "at": self.db.now().isoformat(),
            "lid": lid,
        }
        self.db.call("whatsapp_receipts", p_run=self.id, p_receipts=Jsonb([row]))

    def adopt(self, session: UUID) -> list[Row]:
        claims: list[Row] = self.db.call("whatsapp_claims_adopt", **self.fence(session))
        return claims

    def give_back(self, in_hand: Sequence[UUID] = ()) -> int:
        return int(self.db.call("whatsapp_claims_return", p_run=self.id, p_in_hand=list(in_hand)))
