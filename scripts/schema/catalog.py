"""The schema as the database's own catalog tells it: tables, keys, policies, privileges, functions, comments."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psycopg
from psycopg.rows import dict_row

SCHEMAS = ("public", "herald")
ROLES = ("anon", "authenticated", "service_role")
VERBS = ("select", "insert", "update", "delete")

_TABLES = """
select c.oid, n.nspname as schema, c.relname as name, c.relkind in ('v', 'm') as is_view,
  obj_description(c.oid, 'pg_class') as comment,
  exists (select 1 from pg_publication_tables as p
          where p.pubname = 'supabase_realtime' and p.schemaname = n.nspname and p.tablename = c.relname)
    as published
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any(%(schemas)s) and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
  and not exists (select 1 from pg_depend as d where d.objid = c.oid and d.deptype = 'e')
order by n.nspname, c.relname
"""
_COLUMNS = """
select a.attrelid as oid, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
  a.attnotnull as required, pg_get_expr(d.adbin, d.adrelid) as default, a.attgenerated <> '' as generated,
  col_description(a.attrelid, a.attnum) as comment
from pg_attribute as a left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = any(%(oids)s) and a.attnum > 0 and not a.attisdropped
order by a.attrelid, a.attnum
"""
_CONSTRAINTS = """
select c.conrelid as oid, c.contype as kind, pg_get_constraintdef(c.oid) as definition,
  (select array_agg(a.attname::text order by k.n) from unnest(c.conkey) with ordinality as k (num, n)
   join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.num) as columns,
  fn.nspname as target_schema, f.relname as target
from pg_constraint as c
left join pg_class as f on f.oid = c.confrelid left join pg_namespace as fn on fn.oid = f.relnamespace
where c.conrelid = any(%(oids)s) and c.contype in ('p', 'u', 'f', 'c') and c.conkey is not null
order by c.conrelid, c.conname
"""
_POLICIES = """
select p.polrelid as oid, p.polcmd as command, pg_get_expr(p.polqual, p.polrelid) as using,
  pg_get_expr(p.polwithcheck, p.polrelid) as with_check
from pg_policy as p where p.polrelid = any(%(oids)s) and p.polpermissive order by p.polrelid, p.polname
"""
_PRIVILEGES = """
select c.oid, role, verb, has_table_privilege(role, c.oid, verb) as whole,
  case when verb <> 'delete' then
    (select array_agg(a.attname::text order by a.attnum) from pg_attribute as a
     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
       and has_column_privilege(role, c.oid, a.attnum, verb))
  end as columns
from pg_class as c cross join unnest(%(roles)s::text[]) as role cross join unnest(%(verbs)s::text[]) as verb
where c.oid = any(%(oids)s)
"""
_FUNCTIONS = """
select n.nspname as schema, p.proname as name, pg_get_function_arguments(p.oid) as arguments,
  pg_get_function_identity_arguments(p.oid) as signature,
  pg_get_function_result(p.oid) as result, obj_description(p.oid, 'pg_proc') as comment,
  array(select role from unnest(%(roles)s::text[]) as role where has_function_privilege(role, p.oid, 'execute'))
    as callers
from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
where n.nspname = any(%(schemas)s)
  and not exists (select 1 from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
order by n.nspname, p.proname, arguments
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    name: str
    type: str
    required: bool
    default: str | None
    generated: bool
    comment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A key, a reference or a check. target: the referenced table as schema.name, for a foreign key alone."""

    kind: str  #: as pg_constraint.contype: p, u, f, c
    columns: tuple[str, ...]
    definition: str
    target: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rows that a verb reaches. condition: of the row as it is, for an insert the new row.

    after: what an updated row must satisfy, if that is something else.
    """

    verbs: tuple[str, ...]
    condition: str
    after: str | None


@dataclass(frozen=True, kw_only=True)
class Table:
    schema: str
    name: str
    is_view: bool
    published: bool  #: through Realtime
    comment: str | None
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...]
    policies: tuple[Policy, ...]
    privileges: Mapping[
        tuple[str, str], tuple[str, ...]
    ]  #: (role, verb) → columns; all of them for a table's grant

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @cached_property
    def primary_key(self) -> tuple[str, ...]:
        return next((key.columns for key in self.constraints if key.kind == "p"), ())

    @property
    def foreign_keys(self) -> tuple[Constraint, ...]:
        return tuple(key for key in self.constraints if key.kind == "f")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    schema: str
    name: str
    arguments: str
    signature: str  #: without defaults
    result: str
    comment: str | None
    callers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    tables: tuple[Table, ...]  #: views too
    functions: tuple[Function, ...]


def read_catalog(database_url: str) -> Catalog:
    """The public and the private schema of this database."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        connection.execute("set search_path = ''")  # expressions and targets name their schemas
        tables = connection.execute(_TABLES, {"schemas": list(SCHEMAS)}).fetchall()
        wanted = {
            "oids": [row["oid"] for row in tables],
            "roles": list(ROLES),
            "verbs": list(VERBS),
            "schemas": list(SCHEMAS),
        }
        parts = {
            name: _by_table(connection.execute(query, wanted).fetchall())
            for name, query in {
                "columns": _COLUMNS,
                "constraints": _CONSTRAINTS,
                "policies": _POLICIES,
                "privileges": _PRIVILEGES,
            }.items()
        }
        functions = connection.execute(_FUNCTIONS, wanted).fetchall()
    return Catalog(
        tables=tuple(
            _table(row, {name: rows.get(row["oid"], []) for name, rows in parts.items()}) for row in tables
        ),
        functions=tuple(Function(**{**row, "callers": tuple(row["callers"])}) for row in functions),
    )


def _by_table(rows: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row.pop("oid"), []).append(row)
    return found


def _table(row: dict[str, Any], parts: Mapping[str, list[dict[str, Any]]]) -> Table:
    columns = tuple(Column(**column) for column in parts["columns"])
    return Table(
        schema=row["schema"],
        name=row["name"],
        is_view=row["is_view"],
        published=row["published"],
        comment=row["comment"],
        columns=columns,
        constraints=tuple(
            Constraint(
                kind=key["kind"],
                columns=tuple(key["columns"]),
                definition=key["definition"],
                target=f"{key['target_schema']}.{key['target']}" if key["target"] else None,
            )
            for key in parts["constraints"]
        ),
        policies=tuple(_policy(policy) for policy in parts["policies"]),
        privileges={
            (grant["role"], grant["verb"]): tuple(column.name for column in columns)
            if grant["whole"]
            else tuple(grant["columns"])
            for grant in parts["privileges"]
            if grant["whole"] or grant["columns"]
        },
    )


def _policy(row: dict[str, Any]) -> Policy:
    verbs = {"r": ("select",), "a": ("insert",), "w": ("update",), "d": ("delete",), "*": VERBS}[row["command"]]
    condition = row["using"] or row["with_check"] or "true"
    after = row["with_check"] if row["with_check"] != condition else None
    return Policy(verbs=verbs, condition=condition, after=after)
