"""docs/data-model.md from the catalog: two diagrams, then a section a table."""

import re
from collections.abc import Iterable

from scripts.schema.access import access
from scripts.schema.catalog import Catalog, Column, Constraint, Function, Table
from scripts.schema.topics import TOPICS

_HEAD = """\
<!-- Generated from supabase/migrations by scripts/types; don't edit. -->
# The data model

Every table of Herald, from the database's own catalog. `scripts/types` writes this page anew after a migration.
How a message moves through these tables: [architecture](architecture.md).

- **Members** are all people of a row's organisation, **admins** its owners and admins. Whoever a line does not
  name may not. Where accounts are private (`private_sessions`), a member sees those that they own or are assigned.
- A table with an `organization_id` belongs to that organisation; the diagrams leave this line out, and all columns
  but keys.
- Times are `timestamptz`; `created_at` and `updated_at` keep themselves.
"""
_SHORT_TYPES = {"timestamp with time zone": "timestamptz", "time without time zone": "time"}


def data_model(catalog: Catalog) -> str:
    """The whole page. Raises ValueError for a table that no topic has, or a topic's table that doesn't exist."""
    public = {table.name: table for table in catalog.tables if table.schema == "public"}
    private = [table for table in catalog.tables if table.schema == "herald"]
    listed = [name for names in TOPICS.values() for name in names]
    if stray := sorted({*public} ^ {*listed}):
        raise ValueError(f"scripts/schema/topics.py and the public tables differ: {', '.join(stray)}")
    lines = [_HEAD, "## Contents", ""]
    for topic, names in TOPICS.items():
        lines.append(f"- {topic}: " + ", ".join(f"[{name}](#{name})" for name in names))
    lines += ["- The private schema: " + ", ".join(f"[{table.name}](#{_anchor(table)})" for table in private)]
    lines += ["- [Functions that the API offers](#functions-that-the-api-offers)", ""]
    lines += ["## Diagram", "", *_diagram(public.values()), ""]
    for topic, names in TOPICS.items():
        lines += [f"## {topic}", ""]
        for name in names:
            lines += _section(public[name])
    lines += ["## The private schema", "", "`herald`: never exposed through the API, never published.", ""]
    lines += [*_diagram(private), ""]
    for table in private:
        lines += _section(table)
    lines += _functions(function for function in catalog.functions if function.schema == "public")
    return "\n".join(lines).rstrip() + "\n"


def _anchor(table: Table) -> str:
    return _title(table).replace(".", "")


def _title(table: Table) -> str:
    return table.name if table.schema == "public" else table.full_name


def _diagram(tables: Iterable[Table]) -> list[str]:
    shown = [table for table in tables if not table.is_view]
    lines = ["```mermaid", "erDiagram"]
    for table in shown:
        lines.append(f"  {table.name} {{")
        references = {column for key in table.foreign_keys for column in key.columns} - {"organization_id"}
        for column in table.columns:
            marks = ["PK"] * (column.name in table.primary_key) + ["FK"] * (column.name in references)
            if marks:
                lines.append(f"    {re.sub(r'[^a-z0-9]+', '_', _type(column))} {column.name} {','.join(marks)}")
        lines.append("  }")
    for table in shown:
        for key in table.foreign_keys:
            if key.target not in ("public.organizations", "auth.users"):
                lines.append(f"  {_relation(table, key)}")
    return [*lines, "```"]


def _relation(table: Table, key: Constraint) -> str:
    assert key.target  # a foreign key has one
    required = {column.name for column in table.columns if column.required}
    parent = "||" if {*key.columns} <= required else "|o"
    unique = any(other.kind in "pu" and {*other.columns} <= {*key.columns} for other in table.constraints)
    child = "o|" if unique else "o{"
    return f'{key.target.split(".")[1]} {parent}--{child} {table.name} : "{_chooser(key)}"'


def _chooser(key: Constraint) -> str:
    """In a composite reference the last column names the row; those before it restrict it to the organisation."""
    return key.columns[-1]


def _section(table: Table) -> list[str]:
    lines = [f"### {_title(table)}", "", _cell(table.comment or "") + (" (A view.)" if table.is_view else ""), ""]
    if table.is_view:
        lines += ["| column | type | what |", "|---|---|---|"]
        lines += [f"| `{one.name}` | {_type(one)} | {_cell(_what(table, one))} |" for one in table.columns]
        return [*lines, "", *access(table), ""]
    lines += ["| column | type | default | what |", "|---|---|---|---|"]
    for column in table.columns:
        default = f"`{_expression(column.default)}`" if column.default else "" if column.required else "null"
        if column.generated:
            default = "generated"
        lines.append(f"| `{column.name}` | {_type(column)} | {_cell(default)} | {_cell(_what(table, column))} |")
    return [*lines, "", *access(table), ""]


def _what(table: Table, column: Column) -> str:
    parts = []
    if column.name in table.primary_key:
        parts.append("Key." if len(table.primary_key) == 1 else "Part of the key.")
    for key in table.foreign_keys:
        if _chooser(key) == column.name:
            parts.append(f"→ `{(key.target or '').removeprefix('public.')}`.")
    parts += [_sentence(column.comment)] if column.comment else []
    parts += [f"One of {values}." for values in _choices(table, column)]
    return " ".join(parts)


def _choices(table: Table, column: Column) -> Iterable[str]:
    for check in table.constraints:
        if check.kind == "c" and check.columns == (column.name,):
            found = re.fullmatch(rf"CHECK \(\({column.name} = ANY \(ARRAY\[(.*)\]\)\)\)", check.definition)
            if found:
                yield ", ".join(f"`{value}`" for value in re.findall(r"'([^']*)'::text", found[1]))


def _functions(functions: Iterable[Function]) -> list[str]:
    lines = ["## Functions that the API offers", "", "| function | gives | for | what |", "|---|---|---|---|"]
    names = {"anon": "visitors", "authenticated": "people", "service_role": "service role"}
    for function in functions:
        if function.result == "trigger":
            continue
        arguments = re.sub(r" DEFAULT [^,]*", "?", function.arguments)
        for long, short in _SHORT_TYPES.items():
            arguments = arguments.replace(long, short)
        callers = ", ".join(names[role] for role in function.callers) or "nobody"
        result = re.sub(r"TABLE\(.*\)", "rows", function.result)
        call = f"`{function.name}({_cell(arguments)})`"
        lines.append(f"| {call} | {_cell(result)} | {callers} | {_cell(function.comment or '')} |")
    return [*lines, ""]


def _type(column: Column) -> str:
    return _SHORT_TYPES.get(column.type, column.type)


def _expression(text: str) -> str:
    return re.sub(r"::(?:[a-z ]+)(?:\[\])?", "", text)


def _sentence(text: str) -> str:
    return text if text.endswith((".", ")", "?")) else f"{text}."


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
