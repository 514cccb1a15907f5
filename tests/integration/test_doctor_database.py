"""The doctor finds what was spoiled in a project's database; the fix that it names fixes it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from localstack.client import LocalStack
from localstack.migrations import migrate
from tests.kit.database import Db, Organisation, Run
from tests.kit.doctor import Project, statements_of, told
from tests.kit.worker_process import until
from tests.sql.projects.folders import documented_adapter, up_to, with_adapter
from tests.sql.projects.test_own_crm import CRM
from worker.doctor.finding import Finding
from worker.doctor.schema import PUSH, compare, expected_facts

QUEUE = "public.scheduled_whatsapp_messages"
WORKER, PEOPLE = "The worker (service_role)", "Signed-in people (authenticated)"
VISITORS, EVERYONE = "Visitors who are not signed in (anon)", "Every role of the database (public)"
EXCHANGE = "public.whatsapp_settle_and_claim(uuid, jsonb, integer)"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with LocalStack.start(tmp_path_factory.mktemp("doctor") / "stack") as stack:
        yield Project(stack, tmp_path_factory.mktemp("state")).complete()


@dataclass(frozen=True)
class Ill:
    """What is done to a healthy project, the topic under which it is found, and words of what is said.

    cure: what undoes it where the fix is no statement; superuser: it takes one.
    """

    done: str
    topic: str
    words: str
    cure: str = ""
    superuser: bool = False


ILLS = {
    "the worker may not exchange with the queue": Ill(
        f"revoke execute on function {EXCHANGE} from service_role",
        "grants",
        f"{WORKER} may not call function {EXCHANGE}, but must.",
    ),
    "the worker may not read the queue": Ill(
        f"revoke select on {QUEUE} from service_role",
        "grants",
        f"{WORKER} may not read {QUEUE}, but must.",
    ),
    "the CRM may not read the queue": Ill(
        f"revoke select on {QUEUE} from authenticated",
        "grants",
        f"{PEOPLE} may not read {QUEUE}, but must.",
    ),
    "the CRM may not edit a column": Ill(
        f"revoke update (priority) on {QUEUE} from authenticated",
        "grants",
        f"{PEOPLE} may not change priority of {QUEUE}, but must.",
    ),
    "the CRM may not use the rules' schema": Ill(
        "revoke usage on schema herald from authenticated",
        "grants",
        f"{PEOPLE} may not use schema herald, but must.",
    ),
    "the CRM may write what only Herald may": Ill(
        f"grant update on {QUEUE} to authenticated",
        "grants",
        f"{PEOPLE} may change every column of {QUEUE}. It should be",
    ),
    "visitors read accounts": Ill(
        "grant select on public.whatsapp_sessions to anon",
        "grants",
        f"{VISITORS} may read public.whatsapp_sessions, but must not.",
    ),
    "visitors call a worker's function": Ill(
        "grant execute on function public.whatsapp_reap() to anon",
        "grants",
        f"{VISITORS} may call function public.whatsapp_reap(), but must not.",
    ),
    "everyone calls a private function": Ill(
        "grant execute on function herald.queue_overview() to public",
        "grants",
        f"{EVERYONE} may call",
    ),
    "row level security is off": Ill(
        f"alter table {QUEUE} disable row level security",
        "row level security",
        "Row level security is off",
    ),
    "a policy is gone": Ill(f"drop policy messages_select on {QUEUE}", "row level security", "is missing"),
    "a policy lets everyone in": Ill(
        f"drop policy messages_select on {QUEUE};\n"
        f"create policy messages_select on {QUEUE} for select to authenticated using (true)",
        "row level security",
        "The policy messages_select of public.scheduled_whatsapp_messages differs from",
    ),
    "a policy too many": Ill(
        f"create policy all_of_it on {QUEUE} for select to authenticated using (true)",
        "row level security",
        "The policy all_of_it on public.scheduled_whatsapp_messages is not Herald's",
    ),
    "a role passes by row level security": Ill(
        "alter role authenticated bypassrls",
        "row level security",
        "reads the rows of every organisation",
        superuser=True,
    ),
    "the worker's role is bound by row level security": Ill(
        "alter role service_role nobypassrls",
        "roles",
        "the worker sees no rows",
        superuser=True,
    ),
    "a guard is switched off": Ill(
        f"alter table {QUEUE} disable trigger message_guard",
        "schema",
        "message_guard",
        superuser=True,
    ),
    "a guard is gone": Ill(f"drop trigger message_guard on {QUEUE}", "schema", "message_guard"),
    "a guard was changed": Ill(
        f"drop trigger message_guard on {QUEUE};\n"
        f"create trigger message_guard before delete on {QUEUE} for each row execute function herald.touch()",
        "schema",
        "The trigger message_guard of public.scheduled_whatsapp_messages differs",
    ),
    "the CRM's workshops are no longer watched": Ill(
        "drop trigger whatsapp_workshop_changed on public.workshops",
        "schema",
        "whatsapp_workshop_changed",
    ),
    "a function was changed": Ill(
        "alter function herald.quiet_until(jsonb, text) security definer",
        "schema",
        "The function herald.quiet_until(jsonb, text) differs",
    ),
    "a function is gone": Ill(
        "drop function public.whatsapp_stats(uuid)",
        "schema",
        "The function public.whatsapp_stats(uuid) is missing.",
    ),
    "a view shows more than it should": Ill(
        "alter view public.whatsapp_open_messages set (security_invoker = false)",
        "row level security",
        "shows rows that row level security hides",
    ),
    "a private view runs with its caller's rights": Ill(
        "alter view herald.due_messages set (security_invoker = true)", "schema", "runs with its caller's rights"
    ),
    "a rule of the queue lets more through": Ill(
        "create or replace view herald.resting_campaigns as"
        " select k.id, k.organization_id from public.whatsapp_campaigns as k where false",
        "schema",
        "The view herald.resting_campaigns differs from this version's.",
    ),
    "a column has another type": Ill(
        "alter table public.whatsapp_alerts alter column acknowledged_at type date",
        "schema",
        "The column acknowledged_at of public.whatsapp_alerts differs",
        cure="alter table public.whatsapp_alerts alter column acknowledged_at type timestamptz",
    ),
    "a column is gone": Ill(
        "alter table herald.fallback drop column woken_at",
        "schema",
        "The column woken_at of herald.fallback is missing",
        cure="alter table herald.fallback add column woken_at timestamptz",
    ),
    "a constraint is gone": Ill(
        "alter table herald.fallback drop constraint fallback_is_one_row",
        "schema",
        "The constraint fallback_is_one_row of herald.fallback is missing",
        cure="alter table herald.fallback add constraint fallback_is_one_row check (only_row)",
    ),
    "an index is gone": Ill(
        "drop index herald.open_messages_pending_idx",
        "schema",
        "The index open_messages_pending_idx of herald.open_messages is missing",
    ),
    "Realtime leaves the queue out": Ill(
        f"alter publication supabase_realtime drop table {QUEUE}",
        "publication",
        QUEUE,
    ),
    "Realtime publishes what is private": Ill(
        "alter publication supabase_realtime add table herald.session_credentials",
        "publication",
        "private",
    ),
    "Realtime leaves updates out": Ill(
        "alter publication supabase_realtime set (publish = 'insert')",
        "publication",
        "inserts or updates",
    ),
    "the fallback's job is gone": Ill(
        "select cron.unschedule('herald-fallback')",
        "fallback",
        "herald-fallback is not scheduled",
    ),
    "the fallback's job is switched off": Ill(
        "select cron.alter_job(jobid, active => false) from cron.job where jobname = 'herald-fallback'",
        "fallback",
        "switched off or was changed",
    ),
    "the fallback does not know where the functions are": Ill(
        "delete from vault.secrets where name = 'herald_functions_url'",
        "fallback",
        "one step of its set-up is missing",
    ),
    "a rule's clock is wrong": Ill(
        "create or replace function herald.clock() returns timestamptz language sql stable set search_path = ''"
        " as $$ select now() + interval '1 hour' $$",
        "clock",
        "01:00:00 off the real time",
    ),
    "the adapter knows nobody": Ill(
        "create or replace function herald.my_organizations() returns setof uuid language sql stable"
        " security definer set search_path = '' as $$ select null::uuid where false $$",
        "adapter",
        "still denies everything",
        cure="create or replace function herald.my_organizations() returns setof uuid language sql stable"
        " security definer set search_path = '' as $$ select p.organization_id from public.profiles as p"
        " where p.id = (select auth.uid()) and p.organization_id is not null $$",
    ),
    "a migration is not applied": Ill(
        "delete from supabase_migrations.schema_migrations where version = '20261201000700'",
        "migrations",
        "not applied: 20261201000700_people.",
        cure="insert into supabase_migrations.schema_migrations (version, name)"
        " values ('20261201000700', 'people')",
    ),
    "the database is newer than the worker": Ill(
        "create function herald.of_tomorrow() returns int language sql set search_path = '' as 'select 1';\n"
        "revoke execute on function herald.of_tomorrow() from public",
        "migrations",
        "newer than this worker",
        cure="drop function herald.of_tomorrow()",
    ),
}


async def test_a_fresh_project_has_no_ill(project: Project) -> None:
    found = await project.ills()
    assert found == [], told(found)


@pytest.mark.parametrize("name", ILLS)
async def test_an_ill_is_found_and_its_fix_fixes_it(project: Project, name: str) -> None:
    ill = ILLS[name]
    project.run(ill.done, superuser=ill.superuser)
    found = await project.ills()
    about = [one for one in found if one.topic == ill.topic and ill.words in one.what]
    try:
        assert about, told(found)
        assert {one.topic for one in found} <= {ill.topic, "schema"}, told(found)
    finally:
        if ill.cure:
            project.run(ill.cure)
        for _ in range(2):  # a function that is made again lacks its grants first
            for statement in [one for ill in await project.ills() for one in statements_of(ill)]:
                project.run(statement, superuser=ill.superuser)
    assert (left := await project.ills()) == [], told(left)


async def test_a_table_that_is_gone_is_one_finding() -> None:
    """Not one for each column, policy and grant."""
    expected, _ = expected_facts()
    facts = {fact: value for fact, (value, _) in expected.items() if fact[0] != "herald.erasures"}
    found = list(compare(facts, None))
    assert [one.what for one in found] == ["The table herald.erasures is missing."]
    assert "supabase/migrations/20261201003800_privacy.sql" in found[0].fix


async def test_a_project_that_is_behind_is_told_to_migrate(tmp_path: Path) -> None:
    behind = up_to(tmp_path / "migrations", "credentials")
    with LocalStack.start(tmp_path / "stack", migrations=behind) as stack:
        [found] = await Project(stack, tmp_path).ills()
    assert (found.topic, found.fix) == ("migrations", PUSH)


async def test_a_crm_with_tables_of_its_own_has_no_ill(tmp_path: Path) -> None:
    migrations = with_adapter(tmp_path / "migrations", documented_adapter())
    with LocalStack.start(tmp_path / "stack", migrate=False) as stack:
        own = Project(stack, tmp_path)
        with Db.connect(stack.database_url, autocommit=True) as db:
            db.connection.execute(CRM)
        migrate(stack.database_url, migrations)

        async def look() -> list[Finding] | None:
            found = await own.ills()
            return None if [one for one in found if "has no Herald" in one.what] else found

        own.complete()
        found = await until(look, 10, "PostgREST to know the new functions")
    assert found == [], told(found)


@pytest.fixture
def pottery(project: Project) -> Iterator[Organisation]:
    """An organisation with an account that should be connected; it is gone afterwards."""
    with Db.connect(project.stack.database_url, autocommit=True) as db:
        yield Organisation(db)
        db.run("delete from public.organizations")
        db.run("delete from herald.workers")
        db.run("delete from public.whatsapp_alerts")


async def test_an_account_without_a_worker_is_found(project: Project, pottery: Organisation) -> None:
    [found] = await project.ills()
    assert (found.topic, found.fix) == ("workers", "pm2 start ecosystem.config.js"), told([found])
    Run(pottery.db, "clay-1").connect(pottery.session)
    assert await project.ills() == []


async def test_a_worker_that_died_is_found_and_can_be_forgotten(project: Project, pottery: Organisation) -> None:
    Run(pottery.db, "clay-1").connect(pottery.session)
    Run(pottery.db, "clay-2")
    pottery.db.run("update herald.workers set heartbeat_at = now() - interval '1 hour' where worker_id = 'clay-2'")
    [found] = await project.ills()
    assert "clay-2 has not reported for 01:00:" in found.what
    project.run(found.fix.rpartition(": ")[2])
    assert await project.ills() == []


async def test_an_account_that_nobody_has_room_for_is_found(project: Project, pottery: Organisation) -> None:
    other = pottery.add_session(updated_at=pottery.db.now())
    Run(pottery.db, "clay-1").connect(pottery.session)
    pottery.db.run("delete from herald.session_leases where session_id = %s", other)
    assert await project.ills() == [], "a minute is allowed"
    pottery.db.run("alter table public.whatsapp_sessions disable trigger touch")
    pottery.db.run("update public.whatsapp_sessions set updated_at = now() - interval '2 minutes'")
    pottery.db.run("alter table public.whatsapp_sessions enable trigger touch")
    [found] = await project.ills()
    assert found.what.startswith("No worker serves 1 of 2 accounts")
    assert "WORKER_MAX_SESSIONS" in found.fix


@pytest.mark.parametrize("status", ["error", "banned", "logged_out"])
async def test_an_account_that_needs_a_person_is_found(
    project: Project, pottery: Organisation, status: str
) -> None:
    run = Run(pottery.db, "clay-1").connect(pottery.session)
    run.report(pottery.session, status=status, last_error="Scan the QR code again.")
    found = [one for one in await project.ills() if one.topic == "accounts"]
    assert [str(pottery.session) in one.what and "herald sessions" in one.fix for one in found] == [True]


async def test_stuck_and_doubtful_messages_are_found(project: Project, pottery: Organisation) -> None:
    run = Run(pottery.db, "clay-1").connect(pottery.session)
    doubtful, stuck = pottery.schedule(), pottery.schedule()
    run.settle(run.claim_one(), "indeterminate", code="wa-timeout", reason="No answer came.")
    run.claim_one()
    pottery.db.run("update herald.message_claims set claimed_until = now() - interval '1 second'")
    found = [one for one in await project.ills() if one.topic == "queue"]
    assert {pottery.status(doubtful), pottery.status(stuck)} == {"in_doubt", "sending"}
    assert [("stuck" in one.what, "in doubt" in one.what) for one in found] == [(True, False), (False, True)]
    assert "herald queue settle" in found[1].fix


async def test_an_open_alert_is_found(project: Project, pottery: Organisation) -> None:
    pottery.db.run("select herald.raise_alert(null, null, 'housekeeping-failed', 'critical', 'A task failed.')")
    found = [one for one in await project.ills() if one.topic == "alerts"]
    assert [(one.severity, one.what) for one in found] == [("error", "A task failed. (housekeeping-failed)")]
    project.run(found[0].fix.partition(";")[0])
    assert [one for one in await project.ills() if one.topic == "alerts"] == []


async def test_a_secret_that_the_vault_has_lost_is_found(project: Project, pottery: Organisation) -> None:
    run = Run(pottery.db, "clay-1").connect(pottery.session)
    pottery.db.call("whatsapp_credentials_secret", **run.fence(pottery.session))
    sealed = {
        "p_generation": 1,
        "p_sealed": "Ag==",
        "p_key_id": "default",
        "p_incarnation": uuid4(),
        "p_clean": True,
    }
    pottery.db.call("whatsapp_credentials_write", **run.fence(pottery.session), **sealed)
    assert await project.ills() == []
    pottery.db.run("delete from vault.secrets where name = 'herald_sealing_' || %s", str(pottery.id))
    [found] = await project.ills()
    assert "The Vault no longer has the secret" in found.what


async def test_a_transaction_that_holds_old_rows_is_found_and_ended(project: Project) -> None:
    idle = psycopg.connect(project.stack.database_url)
    idle.execute("select 1")
    found = [one for one in await project.ills(old_seconds=0) if "idle in transaction" in one.what]
    assert [one.topic for one in found] == ["old transactions"]
    project.run(found[0].fix)
    with pytest.raises(psycopg.OperationalError):
        idle.execute("select 1")
    idle.close()
