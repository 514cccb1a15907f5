"""Who did what: what is written down, what is not, and that it stays."""

import json
from typing import Any, LiteralString
from uuid import UUID

import pytest

from tests.kit.database import DENIED, Db, Organisation, Row, Run
from tests.kit.people import PHONE, contact, opt_out, refused


def events(org: Organisation) -> list[Row]:
    return org.db.rows(
        "select * from public.whatsapp_audit_logs where organization_id = %s order by created_at, event_type",
        org.id,
    )


def clear(org: Organisation) -> None:
    """Forget what making the world wrote."""
    org.db.run("alter table public.whatsapp_audit_logs disable trigger audit_kept")
    org.db.run("delete from public.whatsapp_audit_logs")
    org.db.run("alter table public.whatsapp_audit_logs enable trigger audit_kept")


def told(org: Organisation, by: str, query: LiteralString, *values: object) -> Row:
    """The one row that this statement of the person writes."""
    clear(org)
    with org.db.speaking_as("authenticated", org.people[by]):
        org.db.run(query, *values)
    (found,) = events(org)
    assert (found["actor_id"], found["actor"]) == (org.people[by], "authenticated")
    return found


SESSION_CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("desired_state = 'logged_out'", "session.wish_changed", {"from": "connected", "to": "logged_out"}),
    ("enabled = false", "session.disabled", {}),
    ("daily_limit = 7", "session.limits_changed", {"daily_limit": {"from": 200, "to": 7}}),
    ("paused_until = '2030-01-01'", "session.paused", {"until": "2030-01-01T00:00:00+00:00"}),
    ("owner_id = auth.uid()", "session.owner_changed", {}),
]


@pytest.mark.parametrize(("change", "event", "data"), SESSION_CHANGES)
def test_changes_of_an_account_are_told(org: Organisation, change: str, event: str, data: dict[str, Any]) -> None:
    query: Any = f"update public.whatsapp_sessions set {change} where id = %s"
    row = told(org, "admin", query, org.session)
    assert (row["event_type"], row["session_id"]) == (event, org.session)
    assert row["event_data"].items() >= data.items()


def test_an_accounts_coming_and_going_is_told(db: Db, org: Organisation) -> None:
    made = org.add_session(phone_number=PHONE)
    (created,) = (e for e in events(org) if e["session_id"] == made)
    assert created["event_type"] == "session.created"
    row = told(org, "owner", "delete from public.whatsapp_sessions where id = %s", made)
    assert (row["event_type"], row["event_data"]["phone"]) == ("session.deleted", "…67")
    with db.speaking_as("service_role"):
        db.run("update public.whatsapp_sessions set desired_state = 'disconnected' where id = %s", org.session)
    assert [e["event_type"] for e in events(org) if e["actor"] == "service_role"] == ["session.wish_changed"]


def test_settings_are_named_without_their_values(org: Organisation) -> None:
    row = told(
        org,
        "admin",
        "update public.workshop_automation_config set opt_out_words = '{secretword}', require_opt_in = true"
        " where organization_id = %s",
        org.id,
    )
    assert row["event_data"] == {"keys": ["opt_out_words", "require_opt_in"]}


def test_an_endpoint_is_told_by_its_host(org: Organisation) -> None:
    row = told(
        org,
        "admin",
        "insert into public.whatsapp_webhook_endpoints (organization_id, url)"
        " values (%s, 'https://hooks.example.org/a-secret-path')",
        org.id,
    )
    assert (row["event_type"], row["event_data"]["host"]) == ("endpoint.created", "hooks.example.org")
    assert "secret" not in json.dumps(row["event_data"])


def test_who_may_see_a_private_account_is_told(org: Organisation) -> None:
    row = told(
        org,
        "admin",
        "insert into public.whatsapp_session_users (organization_id, session_id, user_id) values (%s, %s, %s)",
        org.id,
        org.session,
        org.people["member"],
    )
    assert row["event_type"] == "session.user_added"
    assert row["event_data"] == {"user_id": str(org.people["member"])}


