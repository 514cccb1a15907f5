"""Any value in any column that a tenant writes, and whether worker, API lists and CLI live on with it."""

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from hypothesis import strategies as st
from psycopg import sql
from psycopg.types.json import set_json_loads
from rich.console import Console

from tests.kit.database import Db, Organisation, Row, Run
from tests.sql.matrix.catalog import Catalog
from tests.sql.matrix.rows import Rows
from worker.api.http.fields import cursor_from, cursor_of
from worker.api.routes.accounts import Account, Linking
from worker.api.routes.groups import Group
from worker.api.routes.messages import ExplainedMessage, Message
from worker.cli.queue import messages_table, queues_table, reasons
from worker.cli.sessions import accounts_table, workers_table
from worker.cli.show import distance, local_time, moment
from worker.message import seconds_until_due
from worker.outcome import Rejected
from worker.supabase.client import read_json
from worker.supabase.outbox import claims_from

_ENOUGH = 400_000

_TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80),
    st.sampled_from(
        [
            *(
                "",
                " ",
                "[/red]",
                "[bold",
                "{{a}}" * 800,
                "\x1b[31m",
                "\x01" * 300,
                "\u202eabc",
                "%s",
                "infinity",
                "null",
            ),
            *(
                "+491701234567",
                "491701234567@s.whatsapp.net",
                "123@lid",
                "https://files.test/a.pdf",
                "en",
                "pt_BR",
            ),
            *("data:image/png;base64,AAAA", "image", "video", "connected", "logged_out", "pending", "cancelled"),
            *(
                "executing",
                "running",
                "paused",
                "UTC",
                "Europe/Berlin",
                "web",
                "cloud",
                "location",
                "logout",
                "whatsapp",
            ),
            *(
                "x" * 201,
                "x" * _ENOUGH,
                " " * _ENOUGH + "x",
                "https://x/" + "y" * _ENOUGH,
                "data:," + "A" * 2_000_000,
            ),
        ]
    ),
).map(json.dumps)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
)
_JSON = st.one_of(
    st.recursive(
        _SCALARS,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text("abc_", max_size=9), inner, max_size=4)
        ),
    ).map(json.dumps),
    st.sampled_from(
        [
            *(
                "{}",
                "[]",
                "null",
                '"x"',
                "1e5000",
                '{"a": 1e5000}',
                '{"a": [-1e131000]}',
                '{"phone": "+491701234567"}',
            ),
            *(
                '{"kind": "location", "latitude": 1e400, "longitude": 1}',
                '{"kind": "poll", "question": [], "options": {}}',
            ),
            *('{"kind": "location", "latitude": 1, "longitude": 1}', '{"kind": "delete", "message_id": {"a": 1}}'),
            *('{"start": "21:00", "end": "08:00", "exempt": [{}, [], 1]}', '{"start": "00:00", "end": "23:59"}'),
            *(
                '{"morning": {"at": "08:00"}}',
                '{"x": {"offset": "1e9 years"}}',
                '{"x": {"at": "08:00", "day": 1e9}}',
            ),
            json.dumps({"a": "x" * _ENOUGH}),
            json.dumps({f"t{n}": {"offset": "1 hour"} for n in range(5000)}),
        ]
    ),
)
_DEEP = st.sampled_from(['{"a":' * 40 + "1" + "}" * 40, '{"a": ' + "[" * 3000 + "]" * 3000 + "}"])
_LISTS = st.one_of(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20), max_size=5
    ).map(json.dumps),
    st.sampled_from(
        ['[["a","b"],["c","d"]]', '"{}"', '"[5:6]={a,b}"', '["a", null]', "null", '["{all}"]', '["all"]']
    ),
    st.sampled_from([json.dumps(["x"] * 30_000), json.dumps(["x" * _ENOUGH])]),
)
_TIMES = st.one_of(
    st.datetimes(timezones=st.just(UTC)).map(lambda at: json.dumps(at.isoformat())),
    st.sampled_from(
        ["infinity", "-infinity", "20260-01-01T00:00Z", "0044-03-15T00:00Z BC", "294276-12-31", "now"]
    ).map(json.dumps),
)
VALUES = {"text": _TEXTS, "jsonb": _JSON, "_text": _LISTS, "timestamptz": _TIMES}
UNREADABLE = {"jsonb": _DEEP}


