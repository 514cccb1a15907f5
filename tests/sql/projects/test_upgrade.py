"""A project in use is brought up to date: nothing is lost, and what was in flight lands."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString
from uuid import UUID

import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from localstack.client import LocalStack, Stack
from localstack.migrations import migrate
from tests.kit.database import Db, Row, Run
from tests.sql.projects.catalog import catalog
from tests.sql.projects.folders import first_version

ROWS = Path(__file__).with_name("first_version.sql").read_bytes()
GLAZING, WEAVING, LOOM = (UUID(f"00000000-0000-0000-0000-0000000000c{n}") for n in (1, 2, 3))
FIRST_RUN = UUID("00000000-0000-0000-0000-0000000000d1")
TABLES = """
select n.nspname as schema, c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attname <> 'updated_at'
where c.relkind in ('r', 'p') and n.nspname in ('public', 'herald')
group by n.nspname, c.relname
"""
IN_FLIGHT: LiteralString = """
select c.*, m.organization_id from herald.message_claims as c
join public.scheduled_whatsapp_messages as m on m.id = c.message_id where c.session_id = %s
"""


@dataclass(frozen=True)
class Contents:
    """Every row of every table, by the columns that the table had at the time; without updated_at."""

    columns: dict[tuple[str, str], list[str]]
    rows: dict[tuple[str, str], set[str]]

    @classmethod
    def of(cls, db: Db, columns: dict[tuple[str, str], list[str]] | None = None) -> "Contents":
        columns = columns or {(row["schema"], row["name"]): row["columns"] for row in db.rows(TABLES)}
        rows = {}
        for table, names in columns.items():
            query = sql.SQL("select to_jsonb(t)::text as row from (select {} from {}) as t").format(
                sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(*table)
            )
            rows[table] = {row["row"] for row in db.connection.execute(query)}
        return cls(columns, rows)


@dataclass(frozen=True)
class Upgraded:
    stack: Stack
    before: Contents


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    folder = tmp_path_factory.mktemp("upgrade")
    former = first_version(folder / "migrations")
    with LocalStack.start(folder / "stack", migrations=former) as stack:
        with Db.connect(stack.database_url, autocommit=True) as db:
            db.connection.execute(ROWS)
            before = Contents.of(db)
        migrate(stack.database_url)
        yield Upgraded(stack, before)


@pytest.fixture
def project(upgraded: Upgraded) -> Iterator[Db]:
    with Db.connect(upgraded.stack.database_url) as db:
        yield db


def test_every_table_had_rows_and_every_status_a_message(upgraded: Upgraded) -> None:
    assert [table for table, rows in upgraded.before.rows.items() if not rows] == []
    messages = upgraded.before.rows["public", "scheduled_whatsapp_messages"]
    for status in ("pending", "sending", "sent", "delivered", "read", "failed", "cancelled", "in_doubt"):
        assert any(f'"status": "{status}"' in row for row in messages), status


def test_no_row_is_lost_or_changed(upgraded: Upgraded, project: Db) -> None:
    after = Contents.of(project, upgraded.before.columns)
    changed = {table: rows - after.rows[table] for table, rows in upgraded.before.rows.items()}
    assert {table: rows for table, rows in changed.items() if rows} == {}


def test_an_upgraded_project_is_as_a_new_one(stack: Stack, project: Db) -> None:
    with Db.connect(stack.database_url) as fresh:
        assert catalog(project) == catalog(fresh)


def test_every_rule_holds_for_the_rows_of_before(project: Db) -> None:
    rows = project.rows("select conrelid::regclass::text, conname from pg_constraint where not convalidated")
    assert rows == []


def test_a_worker_that_goes_on_settles_by_the_token_it_had(project: Db) -> None:
    claim = project.row(IN_FLIGHT, GLAZING)
    result = {"message_id": str(claim["message_id"]), "token": str(claim["token"]), "outcome": "accepted"}
    result |= {"wa_message_id": "WA-in-flight", "at": project.now().isoformat()}
    settled = project.call("whatsapp_settle", p_run=FIRST_RUN, p_results=Jsonb([result]))
    assert settled == [str(claim["message_id"])]
    message = project.row("select * from public.scheduled_whatsapp_messages where id = %s", claim["message_id"])
    assert (message["status"], message["delivered_count"]) == ("delivered", 1), (
        "the receipt that came early counts"
    )


def test_a_successor_takes_up_what_a_killed_worker_had_in_flight(project: Db) -> None:
    left = project.row(IN_FLIGHT, LOOM)
    run = Run(project, "second")
    run.heartbeat()
    (claim,) = run.adopt(LOOM)
    assert (claim["former_token"], claim["incarnation"]) == (str(left["token"]), str(left["incarnation"]))
    assert run.settle(left | {"message_id": str(left["message_id"]), "token": str(left["token"])}, "accepted") == 0
    assert run.accept(claim) == 1


def test_what_was_waiting_is_claimed_and_sent(project: Db) -> None:
    claims: list[Row] = project.call("whatsapp_claim", p_run=FIRST_RUN, p_limit=50)
    (due,) = [claim for claim in claims if claim["session_id"] == str(WEAVING)]
    assert due["text"] == "Due"
    answer = project.call(
        "whatsapp_settle",
        p_run=FIRST_RUN,
        p_results=Jsonb(
            [
                {"message_id": due["message_id"], "token": due["token"], "outcome": "accepted"}
                | {"wa_message_id": "WA-due", "at": project.now().isoformat()}
            ]
        ),
    )
    assert answer == [due["message_id"]]


def test_a_workshop_that_was_linked_before_gets_its_messages_when_it_moves(project: Db) -> None:
    project.run("update public.workshops set starts_at = starts_at + interval '1 day' where title = '1@g.us'")
    live = project.rows(
        "select m.scheduled_for = w.starts_at as on_time, m.group_id = w.whatsapp_group_id as to_its_group"
        " from public.scheduled_whatsapp_messages as m join public.workshops as w on w.id = m.workshop_id"
        " where m.message_type = 'we_are_live'"
    )
    assert live == [{"on_time": True, "to_its_group": True}] * 2, "one for each organisation's workshop"
    assert project.rows("select 1 from public.whatsapp_alerts") == []


def test_sealed_accounts_stay_readable_to_their_holder(project: Db) -> None:
    epoch = project.value("select epoch from herald.session_leases where session_id = %s", GLAZING)
    sealed = project.call("whatsapp_credentials_read", p_run=FIRST_RUN, p_session=GLAZING, p_epoch=epoch)
    assert (sealed["generation"], sealed["key_id"]) == (1, "k1")


@pytest.mark.parametrize(
    ("person", "sessions", "groups"), [("b2", 3, 4), ("b3", 0, 4), ("b4", 5, 6), ("b5", 2, 2)]
)
def test_people_keep_their_rights(project: Db, person: str, sessions: int, groups: int) -> None:
    with project.speaking_as("authenticated", UUID(f"00000000-0000-0000-0000-0000000000{person}")):
        assert len(project.rows("select 1 from public.whatsapp_sessions")) == sessions
        assert len(project.rows("select 1 from public.whatsapp_groups")) == groups
