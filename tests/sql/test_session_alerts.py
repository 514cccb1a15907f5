"""Alerts that an account's holder raises and resolves, and nobody else."""

from typing import Any

from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation, Run
from tests.sql.test_leases import refused


def alert(db: Db, run: Run, org: Organisation, message: str | None) -> None:
    db.call(
        "whatsapp_session_alert",
        **run.fence(org.session),
        p_kind="crash-loop",
        p_message=message,
        p_details=Jsonb({"deaths": 2}),
    )


def alerts(db: Db, org: Organisation) -> list[tuple[Any, ...]]:
    rows = db.rows("select * from public.whatsapp_alerts where session_id = %s order by created_at", org.session)
    return [
        (row["organization_id"], row["message"], row["raised_count"], row["resolved_at"] is None) for row in rows
    ]


def test_an_alert_is_one_row_until_it_is_resolved(db: Db, org: Organisation, run: Run) -> None:
    alert(db, run, org, "It died twice.")
    alert(db, run, org, "It died three times.")
    assert alerts(db, org) == [(org.id, "It died three times.", 2, True)]
    alert(db, run, org, None)
    assert alerts(db, org) == [(org.id, "It died three times.", 2, False)]
    alert(db, run, org, None)


def test_only_the_holder_raises_one(db: Db, org: Organisation, run: Run) -> None:
    stale = run.fence(org.session)
    db.pass_time(30)
    Run(db).connect(org.session)
    with refused(db, "HR002"):
        db.call("whatsapp_session_alert", **stale, p_kind="crash-loop", p_message="It died twice.")
    assert alerts(db, org) == []
