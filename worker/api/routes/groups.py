"""Groups of the organisation's accounts."""

import asyncio
from typing import Annotated
from uuid import UUID

from pydantic import Field

from worker.api.http.fields import UUID_PATTERN, GroupJid, Labels, Moment
from worker.api.http.problem import Problem, not_found
from worker.api.http.routing import Access, Answer, Call, Query, Routes
from worker.api.routes.commands import ask, not_connected
from worker.supabase.tenant import accounts, groups

routes = Routes("Groups")

#: What WhatsApp may take to list the groups, seconds.
REFRESH_SECONDS = 20.0


class _Refreshed(Answer):
    groups: int


class Group(Answer):
    """A WhatsApp group, as last synchronised."""

    id: UUID
    session_id: UUID = Field(description="the account that is in it")
    group_jid: GroupJid
    group_name: str
    participant_count: int
    is_admin: bool = Field(description="whether the account is an admin of the group")
    announce_only: bool = Field(description="whether only admins may write")
    is_active: bool = Field(description="false: the account is not in it any more")
    workshop_id: UUID | None = Field(description="the current or next workshop that is linked to it")
    tags: Labels
    synced_at: Moment | None


class GroupPage(Answer):
    """Groups by their JID."""

    groups: list[Group]
    next: str | None = Field(description="cursor of the next page; null: this is the last")
    refreshed: bool = Field(False, description="whether all accounts that were asked have answered in time")


class GroupQuery(Query):
    """Which groups."""

    session_id: UUID | None = Field(None, description="of this account only")
    refresh: bool = Field(False, description="true or 1: ask WhatsApp first; for admins")
    active: bool = Field(True, description="false: those that the account has left, too")
    limit: int = Field(100, ge=1, le=500)
    cursor: Annotated[
        str | None,
        Field(pattern=rf"^[0-9-]{{5,51}}@g\.us,{UUID_PATTERN}$", description="next of the page before"),
    ] = None


class GroupPath(Query):
    """One group."""

    jid: GroupJid


class OneGroupQuery(Query):
    """Of which account, where several are in the same group."""

    session_id: UUID | None = None


@routes.get("/api/groups", access=Access.MEMBER)
async def list_groups(call: Call, query: GroupQuery) -> GroupPage:
    """List the groups of the organisation's accounts.

    As last synchronised: each account is, every 15 minutes, and at once with refresh.
    """
    refreshed = query.refresh and await _refresh(call, query.session_id)
    jid, _, row = (query.cursor or "").partition(",")
    after = (jid, row) if query.cursor else None
    rows = await groups.page(
        call.tenant, account=query.session_id, active=query.active, after=after, limit=query.limit + 1
    )
    page = [Group.model_validate(row) for row in rows[: query.limit]]
    more = len(rows) > query.limit
    after_last = f"{page[-1].group_jid},{page[-1].id}" if more else None
    return GroupPage(groups=page, next=after_last, refreshed=refreshed)


async def _refresh(call: Call, wanted: UUID | None) -> bool:
    """Have the connected accounts ask WhatsApp for their groups; whether all did in time. Raises Problem."""
    if not call.caller.administers:
        raise Problem(403, "not-allowed", "Only admins may refresh groups.", "Leave refresh out.")
    found = await accounts.connected(call.tenant, [wanted] if wanted else None)
    if not found:
        raise not_connected()
    answers = await asyncio.gather(
        *(ask(call, account, "refresh_groups", {}, wait=REFRESH_SECONDS, answer=_Refreshed) for account in found)
    )
    return all(answer.status == 200 for answer in answers)


@routes.get("/api/groups/{jid}", access=Access.MEMBER)
async def get_group(call: Call, path: GroupPath, query: OneGroupQuery) -> Group:
    """Look at one group.

    Where several accounts are in it, the one that was synchronised last is shown, or that of session_id.
    """
    row = await groups.find(call.tenant, path.jid, query.session_id)
    if row is None:
        raise not_found("group", "Ask for GET /api/groups?refresh=1, or check session_id.")
    return Group.model_validate(row)
