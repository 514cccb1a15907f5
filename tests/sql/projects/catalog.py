"""What a database consists of, in words that two databases can be compared by."""

from typing import LiteralString

from tests.kit.database import Db

PARTS: dict[str, LiteralString] = {
    "column": """
      select c.oid::regclass::text || '.' || a.attname as name,
        concat_ws(' ', format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
          pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attacl::text) as is
      from pg_attribute as a
      join pg_class as c on c.oid = a.attrelid
      left join pg_attrdef as d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
      where c.relkind in ('r', 'p', 'v', 'm') and a.attnum > 0 and not a.attisdropped
        and c.relnamespace in ('public'::regnamespace, 'herald'::regnamespace)""",
    "table": """
      select c.oid::regclass::text as name, concat_ws(' ', c.relkind, c.relrowsecurity, c.relacl::text,
        c.reloptions::text, obj_description(c.oid, 'pg_class'),
        case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end) as is
      from pg_class as c where c.relnamespace in ('public'::regnamespace, 'herald'::regnamespace)""",
    "constraint": """
      select c.conrelid::regclass || '.' || c.conname as name, pg_get_constraintdef(c.oid) as is
      from pg_constraint as c where c.connamespace in ('public'::regnamespace, 'herald'::regnamespace)""",
    "index": """
      select i.schemaname || '.' || i.indexname as name, i.indexdef as is
      from pg_indexes as i where i.schemaname in ('public', 'herald')""",
    "policy": """
      select p.schemaname || '.' || p.tablename || '.' || p.policyname as name,
        concat_ws(' ', p.permissive, p.roles::text, p.cmd, p.qual, '/', p.with_check) as is
      from pg_policies as p""",
    "trigger": """
      select t.tgrelid::regclass || '.' || t.tgname as name, pg_get_triggerdef(t.oid) as is
      from pg_trigger as t join pg_class as c on c.oid = t.tgrelid
      where not t.tgisinternal and c.relnamespace in ('public'::regnamespace, 'herald'::regnamespace)""",
    # The tests' own clock stands in the place of the real one.
    "function": """
      select p.oid::regprocedure::text as name, pg_get_functiondef(p.oid) || coalesce(p.proacl::text, '') as is
      from pg_proc as p
      where p.pronamespace in ('public'::regnamespace, 'herald'::regnamespace)
        and p.oid <> 'herald.clock()'::regprocedure and p.prokind <> 'a'""",
    "published": "select pubname || ' ' || tablename as name, attnames::text as is from pg_publication_tables",
}


def catalog(db: Db) -> dict[str, str]:
    """All that the migrations made: "kind name" → its definition, rights included."""
    return {f"{kind} {row['name']}": row["is"] for kind, query in PARTS.items() for row in db.rows(query)}
