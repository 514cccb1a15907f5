"""Accounts that show what is no longer true."""

from datetime import timedelta
from itertools import product

from tests.kit.database import Db, Organisation, Row, Run
from tests.kit.holds import alter

QR = "data:image/png;base64,AAAA"


def clean(db: Db) -> Row:
    with db.speaking_as("service_role"):
        answer: Row = db.call("whatsapp_session_cleanup")
    return answer


def session(db: Db, org: Organisation) -> Row:
    return db.row("select * from public.whatsapp_sessions where id = %s", org.session)


def test_a_code_that_nobody_renews_is_taken_away(db: Db, org: Organisation) -> None:
    alter(org, status="qr_pending")
    alter(org, qr_code=QR, pairing_code="ABCD1234", qr_expires_at=db.now() + timedelta(seconds=60))
    db.pass_time(110)
    assert clean(db)["stale_qr"] == 0
    db.pass_time(20)
    assert clean(db)["stale_qr"] == 1
    row = session(db, org)
    assert (row["qr_code"], row["pairing_code"], row["status"]) == (None, None, "connecting")
    assert "expired" in row["last_error"]
    assert clean(db)["stale_qr"] == 0


def test_an_account_whose_worker_is_gone_no_longer_says_that_it_is_connected(
    db: Db, org: Organisation, run: Run
) -> None:
    db.pass_time(50)
    assert clean(db)["not_served"] == 0
    assert session(db, org)["status"] == "connected"
    db.pass_time(40)
    assert clean(db)["not_served"] == 1
    row = session(db, org)
    assert (row["status"], row["desired_state"], row["last_disconnected_at"]) == (
        "connecting",
        "connected",
        db.now(),
    )
    assert "No worker" in row["last_error"]
    run.connect(org.session)
    assert (session(db, org)["status"], clean(db)["not_served"]) == ("connected", 0)


def test_an_account_that_is_being_handed_over_keeps_its_state(db: Db, org: Organisation, run: Run) -> None:
    db.call("whatsapp_lease_release", **run.fence(org.session))
    db.pass_time(30)
    assert clean(db)["not_served"] == 0
    db.pass_time(31)
    assert clean(db)["not_served"] == 1


def test_workers_of_last_month_and_old_runs_of_the_jobs_are_forgotten(db: Db) -> None:
    db.run("create extension if not exists pg_cron with schema pg_catalog")
    job = db.value("select cron.schedule('herald-fallback', '0 0 1 1 *', 'select 1')")
    other = db.value("select cron.schedule('theirs', '0 0 1 1 *', 'select 1')")
    for number, (its, days) in enumerate(product((job, other), (6, 8))):
        db.run(
            "insert into cron.job_run_details (jobid, runid, username, end_time)"
            " values (%s, %s, 'postgres', now() - make_interval(days => %s))",
            *(its, 1_000_000 + number, days),
        )
    Run(db, worker="gone")
    assert (clean(db)["workers"], clean(db)["job_runs"]) == (0, 0)
    db.pass_time(31 * 86400)
    Run(db, worker="new")
    assert clean(db)["workers"] >= 1
    kept = db.rows("select worker_id from herald.workers where worker_id in ('gone', 'new')")
    assert [row["worker_id"] for row in kept] == ["new"]
