"""A message in doubt goes back only where the organisation trusts its phone, and only on its evidence."""

import pytest

from tests.kit.database import Db, Organisation, Run

PHONE = "491709999999@s.whatsapp.net"


def trust_phones(org: Organisation) -> None:
    org.db.run(
        "update public.workshop_automation_config set in_doubt_policy = 'own_phone' where organization_id = %s",
        org.id,
    )


def in_doubt(org: Organisation, run: Run, wa_id: str | None = "3EB0D0") -> object:
    message = org.schedule(message_content="Did it go?")
    assert run.settle(run.claim_one(), "indeterminate", reason="the engine ended", wa_message_id=wa_id) == 1
    return message


def later_one(org: Organisation, run: Run, wa_id: str = "3EB0E1") -> None:
    """Another message of the account, sent a minute later and confirmed by its phone."""
    org.db.pass_time(60)
    org.schedule(message_content="And this?")
    run.heartbeat()
    run.accept(run.claim_one(), wa_id)
    run.receipt(org.session, wa_id, PHONE, "sender")


def settled_doubts(db: Db) -> int:
    count = db.value("select herald.settle_doubts()")
    assert isinstance(count, int)
    return count


def status(org: Organisation, message: object) -> str:
    found = org.db.value("select status from public.scheduled_whatsapp_messages where id = %s", message)
    assert isinstance(found, str)
    return found


@pytest.fixture
def lasting(db: Db, org: Organisation) -> Run:
    """A worker whose lease outlives the minutes of these tests."""
    return Run(db).connect(org.session, lease=3600)


def test_by_default_a_person_decides(db: Db, org: Organisation, lasting: Run) -> None:
    message = in_doubt(org, lasting)
    later_one(org, lasting)
    db.pass_time(600)
    assert settled_doubts(db) == 0
    assert status(org, message) == "in_doubt"


def test_a_later_message_that_the_phone_confirmed_sends_it_back(db: Db, org: Organisation, lasting: Run) -> None:
    trust_phones(org)
    message = in_doubt(org, lasting)
    later_one(org, lasting)
    assert settled_doubts(db) == 0, "the phone has a minute to confirm this one too"
    db.pass_time(121)
    assert settled_doubts(db) == 1
    assert status(org, message) == "pending"
    assert settled_doubts(db) == 0
    audit = db.row("select event_data from public.whatsapp_audit_logs where event_type = 'message.doubt_settled'")
    assert audit["event_data"]["message_id"] == str(message)


def test_what_the_phone_confirmed_itself_was_sent(db: Db, org: Organisation, lasting: Run) -> None:
    trust_phones(org)
    message = in_doubt(org, lasting)
    later_one(org, lasting)
    lasting.receipt(org.session, "3EB0D0", PHONE, "sender")
    db.pass_time(121)
    assert settled_doubts(db) == 0
    assert status(org, message) == "sent"


def test_a_phone_that_has_confirmed_nothing_since_says_nothing(db: Db, org: Organisation, lasting: Run) -> None:
    trust_phones(org)
    later_one(org, lasting)
    db.pass_time(10)
    message = in_doubt(org, lasting)
    db.pass_time(600)
    assert settled_doubts(db) == 0
    assert status(org, message) == "in_doubt"


def test_a_receipt_of_a_recipient_is_no_word_of_the_phone(db: Db, org: Organisation, lasting: Run) -> None:
    trust_phones(org)
    message = in_doubt(org, lasting)
    db.pass_time(60)
    org.schedule()
    lasting.accept(lasting.claim_one(), "3EB0E1")
    lasting.receipt(org.session, "3EB0E1", "491709876567@s.whatsapp.net", "delivered")
    db.pass_time(600)
    assert settled_doubts(db) == 0
    assert status(org, message) == "in_doubt"


@pytest.mark.parametrize(("strange", "after"), [(True, "in_doubt"), (False, "pending")])
def test_one_without_an_id_stays_while_a_confirmation_might_be_its_own(
    db: Db, org: Organisation, lasting: Run, strange: bool, after: str
) -> None:
    trust_phones(org)
    message = in_doubt(org, lasting, wa_id=None)
    if strange:
        lasting.receipt(org.session, "3EB0FF", PHONE, "sender")
    later_one(org, lasting)
    db.pass_time(121)
    settled_doubts(db)
    assert status(org, message) == after


def test_another_accounts_phone_says_nothing_of_this_one(db: Db, org: Organisation) -> None:
    trust_phones(org)
    other = org.add_session()
    run = Run(db).connect(org.session, other, lease=3600)
    message = in_doubt(org, run)
    db.pass_time(60)
    org.schedule(session_id=other)
    run.accept(run.claim_one(), "3EB0E1")
    run.receipt(other, "3EB0E1", PHONE, "sender")
    db.pass_time(600)
    assert settled_doubts(db) == 0
    assert status(org, message) == "in_doubt"
