"""What `herald doctor` expects of a database: the facts of a fresh one, a line each."""

import psycopg

_FACTS = """
select 'migration' as kind, version as name, name as value from supabase_migrations.schema_migrations
union all
select kind, name, value from herald.schema_facts()
"""
_HEAD = "# What herald doctor expects of a database: kind | name | value. Written by scripts/types.\n"


def schema_facts(database_url: str) -> str:
    """The text of worker/doctor/schema.txt. Raises ValueError for a fact that its format can't hold."""
    with psycopg.connect(database_url) as connection:
        connection.execute("set search_path = ''")
        facts = sorted(connection.execute(_FACTS).fetchall())
    for fact in facts:
        if any(" | " in text or "\n" in text for text in fact[:2]) or "\n" in fact[2]:
            raise ValueError(f"no line of schema.txt: {fact}")
    return _HEAD + "".join(f"{' | '.join(fact)}\n" for fact in facts)
