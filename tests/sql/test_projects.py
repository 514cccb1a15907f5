"""The migrations in a new project, and in one with a CRM of its own that grants everything by itself."""

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import LiteralString

import pytest
from psycopg.types.json import Jsonb

from localstack.client import LocalStack, Stack
from localstack.layout import REPOSITORY
from localstack.migrations import CLI, migrate
from tests.kit.database import DENIED, Db, Organisation
from tests.sql.projects.catalog import catalog

#: As projects were made before 2026-10-30: everything in public is granted to the API's roles.
OLD_PROJECT = """
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
"""
CRM = """
create table public.organizations (
  id uuid primary key default gen_random_uuid(), name text not null, plan text not null default 'free'
);
create table public.profiles (
  id uuid primary key references auth.users (id), organization_id uuid references public.organizations (id),
  role text not null, email text, preferences jsonb not null default '{}'
);
create table public.workshops (
  id uuid primary key default gen_random_uuid(), organization_id uuid not null references public.organizations (id)
  on delete cascade, title text not null, starts_at timestamptz not null, timezone text, room text
);
alter table public.organizations enable row level security;
alter table public.profiles enable row level security;
alter table public.workshops enable row level security;
create policy "everyone reads" on public.workshops for select to authenticated using (true);
insert into public.organizations (name) values ('Pottery');
insert into public.workshops (organization_id, title, starts_at, room)
select id, 'Glazing', '2030-01-01 10:00Z', 'Cellar' from public.organizations;
"""
#: What a visitor or a person may do with Herald's tables and functions.
PEOPLES_RIGHTS = """
select g.grantee::text, g.table_name || '.' || g.column_name as what, g.privilege_type as verb
from information_schema.column_privileges as g
where g.table_schema in ('public', 'herald') and g.table_name not in ('organizations', 'profiles', 'workshops')
  and g.grantee in ('anon', 'authenticated', 'PUBLIC')
union
select g.grantee, g.table_name, g.privilege_type from information_schema.table_privileges as g
where g.table_schema in ('public', 'herald') and g.table_name not in ('organizations', 'profiles', 'workshops')
  and g.grantee in ('anon', 'authenticated', 'PUBLIC')
union
select r.name, p.oid::regprocedure::text, 'EXECUTE'
from pg_proc as p cross join unnest(array['anon', 'authenticated']) as r (name)
where p.pronamespace::regnamespace::text in ('public', 'herald')
  and has_function_privilege(r.name, p.oid, 'execute')
order by grantee, what, verb
"""


@pytest.fixture(scope="module")
def old_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("crm"), migrate=False) as stack:
        with Db.connect(stack.database_url, autocommit=True) as db:
            db.run(OLD_PROJECT)
            db.run(CRM)
        assert migrate(stack.database_url) > 0
        yield stack


@pytest.fixture
def crm(old_project: Stack) -> Iterator[Db]:
    with Db.connect(old_project.database_url) as db:
        yield db


def test_all_of_a_new_project_belongs_to_a_role_that_is_no_superuser(db: Db) -> None:
    assert db.row("select current_user::text as name, rolsuper from pg_roles where rolname = current_user") == {
        "name": "postgres",
        "rolsuper": False,
    }
    owners = db.rows(
        "select distinct o.owner::regrole::text as name from ("
        " select relowner from pg_class where relnamespace::regnamespace::text in ('public', 'herald')"
        " union select proowner from pg_proc where pronamespace::regnamespace::text in ('public', 'herald')"
        ") as o (owner)"
    )
    assert owners == [{"name": "postgres"}]


def test_a_second_push_changes_nothing(stack: Stack, db: Db) -> None:
    before = catalog(db)
    migrate(stack.database_url)
    assert catalog(db) == before


def test_whatever_has_updated_at_keeps_it_true(db: Db) -> None:
    rows = db.rows(
        "select a.attrelid::regclass::text as name from pg_attribute as a"
        " join pg_class as c on c.oid = a.attrelid and c.relkind = 'r'"
        " where c.relnamespace::regnamespace::text in ('public', 'herald') and a.attname = 'updated_at'"
        " and not exists (select 1 from pg_trigger as t join pg_proc as p on p.oid = t.tgfoid"
        " where t.tgrelid = c.oid and t.tgtype & 2 = 2 and t.tgtype & 16 = 16"
        " and p.prosrc like '%%new.updated_at := herald.clock()%%')"
    )
    assert rows == []


