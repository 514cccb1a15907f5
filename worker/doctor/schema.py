"""Is the database as this version's migrations make it? Facts of its catalog, compared with those of a fresh one."""

import importlib.resources
from collections.abc import Iterator, Mapping, Sequence

from worker.doctor.finding import Finding, Severity, error, warning

#: By (kind, name), what is so: worker/doctor/schema.txt and whatsapp_doctor write them in one form.
Facts = Mapping[tuple[str, str], str]

PUSH = 'supabase db push --remote="$DATABASE_URL"'

#: A push repeats no migration that was applied, so what was changed by hand has to be undone by hand.
_UNDO = "supabase db diff --linked  # shows what was changed by hand: undo it"

_UPGRADE = "Upgrade this worker, then restart it: git pull && scripts/setup"

_TOPICS = {
    **dict.fromkeys(("grant", "execute", "usage"), "grants"),
    **dict.fromkeys(("table", "policy"), "row level security"),
    "published": "publication",
}


def expected_facts() -> Facts:
    """What this version's migrations make, and under the kind ``migration`` which there are."""
    text = importlib.resources.files("worker.doctor").joinpath("schema.txt").read_text()
    return facts_of([line.split(" | ", 2) for line in text.splitlines() if not line.startswith("#")])


def facts_of(rows: Sequence[Sequence[str]]) -> Facts:
    """Read rows of [kind, name, value]."""
    return {(kind, name): value for kind, name, value in rows}


def compared(expected: Facts, found: Facts, migrations: Sequence[str] | None) -> list[Finding]:
    """Say what differs. migrations: those that are applied; None where nobody keeps count."""
    wanted = sorted(name for kind, name in expected if kind == "migration")
    if migrations is not None and (absent := [version for version in wanted if version not in migrations]):
        return [error("migrations", f"Migrations are not applied: {', '.join(absent)}.", PUSH)]
    differing = [(key, value, found.get(key)) for key, value in expected.items() if key[0] != "migration"]
    surplus = [
        (key, None, value) for key, value in found.items() if key not in expected and _is_ours(key, expected)
    ]
    told = [
        finding
        for (kind, name), value, there in sorted((*differing, *surplus), key=lambda fact: fact[0])
        if value != there
        for finding in _told(kind, name, value, there)
    ]
    return told + _newer(expected, found)


def _newer(expected: Facts, found: Facts) -> list[Finding]:
    names = [name for kind, name in found if kind == "function" and (kind, name) not in expected]
    if not names:
        return []
    return [
        warning("migrations", f"The database is newer than this worker: it also has {', '.join(names)}.", _UPGRADE)
    ]


def _is_ours(key: tuple[str, str], expected: Facts) -> bool:
    """Whether a fact that no migration makes is Herald's business: about something that they make, or too wide open."""
    kind, name = key
    match kind:
        case "grant":
            role, _, relation = name.split(" ", 2)
            return role != "service_role" and (("table", relation) in expected or ("view", relation) in expected)
        case "execute":
            return ("function", name) in expected
        case "policy":
            return ("table", name.partition(" on ")[2]) in expected
        case "published":
            return name.startswith("herald.")
    return kind == "usage"


def _told(kind: str, name: str, value: str | None, found: str | None) -> Iterator[Finding]:
    for what in _words(kind, name, value, found):
        severity = Severity.WARNING if kind in ("index", "published") and value is not None else Severity.ERROR
        yield Finding(severity=severity, topic=_TOPICS.get(kind, "schema"), what=what, fix=_UNDO)


def _words(kind: str, name: str, value: str | None, found: str | None) -> Iterator[str]:
    match kind, value, found:
        case "execute", _, _:
            yield from _callers(name, value, found)
        case "grant" | "usage", _, None:
            yield f"A privilege is missing: {_privilege(kind, name, value)}."
        case "grant" | "usage", None, _:
            yield f"A privilege too many: {_privilege(kind, name, found)}."
        case "grant" | "usage", _, _:
            columns = "all columns" if found == "*" else found
            yield f"A privilege is not as it should be: {_privilege(kind, name, value)}; it is for {columns}."
        case "table", _, "open":
            yield f"Row level security is off on {name}."
        case "published", None, _:
            yield f"Realtime publishes the private table {name}."
        case "published", _, _:
            yield f"Realtime does not publish {name}: only the poll notices changes."
        case "trigger", _, "disabled":
            yield f"The trigger {name} is disabled."
        case "index", _, "invalid":
            yield f"The index {name} is invalid, so it is not used."
        case _, None, _:
            yield f"The {kind} {name} does not belong here."
        case _, _, None:
            yield f"The {kind} {name} is missing."
        case _:
            yield f"The {kind} {name} is not as the migrations made it."


def _callers(function: str, value: str | None, found: str | None) -> Iterator[str]:
    """Compare the roles that may call a function; service_role may call more than the migrations say."""
    wanted, there = (set(roles.split(", ")) if roles else set() for roles in (value, found))
    for role in sorted(wanted - there):
        yield f"A privilege is missing: {role} may call {function}."
    for role in sorted(there - wanted - {"service_role"}):
        yield f"A privilege too many: {role} may call {function}."


def _privilege(kind: str, name: str, value: str | None) -> str:
    """Write "authenticated update public.contacts" as "authenticated may update (name) on public.contacts"."""
    role, _, rest = name.partition(" ")
    if kind == "usage":
        return f"{role} may use the schema {rest}"
    verb, _, relation = rest.partition(" ")
    columns = f" ({value})" if value not in (None, "*") else ""
    return f"{role} may {verb}{columns} on {relation}"
