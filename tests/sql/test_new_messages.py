"""What becomes of a row that is put into the queue: account, text, suppression; then edits and retries."""

import re
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation
from tests.kit.people import PHONE, contact, new_phone, opt_out, refused, template

EDIT: LiteralString = "update public.scheduled_whatsapp_messages set message_content = %s where id = %s"
RETRY: LiteralString = "update public.scheduled_whatsapp_messages set status = 'pending' where id = %s"


def campaign(org: Organisation, **columns: object) -> UUID:
    return org.db.insert("public.whatsapp_campaigns", organization_id=org.id, name="Autumn", **columns)


def rendered(org: Organisation, template_id: UUID, values: dict[str, str], **columns: object) -> UUID:
    return org.schedule(message_content="", template_id=template_id, template_variables=Jsonb(values), **columns)


# == which account ==


def test_a_group_message_goes_out_over_the_groups_account(org: Organisation) -> None:
    other = org.add_session()
    message = org.schedule(session_id=None, group_id=org.add_group(other))
    assert org.message(message)["session_id"] == other


def test_a_message_without_an_account_goes_out_over_the_default_one(db: Db, org: Organisation) -> None:
    message = org.schedule(session_id=None)
    assert org.message(message)["session_id"] == db.value("select herald.default_session(%s)", org.id)


def test_a_campaigns_message_goes_out_over_the_campaigns_account(db: Db, org: Organisation) -> None:
    chosen, lesser = org.add_session(), org.add_session()
    to_many = campaign(org)
    for session, priority in ((chosen, 9), (lesser, 2)):
        db.insert(
            "public.whatsapp_campaign_sessions",
            organization_id=org.id,
            campaign_id=to_many,
            session_id=session,
            priority=priority,
        )
    message = org.schedule(session_id=None, campaign_id=to_many)
    assert org.message(message)["session_id"] == chosen


def test_an_organisation_without_an_account_is_told_so(db: Db, org: Organisation) -> None:
    db.run("delete from public.whatsapp_groups where organization_id = %s", org.id)
    db.run("delete from public.whatsapp_sessions where organization_id = %s", org.id)
    with refused(db, "no WhatsApp account"):
        org.schedule(session_id=None)


def test_another_organisations_people_learn_nothing(db: Db, org: Organisation) -> None:
    """Not which accounts, campaigns or templates there are: only that it isn't theirs."""
    over = campaign(org, state="cancelled", template_id=template(org, db))
    bare = Organisation(db)
    db.run("delete from public.whatsapp_sessions where organization_id = %s", bare.id)
    stranger = Organisation(db).people["owner"]
    for row in ({"campaign_id": over}, {"template_id": template(org, db), "message_content": ""}):
        with refused(db, "row-level security"), db.speaking_as("authenticated", stranger):
            org.schedule(**row)
    with refused(db, "row-level security"), db.speaking_as("authenticated", stranger):
        bare.schedule(session_id=None)


def test_a_missing_organisation_is_what_is_told(db: Db, org: Organisation) -> None:
    with refused(db, 'null value in column "organization_id"'):
        org.schedule(organization_id=None, session_id=None)


# == which text ==


def test_a_template_is_filled_with_values_and_with_what_is_known(db: Db, org: Organisation) -> None:
    made = template(org, db, content="Hi {{name}} of {{organization}}, {{item}} is ready")
    message = rendered(org, made, {"item": "the kiln"}, recipient_name="Asha")
    assert org.message(message)["message_content"] == "Hi Asha of Pottery, the kiln is ready"


def test_the_contacts_name_fills_the_template(db: Db, org: Organisation) -> None:
    contact(org, display_name="Bela")
    message = rendered(org, template(org, db), {"item": "a bowl"})
    assert org.message(message)["message_content"] == "Hi Bela, a bowl is ready"


def test_a_workshops_facts_fill_the_template(db: Db, org: Organisation) -> None:
    workshop = db.insert(
        "public.workshops",
        organization_id=org.id,
        title="Raku",
        starts_at="2026-12-01T18:00Z",
        timezone="Europe/Berlin",
    )
    message = rendered(org, template(org, db, content="{{title}} at {{time}}"), {}, workshop_id=workshop)
    assert org.message(message)["message_content"] == "Raku at 19:00"


def test_missing_values_are_named(db: Db, org: Organisation) -> None:
    with refused(db, "needs a value for name, item"):
        rendered(org, template(org, db), {})


@pytest.mark.parametrize("whose", ["another organisation", "inactive"])
def test_a_template_that_is_not_theirs_to_use_is_refused(db: Db, org: Organisation, whose: str) -> None:
    foreign = template(
        Organisation(db) if whose == "another organisation" else org, db, is_active=whose != "inactive"
    )
    with refused(db, "no active template"):
        rendered(org, foreign, {"item": "x", "name": "y"})