def test_a_new_projects_workshop_is_told_with_its_attendees(db: Db, org: Organisation) -> None:
    workshop = db.insert(
        "public.workshops",
        organization_id=org.id,
        title="Glazing",
        starts_at="2030-01-01T10:00Z",
        timezone="Asia/Tokyo",
    )
    for name, phone, status in (("Mira", "+491701", "attended"), ("Noah", "+491702", "cancelled")):
        db.insert(
            "public.workshop_attendees",
            **{"organization_id": org.id, "workshop_id": workshop, "name": name, "phone": f"{phone}23456"},
            **{"status": status, "attributes": Jsonb({"ticket": "vip"})},
        )
    assert db.row("select * from herald.workshop_facts(%s)", workshop) == {
        "workshop_id": workshop,
        "organization_id": org.id,
        "title": "Glazing",
        "starts_at": datetime(2030, 1, 1, 10, tzinfo=UTC),
        "timezone": "Asia/Tokyo",
    }
    assert db.rows("select * from herald.workshop_attendees(%s)", workshop) == [
        {"phone": "+49170123456", "name": "Mira", "attributes": {"ticket": "vip", "status": "attended"}}
    ]
    assert db.value("select herald.workshop_variables(%s)", workshop) == {}
    assert db.rows("select * from herald.workshop_facts(%s)", org.id) == []


def test_attendees_belong_to_a_workshop_of_their_own_organisation(db: Db, org: Organisation) -> None:
    other = Organisation(db)
    workshop = db.insert("public.workshops", organization_id=other.id, title="Felting", starts_at="2030-01-01Z")
    add: LiteralString = (
        "insert into public.workshop_attendees (organization_id, workshop_id, phone)"
        " values (%s, %s, '+49170123456')"
    )
    with db.speaking_as("authenticated", org.people["admin"]):
        assert db.refusal(add, org.id, workshop) == "23503"
        assert db.refusal(add, other.id, workshop) == DENIED


def test_a_person_cancels_a_notification_but_writes_no_result(db: Db, org: Organisation) -> None:
    waiting = db.insert("public.notification_queue", organization_id=org.id, type="email", template="welcome")
    with db.speaking_as("authenticated", org.people["admin"]):
        change: LiteralString = "update public.notification_queue set status = %s where id = %s"
        assert db.refusal(change, "sent", waiting) == DENIED
        assert db.refusal("update public.notification_queue set sent_at = now()") == DENIED
        assert db.run(change, "cancelled", waiting) == 1
        assert db.run("update public.notification_queue set priority = 9 where id = %s", waiting) == 0
    with db.speaking_as("authenticated", org.people["member"]):
        assert db.run(change, "cancelled", waiting) == 0


def test_a_crms_own_rows_and_policies_stay(crm: Db) -> None:
    row = crm.row("select title, room, whatsapp_group_id from public.workshops")
    assert row == {"title": "Glazing", "room": "Cellar", "whatsapp_group_id": None}
    policies = crm.rows("select policyname from pg_policies where tablename = 'workshops'")
    assert policies == [{"policyname": "everyone reads"}]


def test_a_crms_own_people_have_their_rights(crm: Db) -> None:
    org = Organisation(crm)
    message = org.schedule()
    with crm.speaking_as("authenticated", org.people["admin"]):
        assert len(crm.rows("select 1 from public.whatsapp_sessions")) == 1
    with crm.speaking_as("authenticated", org.people["member"]):
        assert crm.rows("select 1 from public.whatsapp_sessions") == []
        assert crm.value("select id from public.scheduled_whatsapp_messages") == message


def test_what_an_older_project_grants_by_itself_is_taken_back(db: Db, crm: Db) -> None:
    assert crm.rows(PEOPLES_RIGHTS) == db.rows(PEOPLES_RIGHTS)
    assert {row["grantee"] for row in crm.rows(PEOPLES_RIGHTS)} == {"authenticated"}
    with crm.speaking_as("authenticated"):
        assert crm.refusal("update public.whatsapp_sessions set status = 'error'") == DENIED
        assert crm.refusal("select public.whatsapp_reap()") == DENIED
        assert crm.refusal("truncate public.scheduled_whatsapp_messages cascade") == DENIED


def test_supabases_advisors_find_nothing(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = str(tmp_path_factory.mktemp("advisors"))
    result = subprocess.run(
        [
            *(CLI, "db", "advisors", f"--remote={stack.database_url}", "--yes", "--agent=no"),
            *("--type", "all", "--level", "warn", "--fail-on", "warn", "--workdir", home),
        ],
        env={"PATH": os.environ["PATH"], "HOME": home, "DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout
    assert "No issues found" in result.stdout + result.stderr


def test_the_migrations_pass_squawk() -> None:
    squawk = REPOSITORY / ".venv/bin/squawk"
    files = sorted((REPOSITORY / "supabase/migrations").glob("*.sql"))
    result = subprocess.run([squawk, *files], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout
