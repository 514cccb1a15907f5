"""Who has opted out hears nothing more, whatever becomes of the row that says so."""

from typing import LiteralString
from uuid import UUID

import pytest

from tests.kit.database import DENIED, Db, Organisation, Run
from tests.kit.people import PHONE, contact, contact_row, new_phone, opt_out, refused

CLEAR: LiteralString = "update public.whatsapp_contacts set opted_out_at = null where id = %s"


def hashes(org: Organisation) -> int:
    found = org.db.value("select count(*) from herald.forgotten_opt_outs where organization_id = %s", org.id)
    return int(found)


def is_out(org: Organisation, person: UUID) -> bool:
    return contact_row(org, person)["opted_out_at"] is not None


# == at once ==


def test_an_opt_out_fails_what_waits_for_the_person_and_nothing_else(db: Db, org: Organisation) -> None:
    person = contact(org)
    campaign = db.insert("public.whatsapp_campaigns", organization_id=org.id, name="Autumn")
    theirs = [
        org.schedule(),
        org.schedule(recipient_phone=None, contact_id=person),
        org.schedule(campaign_id=campaign),
    ]
    others = [org.schedule(group_id=org.group), org.schedule(recipient_phone=new_phone())]
    opt_out(org, person)
    rows = [org.message(message) for message in theirs]
    assert {(row["status"], row["error_code"]) for row in rows} == {("failed", "suppressed")}
    assert f"…{PHONE[-2:]} has opted out" in rows[0]["error_message"]
    assert {org.status(message) for message in others} == {"pending"}


def test_an_opt_out_in_one_organisation_is_nothing_to_another(db: Db, org: Organisation) -> None:
    other = Organisation(db)
    contact(other)
    waiting = other.schedule()
    opt_out(org, contact(org))
    assert other.status(waiting) == "pending"
    assert other.status(other.schedule()) == "pending"


def test_what_is_on_its_way_is_not_called_suppressed(org: Organisation, run: Run) -> None:
    message = org.schedule()
    run.claim_one()
    opt_out(org, contact(org))
    assert org.status(message) == "sending"


def test_a_contact_that_comes_opted_out_silences_at_once(org: Organisation) -> None:
    message = org.schedule()
    contact(org, opted_out_at=org.db.now())
    assert org.status(message) == "failed"


def test_a_new_number_of_one_who_opted_out_is_silenced(db: Db, org: Organisation) -> None:
    person = contact(org, lid="77@lid", opted_out_at=db.now())
    message = org.schedule()
    db.run("update public.whatsapp_contacts set phone = %s where id = %s", PHONE, person)
    assert org.status(message) == "failed"


def test_an_opt_out_can_not_lie_ahead(org: Organisation) -> None:
    person = contact(org, opted_out_at="2999-01-01T00:00Z")
    row = contact_row(org, person)
    assert (row["opted_out_at"], row["opt_out_source"]) == (org.db.now(), "crm")


def test_what_crossed_with_an_opt_out_gets_its_reason_later(db: Db, org: Organisation) -> None:
    contact(org, opted_out_at=db.now())
    db.run("alter table public.scheduled_whatsapp_messages disable trigger message_new")
    crossed = org.schedule()
    db.run("alter table public.scheduled_whatsapp_messages enable trigger message_new")
    assert db.value("select herald.suppress_late()") == 1
    assert org.message(crossed)["error_code"] == "suppressed"


# == for as long as they don't take it back ==


def test_only_an_admin_takes_an_opt_out_back(db: Db, org: Organisation) -> None:
    person = contact(org)
    waited = org.schedule()
    opt_out(org, person)
    with refused(db, "taken back by an admin"), db.speaking_as("service_role"):
        db.run(CLEAR, person)
    with refused(db, "taken back by an admin"):
        db.run(CLEAR, person)
    with db.speaking_as("authenticated", org.people["member"]):
        db.run(CLEAR, person)
    assert is_out(org, person)
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run(CLEAR, person)
    assert not is_out(org, person)
    assert org.status(waited) == "failed"
    assert org.status(org.schedule()) == "pending"


def test_the_first_opt_out_stands(db: Db, org: Organisation) -> None:
    person = contact(org, opted_out_at="2026-01-01T00:00Z", opt_out_source="letter")
    before = contact_row(org, person)
    db.run("update public.whatsapp_contacts set opted_out_at = now(), opt_out_source = 'x' where id = %s", person)
    after = contact_row(org, person)
    assert (after["opted_out_at"], after["opt_out_source"]) == (before["opted_out_at"], "letter")


