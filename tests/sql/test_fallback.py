"""Due messages that no worker claims: which those are, what is done about it each minute, and whom it is told."""

from uuid import UUID

import pytest

from tests.kit.database import Db, Organisation, Row, Run
from tests.kit.holds import alter, configure, contact, quiet

LATE = 9.0  #: seconds after which a message that nobody looked at is overdue
SECRET = "s" * 40


def overdue(db: Db, org: Organisation) -> bool:
    return org.session in [row["session_id"] for row in db.rows("select * from herald.overdue_accounts()")]


def tick(db: Db) -> str:
    """What the job of each minute does."""
    return str(db.value("select herald.run_fallback()"))


def report(db: Db, problem: str | None) -> None:
    with db.speaking_as("service_role"):
        db.call("whatsapp_fallback_report", p_problem=problem)


def alerts(db: Db) -> list[Row]:
    return db.rows("select * from public.whatsapp_alerts where kind = 'queue-not-drained'")


def reasons(db: Db) -> list[tuple[str, bool]]:
    """Of each alert its reason, and whether it is open."""
    return sorted((alert["details"]["reason"], alert["resolved_at"] is None) for alert in alerts(db))


@pytest.fixture
def configured(db: Db) -> None:
    """pg_net and the Vault's secrets are there."""
    db.run("create extension if not exists pg_net with schema extensions")
    db.run("select vault.create_secret('http://127.0.0.1:9/functions/v1/', 'herald_functions_url')")
    db.run("select vault.create_secret(%s, 'herald_cron_secret')", SECRET)


# -- which messages -------------------------------------------------------------------------------------------


def test_a_message_without_a_worker_is_overdue_after_eight_seconds(db: Db, org: Organisation) -> None:
    org.schedule()
    db.pass_time(7)
    assert not overdue(db, org)
    db.pass_time(2)
    assert overdue(db, org)


def test_a_message_that_is_not_due_is_not_overdue(db: Db, org: Organisation) -> None:
    message = org.schedule()
    db.run(
        "update public.scheduled_whatsapp_messages set scheduled_for = now() + interval '1 hour' where id = %s",
        message,
    )
    db.pass_time(LATE)
    assert not overdue(db, org)


def test_what_a_rule_holds_back_is_not_overdue(db: Db, org: Organisation) -> None:
    org.schedule()
    db.pass_time(LATE)
    assert overdue(db, org)
    alter(org, paused_until=db.value("select herald.clock() + interval '1 hour'"))
    assert not overdue(db, org)
    alter(org, paused_until=None)
    now = db.now()
    configure(org, quiet_hours=quiet(now.replace(minute=0), now.replace(hour=(now.hour + 1) % 24, minute=59)))
    assert not overdue(db, org)
    configure(org, quiet_hours=None)
    assert overdue(db, org)
    contact(org, opted_out_at=db.now())
    assert not overdue(db, org)


@pytest.mark.parametrize("status", ["qr_pending", "logged_out", "banned"])
def test_an_account_that_a_person_has_to_link_is_not_overdue(db: Db, org: Organisation, status: str) -> None:
    org.schedule()
    alter(org, status=status)
    db.pass_time(LATE)
    assert not overdue(db, org)


def test_an_account_that_is_switched_off_is_not_overdue(db: Db, org: Organisation) -> None:
    org.schedule()
    db.pass_time(LATE)
    alter(org, desired_state="disconnected")
    assert not overdue(db, org)


def test_a_worker_that_looks_keeps_the_fallback_quiet_and_one_that_does_not_calls_it(
    db: Db, org: Organisation, run: Run
) -> None:
    org.schedule()
    db.pass_time(LATE)
    assert overdue(db, org)  # it holds the account and has never looked
    claim = run.claim_one()
    assert not overdue(db, org)  # one is in flight
    run.accept(claim)
    org.schedule()
    assert not overdue(db, org)
    db.pass_time(LATE)
    run.heartbeat()
    assert overdue(db, org)


