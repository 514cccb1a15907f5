"""The database's advisors: no warning at all, and every remark (INFO) on a list with its reason."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import psycopg

from scripts.schema.types import supabase

#: One remark a line: lint | object | reason.
Reasons = Mapping[tuple[str, str], str]


def read_reasons(file: Path) -> Reasons:
    """Raises ValueError for a line that is no remark with a reason, or that comes twice."""
    reasons: dict[tuple[str, str], str] = {}
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = tuple(part.strip() for part in line.split("|"))
        if len(parts) != 3 or not all(parts):
            raise ValueError(f"{file.name}:{number}: not 'lint | object | reason': {line}")
        if parts[:2] in reasons:
            raise ValueError(f"{file.name}:{number}: a second time: {line}")
        reasons[parts[0], parts[1]] = parts[2]
    return reasons


def complaints(findings: list[dict[str, object]], reasons: Reasons, indexes: Collection[str]) -> list[str]:
    """The complaints about this database: warnings, remarks without a reason, reasons without a remark.

    indexes: all that exist, as "schema.table index". Whether one of them counts as unused depends on what the
    fresh stack happened to ask, so their reasons stay good for as long as the index is there.
    """
    found = {(str(finding["name"]), subject(finding)): finding for finding in findings}
    wrong = []
    for key, finding in sorted(found.items()):
        if finding["level"] != "INFO":
            wrong.append(f"{finding['level']} {key[0]}: {finding['detail']}\n    {finding['remediation']}")
        elif key not in reasons:
            wrong.append(
                f"a remark without a reason: {finding['detail']}\n    {' | '.join(key)} | <why it may stay>"
            )
    for key in sorted(reasons.keys() - found.keys()):
        if key[0] != "unused_index" or key[1] not in indexes:
            wrong.append(f"a reason without its remark, take it off the list: {' | '.join(key)}")
    return wrong


def subject(finding: Mapping[str, object]) -> str:
    """The object that a finding is about: schema.table, and what the advisor tells it by if that isn't all."""
    about, key = finding.get("metadata"), str(finding["cacheKey"])
    if not isinstance(about, dict) or "schema" not in about:
        return key
    rest = key.removeprefix(f"{finding['name']}_{about['schema']}_{about['name']}").lstrip("_")
    return f"{about['schema']}.{about['name']} {rest}".strip()


def advise(database_url: str, reasons: Reasons) -> list[str]:
    """Ask the advisors about this database; the complaints."""
    asked = ("db", "advisors", "--level=info", "--fail-on=none", "--output-format=json")
    told = supabase(*asked, database_url=database_url)
    with psycopg.connect(database_url) as connection:
        query = "select format('%s.%s %s', schemaname, tablename, indexname) from pg_indexes"
        indexes = {row[0] for row in connection.execute(query)}
    return complaints(json.loads(told)["results"], reasons, indexes)
