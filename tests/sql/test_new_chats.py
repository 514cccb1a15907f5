"""An account that WhatsApp does not let write to strangers goes on with the chats that it has."""

from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation, Run

SIX_HOURS = 21_600
STRANGER, KNOWN = "+491700000001", "+491700000002"


@pytest.fixture
def restricted(org: Organisation, run: Run) -> UUID:
    """A message to a stranger that WhatsApp refused; it is restricted since."""
    known = org.schedule(recipient_phone=KNOWN)
    run.accept(run.claim_one(), "3EB0A0")
    run.receipt(org.session, "3EB0A0", f"{KNOWN[1:]}@s.whatsapp.net", "delivered")
    assert org.status(known) == "delivered"
    message = org.schedule(recipient_phone=STRANGER)
    claim = run.claim_one()
    result = {"message_id": str(claim["message_id"]), "token": str(claim["token"]), "outcome": "unavailable"}
    told = {"code": "wa-cold-contact", "reason": "No.", "retry_after": SIX_HOURS, "new_chats_pause": SIX_HOURS}
    run.db.call("whatsapp_settle_and_claim", p_run=run.id, p_results=Jsonb([result | told]), p_limit=0)
    return message


def claimed(run: Run, message: UUID) -> bool:
    """Whether the next claim takes the message; what it takes is settled."""
    run.db.pass_time(5)
    run.heartbeat()
    claims = run.claim()
    for claim in claims:
        run.accept(claim, f"3EB0{claim['message_id']}")
    return str(message) in {str(claim["message_id"]) for claim in claims}


def test_strangers_wait_and_known_chats_and_groups_go_on(
    db: Db, org: Organisation, run: Run, restricted: UUID
) -> None:
    assert (org.status(restricted), org.message(restricted)["retry_count"]) == ("pending", 0)
    stranger = org.schedule(recipient_phone="+491700000003")
    assert not claimed(run, stranger)
    for message in (org.schedule(recipient_phone=KNOWN), org.schedule(group_id=org.group)):
        assert claimed(run, message)
    [reason] = db.rows("select * from public.why_not_sent(%s) where rule = 'new-chats'", stranger)
    assert reason["until"] == db.value(
        "select new_chats_after from public.whatsapp_sessions where id = %s", org.session
    )
    [alert] = db.rows("select * from public.whatsapp_alerts where kind = 'new-chats-restricted'")
    assert alert["session_id"] == org.session


def test_one_is_tried_when_the_time_is_over(db: Db, org: Organisation, run: Run, restricted: UUID) -> None:
    db.pass_time(SIX_HOURS + 1)
    run.connect(org.session)
    assert claimed(run, restricted)


@pytest.mark.usefixtures("restricted")
def test_who_has_written_to_the_account_is_no_stranger(db: Db, org: Organisation, run: Run) -> None:
    contact = db.insert("public.whatsapp_contacts", organization_id=org.id, phone="+491700000004")
    for columns in ({"contact_id": contact, "recipient_phone": None}, {"recipient_phone": "+491700000004"}):
        assert not claimed(run, org.schedule(**columns))
    db.run("delete from public.scheduled_whatsapp_messages where status = 'pending'")
    db.insert(
        "public.whatsapp_conversations",
        organization_id=org.id,
        session_id=org.session,
        contact_id=contact,
        last_inbound_at=db.now(),
    )
    for columns in ({"contact_id": contact, "recipient_phone": None}, {"recipient_phone": "+491700000004"}):
        assert claimed(run, org.schedule(**columns))