@dataclass
class World:
    """An organisation with a row in every table, and another beside it that has a message to send."""

    db: Db
    org: Organisation
    other: Organisation
    run: Run
    rows: Rows
    catalog: Catalog
    ids: dict[str, str]

    @classmethod
    def made(cls, db: Db) -> "World":
        set_json_loads(lambda text: read_json(text.encode() if isinstance(text, str) else text), db.connection)
        org, other = Organisation(db), Organisation(db)
        run = Run(db).connect(org.session, other.session)
        catalog = Catalog(db)
        rows = Rows(db, catalog)
        for table in ("workshops", "scheduled_whatsapp_messages"):
            rows.make(table, str(org.id))
        return cls(db, org, other, run, rows, catalog, {})

    def key_of(self, table: str) -> str:
        """The row of this table whose columns are changed."""
        if table not in self.ids:
            own = {"workshop_automation_config", "whatsapp_sessions", "whatsapp_groups"}
            if table in own:
                found = self.db.connection.execute(
                    sql.SQL(
                        "select id::text from {} where organization_id = %s order by created_at limit 1"
                    ).format(sql.Identifier("public", table)),
                    [self.org.id],
                ).fetchone()
                assert found
                self.ids[table] = found["id"]
            else:
                self.ids[table] = self.rows.make(table, str(self.org.id))["id"]
        return self.ids[table]

    def write(self, role: LiteralString | None, column: Row, value: str) -> psycopg.Error | None:
        """Write a value (as JSON) where the role may: into the row that is there, else into a new one. The refusal."""
        table, name = column["table"], column["column"]
        verb = "update" if column["upd"] else "insert"
        if verb == "update":
            key = self.key_of(table)
            statement = sql.SQL(
                "update {t} set {c} = (select {c} from jsonb_populate_record(null::{t}, %s::jsonb)) where id = %s"
            ).format(t=sql.Identifier("public", table), c=sql.Identifier(name))
            given: list[object] = [f'{{"{name}": {value}}}', key]
        else:
            draft = self.rows.draft(table, str(self.org.id))
            allowed = self.catalog.writable(table, "insert")
            draft = {n: v for n, v in draft.items() if n in allowed and n != name}
            names = sql.SQL(", ").join(map(sql.Identifier, [*draft, name]))
            statement = sql.SQL(
                "insert into {t} ({n}) select {n} from jsonb_populate_record(null::{t}, %s::jsonb || %s::jsonb)"
            ).format(t=sql.Identifier("public", table), n=names)
            given = [json.dumps(draft, default=str), f'{{"{name}": {value}}}']
        try:
            with self.db.connection.transaction():
                if role is None:
                    self.db.connection.execute(statement, given)
                else:
                    with self.db.speaking_as(role, self.org.people["admin"]):
                        self.db.connection.execute(statement, given)
        except psycopg.Error as error:
            return error
        return None

    # == who has to live on ==

    def must_live_on(self) -> None:
        """The other's message goes out; lists of the API and tables of the command can be made."""
        waiting = self.other.schedule(message_content="And on")
        self._worker(waiting)
        self._api()
        self._command()

    def _call(self, function: str, **arguments: object) -> Any:
        return self.db.call(function, **arguments)

    def _worker(self, waiting: UUID) -> None:
        self.run.heartbeat()
        answer: Row | None = None
        try:
            with self.db.connection.transaction():
                answer = self.run.exchange()
        except psycopg.Error:
            asked = {"p_run": self.run.id, "p_results": "[]", "p_limit": 50}
            answer = self._call("whatsapp_settle_and_claim_apart", **asked)
        assert answer
        claims, _ = claims_from(answer["claims"], Rejected(code="unreadable", reason="it can't be read"))
        assert waiting in {claim.message_id for claim in claims}
        assert answer["next_due"] is None or isinstance(answer["next_due"], int | float)
        for row in self._call("whatsapp_commands_take", p_run=self.run.id):
            assert isinstance(row["arguments"], dict)
        self._call("whatsapp_reap")
        self._call("whatsapp_housekeeping")
        self._call("whatsapp_session_cleanup")
        self._call("whatsapp_fallback_due")
        self._call("whatsapp_api_figures")

    def _listed(self, relation: LiteralString) -> list[Row]:
        """Rows as PostgREST writes them."""
        found = self.db.connection.execute(
            sql.SQL(
                "select coalesce(json_agg(r), '[]')::text as rows from {} as r where organization_id = %s"
            ).format(sql.Identifier("public", relation)),
            [self.org.id],
        ).fetchone()
        assert found
        rows: list[Row] = read_json(found["rows"].encode())
        return rows

    def _api(self) -> None:
        for row in self._listed("scheduled_whatsapp_messages"):
            message = Message.model_validate(row)
            message.model_dump_json()
            assert cursor_from(cursor_of(message.scheduled_for, message.id)) == (message.scheduled_for, message.id)
            seconds_until_due(row, datetime.now(UTC).isoformat())
            asked = {"p_organization": self.org.id, "p_message": row["id"]}
            ExplainedMessage.model_validate(self._call("whatsapp_api_message", **asked)).model_dump_json()
        for row in self._listed("whatsapp_open_messages"):
            Message.model_validate(row).model_dump_json()
        for row in self._listed("whatsapp_session_overview"):
            Account.model_validate(row).model_dump_json()
        for row in self._listed("whatsapp_sessions"):
            Linking.model_validate(row).model_dump_json()
        for row in self._listed("whatsapp_groups"):
            Group.model_validate(row).model_dump_json()
        self._call("whatsapp_stats", p_organization=self.org.id)

    def _command(self) -> None:
        found = self._call("whatsapp_operator_overview")
        screen = Console(file=io.StringIO(), markup=False, width=100)
        screen.print(queues_table(found, 100))
        screen.print(accounts_table(found["sessions"], 100))
        screen.print(workers_table(found["workers"], 100))
        for one in found["sessions"]:
            distance(moment(one["connected_at"]))
            if one["paused_until"]:
                local_time(one["paused_until"])
        for status in ("due", "pending", "sending", "stuck", "in_doubt", "failed"):
            screen.print(messages_table(self._call("whatsapp_operator_queue", p_status=status), 100))
        for row in self._listed("scheduled_whatsapp_messages"):
            reasons(self._call("whatsapp_operator_message", p_message=row["id"]))
