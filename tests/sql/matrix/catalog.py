"""Tables, their keys and grants, and functions, as Postgres has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tests.kit.database import Db, Row

_COLUMNS = """
select a.attrelid::regclass::text as "table", a.attname as name, format_type(a.atttypid, null) as type,
  a.attnotnull and not a.atthasdef and a.attidentity = '' as required
from pg_attribute as a join pg_class as c on c.oid = a.attrelid
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
  and a.attnum > 0 and not a.attisdropped
order by a.attrelid, a.attnum
"""
_KEYS = """
select k.conrelid::regclass::text as "table", k.conname as name, k.contype as kind,
  k.confrelid::regclass::text as target,
  array(select a.attname::text from unnest(k.conkey) with ordinality as u (n, i)
        join pg_attribute as a on a.attrelid = k.conrelid and a.attnum = u.n order by u.i) as columns,
  array(select a.attname::text from unnest(k.confkey) with ordinality as u (n, i)
        join pg_attribute as a on a.attrelid = k.confrelid and a.attnum = u.n order by u.i) as target_columns
from pg_constraint as k
where k.connamespace = 'public'::regnamespace and k.contype in ('p', 'u', 'f') and k.conparentid = 0
order by k.conrelid, k.conname
"""
_RELATIONS = """
select c.oid::regclass::text as name, c.relkind in ('v', 'm') as view
from pg_class as c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
order by c.relname
"""
_WRITABLE = """
select c.relname as "table", verb, string_agg(a.attname, ' ' order by a.attname) as columns
from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
cross join unnest(array['insert', 'update']) as verb
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
  and has_column_privilege('authenticated', c.oid, a.attnum, verb)
group by c.relname, verb
"""
#: Privileges that nobody has any business with.
_OTHER = """
select role || ' may ' || privilege || ' ' || c.oid::regclass as found
from pg_class as c cross join unnest(array['anon', 'authenticated', 'service_role']) as role
cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as privilege
where c.relkind in ('r', 'p', 'v', 'm') and c.relnamespace in ('public'::regnamespace, 'herald'::regnamespace)
  and (role = 'anon' or c.relnamespace = 'herald'::regnamespace
       or role = 'authenticated' and privilege in ('truncate', 'references', 'trigger'))
  and (has_table_privilege(role, c.oid, privilege) or (
    privilege in ('select', 'insert', 'update', 'references') and has_any_column_privilege(role, c.oid, privilege)
  ))
"""
_FUNCTIONS = """
select n.nspname as schema, p.proname as name, p.prorettype = 'trigger'::regtype as trigger,
  coalesce(p.proargnames[1:p.pronargs], '{}') as arguments,
  array(select r.rolname::text from pg_roles as r where r.rolname in ('anon', 'authenticated', 'service_role')
        and has_function_privilege(r.oid, p.oid, 'execute') order by r.rolname) as roles
from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
where n.nspname in ('public', 'herald')
order by p.oid
"""


@dataclass(frozen=True, slots=True)
class Function:
    schema: str
    name: str
    trigger: bool
    arguments: tuple[str, ...]
    roles: frozenset[str]  #: of the API, that may execute it


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    required: bool  #: not null and without a default


@dataclass(frozen=True, slots=True)
class ForeignKey:
    name: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view of schema public."""

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    unique: frozenset[frozenset[str]]
    foreign_keys: tuple[ForeignKey, ...]

    @property
    def organization_column(self) -> str:
        return "id" if self.name == "organizations" else "organization_id"

    @property
    def one_per_organization(self) -> bool:
        return frozenset({"organization_id"}) in self.unique


class Catalog:
    """Read once, when the migrations are applied."""

    def __init__(self, db: Db) -> None:
        self._db = db
        relations = db.rows(_RELATIONS)
        self.views = frozenset(row["name"] for row in relations if row["view"])
        self.tables = frozenset(row["name"] for row in relations) - self.views

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        return tuple(
            Function(row["schema"], row["name"], row["trigger"], tuple(row["arguments"]), frozenset(row["roles"]))
            for row in self._db.rows(_FUNCTIONS)
        )

    @cached_property
    def private_tables(self) -> tuple[str, ...]:
        rows = self._db.rows(
            "select relname from pg_class"
            " where relnamespace = 'herald'::regnamespace and relkind in ('r', 'p', 'v', 'm')"
        )
        return tuple(row["relname"] for row in rows)

    def writable(self, table: str, verb: str) -> frozenset[str]:
        """The columns that the role authenticated may name in an insert or update."""
        granted = {(row["table"], row["verb"]): row["columns"].split() for row in self._granted}
        return frozenset(granted.get((table, verb), ()))

    @cached_property
    def _granted(self) -> list[Row]:
        return self._db.rows(_WRITABLE)

    def stray_privileges(self) -> list[str]:
        """In words: all of a visitor's, all on private tables, and those of people that no request needs."""
        return [row["found"] for row in self._db.rows(_OTHER)]

    @cached_property
    def relations(self) -> Mapping[str, Relation]:
        columns, keys = self._db.rows(_COLUMNS), self._db.rows(_KEYS)

        def relation(name: str) -> Relation:
            own = [key for key in keys if key["table"] == name]
            return Relation(
                name=name,
                columns={
                    row["name"]: Column(row["name"], row["type"], row["required"])
                    for row in columns
                    if row["table"] == name
                },
                key=next((tuple(key["columns"]) for key in own if key["kind"] == "p"), ()),
                unique=frozenset(frozenset(key["columns"]) for key in own if key["kind"] in "pu"),
                foreign_keys=tuple(
                    ForeignKey(key["name"], tuple(key["columns"]), key["target"], tuple(key["target_columns"]))
                    for key in own
                    if key["kind"] == "f"
                ),
            )

        return {name: relation(name) for name in self.tables | self.views}
