"""What the catalog says of every table and function; who may do what with them is asked in tests/sql/matrix."""

from tests.kit.database import Db

PUBLISHED = {
    "scheduled_whatsapp_messages",
    "whatsapp_campaigns",
    "whatsapp_commands",
    "whatsapp_conversations",
    "whatsapp_groups",
    "whatsapp_messages",
    "whatsapp_sessions",
}

FUNCTIONS = """
select n.nspname || '.' || p.proname as name, p.prosecdef as definer, coalesce(p.proconfig, '{}') as settings
from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
where n.nspname in ('public', 'herald')
"""


def test_every_table_has_row_level_security(db: Db) -> None:
    rows = db.rows(
        "select c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'p') and n.nspname in ('public', 'herald') and not c.relrowsecurity"
    )
    assert rows == []


def test_every_function_names_its_schemas(db: Db) -> None:
    assert [f["name"] for f in db.rows(FUNCTIONS) if 'search_path=""' not in f["settings"]] == []


def test_the_queues_functions_run_without_jit(db: Db) -> None:
    queue = ("claim", "settle", "receipts", "reap", "next_due")
    found = [f for f in db.rows(FUNCTIONS) if any(word in f["name"] for word in queue) and f["definer"]]
    assert found
    assert [f["name"] for f in found if "jit=off" not in f["settings"]] == []


def test_only_what_the_crm_shows_is_published(db: Db) -> None:
    rows = db.rows("select schemaname, tablename from pg_publication_tables where pubname = 'supabase_realtime'")
    private = {row["tablename"] for row in rows if row["schemaname"] != "public"}
    assert {row["tablename"] for row in rows} - private == PUBLISHED
    assert private == {"realtime_canaries"}  # a worker hears of its own row there, and holds nothing else


def test_what_row_policies_ask_keeps_its_plan(db: Db) -> None:
    """An SQL function is planned anew in every statement; the adapter's are the CRM's own, and short."""
    found = db.rows(
        "select distinct p.proname as name, l.lanname as language from pg_policy as y"
        " join pg_depend as d on d.classid = 'pg_policy'::regclass and d.objid = y.oid"
        " and d.refclassid = 'pg_proc'::regclass"
        " join pg_proc as p on p.oid = d.refobjid join pg_language as l on l.oid = p.prolang"
        " where p.pronamespace = 'herald'::regnamespace"
    )
    adapter = {"is_super_admin", "my_organizations", "my_admin_organizations"}
    assert adapter < {row["name"] for row in found}
    assert [row["name"] for row in found if row["language"] == "sql" and row["name"] not in adapter] == []
