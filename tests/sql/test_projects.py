"""The migrations in a project that is not new: a CRM with tables, users and grants of its own."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from localstack.client import LocalStack, Stack
from localstack.layout import REPOSITORY
from localstack.migrations import CLI, migrate
from tests.sql.test_catalog import FUNCTIONS, HELPERS, WRITABLE, anons, writable
from tests.sql.world import DENIED, Db, Organisation

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


def test_what_an_older_project_grants_by_itself_is_taken_back(crm: Db) -> None:
    assert writable(crm) == WRITABLE
    assert anons(crm) == []
    functions = crm.rows(FUNCTIONS)
    assert [f["name"] for f in functions if f["anon"]] == []
    assert {f["name"] for f in functions if f["authenticated"]} == HELPERS
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