def test_a_templates_media_comes_along(db: Db, org: Organisation) -> None:
    made = template(org, db, content="Look", media_url="https://cdn.example.org/film.mp4?x=1")
    row = org.message(rendered(org, made, {}))
    assert (row["media_url"], row["media_kind"]) == ("https://cdn.example.org/film.mp4?x=1", "video")


def test_a_campaigns_template_is_its_messages_text(db: Db, org: Organisation) -> None:
    to_many = campaign(org, template_id=template(org, db, content="Autumn is here"))
    assert (
        org.message(org.schedule(message_content="", campaign_id=to_many))["message_content"] == "Autumn is here"
    )


def test_uses_of_a_template_are_noted_and_added_up(db: Db, org: Organisation) -> None:
    made = template(org, db, content="Hello")
    db.run(
        "insert into public.scheduled_whatsapp_messages"
        " (organization_id, session_id, recipient_phone, template_id)"
        " select %s, %s, '+4915200000' || g, %s from generate_series(10, 14) as g",
        org.id,
        org.session,
        made,
    )
    rendered(org, made, {})
    notes = db.value("select count(*) from herald.template_uses where template_id = %s", made)
    assert notes == 2
    db.run("select herald.count_template_uses()")
    row = db.row("select usage_count, last_used_at from public.whatsapp_message_templates where id = %s", made)
    assert row == {"usage_count": 6, "last_used_at": db.now()}
    assert db.value("select count(*) from herald.template_uses where template_id = %s", made) == 0


# == who may not be written to ==


def test_one_opt_out_does_not_fail_a_list(db: Db, org: Organisation) -> None:
    opt_out(org, contact(org))
    db.run(
        "insert into public.scheduled_whatsapp_messages"
        " (organization_id, session_id, recipient_phone, message_content)"
        " select %s, %s, p, 'Hello' from unnest(%s::text[]) as p",
        org.id,
        org.session,
        [PHONE, "+491600000001"],
    )
    rows = db.rows(
        "select recipient_phone, status, error_code, error_message from public.scheduled_whatsapp_messages"
        " where organization_id = %s order by recipient_phone desc",
        org.id,
    )
    assert [(r["status"], r["error_code"]) for r in rows] == [("failed", "suppressed"), ("pending", None)]
    assert re.search(rf"^…{PHONE[-2:]} has opted out on 20", rows[0]["error_message"])


def test_a_contact_that_opted_out_is_not_written_to_by_its_id_either(org: Organisation) -> None:
    person = contact(org, lid="123456@lid", opted_out_at=org.db.now())
    message = org.message(org.schedule(recipient_phone=None, contact_id=person))
    assert (message["status"], message["error_code"]) == ("failed", "suppressed")


def test_where_an_opt_in_is_needed_only_those_who_gave_it_are_written_to(db: Db, org: Organisation) -> None:
    db.run("update public.workshop_automation_config set require_opt_in = true where organization_id = %s", org.id)
    willing = new_phone()
    contact(org, phone=willing, opted_in_at=db.now(), opt_in_source="form")
    assert org.status(org.schedule(recipient_phone=willing)) == "pending"
    assert "has not opted in" in org.message(org.schedule())["error_message"]
    assert org.status(org.schedule(group_id=org.group)) == "pending"


# == what makes no sense ==


def test_a_person_is_told_that_the_time_has_passed(db: Db, org: Organisation) -> None:
    times = {"scheduled_for": db.now() - timedelta(hours=2), "expires_at": db.now() - timedelta(hours=1)}
    with refused(db, "expires_at has passed"), db.speaking_as("authenticated", org.people["admin"]):
        org.schedule(**times)
    assert org.status(org.schedule(**times)) == "pending"


@pytest.mark.parametrize("state", ["done", "cancelled"])
def test_nothing_joins_a_campaign_that_is_over(db: Db, org: Organisation, state: str) -> None:
    with refused(db, f"is {state}: nothing can be added"):
        org.schedule(campaign_id=campaign(org, state=state))


PAYLOADS: list[tuple[dict[str, Any], bool]] = [
    ({"kind": "location", "latitude": 52.5, "longitude": 13.4}, True),
    ({"kind": "location", "latitude": "52.5", "longitude": 13.4}, False),
    ({"kind": "location", "latitude": 91, "longitude": 13.4}, False),
    ({"kind": "contact", "name": "Asha", "phone": PHONE}, True),
    ({"kind": "contact", "name": "Asha", "phone": "0170"}, False),
    ({"kind": "poll", "question": "When?", "options": ["Mon", "Tue"]}, True),
    ({"kind": "poll", "question": "When?", "options": ["Mon", "Mon"]}, False),
    ({"kind": "poll", "question": "When?", "options": ["Mon"]}, False),
    ({"kind": "poll", "question": "When?", "options": "Mon"}, False),
    ({"kind": "reaction", "message_id": "3EB0", "emoji": "👍"}, True),
    ({"kind": "reaction", "emoji": "👍"}, False),
    ({"kind": "edit", "message_id": "3EB0"}, False),
    ({"kind": "delete", "message_id": "3EB0"}, True),
    ({"question": "When?"}, False),
]


