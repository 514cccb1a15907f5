"""Calls that ask an account's holder: who may, what is taken, what is answered in time and what later."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import Row, Run
from tests.kit.served_api import HOME_KEY, Ground, Person, Served
from tests.kit.worker_process import until


class Holder:
    """The worker of the home organisation's account, as far as the database sees it."""

    def __init__(self, ground: Ground, session: UUID) -> None:
        self.ground, self.session = ground, session
        self.run = Run(ground.db)

    def connect(self) -> None:
        self.ground.db.run(
            "update public.whatsapp_sessions set desired_state = 'connected' where id = %s", self.session
        )
        self.run.connect(self.session, lease=60)

    def disconnect(self) -> None:
        self.run.report(self.session, status="disconnected", desired_state="disconnected")
        self.ground.db.call("whatsapp_lease_release", **self.run.fence(self.session))

    async def takes(self) -> Row:
        """Wait for the next command."""

        async def look() -> Row | None:
            self.run.heartbeat(lease=60)
            taken: list[Row] = self.ground.db.call("whatsapp_commands_take", p_run=self.run.id)
            return taken[0] if taken else None

        return await until(look, 10, "a command")

    def answers(self, command: Row, result: Row | None = None, error: str | None = None) -> None:
        told = None if result is None else Jsonb(result)
        self.ground.db.call(
            "whatsapp_command_finish", p_run=self.run.id, p_command=command["id"], p_result=told, p_error=error
        )


@pytest.fixture
def holder(ground: Ground) -> Any:
    """The home account is connected, and somebody holds it."""
    made = Holder(ground, ground.home.session)
    made.connect()
    yield made
    ground.db.run("delete from public.whatsapp_commands")
    made.disconnect()


@pytest.fixture
def admin(ground: Ground) -> str:
    """The home organisation's admin's token."""
    return ground.token(Person.ADMIN)


async def test_a_group_is_made_by_the_holder(ground: Ground, api: Served, admin: str, holder: Holder) -> None:
    body = {"name": "Glazing", "participants": ["+49 170 987-6567", "77@lid"]}
    asking = asyncio.create_task(api.ask("POST", "/api/groups", token=admin, json=body))
    command = await holder.takes()
    assert command["kind"] == "create_group"
    assert command["arguments"] == {"name": "Glazing", "participants": ["+491709876567", "77@lid"]}
    outcome = {"member": "+491709876567", "ok": True, "code": "ok", "reason": None}
    made = {"group_jid": "1203630000@g.us", "name": "Glazing", "members": [outcome]}
    holder.answers(command, made)
    said = await asking
    assert (said.status, said.json) == (201, made)
    by = ground.db.value("select requested_by from public.whatsapp_commands where id = %s", command["id"])
    assert by == ground.users[Person.ADMIN]


async def test_what_takes_longer_is_answered_where_202_says(api: Served, admin: str, holder: Holder) -> None:
    said = await api.ask("POST", "/api/groups?wait=0", token=admin, json={"name": "Slow"})
    assert (said.status, said.json["state"]) == (202, "pending")
    command = await holder.takes()
    assert said.headers["Location"] == f"/api/commands/{command['id']}"
    made = {"group_jid": "1203630001@g.us", "name": "Slow", "members": []}
    holder.answers(command, made)
    later = await api.ask("GET", said.headers["Location"], token=admin)
    assert (later.status, later.json["state"], later.json["result"]) == (200, "done", made)


