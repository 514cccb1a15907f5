"""What follows when a phone can't read a message that it has."""

from uuid import UUID

import pytest

from tests.kit.database import Db, Organisation, Row, Run

PERSON = "491709876567@s.whatsapp.net"
MEMBER, OTHER = "491700000001@s.whatsapp.net", "491700000002@s.whatsapp.net"

#: A confirmation that is on its way gets this long, seconds; a phone that got its last answer, this long.
GRACE, LAST_ANSWER = 10, 600


def send(org: Organisation, run: Run, wa_id: str, **columns: object) -> UUID:
    message = org.schedule(**columns)
    run.accept(run.claim_one(), wa_id)
    return message


def pass_time(db: Db, run: Run, seconds: float) -> None:
    """Let time pass, then what a worker does every few seconds."""
    db.pass_time(seconds)
    run.heartbeat()
    db.call("whatsapp_reap")


def unreadable(db: Db, org: Organisation, run: Run, wa_id: str) -> None:
    run.receipt(org.session, wa_id, PERSON, "unreadable")
    pass_time(db, run, GRACE + 1)


def test_a_message_to_a_person_goes_out_again_at_most_twice(db: Db, org: Organisation, run: Run) -> None:
    message = send(org, run, "3EB0A1")
    for wa_id, following in (("3EB0A1", "3EB0A2"), ("3EB0A2", "3EB0A3")):
        unreadable(db, org, run, wa_id)
        row = org.message(message)
        assert (row["status"], row["error_code"], row["wa_message_id"]) == ("pending", "wa-undecryptable", None)
        run.accept(run.claim_one(), following)
        assert org.message(message)["error_code"] is None
    unreadable(db, org, run, "3EB0A3")
    row = org.message(message)
    assert (row["status"], row["resent_count"], row["unreadable_count"]) == ("failed", 2, 1)
    assert "It was sent three times" in row["error_message"]
    told = db.rows("select event_data from public.whatsapp_audit_logs where event_type = 'message.unreadable'")
    assert [each["event_data"]["status"] for each in told] == ["pending", "pending", "failed"]


@pytest.mark.parametrize("kind", ["delivered", "read"])
def test_a_confirmation_within_the_grace_counts(db: Db, org: Organisation, run: Run, kind: str) -> None:
    message = send(org, run, "3EB0A1")
    run.receipt(org.session, "3EB0A1", PERSON, "unreadable")
    db.pass_time(GRACE - 2)
    run.receipt(org.session, "3EB0A1", PERSON, kind)
    pass_time(db, run, 60)
    assert org.message(message)["status"] == kind
    assert db.rows("select 1 from herald.unreadable_messages") == []


def test_a_late_confirmation_cancels_what_was_to_go_out_again(db: Db, org: Organisation, run: Run) -> None:
    message = send(org, run, "3EB0A1")
    unreadable(db, org, run, "3EB0A1")
    assert org.status(message) == "pending"
    run.receipt(org.session, "3EB0A1", PERSON, "delivered")
    row = org.message(message)
    assert (row["status"], row["wa_message_id"], row["error_code"]) == ("delivered", "3EB0A1", None)
    assert run.claim() == []


def test_a_late_confirmation_that_crosses_with_the_claim_counts_for_the_message(
    db: Db, org: Organisation, run: Run
) -> None:
    message = send(org, run, "3EB0A1")
    unreadable(db, org, run, "3EB0A1")
    claim = run.claim_one()
    run.receipt(org.session, "3EB0A1", PERSON, "delivered")
    run.accept(claim, "3EB0A2")
    pass_time(db, run, 1)
    assert org.status(message) == "delivered"


def test_a_late_confirmation_settles_even_what_had_failed(db: Db, org: Organisation, run: Run) -> None:
    message = send(org, run, "3EB0A1", expires_at=db.now().replace(year=2100))
    db.run("update public.scheduled_whatsapp_messages set expires_at = scheduled_for + interval '2 seconds'")
    unreadable(db, org, run, "3EB0A1")
    row = org.message(message)
    assert (row["status"], row["error_code"]) == ("failed", "wa-undecryptable")
    assert "its time has passed" in row["error_message"]
    run.receipt(org.session, "3EB0A1", PERSON, "read")
    row = org.message(message)
    assert (row["status"], row["unreadable_count"], row["error_code"]) == ("read", 0, None)


