"""Each fact of a fresh database that is missing or different is found once, with a fix that can be carried out."""

import re

import pytest

from localstack.layout import REPOSITORY
from worker.doctor.finding import Finding
from worker.doctor.schema import PUSH, compare, expected_facts

EXPECTED, FILES = expected_facts()
FRESH = {fact: value for fact, (value, _) in EXPECTED.items()}
VERSIONS = [file.partition("_")[0] for file in FILES]
#: Without this part there is no such object: that is one finding, whatever else it has.
WHOLE = {"body", "security", "rights"}


def in_its_file(finding: Finding, thing: str, part: str) -> bool:
    """Whether the file that the fix names creates it, itself or by a procedure of foundation.sql."""
    [file] = re.findall(r"supabase/migrations/\w+\.sql", finding.fix)
    text = (REPOSITORY / file).read_text()
    kind, _, name = part.partition(" ")
    [(schema, object_name)] = re.findall(r"(public|herald)\.(\w+)", thing)[:1]
    if kind in ("constraint", "definition", *WHOLE):  # a column's constraint is declared without a name
        return re.search(rf"create (or replace )?\w+ {schema}\.{object_name}\b", text) is not None
    procedures = rf"herald\.keep_identity\(\s*'{object_name}'|create procedure herald\.tenant_table\("
    return name.strip('"') in text or re.search(procedures, text) is not None


def test_a_fresh_database_has_no_finding() -> None:
    assert list(compare(FRESH, VERSIONS)) == []
    assert sorted(file.name for file in (REPOSITORY / "supabase/migrations").glob("*.sql")) == FILES


@pytest.mark.parametrize("value", [None, "00000000"], ids=["missing", "different"])
def test_each_fact_is_found_once_with_a_fix_that_can_be_carried_out(value: str | None) -> None:
    wrong = {}
    for (thing, part), expected in FRESH.items():
        rest = {fact: is_so for fact, is_so in FRESH.items() if fact != (thing, part)}
        if value is None and part in WHOLE:
            rest = {fact: is_so for fact, is_so in rest.items() if fact[0] != thing}
        different = {(thing, part): value} if value else {}
        found = list(compare(rest | different, VERSIONS))
        can_be_done = len(found) == 1 and (found[0].fix.endswith(";") or in_its_file(found[0], thing, part))
        if not can_be_done or thing not in found[0].what:
            wrong[thing, part, expected] = found
    assert wrong == {}
    assert len(FRESH) > 1000


def test_only_the_push_is_told_while_migrations_are_missing() -> None:
    [found] = compare({}, VERSIONS[:-1])
    assert (found.topic, found.fix) == ("migrations", PUSH)
    assert found.what == f"Migrations are not applied: {FILES[-1].removesuffix('.sql')}."


def test_a_crm_may_add_columns_triggers_constraints_and_indexes_to_our_tables() -> None:
    queue = "public.scheduled_whatsapp_messages"
    added = {(queue, f"{kind} of_the_crm"): "0" for kind in ("column", "trigger", "constraint", "index")}
    assert list(compare(FRESH | added, VERSIONS)) == []
