"""What `herald doctor` expects of a database: the facts of a fresh one, under the migration that creates each."""

import re
from collections import defaultdict
from collections.abc import Mapping

import psycopg

from localstack.migrations import MIGRATIONS
from tests.sql.created import created

_HEAD = "# What herald doctor expects of a database (worker/doctor/schema.py). Written by scripts/types.\n"
#: The procedure there makes the usual policies and a trigger of a table.
_FOUNDATION, _TENANT = "20261201000000_foundation.sql", re.compile(r"call herald\.tenant_table\('(\w+)'\)")

#: How a function's types are written in a migration → how the catalog writes them.
_SIGNATURES = """
select f, format('%%I.%%I(%%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes))
from unnest(%s::text[]) as f
join pg_proc as p on p.oid = to_regprocedure(f) join pg_namespace as n on n.oid = p.pronamespace
"""


def schema_facts(database_url: str) -> str:
    """The text of worker/doctor/schema.txt. Raises ValueError for a fact that its format can't hold."""
    texts = {file.name: file.read_text() for file in sorted(MIGRATIONS.glob("*.sql"))}
    homes = _homes(texts)
    with psycopg.connect(database_url) as connection:
        facts = connection.execute("select object, part, value from herald.schema_facts()").fetchall()
        for written, name in connection.execute(_SIGNATURES, [[name for name in homes if "(" in name]]):
            homes[name] = homes[written]
    lines: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for thing, part, value in sorted(facts):
        if " | " in thing or any(sign in part + value for sign in ("; ", "=", "\n")):
            raise ValueError(f"schema.txt can't hold the fact {thing} {part} {value}")
        kind = part.partition(" ")[0] if thing.startswith(("public.", "herald.")) else ""
        lines[_home(thing, part, homes)][thing, kind].append(f"{part}={value}")
    return _HEAD + "".join(
        f"\n[{file}]\n" + "".join(f"{thing} | {'; '.join(parts)}\n" for (thing, _), parts in lines[file].items())
        for file in texts
    )


def _homes(texts: Mapping[str, str]) -> dict[str, str]:
    """Name as in tests.sql.created → the file that creates it."""
    homes = {one.name: file for file, text in texts.items() for one in created(text)}
    for table in [found for text in texts.values() for found in _TENANT.findall(text)]:
        made = [f"{table}_{verb}" for verb in ("select", "insert", "update", "delete")]
        homes |= {f"{name}@public.{table}": _FOUNDATION for name in (*made, "touch")}
    return homes


def _home(thing: str, part: str, homes: Mapping[str, str]) -> str:
    kind, _, name = part.partition(" ")
    if kind in ("trigger", "policy"):
        return homes[name.strip('"') + "@" + thing]
    if kind == "index":
        return homes[f"{thing.partition('.')[0]}.{name}"]
    return homes[re.sub(r"^(function|procedure|schema) ", "", thing)]
