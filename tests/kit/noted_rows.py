"""Notes what a database holds of people, so that tests find it where it must not be (localstack/kept_logs.py)."""

import os
from contextlib import suppress

import psycopg
from psycopg import sql

from localstack.kept_logs import VARIABLE, note_secrets

#: Columns of texts and numbers, in whatever table: a new table's are found by their names.
_NUMBERS = ("phone", "phone_number", "recipient_phone")
_TEXTS = ("message_content", "content", "body", "text", "caption", "media_url", "pairing_code", "invite_link")

#: Values of one column.
_MOST = 20_000

#: A text of fewer characters stands in logs by chance.
_SHORTEST_TEXT = 12

_COLUMNS = """
select c.table_schema, c.table_name, c.column_name
from information_schema.columns as c join information_schema.tables as t using (table_schema, table_name)
where t.table_type = 'BASE TABLE' and c.table_schema in ('public', 'herald')
  and c.data_type = 'text' and c.column_name = any(%s)
"""


def note_rows(database_url: str) -> None:
    """Note message texts, numbers and codes. A database that is away has been noted, or is not."""
    if not os.environ.get(VARIABLE):
        return
    with suppress(psycopg.Error), psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
        for schema, table, column in connection.execute(_COLUMNS, [[*_NUMBERS, *_TEXTS]]).fetchall():
            shortest = 1 if column in _NUMBERS else _SHORTEST_TEXT
            statement = sql.SQL("select distinct {} from {} where length({}) >= %s limit %s").format(
                sql.Identifier(column), sql.Identifier(schema, table), sql.Identifier(column)
            )
            found = connection.execute(statement, [shortest, _MOST]).fetchall()
            note_secrets(text.lstrip("+") for (text,) in found)
