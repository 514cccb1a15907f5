"""Valid rows of any table, with the rows that they refer to, made from the catalog and the recipes."""

from collections.abc import Sequence
from itertools import count
from typing import Any
from uuid import uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

from tests.kit.database import Db
from tests.sql.matrix.catalog import Catalog, Column, ForeignKey, Relation
from tests.sql.matrix.recipes import RECIPES, Json, Recipe

_numbers = count(1)


class Rows:
    """Writes as the database's owner, past grants and row policies."""

    def __init__(self, db: Db, catalog: Catalog) -> None:
        self._db = db
        self._catalog = catalog

    def make(self, table: str, organization: str | None, **given: Any) -> Json:
        """A new row of this organisation (null: of none), as JSON."""
        made = self._insert(table, self.draft(table, organization, **given))
        row = self.find(table, {column: made[column] for column in self._catalog.relations[table].key})
        assert row  # as the triggers after the insert left it
        return row

    def draft(self, table: str, organization: str | None, **given: Any) -> Json:
        """A row that is not written yet; the rows that it refers to are."""
        relation, recipe, number = self._catalog.relations[table], RECIPES[table], next(_numbers)
        row: Json = recipe.values(number) | given
        if table != "organizations":
            row["organization_id"] = organization
        owned = organization is not None or table in ("organizations", "profiles")
        # The longest first: (organization, session, group) decides which session (organization, session) means.
        for key in sorted(relation.foreign_keys, key=lambda key: -len(key.columns)):
            if owned and _asked_for(relation, recipe, key) and not row.keys() >= set(key.columns):
                row |= self._parent(key, row)
        for name, target in recipe.names.items():
            row.setdefault(name, self.make(target, organization)["id"])
        for column in relation.columns.values():
            if column.required and column.name not in row:
                row[column.name] = _value(column, number)
        return row

    def _parent(self, key: ForeignKey, row: Json) -> Json:
        """A new row that this foreign key can name; the values of the key's columns."""
        pairs = dict(zip(key.columns, key.target_columns, strict=True))
        if key.target == "auth.users":
            parent = self._insert("auth.users", {"email": f"{uuid4()}@matrix.test"})
        else:
            shared = {target: row[own] for own, target in pairs.items() if own in row}
            organization = shared.pop("organization_id", row["organization_id"])
            parent = self._insert(key.target, self.draft(key.target, organization, **shared))
        return {own: parent[target] for own, target in pairs.items()}

    def _insert(self, table: str, row: Json) -> Json:
        (made,) = self.write(table, [row])
        return made

    def write(self, table: str, drafts: Sequence[Json]) -> list[Json]:
        """Insert rows of the same columns in one statement; the rows as inserted."""
        name = _public(table)
        columns = sql.SQL(", ").join(map(sql.Identifier, drafts[0]))
        statement = sql.SQL(
            "insert into {name} as t ({columns})"
            " select {columns} from jsonb_populate_recordset(null::{name}, %s) returning to_jsonb(t) as row"
        ).format(name=name, columns=columns)
        return [found["row"] for found in self._db.connection.execute(statement, [Jsonb(list(drafts))])]

    def change(self, table: str, ids: Sequence[str], columns: Json) -> None:
        """Write these columns of rows whose key is `id`, in one statement."""
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        statement = sql.SQL(
            "update {name} set ({names}) = (select {names} from jsonb_populate_record(null::{name}, %s))"
            " where id = any(%s::uuid[])"
        ).format(name=_public(table), names=names)
        self._db.connection.execute(statement, [Jsonb(columns), list(ids)])

    def remove(self, table: str, ids: Sequence[str]) -> None:
        self._db.connection.execute(
            sql.SQL("delete from {} where id = any(%s::uuid[])").format(_public(table)), [list(ids)]
        )

    def find(self, table: str, key: Json) -> Json | None:
        """The row as it is now; None if it is gone."""
        same = sql.SQL(" and ").join(sql.SQL("t.{} = %s").format(sql.Identifier(column)) for column in key)
        statement = sql.SQL("select to_jsonb(t) as row from {} as t where {}").format(_public(table), same)
        found = self._db.connection.execute(statement, list(key.values())).fetchone()
        return found and found["row"]

    def count(self, table: str) -> int:
        found = self._db.connection.execute(sql.SQL("select count(*) from {}").format(_public(table))).fetchone()
        assert found
        return int(found["count"])

    def clear(self, table: str, organization: str | None) -> None:
        """Remove an organisation's rows."""
        self._db.connection.execute(
            sql.SQL("delete from {} where organization_id is not distinct from %s").format(_public(table)),
            [organization],
        )


def _public(table: str) -> sql.Identifier:
    """As the catalog names tables: those of other schemas with theirs."""
    return sql.Identifier(*(table if "." in table else f"public.{table}").split("."))


def _asked_for(relation: Relation, recipe: Recipe, key: ForeignKey) -> bool:
    own = [column for column in key.columns if column != "organization_id"]
    return bool(own) and all(relation.columns[name].required or name in recipe.parents for name in own)


def _value(column: Column, number: int) -> Any:
    """A value of the column's type, a new one where that matters."""
    match column.type:
        case "uuid":
            return str(uuid4())
        case "text":
            return f"matrix {number}"
        case "smallint" | "integer" | "bigint" | "numeric":
            return 1
        case "boolean":
            return False
        case "jsonb":
            return {}
        case "date":
            return "2030-01-01"
        case "timestamp with time zone":
            return "2030-01-01T10:00:00+00:00"
    raise NotImplementedError(f"{column.name} is {column.type}: give its value in recipes.py, or the type's here.")