def test_an_account_that_leaves_time_between_messages_is_not_overdue(db: Db, org: Organisation, run: Run) -> None:
    alter(org, min_gap_ms=60_000)
    org.schedule()
    org.schedule()
    run.accept(run.claim_one())
    db.pass_time(LATE)
    run.heartbeat(lease=300)
    assert not overdue(db, org)
    db.pass_time(60 * 1.4 + LATE)
    assert overdue(db, org)


def test_an_account_that_a_worker_is_connecting_is_not_overdue_until_that_worker_is_gone(
    db: Db, org: Organisation
) -> None:
    org.schedule()
    Run(db).heartbeat()
    db.pass_time(LATE)
    assert not overdue(db, org)
    db.pass_time(LATE + 10)
    assert overdue(db, org)


# -- each minute ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("org", "configured")
def test_nothing_is_called_while_nothing_is_overdue(db: Db) -> None:
    assert tick(db) == "nothing is overdue"
    assert db.rows("select * from net.http_request_queue") == []


@pytest.mark.usefixtures("configured")
def test_the_function_is_called_with_the_vaults_secret(db: Db, org: Organisation) -> None:
    org.schedule()
    db.pass_time(LATE)
    tick(db)
    call = db.row("select method, url, headers from net.http_request_queue")
    assert (call["method"], call["url"]) == ("POST", "http://127.0.0.1:9/functions/v1/process-whatsapp-queue")
    assert call["headers"] == {"Content-Type": "application/json", "X-Cron-Secret": SECRET}
    assert alerts(db) == []


def test_a_missing_secret_is_told_once_and_resolved_when_the_queue_moves_again(db: Db, org: Organisation) -> None:
    org.schedule()
    db.pass_time(LATE)
    for _ in range(3):
        assert tick(db) == "secrets-missing"
        db.pass_time(60)
    (alert,) = alerts(db)
    assert (alert["organization_id"], alert["severity"], alert["raised_count"]) == (None, "critical", 1)
    assert "herald_cron_secret" in alert["message"]
    assert alert["resolved_at"] is None
    assert alert["details"]["accounts"] == 1
    run = Run(db).connect(org.session)
    run.accept(run.claim_one())
    tick(db)
    assert reasons(db) == [("secrets-missing", False)]


@pytest.mark.usefixtures("configured")
def test_what_prevented_the_waking_is_told_once_and_another_reason_in_the_same_alert(
    db: Db, org: Organisation
) -> None:
    org.schedule()
    db.pass_time(LATE)
    for _ in range(3):
        tick(db)
        report(db, "vps-unreachable")
        db.pass_time(60)
    assert reasons(db) == [("vps-unreachable", True)]
    assert "pm2 status" in alerts(db)[0]["message"]
    report(db, "vps-refused-key")
    assert reasons(db) == [("vps-refused-key", True)]
    assert alerts(db)[0]["raised_count"] == 2


@pytest.mark.usefixtures("configured")
def test_a_worker_that_was_woken_and_claims_nothing_is_told(db: Db, org: Organisation) -> None:
    org.schedule()
    db.pass_time(LATE)
    tick(db)
    report(db, None)
    assert alerts(db) == []
    db.pass_time(60)
    tick(db)
    assert reasons(db) == [("woken-in-vain", True)]


@pytest.mark.usefixtures("configured")
def test_a_worker_that_was_woken_and_claimed_is_not_blamed_for_what_comes_later(db: Db, org: Organisation) -> None:
    first = org.schedule()
    db.pass_time(LATE)
    tick(db)
    report(db, None)
    db.run("update public.scheduled_whatsapp_messages set status = 'cancelled' where id = %s", first)
    tick(db)
    org.schedule()
    db.pass_time(LATE)
    tick(db)
    assert alerts(db) == []


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("status", "reason"),
    [(None, "function-silent"), (401, "function-refused"), (404, "function-missing"), (500, "function-failed")],
)
def test_a_function_that_did_not_report_is_told(
    db: Db, org: Organisation, status: int | None, reason: str
) -> None:
    org.schedule()
    db.pass_time(LATE)
    tick(db)
    request = db.value("select request_id from herald.fallback")
    if status:
        db.run("insert into net._http_response (id, status_code) values (%s, %s)", request, status)
    db.pass_time(60)
    tick(db)
    assert reasons(db) == [(reason, True)]


