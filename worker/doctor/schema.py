"""What the database holds against what this version's migrations create.

schema.txt, which scripts/types writes, lists a fresh database's facts under the migration that creates each::

    [20261201000600_sessions.sql]
    public.whatsapp_sessions | security=on
    public.whatsapp_sessions | column id=1f3a09bc; column name=77ab01cd

A fact has an object, as GRANT takes it, a part of the object, and a value (a hash where the text is longer).
Migrations that are not applied are pushed. A push repeats no migration that is applied, so for an object that was
changed or dropped later a finding names the file with the statement that creates it.
"""

import functools
import importlib.resources
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from worker.doctor.finding import Finding, error, warning

PUSH = 'supabase db push --remote="$DATABASE_URL"  # docs/connect-a-crm.md'

#: The part that every object of its sort has: without it there is no such object.
_EXISTENCE = {"body", "security", "rights"}

_WHO = {
    "anon": "Visitors who are not signed in (anon)",
    "authenticated": "Signed-in people (authenticated)",
    "service_role": "The worker (service_role)",
    "public": "Every role of the database (public)",
}
_DO = {
    "select": "read",
    "insert": "add rows to",
    "update": "change",
    "delete": "delete rows of",
    "truncate": "empty",
    "execute": "call",
    "usage": "use",
}

#: (object, part) → value
Facts = Mapping[tuple[str, str], str]


class Expected(NamedTuple):
    """A fact of a fresh database, and the migration that makes it so."""

    value: str
    file: str


@functools.cache
def expected_facts() -> tuple[dict[tuple[str, str], Expected], list[str]]:
    """What this version's migrations create, and their files."""
    facts: dict[tuple[str, str], Expected] = {}
    files: list[str] = []
    for line in importlib.resources.files("worker.doctor").joinpath("schema.txt").read_text().splitlines():
        if line.startswith("["):
            files.append(line.strip("[]"))
        elif " | " in line:
            thing, _, entries = line.partition(" | ")
            for entry in entries.split("; "):
                part, _, value = entry.rpartition("=")
                facts[thing, part] = Expected(value, files[-1])
    return facts, files


def compare(found: Facts, applied: Collection[str] | None) -> Iterator[Finding]:
    """What is missing, different or too much.

    applied: versions of the migrations that were pushed; None if nothing records them.
    """
    expected, files = expected_facts()
    absent = [file for file in files if applied is not None and file.partition("_")[0] not in applied]
    if absent:
        names = ", ".join(file.removesuffix(".sql") for file in absent)
        yield error("migrations", f"Migrations are not applied: {names}.", PUSH)
    else:
        yield from _missing_or_different(expected, found)
    yield from _too_much(expected, found)


def _missing_or_different(expected: Mapping[tuple[str, str], Expected], found: Facts) -> Iterator[Finding]:
    gone = {thing for thing, part in expected.keys() - found.keys() if part in _EXISTENCE}
    for (thing, part), (value, file) in expected.items():
        if found.get((thing, part)) != value and (thing not in gone or part in _EXISTENCE):
            yield _finding(thing, part, value, found.get((thing, part)), file)