def test_a_campaigns_steps_are_told(db: Db, org: Organisation) -> None:
    campaign = db.insert("public.whatsapp_campaigns", organization_id=org.id, name="Autumn")
    row = told(org, "admin", "update public.whatsapp_campaigns set state = 'running' where id = %s", campaign)
    assert row["event_data"] == {"campaign_id": str(campaign), "from": "draft", "to": "running"}


STEPS = [
    ({}, "cancelled", "message.cancelled"),
    ({"status": "failed", "error_code": "x"}, "pending", "message.retried"),
    ({"status": "in_doubt", "error_code": "x"}, "failed", "message.settled"),
]


@pytest.mark.parametrize(("message", "to", "event"), STEPS, ids=lambda v: str(v))
def test_what_a_person_does_to_a_message_is_told(
    org: Organisation, message: dict[str, object], to: str, event: str
) -> None:
    made = org.schedule(**message, message_content="a secret")
    row = told(org, "admin", "update public.scheduled_whatsapp_messages set status = %s where id = %s", to, made)
    assert (row["event_type"], row["session_id"]) == (event, org.session)
    assert row["event_data"]["phone"] == "…67"
    assert not {"secret", PHONE[1:]} & set(json.dumps(row["event_data"]).split('"'))


def test_what_the_worker_does_all_day_is_not(org: Organisation, run: Run) -> None:
    clear(org)
    for outcome in ("accepted", "unavailable"):
        org.schedule()
        run.settle(run.claim_one(), outcome, wa_message_id="3EB0")
    run.report(org.session, status="error", last_error="x")
    run.heartbeat()
    assert events(org) == []


def test_linking_a_workshop_is_told(db: Db, org: Organisation) -> None:
    workshop = db.insert("public.workshops", organization_id=org.id, title="Raku", starts_at="2030-01-01T18:00Z")
    link: LiteralString = "update public.workshops set whatsapp_group_id = %s where id = %s"
    clear(org)
    for group in (org.group, None):
        with db.speaking_as("authenticated", org.people["admin"]):
            db.run(link, group, workshop)
    found = [e for e in events(org) if e["event_type"].startswith("workshop.")]
    assert [e["event_type"] for e in found] == ["workshop.linked", "workshop.unlinked"]


def test_consent_is_told_with_the_numbers_end(org: Organisation) -> None:
    person = contact(org)
    clear(org)
    opt_out(org, person)
    row = told(org, "owner", "update public.whatsapp_contacts set opted_out_at = null where id = %s", person)
    assert row["event_type"] == "contact.opt_out_taken_back"
    assert row["event_data"] == {"contact_id": str(person), "phone": "…67", "source": "crm"}
    row = told(org, "owner", "update public.whatsapp_contacts set opted_in_at = now() where id = %s", person)
    assert row["event_type"] == "contact.opted_in"


# == it stays ==


@pytest.fixture
def entry(org: Organisation) -> UUID:
    return org.db.insert("public.whatsapp_audit_logs", organization_id=org.id, event_type="test.told")


CHANGES: tuple[LiteralString, ...] = (
    "update public.whatsapp_audit_logs set event_type = 'test.other' where id = %s",
    "delete from public.whatsapp_audit_logs where id = %s",
)


@pytest.mark.parametrize("change", CHANGES, ids=("update", "delete"))
def test_nobody_changes_or_removes_a_row(db: Db, org: Organisation, entry: UUID, change: LiteralString) -> None:
    assert db.refusal(change, entry) == DENIED
    for role in ("service_role", "authenticated"):
        with db.speaking_as(role, org.people["super_admin"]):
            assert db.refusal(change, entry) == DENIED


def test_nobody_empties_the_audit(db: Db) -> None:
    with refused(db, "append-only"):
        db.run("truncate public.whatsapp_audit_logs")


def test_it_leaves_with_its_retention_or_its_organisation(db: Db, org: Organisation, entry: UUID) -> None:
    db.pass_time(359 * 86400)
    assert db.refusal(CHANGES[1], entry) == DENIED
    db.pass_time(2 * 86400)
    assert db.run(CHANGES[1], entry) == 1
    db.insert("public.whatsapp_audit_logs", organization_id=org.id, event_type="test.told")
    db.run("delete from public.organizations where id = %s", org.id)
    assert events(org) == []
