"""One local Supabase for all SQL tests; each test's own writes are rolled back."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from localstack.client import LocalStack, Stack
from tests.kit.automation_tasks import attend, tasks
from tests.kit.database import SHIFTED_CLOCK, Db, Organisation, Row, Run
from tests.kit.drift import DRIFT
from tests.kit.noted_rows import note_rows
from tests.kit.workshops import Workshops


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("sql")) as stack:
        with Db.connect(stack.database_url, autocommit=True) as db:
            db.run(SHIFTED_CLOCK)
        yield stack
        note_rows(stack.database_url)


@pytest.fixture(scope="session")
def connection(stack: Stack) -> Iterator[psycopg.Connection[Row]]:
    """One for all tests, so that Postgres compiles Herald's functions once and not for each test."""
    with Db.connect(stack.database_url) as db:
        db.connection.prepare_threshold = None  # tests change tables, which a prepared statement does not survive
        yield db.connection


@pytest.fixture
def db(connection: psycopg.Connection[Row]) -> Iterator[Db]:
    """A transaction that is rolled back."""
    db = Db(connection)
    try:
        yield db
        if connection.info.transaction_status is not TransactionStatus.INERROR:
            assert db.rows(DRIFT) == [], "whatever a test does, the small tables follow the queue"
    finally:
        connection.rollback()


@pytest.fixture
def org(db: Db) -> Organisation:
    return Organisation(db)


@pytest.fixture
def run(db: Db, org: Organisation) -> Run:
    """A worker whose one account is connected."""
    return Run(db).connect(org.session)


@pytest.fixture
def workshops(db: Db, org: Organisation) -> Workshops:
    """What the organisation's CRM does with its workshops; it is ten days before START."""
    return Workshops(db, org)


@pytest.fixture
def reminder(workshops: Workshops) -> Row:
    """The rule's reminder of a workshop with two attendees."""
    workshop = workshops.add()
    attend(workshops, workshop, "+491701111111", "Mira", ticket="vip")
    attend(workshops, workshop, "+491702222222", None, ticket="standard")
    return tasks(workshops, workshop)["1_day"]