def _finding(thing: str, part: str, value: str, seen: str | None, file: str) -> Finding:
    kind, _, name = part.partition(" ")
    again = f"Run the statement that creates it in supabase/migrations/{file}."
    match kind:
        case "grant":
            return _privilege(thing, name, value, seen)
        case "security" if seen:
            what = f"Row level security is off on {thing}: nothing keeps the organisations apart there."
            return error("row level security", what, f"alter table {thing} enable row level security;")
        case "rights" if seen and value == "owner":
            what = (
                f"The view {thing} runs with its caller's rights, so Herald's own functions see too little in it."
            )
            return error("schema", what, f"alter view {thing} set (security_invoker = false);")
        case "rights" if seen:
            what = f"The view {thing} shows rows that row level security hides: it runs with its owner's rights."
            return error("row level security", what, f"alter view {thing} set (security_invoker = true);")
        case "realtime":
            what = f"Realtime does not publish {thing}, so its changes are noticed seconds later, or not at all."
            return warning("publication", what, f"alter publication supabase_realtime add table {thing};")
        case "trigger" if seen == "off":
            what = f"The trigger {name} on {thing} is switched off."
            return error("schema", what, f"alter table {thing} enable trigger {name};")
        case "index" if seen == "off":
            what = f"The index {name} of {thing} is invalid, so it makes nothing faster."
            return warning("schema", what, f"reindex index concurrently {thing.partition('.')[0]}.{name};")
        case "body" if seen:
            again = f"{again[:-1]}, as `create or replace {thing.partition(' ')[0]}`."
        case "definition":
            again = f"{again[:-1]}, as `create or replace view`. If that is refused, drop the view first."
        case "column" | "constraint":
            again = f"Restore it by `alter table {thing} …`, as supabase/migrations/{file} declares it."
        case "index" if seen:
            again = f"First `drop index {thing.partition('.')[0]}.{name};`. {again}"
        case "trigger" | "policy" if seen:
            again = f"First `drop {part} on {thing};`. {again}"
    said = {
        "body": thing,
        "definition": f"view {thing}",
        "security": f"table {thing}",
        "rights": f"view {thing}",
    }.get(kind, f"{part} of {thing}")
    differs = "differs from this version's" if seen else "is missing"
    what = f"The {said} {differs}."
    if kind == "index":
        return warning("schema", f"{what[:-1]}: reading gets slow.", again)
    return error("row level security" if kind == "policy" else "schema", what, again)


def _privilege(thing: str, name: str, value: str | None, seen: str | None) -> Finding:
    """value: the columns that it should be for, or "all"; None: it should not be."""
    role, privilege = name.split(" ")
    who, do = _WHO[role], _DO[privilege]

    def columns(of: str) -> str:
        return "" if of == "all" else f" ({of})"

    grant = f"grant {privilege}{columns(value or 'all')} on {thing} to {role};"
    revoke = f"revoke {privilege} on {thing} from {role};"
    if seen is None:
        return error("grants", f"{who} may not {do} {thing}{columns(value or 'all')}, but must.", grant)
    if value is None:
        return error("grants", f"{who} may {do} {thing}{columns(seen)}, but must not.", revoke)
    few = {"all": "every column"}
    what = f"{who} may {do} {few.get(seen, seen)} of {thing}. It should be {few.get(value, value)}."
    lacking = sorted({*value.split(", ")} - {*seen.split(", ")})
    if lacking and "all" not in (value, seen):
        what = f"{who} may not {do} {', '.join(lacking)} of {thing}, but must."
    return error("grants", what, f"{revoke} {grant}")


def _too_much(expected: Mapping[tuple[str, str], Expected], found: Facts) -> Iterator[Finding]:
    """Extra objects that give people more rights, publish private rows, or are unknown and named like Herald's.

    A CRM may add columns, indexes, triggers and constraints of its own.
    """
    known = {thing for thing, _ in expected}
    unknown = []
    for thing, part in sorted(found.keys() - expected.keys()):
        kind, _, name = part.partition(" ")
        if thing not in known and thing != "schema herald":
            unknown += [thing] if kind in _EXISTENCE else []
        elif kind == "grant" and not name.startswith("service_role "):
            yield _privilege(thing, name, None, found[thing, part])
        elif kind == "policy":
            what = f"The policy {name} on {thing} is not Herald's: it changes which rows people see or write."
            yield error("row level security", what, f"drop policy {name} on {thing};")
        elif kind == "realtime" and thing.startswith("herald."):
            what = f"Realtime publishes the private table {thing}."
            yield error("publication", what, f"alter publication supabase_realtime drop table {thing};")
    if unknown:
        yield _unknown(unknown)


def _unknown(things: Iterable[str]) -> Finding:
    what = (
        "The database is newer than this worker, or somebody added something under Herald's names: "
        f"{', '.join(things)}."
    )
    fix = "git pull && scripts/setup  # then restart the worker; or drop what somebody added"
    return warning("migrations", what, fix)
