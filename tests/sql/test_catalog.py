"""What the catalog says of every table and function, so that a new one without a decision fails here."""

from tests.sql.world import Db

#: The only functions that a person's own statements may run: row policies, defaults and the overview need them.
HELPERS = {
    "herald.clock",
    "herald.is_super_admin",
    "herald.my_organizations",
    "herald.my_admin_organizations",
    "herald.session_overview",
}
#: Columns that a CRM user may write, given a row policy that agrees.
WRITABLE = {
    ("whatsapp_sessions", "INSERT"): "daily_limit desired_state display_name enabled min_gap_ms organization_id"
    " owner_id pause_reason paused_until per_group_per_minute provider",
    ("whatsapp_sessions", "UPDATE"): "daily_limit desired_state display_name enabled min_gap_ms owner_id"
    " pause_reason paused_until per_group_per_minute",
    ("whatsapp_groups", "UPDATE"): "region segments tags",
    ("scheduled_whatsapp_messages", "INSERT"): "expires_at group_id idempotency_key max_retries media_kind"
    " media_url message_content message_type organization_id priority recipient_name recipient_phone"
    " scheduled_for session_id workshop_id",
    ("scheduled_whatsapp_messages", "UPDATE"): "expires_at media_kind media_url message_content priority"
    " scheduled_for status",
    ("whatsapp_commands", "INSERT"): "arguments kind organization_id session_id",
}
PUBLISHED = {"whatsapp_sessions", "whatsapp_groups", "scheduled_whatsapp_messages", "whatsapp_commands"}

FUNCTIONS = """
select n.nspname || '.' || p.proname as name, p.prosecdef as definer, coalesce(p.proconfig, '{}') as settings,
  has_function_privilege('anon', p.oid, 'execute') as anon,
  has_function_privilege('authenticated', p.oid, 'execute') as authenticated,
  has_function_privilege('service_role', p.oid, 'execute') as service
from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
where n.nspname in ('public', 'herald')
"""


def writable(db: Db) -> dict[tuple[str, str], str]:
    """By table and verb, the columns that an authenticated user is granted; tables of Herald only."""
    rows = db.rows(
        "select table_name, privilege_type, string_agg(column_name, ' ' order by column_name) as columns"
        " from information_schema.column_privileges"
        " where grantee in ('authenticated', 'PUBLIC') and privilege_type in ('INSERT', 'UPDATE')"
        " and table_schema in ('public', 'herald') and table_name like '%%whatsapp%%'"
        " group by table_name, privilege_type"
    )
    return {(row["table_name"], row["privilege_type"]): row["columns"] for row in rows}


def anons(db: Db) -> list[str]:
    """Tables of Herald that a visitor has any privilege on."""
    rows = db.rows(
        "select c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'v', 'm', 'p') and n.nspname in ('public', 'herald')"
        " and (n.nspname = 'herald' or c.relname like '%%whatsapp%%')"
        " and (has_table_privilege('anon', c.oid, 'select, insert, update, delete, truncate')"
        " or has_any_column_privilege('anon', c.oid, 'select, insert, update'))"
    )
    return [row["relname"] for row in rows]


def test_every_table_has_row_level_security(db: Db) -> None:
    rows = db.rows(
        "select c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'p') and n.nspname in ('public', 'herald') and not c.relrowsecurity"
    )
    assert rows == []


def test_no_function_of_the_worker_is_a_persons_to_call(db: Db) -> None:
    functions = db.rows(FUNCTIONS)
    assert len(functions) > 30
    assert [f["name"] for f in functions if f["anon"]] == []
    assert {f["name"] for f in functions if f["authenticated"]} == HELPERS
    assert [f["name"] for f in functions if f["name"].startswith("public.") and not f["service"]] == []


def test_every_function_names_its_schemas(db: Db) -> None:
    assert [f["name"] for f in db.rows(FUNCTIONS) if 'search_path=""' not in f["settings"]] == []


def test_the_queues_functions_run_without_jit(db: Db) -> None:
    queue = ("claim", "settle", "receipts", "reap", "next_due")
    found = [f for f in db.rows(FUNCTIONS) if any(word in f["name"] for word in queue) and f["definer"]]
    assert found
    assert [f["name"] for f in found if "jit=off" not in f["settings"]] == []


def test_a_person_writes_these_columns_and_no_others(db: Db) -> None:
    assert writable(db) == WRITABLE


def test_a_visitor_has_no_privilege_at_all(db: Db) -> None:
    assert anons(db) == []


def test_no_person_reads_the_private_schema(db: Db) -> None:
    rows = db.rows(
        "select c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
        " cross join unnest(array['anon', 'authenticated', 'service_role']) as role"
        " where n.nspname = 'herald' and c.relkind in ('r', 'v', 'p')"
        " and has_table_privilege(role, c.oid, 'select, insert, update, delete')"
    )
    assert rows == []


def test_only_what_the_crm_shows_is_published(db: Db) -> None:
    rows = db.rows("select schemaname, tablename from pg_publication_tables where pubname = 'supabase_realtime'")
    assert {row["tablename"] for row in rows} == PUBLISHED
    assert {row["schemaname"] for row in rows} == {"public"}
