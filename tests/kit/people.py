"""People whom an organisation writes to, and what was said to them: rows that several files of tests make."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from uuid import UUID

import psycopg
import pytest

from tests.kit.database import Db, Organisation, Row

PHONE = "+491709876567"  #: whom Organisation.schedule writes to
_digits = count(1)


def new_phone() -> str:
    return f"+49151{next(_digits):07d}"


def contact(org: Organisation, **columns: object) -> UUID:
    """A contact, under PHONE unless told otherwise."""
    known = {"phone", "lid", "jid"} & columns.keys()
    phone: dict[str, object] = {} if known else {"phone": PHONE}
    return org.db.insert("public.whatsapp_contacts", organization_id=org.id, **(phone | columns))


def template(org: Organisation | None, db: Db, **columns: object) -> UUID:
    """A template of the organisation, or the system's."""
    row: dict[str, object] = {"name": f"made_{next(_digits)}", "content": "Hi {{name}}, {{item}} is ready"}
    return db.insert(
        "public.whatsapp_message_templates", organization_id=org.id if org else None, **(row | columns)
    )


def opt_out(org: Organisation, person: UUID, *, by: str = "admin") -> None:
    with org.db.speaking_as("authenticated", org.people[by]):
        org.db.run("update public.whatsapp_contacts set opted_out_at = herald.clock() where id = %s", person)


def contact_row(org: Organisation, person: UUID) -> Row:
    return org.db.row("select * from public.whatsapp_contacts where id = %s", person)


@contextmanager
def refused(db: Db, words: str) -> Iterator[None]:
    """Fails unless the database refuses with these words (a regular expression); the transaction goes on."""
    with pytest.raises(psycopg.Error, match=words), db.connection.transaction():
        yield
