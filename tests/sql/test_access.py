"""What the matrix does not see: what a value may become, and rows of one organisation that don't fit together."""

import psycopg
import pytest

from tests.kit.database import Db, Organisation


@pytest.mark.parametrize("status", ["sent", "sending", "delivered", "read", "failed", "in_doubt"])
def test_what_the_worker_found_out_is_not_the_crms_to_write(db: Db, org: Organisation, status: str) -> None:
    message = org.schedule()
    with db.speaking_as("authenticated", org.people["admin"]):
        change = "update public.scheduled_whatsapp_messages set status = %s where id = %s"
        assert db.refusal(change, status, message) == "23514"


def test_a_message_goes_to_a_group_of_its_own_account_only(db: Db, org: Organisation) -> None:
    elsewhere = org.add_group(org.add_session())
    with (
        db.speaking_as("authenticated", org.people["admin"]),
        pytest.raises(psycopg.errors.ForeignKeyViolation),
        db.connection.transaction(),
    ):
        org.schedule(group_id=elsewhere)
