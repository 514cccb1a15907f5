"""Which columns a CRM user may write; who has privileges that no request needs."""

import pytest

from tests.sql.matrix.catalog import Catalog
from tests.sql.matrix.expected import TABLES


@pytest.mark.parametrize("verb", ["insert", "update"])
@pytest.mark.parametrize("name", TABLES)
def test_a_person_writes_these_columns_and_no_others(catalog: Catalog, name: str, verb: str) -> None:
    said = getattr(TABLES[name], verb)
    wanted = frozenset(catalog.relations[name].columns if said == "*" else said.split())
    granted = catalog.writable(name, verb)
    assert granted == wanted, (
        f"{verb} of {name}: granted and not in TABLES: {sorted(granted - wanted)},"
        f" in TABLES and not granted: {sorted(wanted - granted)}"
    )


def test_what_is_neither_said_nor_needed_is_not_granted(catalog: Catalog) -> None:
    """A visitor has no privilege at all, nobody one on a private table, and no person may truncate.

    But Realtime asks whether a listener may read a row: the worker has to hear of its canary, which no API serves.
    """
    assert catalog.stray_privileges() == ["service_role may select herald.realtime_canaries"]
