"""Calls that make and change groups; whichever worker holds the account asks WhatsApp."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from worker.api.http.fields import GroupJid, Person
from worker.api.http.problem import not_found
from worker.api.http.routing import Access, Answer, Body, Call, Reply, Routes
from worker.api.routes.commands import AccountQuery, Command, WaitQuery, ask, connected_account, not_connected
from worker.api.routes.groups import GroupPath
from worker.supabase.tenant import accounts, groups

routes = Routes("Groups")

#: WhatsApp restricts accounts that add or remove very many people.
MOST_PEOPLE = 256

GroupName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f\s][^\x00-\x1f\x7f]*$",
        description="as people see it",
    ),
]
Description = Annotated[
    str, Field(max_length=2048, pattern=r"^[^\x00-\x09\x0b-\x1f\x7f]*$", description="may have lines; empty: none")
]


class NewGroup(Body):
    """A group to make."""

    session_id: UUID | None = Field(None, description="the account that makes it, where several are connected")
    name: GroupName
    participants: list[Person] = Field(default_factory=list, max_length=MOST_PEOPLE)


class GroupChange(Body):
    """What to change; at least one."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
                for name in ("name", "description", "announce_only", "locked")
            ]
        }
    )

    name: GroupName | None = None
    description: Description | None = None
    announce_only: bool | None = Field(None, description="whether only admins may write")
    locked: bool | None = Field(None, description="whether only admins may change name and description")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("give name, description, announce_only or locked")
        return self


class MembersChange(Body):
    """What to do with whom."""

    action: Literal["add", "remove", "promote", "demote"]
    members: list[Person] = Field(min_length=1, max_length=MOST_PEOPLE)


class MemberOutcome(Answer):
    """What became of one person."""

    member: str = Field(description="as asked; numbers as E.164")
    ok: bool
    code: str = Field(
        description="stable: ok, opted-out, invite-needed, not-found, already-member, not-allowed, …"
    )
    reason: str | None = Field(description="why not, and what to do")


class NewGroupMade(Answer):
    """The group that was made. Who may not be added is named with the reason; the group is there all the same."""

    group_jid: GroupJid
    name: str
    members: list[MemberOutcome]


class GroupChanged(Answer):
    """What is set now."""

    group_jid: GroupJid
    changed: dict[str, str | bool]


class MembersChanged(Answer):
    """What became of each."""

    group_jid: GroupJid
    action: str
    members: list[MemberOutcome]


class Invite(Answer):
    """The link by which people join."""

    group_jid: GroupJid
    invite_link: str


class ContactsSynced(Answer):
    """Who is in the group: they are contacts now. None of them has opted in by it."""

    group_jid: GroupJid
    members: int
    joined: int = Field(description="since the last time")
    left: int


@routes.post("/api/groups", access=Access.ADMIN, answers={201: NewGroupMade, 202: Command})
async def create_group(call: Call, query: WaitQuery, body: NewGroup) -> Reply:
    """Make a group.

    People whose privacy settings forbid it are not in it: send them the invite link. Who opted out is not added.
    If no answer came, look at the groups before you repeat the call: a second call makes a second group.
    """
    session = await connected_account(call, body.session_id)
    asked = {"name": body.name, "participants": body.participants}
    return await ask(call, session, "create_group", asked, wait=query.wait, answer=NewGroupMade, status=201)


@routes.patch("/api/groups/{jid}", access=Access.ADMIN, answers={200: GroupChanged, 202: Command})
async def change_group(call: Call, path: GroupPath, query: AccountQuery, body: GroupChange) -> Reply:
    """Change a group's name, description or who may do what.

    The account must be an admin of the group for most of it. A failure says what was changed before it.
    """
    asked = body.model_dump(exclude_none=True)
    return await _ask_of(call, path, query, "update_group", asked, GroupChanged)


@routes.get("/api/groups/{jid}/invite", access=Access.ADMIN, answers={200: Invite, 202: Command})
async def get_invite(call: Call, path: GroupPath, query: AccountQuery) -> Reply:
    """Ask WhatsApp for a group's invite link."""
    return await _ask_of(call, path, query, "group_invite", {}, Invite)


@routes.post("/api/groups/{jid}/invite", access=Access.ADMIN, answers={200: Invite, 202: Command})
async def renew_invite(call: Call, path: GroupPath, query: AccountQuery) -> Reply:
    """Make a new invite link; the old one opens nothing any more."""
    return await _ask_of(call, path, query, "group_invite", {"reset": True}, Invite)


@routes.post("/api/groups/{jid}/members", access=Access.ADMIN, answers={200: MembersChanged, 202: Command})
async def change_members(call: Call, path: GroupPath, query: AccountQuery, body: MembersChange) -> Reply:
    """Add, remove, promote or demote members.

    Each has an outcome of their own. Who opted out is not added.
    """
    asked = {"action": body.action, "members": body.members}
    return await _ask_of(call, path, query, "group_members", asked, MembersChanged)


@routes.post("/api/groups/{jid}/contacts/sync", access=Access.ADMIN, answers={200: ContactsSynced, 202: Command})
async def sync_contacts(call: Call, path: GroupPath, query: AccountQuery) -> Reply:
    """Write down who is in a group, as contacts of the organisation.

    A member whose number WhatsApp hides is known by LID until it is revealed. Being in a group is no opt-in.
    """
    return await _ask_of(call, path, query, "sync_contacts", {}, ContactsSynced)


async def _ask_of(
    call: Call, path: GroupPath, query: AccountQuery, kind: str, arguments: dict[str, Any], answer: type[Answer]
) -> Reply:
    """Ask the account that is in the group; if several are, the connected one with the most rights."""
    session = await _account_in(call, path.jid, query.session_id)
    asked = {"group_jid": path.jid, **arguments}
    return await ask(call, session, kind, asked, wait=query.wait, answer=answer)


async def _account_in(call: Call, jid: str, wanted: UUID | None) -> UUID:
    candidates = await groups.accounts_in(call.tenant, jid, wanted)
    if not candidates:
        raise not_found("group", "Ask for GET /api/groups?refresh=1, or check session_id.")
    ready = await accounts.connected(call.tenant, candidates)
    for account in candidates:
        if account in ready:
            return account
    raise not_connected()