@pytest.mark.parametrize(("payload", "sensible"), PAYLOADS, ids=lambda p: str(p))
def test_a_payload_has_what_its_kind_needs(
    db: Db, org: Organisation, payload: dict[str, Any], sensible: bool
) -> None:
    if sensible:
        assert org.status(org.schedule(message_content="", payload=Jsonb(payload))) == "pending"
    else:
        with refused(db, "makes no sense"):
            org.schedule(message_content="", payload=Jsonb(payload))


def test_mentions_are_jids_and_all_is_for_groups(db: Db, org: Organisation) -> None:
    org.schedule(group_id=org.group, mentions=["all"])
    org.schedule(group_id=org.group, mentions=["491709876567@s.whatsapp.net", "1234@lid"])
    for wrong, where in (
        (["all"], {}),
        ([PHONE], {"group_id": org.group}),
        (["1@lid", "all"], {"group_id": org.group}),
    ):
        with refused(db, "makes no sense"):
            org.schedule(mentions=wrong, **where)


# == edits and retries ==


def test_text_by_hand_detaches_the_template(db: Db, org: Organisation) -> None:
    message = rendered(org, template(org, db), {"item": "a bowl", "name": "Asha"})
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run(EDIT, "By hand", message)
    row = org.message(message)
    assert (row["message_content"], row["template_id"]) == ("By hand", None)


def test_text_given_beside_a_template_is_by_hand_too(db: Db, org: Organisation) -> None:
    made = template(org, db)
    with db.speaking_as("authenticated", org.people["admin"]):
        message = org.schedule(message_content="By hand", template_id=made)
    row = org.message(message)
    assert (row["message_content"], row["template_id"]) == ("By hand", None)


def test_a_rule_that_renders_anew_keeps_the_template(db: Db, org: Organisation) -> None:
    made = template(org, db)
    message = rendered(org, made, {"item": "a bowl", "name": "Asha"})
    db.run(EDIT, "Rendered by a rule", message)
    assert org.message(message)["template_id"] == made


def test_new_values_render_a_waiting_message_anew(db: Db, org: Organisation) -> None:
    message = rendered(org, template(org, db), {"item": "a bowl", "name": "Asha"})
    change: LiteralString = "update public.scheduled_whatsapp_messages set template_variables = %s where id = %s"
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run(change, Jsonb({"item": "a cup", "name": "Asha"}), message)
    assert org.message(message)["message_content"] == "Hi Asha, a cup is ready"
    with refused(db, "needs a value for item"), db.speaking_as("authenticated", org.people["admin"]):
        db.run(change, Jsonb({"name": "Asha"}), message)


def test_the_values_of_a_sent_message_stay(db: Db, org: Organisation) -> None:
    message = org.schedule(status="sent", sent_at=db.now(), wa_message_id="3EB0")
    change: LiteralString = (
        "update public.scheduled_whatsapp_messages set template_variables = '{}' || %s where id = %s"
    )
    with refused(db, "can't be edited any more"), db.speaking_as("authenticated", org.people["admin"]):
        db.run(change, Jsonb({"a": "b"}), message)


def test_a_retry_after_its_time_needs_a_new_time(db: Db, org: Organisation) -> None:
    message = org.schedule(
        status="failed",
        error_code="expired",
        scheduled_for=db.now() - timedelta(hours=2),
        expires_at=db.now() - timedelta(hours=1),
    )
    with refused(db, "time of this message has passed"), db.speaking_as("authenticated", org.people["admin"]):
        db.run(RETRY, message)
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run(
            "update public.scheduled_whatsapp_messages set status = 'pending', expires_at = %s where id = %s",
            db.now() + timedelta(hours=1),
            message,
        )
    assert org.status(message) == "pending"


def test_nobody_is_written_to_again_who_has_opted_out_since(db: Db, org: Organisation) -> None:
    message = org.schedule(status="failed", error_code="rejected")
    person = contact(org)
    opt_out(org, person)
    with refused(db, "has opted out"), db.speaking_as("authenticated", org.people["admin"]):
        db.run(RETRY, message)
    with refused(db, "has opted out"), db.speaking_as("service_role"):
        db.run(RETRY, message)
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run("update public.whatsapp_contacts set opted_out_at = null where id = %s", person)
        db.run(RETRY, message)
    assert org.status(message) == "pending"


def test_a_doubt_that_a_policy_gives_back_ends_at_an_opt_out(db: Db, org: Organisation) -> None:
    message = org.schedule(status="in_doubt", error_code="worker-lost")
    opt_out(org, contact(org))
    db.run(RETRY, message)
    row = org.message(message)
    assert (row["status"], row["error_code"]) == ("failed", "suppressed")