async def test_a_failure_is_told_in_the_workers_words(api: Served, admin: str, holder: Holder) -> None:
    asking = asyncio.create_task(api.ask("POST", "/api/groups", token=admin, json={"name": "No"}))
    holder.answers(await holder.takes(), error="WhatsApp finds this account too fast. Wait some minutes.")
    said = await asking
    assert (said.status, said.code) == (409, "command-failed")
    assert said.json["detail"] == "WhatsApp finds this account too fast. Wait some minutes."


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "arguments", "result"),
    [
        ("PATCH", "", {"name": "New", "locked": False}, "update_group", None, {"changed": {"name": "New"}}),
        ("GET", "/invite", None, "group_invite", {}, {"invite_link": "https://chat.whatsapp.com/x"}),
        ("POST", "/invite", None, "group_invite", {"reset": True}, {"invite_link": "https://chat.whatsapp.com/y"}),
        ("POST", "/members", {"action": "promote", "members": ["7@lid"]}, "group_members", None, None),
        ("POST", "/contacts/sync", None, "sync_contacts", {}, {"members": 3, "joined": 1, "left": 0}),
    ],
)
async def test_a_group_is_changed_through_the_account_in_it(
    ground: Ground,
    api: Served,
    holder: Holder,
    method: str,
    path: str,
    body: Row | None,
    kind: str,
    arguments: Row | None,
    result: Row | None,
) -> None:
    jid = ground.home.group_jid
    asking = asyncio.create_task(api.ask(method, f"/api/groups/{jid}{path}", key=HOME_KEY, json=body))
    command = await holder.takes()
    expected = body if arguments is None else arguments
    assert (command["kind"], command["arguments"]) == (kind, {"group_jid": jid, **(expected or {})})
    told = {"group_jid": jid, **(result or {"action": "promote", "members": []})}
    holder.answers(command, told)
    said = await asking
    assert (said.status, said.json) == (200, told)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "two\nlines"}, "/name"),
        ({"name": "   "}, "/name"),
        ({"name": "n" * 101}, "/name"),
        ({"name": "x", "participants": ["0170"]}, "/participants/0"),
        ({"name": "x", "participants": ["+491709876567"] * 257}, "/participants"),
        ({"name": "x", "photo": "y"}, "/photo"),
    ],
)
@pytest.mark.usefixtures("holder")
async def test_what_can_not_be_a_group_is_refused_before_anybody_is_asked(
    ground: Ground, api: Served, admin: str, body: Row, pointer: str
) -> None:
    said = await api.ask("POST", "/api/groups", token=admin, json=body)
    assert (said.status, said.code) == (422, "invalid-request")
    assert any(error["pointer"].startswith(pointer) for error in said.json["errors"]), said.json
    assert ground.db.value("select count(*) from public.whatsapp_commands") == 0


@pytest.mark.usefixtures("holder")
async def test_nothing_to_change_is_refused(ground: Ground, api: Served, admin: str) -> None:
    for body in ({}, {"name": None}):
        said = await api.ask("PATCH", f"/api/groups/{ground.home.group_jid}", token=admin, json=body)
        assert (said.status, said.code) == (422, "invalid-request")


async def test_an_account_that_is_not_connected_is_not_waited_for(ground: Ground, api: Served, admin: str) -> None:
    for path, body in (("", {"name": "x"}), (f"/{ground.home.group_jid}/contacts/sync", None)):
        said = await api.ask("POST", f"/api/groups{path}", token=admin, json=body)
        assert (said.status, said.code) == (409, "not-connected"), said.json


@pytest.mark.usefixtures("holder")
async def test_nobody_asks_another_organisations_account(ground: Ground, api: Served) -> None:
    body = {"name": "Mine now", "session_id": str(ground.home.session)}
    theirs = ground.token(Person.OTHER_ADMIN)
    said = await api.ask("POST", "/api/groups", token=theirs, json=body)
    assert said.status == 404, said.json
    said = await api.ask("GET", f"/api/groups/{ground.home.group_jid}/invite", token=theirs)
    assert said.status == 404, said.json
    said = await api.ask("POST", "/api/groups", token=ground.token(Person.MEMBER), json={"name": "x"})
    assert said.status == 403, said.json
    assert ground.db.value("select count(*) from public.whatsapp_commands") == 0


async def test_a_command_is_seen_by_its_organisations_admins_only(
    ground: Ground, api: Served, admin: str, holder: Holder
) -> None:
    made = await api.ask("POST", "/api/groups?wait=0", token=admin, json={"name": "x"})
    path = f"/api/commands/{made.json['id']}"
    seen = {
        person: (await api.ask("GET", path, token=ground.token(person))).status
        for person in (Person.ADMIN, Person.OWNER, Person.MEMBER, Person.OTHER_ADMIN)
    }
    assert list(seen.values()) == [200, 200, 403, 404]
    assert (await api.ask("GET", f"/api/commands/{uuid4()}", token=admin)).status == 404
    holder.answers(await holder.takes(), error="No.")


async def test_a_pairing_code_is_not_told_here(ground: Ground, api: Served, admin: str, holder: Holder) -> None:
    command = ground.db.insert(
        "public.whatsapp_commands",
        organization_id=ground.home.id,
        session_id=holder.session,
        kind="pairing_code",
        arguments=Jsonb({"phone": "+491709876567"}),
    )
    assert (await api.ask("GET", f"/api/commands/{command}", token=admin)).status == 404


@pytest.mark.usefixtures("holder")
async def test_fifty_open_requests_are_enough(ground: Ground, api: Served, admin: str) -> None:
    for _ in range(50):
        ground.db.insert(
            "public.whatsapp_commands",
            organization_id=ground.home.id,
            session_id=ground.home.session,
            kind="refresh_groups",
        )
    said = await api.ask("POST", "/api/groups", token=admin, json={"name": "x"})
    assert (said.status, said.code) == (409, "refused-by-rule")
    assert "fifty requests waiting" in said.json["detail"]
