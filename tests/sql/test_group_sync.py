"""Who is in a group, written as contacts: one row a person, however WhatsApp names them; nobody opts in by it."""

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation, Row, Run
from tests.kit.people import contact, contact_row, opt_out

ANN, BEN = "+491701111111", "+491702222222"


def sync(org: Organisation, run: Run, *members: Row, **group: Any) -> Row:
    jid = org.db.value("select group_jid from public.whatsapp_groups where id = %s", org.group)
    told = {"jid": jid, "members": list(members), **group}
    written: Row = org.db.call("whatsapp_group_sync", **run.fence(org.session), p_group=Jsonb(told))
    return written


def person(phone: str | None = None, lid: str | None = None, *, is_admin: bool = False) -> Row:
    return {"phone": phone, "lid": lid, "is_admin": is_admin}


def contacts(org: Organisation) -> list[Row]:
    return org.db.rows("select * from public.whatsapp_contacts where organization_id = %s order by phone", org.id)


def members(org: Organisation) -> dict[str, Row]:
    rows = org.db.rows(
        "select coalesce(p.phone, p.lid) as who, m.* from public.whatsapp_group_members as m"
        " join public.whatsapp_contacts as p on p.id = m.contact_id where m.group_id = %s",
        org.group,
    )
    return {row["who"]: row for row in rows}


def test_members_become_contacts_who_have_not_opted_in(db: Db, org: Organisation, run: Run) -> None:
    told = sync(org, run, person(ANN, "1@lid", is_admin=True), person(lid="2@lid"), name="Kiln", participants=3)
    assert (told["members"], told["joined"], told["left"]) == (2, 2, 0)
    ann, hidden = contacts(org)
    assert (ann["phone"], ann["lid"], ann["jid"]) == (ANN, "1@lid", "491701111111@s.whatsapp.net")
    assert (hidden["phone"], hidden["lid"], hidden["jid"]) == (None, "2@lid", None)
    assert [row["opted_in_at"] for row in contacts(org)] == [None, None]
    assert members(org)[ANN]["is_admin"]
    group = db.row("select group_name, participant_count from public.whatsapp_groups where id = %s", org.group)
    assert tuple(group.values()) == ("Kiln", 3)


def test_who_is_gone_has_left_and_who_comes_back_joins_again(db: Db, org: Organisation, run: Run) -> None:
    sync(org, run, person(ANN), person(BEN))
    db.pass_time(5)
    run.heartbeat()
    assert sync(org, run, person(BEN))["left"] == 1
    assert members(org)[ANN]["left_at"] == db.now()
    assert members(org)[BEN]["left_at"] is None
    db.pass_time(5)
    assert sync(org, run, person(ANN), person(BEN))["joined"] == 1
    assert (members(org)[ANN]["left_at"], members(org)[ANN]["joined_at"]) == (None, db.now())
    assert members(org)[BEN]["joined_at"] < db.now()


def test_a_number_that_whatsapp_reveals_is_added_to_its_lid(org: Organisation, run: Run) -> None:
    hidden = contact(org, lid="1@lid", display_name="Ann")
    sync(org, run, person(ANN, "1@lid"))
    (row,) = contacts(org)
    assert (row["id"], row["phone"], row["display_name"]) == (hidden, ANN, "Ann")


def test_a_lid_is_added_to_a_known_number(org: Organisation, run: Run) -> None:
    known = contact(org, phone=ANN)
    sync(org, run, person(ANN, "1@lid"))
    (row,) = contacts(org)
    assert (row["id"], row["lid"], row["jid"]) == (known, "1@lid", "491701111111@s.whatsapp.net")


@pytest.mark.parametrize("known_by", ["phone", "lid"])
def test_an_opt_out_under_either_name_is_one_of_the_person(org: Organisation, run: Run, known_by: str) -> None:
    named = {"phone": contact(org, phone=ANN), "lid": contact(org, lid="1@lid")}
    opt_out(org, named[known_by])
    assert sync(org, run, person(ANN, "1@lid"))["members"] == 1
    assert all(contact_row(org, one)["opted_out_at"] for one in named.values())
    assert list(members(org)) == [ANN]


def test_an_opt_out_that_outlived_its_contact_counts_for_the_member(db: Db, org: Organisation, run: Run) -> None:
    opt_out(org, contact(org, phone=ANN))
    db.call("whatsapp_erase_contact", p_organization=org.id, p_phone=ANN)
    sync(org, run, person(ANN, "1@lid"))
    (row,) = contacts(org)
    assert row["opted_out_at"] is not None


def test_another_organisation_knows_nobody_by_it(db: Db, org: Organisation, run: Run) -> None:
    other = Organisation(db)
    theirs = contact(other, phone=ANN)
    sync(org, run, person(ANN))
    assert contact_row(other, theirs)["jid"] is None
    assert len(contacts(org)) == len(contacts(other)) == 1


def test_a_link_is_written_and_leaves_the_rest(db: Db, org: Organisation, run: Run) -> None:
    sync(org, run, person(ANN), name="Kiln", participants=2)
    jid = db.value("select group_jid from public.whatsapp_groups where id = %s", org.group)
    link = {"jid": jid, "invite_link": "https://chat.whatsapp.com/abc"}
    db.call("whatsapp_group_sync", **run.fence(org.session), p_group=Jsonb(link))
    row = db.row("select * from public.whatsapp_groups where id = %s", org.group)
    assert (row["group_name"], row["participant_count"], row["invite_link"]) == ("Kiln", 2, link["invite_link"])
    assert members(org)[ANN]["left_at"] is None


def test_who_lost_the_lease_writes_nothing(db: Db, org: Organisation, run: Run) -> None:
    with pytest.raises(psycopg.Error) as caught, db.connection.transaction():
        db.call("whatsapp_group_sync", **run.fence(org.session, epoch=99), p_group=Jsonb({"jid": "1@g.us"}))
    assert caught.value.sqlstate == "HR002"


def test_a_thousand_members_are_written_within_the_databases_patience(org: Organisation, run: Run) -> None:
    crowd = [person(f"+4917{n:08}", f"{n}@lid") for n in range(1, 1024)]
    assert sync(org, run, *crowd)["joined"] == 1023
    assert sync(org, run, *crowd[:1000])["left"] == 23
