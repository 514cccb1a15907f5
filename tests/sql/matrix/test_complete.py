"""Nothing of the catalog is left out of the matrix."""

from tests.sql.matrix.catalog import Catalog
from tests.sql.matrix.expected import HERALD_FUNCTIONS, RPCS, TABLES, VIEWS
from tests.sql.matrix.recipes import RECIPES


def test_every_table_has_its_cells(catalog: Catalog) -> None:
    missing, gone = sorted(catalog.tables - TABLES.keys()), sorted(TABLES.keys() - catalog.tables)
    assert not missing, f"Say in TABLES (tests/sql/matrix/expected.py) who may do what with: {missing}"
    assert not gone, f"TABLES (tests/sql/matrix/expected.py) speaks of tables that aren't there: {gone}"


def test_every_table_has_a_recipe_for_its_rows() -> None:
    assert TABLES.keys() == RECIPES.keys(), "Say in RECIPES (tests/sql/matrix/recipes.py) what a valid row needs."


def test_every_view_has_its_cells(catalog: Catalog) -> None:
    assert catalog.views == VIEWS.keys(), "Say in VIEWS (tests/sql/matrix/expected.py) who sees what."


def test_every_function_of_the_api_has_its_cells(catalog: Catalog) -> None:
    served = {function.name for function in catalog.functions if function.schema == "public"}
    said = HERALD_FUNCTIONS | RPCS.keys()
    assert not served - said, (
        f"Say in RPCS who calls {sorted(served - said)}, or name them in HERALD_FUNCTIONS if no person does"
        " (tests/sql/matrix/expected.py)."
    )
    assert not said - served, f"These functions aren't there: {sorted(said - served)}"
