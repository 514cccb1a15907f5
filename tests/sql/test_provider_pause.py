"""A provider that finds an account too fast pauses the account, not one message after the other."""

from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation, Row, Run


def too_fast(run: Run, claim: Row, pause: float = 120.0) -> Row:
    """Settle a claim in an exchange, as the worker does after a 429; the exchange's answer."""
    result = {
        "message_id": claim["message_id"],
        "token": claim["token"],
        "outcome": "unavailable",
        "code": "wa-rate-limited",
        "reason": "too fast",
        "retry_after": pause,
        "pause": pause,
    }
    answer: Row = run.db.call("whatsapp_settle_and_claim", p_run=run.id, p_results=Jsonb([result]), p_limit=50)
    return answer


def test_the_exchange_that_says_so_claims_nothing_more_for_the_account(
    db: Db, org: Organisation, run: Run
) -> None:
    org.schedule()
    org.schedule()
    other = org.add_session()
    run.connect(other)
    claim = run.claim_one()
    org.schedule(session_id=other)
    answer = too_fast(run, claim)
    assert [one["session_id"] for one in answer["claims"]] == [str(other)]
    row = org.message(UUID(claim["message_id"]))
    assert (row["status"], row["error_code"], row["retry_count"]) == ("pending", "wa-rate-limited", 0)
    session = db.row("select paused_until, pause_reason from public.whatsapp_sessions where id = %s", org.session)
    assert 119 <= (session["paused_until"] - db.now()).total_seconds() <= 121
    assert "too fast" in session["pause_reason"]
    db.pass_time(15)
    run.heartbeat()
    assert run.claim() == []
    for _ in range(8):
        db.pass_time(15)
        run.heartbeat()
    assert len(run.claim()) == 1  # the account's; the other one still has its first in flight


def test_a_longer_pause_that_a_person_set_stays(db: Db, org: Organisation, run: Run) -> None:
    org.schedule()
    claim = run.claim_one()
    until = db.value(
        "update public.whatsapp_sessions set pause_reason = 'holiday',"
        " paused_until = herald.clock() + interval '1 day' where id = %s returning paused_until",
        org.session,
    )
    too_fast(run, claim)
    session = db.row("select paused_until, pause_reason from public.whatsapp_sessions where id = %s", org.session)
    assert (session["paused_until"], session["pause_reason"]) == (until, "holiday")


@pytest.mark.parametrize("change", ["token", "lease"])
def test_who_may_not_settle_may_not_pause(db: Db, org: Organisation, run: Run, change: str) -> None:
    org.schedule()
    claim = run.claim_one()
    if change == "token":
        claim = claim | {"token": "00000000-0000-0000-0000-000000000000"}
    else:
        db.run("update herald.session_leases set epoch = epoch + 1 where session_id = %s", org.session)
    too_fast(run, claim)
    assert db.value("select paused_until from public.whatsapp_sessions where id = %s", org.session) is None
