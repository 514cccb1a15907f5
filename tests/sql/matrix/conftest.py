"""A stack of its own: what PostgREST writes stays, and the other tests' rows are none of the matrix's business."""

from collections.abc import Iterator

import httpx
import pytest

from localstack.client import LocalStack, Stack
from tests.kit.database import Db
from tests.sql.matrix.catalog import Catalog
from tests.sql.matrix.ground import Api, Ground
from tests.sql.matrix.rows import Rows


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("matrix")) as stack:
        yield stack


@pytest.fixture(scope="package")
def db(stack: Stack) -> Iterator[Db]:
    """Commits by itself."""
    with Db.connect(stack.database_url, autocommit=True) as db:
        yield db


@pytest.fixture(scope="package")
def catalog(db: Db) -> Catalog:
    return Catalog(db)


@pytest.fixture(scope="package")
def api(stack: Stack) -> Iterator[Api]:
    with httpx.Client(timeout=30, trust_env=False) as http:
        yield Api(stack, http)


@pytest.fixture
def ground(db: Db, catalog: Catalog, api: Api) -> Ground:
    return Ground(db, catalog, Rows(db, catalog), api)