def test_who_has_opted_out_since_is_not_written_to_again(db: Db, org: Organisation, run: Run) -> None:
    message = send(org, run, "3EB0A1")
    db.insert("public.whatsapp_contacts", organization_id=org.id, phone="+491709876567", opted_out_at=db.now())
    unreadable(db, org, run, "3EB0A1")
    assert org.status(message) == "failed"
    assert org.message(message)["error_message"]


def test_a_phone_that_got_its_last_answer_has_ten_minutes(db: Db, org: Organisation, run: Run) -> None:
    message = send(org, run, "3EB0A1")
    run.receipt(org.session, "3EB0A1", PERSON, "asks")
    pass_time(db, run, LAST_ANSWER - 2)
    assert org.status(message) == "sent"
    pass_time(db, run, 3)
    assert org.status(message) == "pending"


def test_asking_shows_that_a_message_in_doubt_went_out(db: Db, org: Organisation, run: Run) -> None:
    message = org.schedule()
    run.settle(run.claim_one(), "indeterminate", wa_message_id="3EB0A1", reason="Cut off.")
    run.receipt(org.session, "3EB0A1", PERSON, "unreadable")
    assert org.status(message) == "sent"
    pass_time(db, run, GRACE + 1)
    assert org.status(message) == "pending"


def test_a_request_about_an_earlier_send_does_not_count_for_the_next(db: Db, org: Organisation, run: Run) -> None:
    message = send(org, run, "3EB0A1")
    unreadable(db, org, run, "3EB0A1")
    run.accept(run.claim_one(), "3EB0A2")
    unreadable(db, org, run, "3EB0A1")
    assert (org.status(message), org.message(message)["resent_count"]) == ("sent", 1)


def test_a_group_counts_the_members_that_can_not_read(db: Db, org: Organisation, run: Run) -> None:
    message = send(org, run, "3EB0A1", group_id=org.group)

    def counts() -> Row:
        row = org.message(message)
        return {"delivered": row["delivered_count"], "unreadable": row["unreadable_count"]}

    run.receipt(org.session, "3EB0A1", OTHER, "delivered")
    run.receipt(org.session, "3EB0A1", MEMBER, "unreadable")
    pass_time(db, run, GRACE + 1)
    assert org.status(message) == "delivered"
    assert counts() == {"delivered": 1, "unreadable": 1}
    member = db.row("select * from public.whatsapp_delivery_logs where recipient = %s", MEMBER)
    assert member["unreadable_at"]
    assert member["delivered_at"] is None
    run.receipt(org.session, "3EB0A1", MEMBER, "delivered")
    assert counts() == {"delivered": 2, "unreadable": 0}


@pytest.mark.parametrize(
    ("policy", "opted_in", "known", "sent"),
    [
        ("resend_direct", True, True, True),
        ("show", True, True, False),
        ("resend_direct", False, True, False),
        ("resend_direct", True, False, False),
    ],
)
def test_a_member_gets_it_directly_where_that_is_wanted(
    db: Db, org: Organisation, run: Run, policy: str, opted_in: bool, known: bool, sent: bool
) -> None:
    db.run("update public.workshop_automation_config set unreadable_policy = %s", policy)
    contact = db.insert(
        "public.whatsapp_contacts",
        organization_id=org.id,
        phone="+491700000001",
        opted_in_at=db.now() if opted_in else None,
    )
    if known:
        send(org, run, "3EB0A0", contact_id=contact, group_id=None, recipient_phone=None)
        run.receipt(org.session, "3EB0A0", MEMBER, "delivered")
    send(org, run, "3EB0A1", group_id=org.group, message_content="To the group")
    for _ in range(2):
        run.receipt(org.session, "3EB0A1", MEMBER, "unreadable")
        pass_time(db, run, GRACE + 1)
    direct = db.rows(
        "select status from public.scheduled_whatsapp_messages"
        " where contact_id is not null and message_content = 'To the group'"
    )
    assert direct == ([{"status": "pending"}] if sent else [])


def test_a_retry_by_a_person_heeds_no_earlier_send(db: Db, org: Organisation, run: Run) -> None:
    message = send(org, run, "3EB0A1")
    for following in ("3EB0A2", "3EB0A3", None):
        unreadable(db, org, run, str(org.message(message)["wa_message_id"]))
        if following:
            run.accept(run.claim_one(), following)
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run("update public.scheduled_whatsapp_messages set status = 'pending'")
    row = org.message(message)
    assert (row["resent_count"], row["unreadable_count"]) == (0, 0)
    run.receipt(org.session, "3EB0A1", PERSON, "delivered")
    assert org.status(message) == "pending"
