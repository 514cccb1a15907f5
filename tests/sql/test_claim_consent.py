"""Consent at the moment of the claim: also for a row that no trigger has seen an opt-out for."""

from uuid import UUID

import pytest

from localstack.client import Stack
from tests.kit.database import Db, Organisation, Run
from tests.kit.holds import configure, contact, drain, why

PHONE = "+491709876567"


def opt_out(org: Organisation, person: UUID, *, unseen: bool = False) -> None:
    """unseen: as if the message had been queued in a transaction that crossed with this one."""
    if unseen:
        org.db.run("alter table public.whatsapp_contacts disable trigger contact_silenced")
    org.db.run("update public.whatsapp_contacts set opted_out_at = herald.clock() where id = %s", person)
    if unseen:
        org.db.run("alter table public.whatsapp_contacts enable trigger contact_silenced")


@pytest.mark.parametrize("by", ["phone", "contact"])
def test_who_opts_out_before_the_claim_gets_nothing(org: Organisation, run: Run, by: str) -> None:
    person = contact(org)
    recipient = {"recipient_phone": PHONE} if by == "phone" else {"recipient_phone": None, "contact_id": person}
    message = org.schedule(**recipient)
    opt_out(org, person)
    assert run.claim() == []
    row = org.message(message)
    assert (row["status"], row["error_code"]) == ("failed", "suppressed")


@pytest.mark.parametrize("by", ["phone", "contact"])
def test_a_message_that_crossed_with_an_opt_out_is_held_back_and_then_fails(
    db: Db, org: Organisation, run: Run, by: str
) -> None:
    person = contact(org)
    recipient = {"recipient_phone": PHONE} if by == "phone" else {"recipient_phone": None, "contact_id": person}
    message = org.schedule(**recipient)
    opt_out(org, person, unseen=True)
    other = org.schedule(recipient_phone="+491701234568", priority=1)
    assert why(db, message) == {"suppressed": None}
    assert drain(run) == [str(other)]
    assert org.status(message) == "pending"
    db.call("whatsapp_housekeeping")
    assert org.message(message)["error_code"] == "suppressed"


def test_an_opt_out_of_another_organisation_counts_for_that_one_only(db: Db, org: Organisation, run: Run) -> None:
    contact(Organisation(db), opted_out_at=db.now())
    message = org.schedule()
    assert drain(run) == [str(message)]


def test_where_an_opt_in_is_needed_only_those_who_gave_one_are_written_to(
    db: Db, org: Organisation, run: Run
) -> None:
    friend = "+491701234568"
    contact(org, friend, opted_in_at=db.now())
    contact(org, PHONE)
    db.run("alter table public.workshop_automation_config disable trigger opt_in_required")
    held = [org.schedule(), org.schedule(recipient_phone="+491701234569")]  # a contact, and nobody's number
    group, free = org.schedule(group_id=org.group), org.schedule(recipient_phone=friend)
    configure(org, require_opt_in=True)
    assert set(drain(run)) == {str(group), str(free)}
    assert [why(db, message) for message in held] == [{"suppressed": None}] * 2
    configure(org, require_opt_in=False)
    db.pass_time(1)
    assert set(drain(run)) == {str(message) for message in held}


def test_an_opt_out_that_commits_between_insert_and_its_commit_is_obeyed(stack: Stack) -> None:
    """Two real transactions: neither sees the other, and nothing goes out all the same."""
    with (
        Db.connect(stack.database_url, autocommit=True) as db,
        Db.connect(stack.database_url) as crm,
    ):
        org = Organisation(db)
        try:
            run, person = Run(db).connect(org.session), contact(org)
            org.db = crm
            message = org.schedule()
            db.run("update public.whatsapp_contacts set opted_out_at = herald.clock() where id = %s", person)
            crm.connection.commit()
            assert run.claim() == []
            assert list(why(db, message)) == ["suppressed"]
        finally:
            crm.connection.rollback()
            db.run("delete from public.organizations where id = %s", org.id)
            db.run("delete from auth.users where id = any(%s)", list(org.people.values()))
            db.run("delete from herald.workers")
