"""What is done about once a minute: each step for itself, and nothing that a limit still needs is forgotten."""

from typing import LiteralString

import pytest

from localstack.client import Stack
from tests.kit.database import Db, Organisation, Row, Run
from tests.kit.holds import LONG, drain

#: Step → the function that does it, with its arguments' types and what it answers.
STEPS: dict[str, LiteralString] = {
    "tasks": "herald.run_due_tasks()",
    "groups": "herald.refresh_group_workshops()",
    "campaigns": "herald.count_campaigns()",
    "consent": "herald.suppress_late(integer)",
    "doubts": "herald.settle_doubts()",
    "erasures": "herald.apply_erasures()",
    "templates": "herald.count_template_uses()",
    "retention": "herald.apply_retention(integer)",
    "counts": "herald.forget_counts()",
}


def housekeeping(db: Db) -> Row:
    with db.speaking_as("service_role"):
        answer: Row = db.call("whatsapp_housekeeping")
    return answer


def break_step(db: Db, step: str) -> None:
    definition = str(db.value("select pg_get_functiondef(%s::regprocedure)", STEPS[step]))
    head = definition.split("LANGUAGE", 1)[0]
    body = f"{head} language plpgsql as $$ begin raise exception 'Broken {step}.'; end $$"
    db.connection.execute(body.encode())


def alerts(db: Db) -> list[Row]:
    return db.rows("select * from public.whatsapp_alerts where kind = 'housekeeping-failed'")


def test_every_step_is_done_and_none_fails(db: Db, org: Organisation) -> None:
    assert org.session
    answer = housekeeping(db)
    assert answer.pop("errors") == {}
    assert answer.keys() == STEPS.keys()
    assert alerts(db) == []


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_does_not_stop_the_others_and_calls_the_operator(db: Db, step: str) -> None:
    break_step(db, step)
    answer = housekeeping(db)
    assert answer.pop("errors") == {step: f"Broken {step}."}
    assert answer.keys() == STEPS.keys() - {step}
    housekeeping(db)
    (alert,) = alerts(db)
    assert (alert["organization_id"], alert["severity"], alert["raised_count"]) == (None, "warning", 2)
    assert alert["details"] == {step: f"Broken {step}."}


def test_counts_are_forgotten_only_when_no_limit_looks_at_them(db: Db, org: Organisation, run: Run) -> None:
    run.heartbeat(lease=LONG)
    org.schedule(group_id=org.group)
    drain(run)
    db.call("whatsapp_direct_send_take", p_organization=org.id, p_limit=10)

    def left() -> set[str]:
        housekeeping(db)
        return {row["rule"] for row in db.rows("select rule from herald.send_counts")}

    assert left() == {"account", "group", "direct_send"}
    db.pass_time(3600 + 130)
    assert left() == {"account"}
    db.pass_time(22 * 3600)
    assert left() == {"account"}
    assert db.value("select herald.used('account', %s)", org.session) == 1
    db.pass_time(3 * 3600)
    assert left() == set()


def test_whom_a_business_wrote_to_is_forgotten_after_a_day(db: Db, org: Organisation) -> None:
    db.run("insert into herald.cloud_recipients values ('4711', 'x', herald.clock())")
    db.run("insert into herald.cloud_pairs values (%s, 'x', herald.clock() + interval '1 minute')", org.session)

    def left() -> object:
        housekeeping(db)
        return tuple(
            db.row(
                "select (select count(*) from herald.cloud_recipients) as people,"
                " (select count(*) from herald.cloud_pairs) as pairs"
            ).values()
        )

    assert left() == (1, 1)
    db.pass_time(61)
    assert left() == (1, 0)
    db.pass_time(24 * 3600)
    assert left() == (1, 0)
    db.pass_time(3600)
    assert left() == (0, 0)


def test_two_calls_that_cross_do_not_wait_for_each_other(stack: Stack, db: Db) -> None:
    db.call("whatsapp_housekeeping")
    with Db.connect(stack.database_url) as other:
        other.run("set local statement_timeout = '5s'")
        assert other.call("whatsapp_housekeeping") == {"errors": {}}


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_it_is_herald_s_own(db: Db, role: LiteralString) -> None:
    with db.speaking_as(role):
        assert db.refusal("select public.whatsapp_housekeeping()") == "42501"