@pytest.mark.usefixtures("configured")
def test_a_call_of_long_ago_is_no_reason(db: Db, org: Organisation) -> None:
    org.schedule()
    db.pass_time(LATE)
    tick(db)
    db.pass_time(3600)
    tick(db)
    assert alerts(db) == []


def test_an_alert_that_a_person_resolved_comes_again_while_it_is_true(db: Db, org: Organisation) -> None:
    org.schedule()
    db.pass_time(LATE)
    tick(db)
    with db.speaking_as("authenticated", org.people["super_admin"]):
        db.run("update public.whatsapp_alerts set resolved_at = now() where kind = 'queue-not-drained'")
    tick(db)
    assert reasons(db) == [("secrets-missing", False), ("secrets-missing", True)]


def test_a_report_is_a_code(db: Db) -> None:
    assert db.refusal("select public.whatsapp_fallback_report('<b>')") == "22023"


def test_the_house_is_kept_when_no_worker_does(db: Db, org: Organisation) -> None:
    message = org.schedule(expires_at=db.value("select herald.clock() + interval '1 minute'"))
    Run(db)
    assert db.value("select herald.keep_house()") == "a worker does it"
    db.pass_time(61)
    assert db.value("select herald.keep_house()") == "done"
    assert (org.status(message), org.message(message)["error_code"]) == ("failed", "expired")


# -- the schedule ---------------------------------------------------------------------------------------------


def jobs(db: Db) -> dict[str, str]:
    return {row["jobname"]: row["command"] for row in db.rows("select jobname, command from cron.job")}


def test_the_schedule_says_what_is_missing(db: Db) -> None:
    with (
        pytest.raises(Exception, match=r"vault\.create_secret.*herald_functions_url") as refused,
        db.connection.transaction(),
    ):
        db.run("select herald.schedule_fallback()")
    assert "herald_cron_secret" in str(refused.value)


@pytest.mark.usefixtures("configured")
def test_the_schedule_is_made_once_and_taken_away(db: Db) -> None:
    for _ in range(2):
        assert len(db.rows("select herald.schedule_fallback()")) == 3
    assert set(jobs(db)) == {"herald-fallback", "herald-housekeeping", "herald-session-cleanup"}
    assert SECRET not in str(db.rows("select * from cron.job"))
    for _ in range(2):
        db.run("select herald.unschedule_fallback()")
        assert jobs(db) == {}


@pytest.mark.parametrize(
    ("url", "secret", "words"),
    [
        ("http://crm.example/functions/v1", SECRET, "https://"),
        ("https://x.example/functions/v1", "short", "32 char"),
    ],
)
def test_a_secret_that_is_none_is_refused(db: Db, url: str, secret: str, words: str) -> None:
    db.run(
        "select vault.create_secret(%s, 'herald_functions_url'), vault.create_secret(%s, 'herald_cron_secret')",
        url,
        secret,
    )
    with pytest.raises(Exception, match=words), db.connection.transaction():
        db.run("select herald.schedule_fallback()")


def test_people_and_the_api_neither_read_nor_run_the_fallback(db: Db, org: Organisation) -> None:
    for role, user in (("anon", None), ("authenticated", org.people["super_admin"])):
        with db.speaking_as(role, user):
            for call in ("herald.run_fallback()", "herald.schedule_fallback()", "public.whatsapp_fallback_due()"):
                assert db.refusal(f"select {call}") == "42501", (role, call)
            assert db.refusal("select * from herald.fallback") == "42501"
    assert isinstance(org.id, UUID)