# == also when nothing else is known of them ==


def test_an_opt_out_outlives_its_contact(db: Db, org: Organisation) -> None:
    person = contact(org, phone=PHONE, lid="9@lid")
    opt_out(org, person)
    db.run("delete from public.whatsapp_contacts where id = %s", person)
    assert hashes(org) == 2
    assert "before their data was erased" in org.message(org.schedule())["error_message"]
    assert is_out(org, contact(org))
    assert is_out(org, contact(org, lid="9@lid"))
    assert not is_out(org, contact(org, phone=new_phone()))


def test_a_jid_is_the_number_that_it_names(db: Db, org: Organisation) -> None:
    person = contact(org, jid=f"{PHONE[1:]}@s.whatsapp.net", opted_out_at=db.now())
    db.run("delete from public.whatsapp_contacts where id = %s", person)
    assert org.status(org.schedule()) == "failed"


def test_the_number_that_one_had_when_opting_out_stays_silent(db: Db, org: Organisation) -> None:
    person = contact(org, opted_out_at=db.now())
    db.run("update public.whatsapp_contacts set phone = %s where id = %s", new_phone(), person)
    assert org.status(org.schedule()) == "failed"


def test_a_number_that_is_learned_later_brings_its_opt_out_along(db: Db, org: Organisation) -> None:
    db.run("delete from public.whatsapp_contacts where id = %s", contact(org, opted_out_at=db.now()))
    person = contact(org, lid="5@lid")
    db.run("update public.whatsapp_contacts set phone = %s where id = %s", PHONE, person)
    assert is_out(org, person)


def test_what_is_taken_back_is_forgotten_too(db: Db, org: Organisation) -> None:
    db.run("delete from public.whatsapp_contacts where id = %s", contact(org, opted_out_at=db.now()))
    back = contact(org)
    with db.speaking_as("authenticated", org.people["owner"]):
        db.run(CLEAR, back)
    assert hashes(org) == 0
    db.run("delete from public.whatsapp_contacts where id = %s", back)
    assert org.status(org.schedule()) == "pending"


def test_one_who_never_opted_out_leaves_no_trace(db: Db, org: Organisation) -> None:
    db.run("delete from public.whatsapp_contacts where id = %s", contact(org))
    assert hashes(org) == 0


# == the key ==


def test_hashes_differ_between_organisations(db: Db, org: Organisation) -> None:
    hashed = [db.value("select herald.phone_hash(%s, %s)", o.id, PHONE) for o in (org, Organisation(db), org)]
    assert hashed[0] == hashed[2] != hashed[1]
    assert len(hashed[0]) == 32


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_no_role_of_the_api_hashes_a_number(db: Db, org: Organisation, role: LiteralString) -> None:
    with db.speaking_as(role, org.people["super_admin"]):
        assert db.refusal("select herald.phone_hash(%s, %s)", org.id, PHONE) == DENIED


def test_a_lost_key_is_told_plainly(db: Db, org: Organisation) -> None:
    db.run("delete from vault.secrets where name = 'herald_phone_hash_key'")
    with refused(db, 'no secret "herald_phone_hash_key"'):
        db.run("select herald.phone_hash(%s, %s)", org.id, PHONE)


# == opt-in ==


def test_an_organisation_that_begins_to_ask_for_opt_ins_fails_what_waits_without(
    db: Db, org: Organisation
) -> None:
    willing = new_phone()
    contact(org, phone=willing, opted_in_at=db.now())
    contact(org)
    with_consent = [org.schedule(recipient_phone=willing), org.schedule(group_id=org.group)]
    without = [org.schedule(), org.schedule(recipient_phone=new_phone())]
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run(
            "update public.workshop_automation_config set require_opt_in = true where organization_id = %s", org.id
        )
    assert {org.status(message) for message in with_consent} == {"pending"}
    assert {org.message(message)["error_code"] for message in without} == {"suppressed"}


def test_an_opt_in_that_is_withdrawn_counts_at_once(db: Db, org: Organisation) -> None:
    db.run("update public.workshop_automation_config set require_opt_in = true where organization_id = %s", org.id)
    person = contact(org, opted_in_at=db.now())
    message = org.schedule()
    assert org.status(message) == "pending"
    db.run("update public.whatsapp_contacts set opted_in_at = null where id = %s", person)
    assert org.status(message) == "failed"
