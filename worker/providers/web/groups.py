"""Groups in an engine's answers, and explanations of WhatsApp's numbers and an engine's refusals for people.

The numbers of one member's change are WhatsApp's, as Baileys and whatsmeow meet them; a text says what to do next.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from worker.engine.framing import Frame
from worker.engine.protocol import Call, Change, Code, Detail, Setting
from worker.errors import EngineRefused, ProviderError
from worker.groups import Group, GroupDetail, GroupSetting, Member, MemberChange, MemberOutcome

_LOOK = "so it may have happened. Look at the group before you try again."
_NO_ANSWER = f"WhatsApp did not answer in time, {_LOOK}"
CUT_OFF = f"The connection was lost meanwhile, {_LOOK}"
_NOT_CONNECTED = "The account is not connected now. Wait until it shows connected, then try again."

#: WhatsApp's number for one member → (our code, what a person reads).
_MEMBERS: dict[int, tuple[str, str]] = {
    401: ("blocked", "This person has blocked the account."),
    403: ("invite-needed", "Their privacy settings let nobody add them: send them the invite link."),
    404: ("not-found", "Not on WhatsApp under this number, or not in the group."),
    405: ("not-allowed", "WhatsApp does not allow this for them: the group's creator stays an admin."),
    408: ("left-recently", "They left the group a short while ago: send them the invite link."),
    409: ("already-member", "They are in the group already."),
    419: ("group-full", "The group is full."),
    500: ("group-full", "The group is full."),
}

#: What an engine refused, by its code and detail, or by WhatsApp's number → what a person reads.
_REFUSALS: dict[tuple[str, str], str] = {
    (Code.NOT_OPEN, ""): _NOT_CONNECTED,
    (Code.NOT_CONNECTED, ""): _NOT_CONNECTED,
    (Code.NOT_CONNECTED, Detail.LOST): CUT_OFF,
    (Code.UNSENT, Detail.NO_ANSWER): _NO_ANSWER,
    (Code.INVALID, ""): "This is no group, number or JID that WhatsApp knows.",
    (Detail.QUERY, "400"): "WhatsApp did not understand the request.",
    (Detail.QUERY, "401"): "The account may not do this. Make it an admin of the group, then try again.",
    (Detail.QUERY, "403"): "The account is not an admin of this group, or not in it. Make it one, then try again.",
    (Detail.QUERY, "404"): "There is no such group, or the account is not in it. Refresh the groups.",
    (Detail.QUERY, "406"): "WhatsApp does not accept this value. Shorten it, then try again.",
    (Detail.QUERY, "409"): "Somebody changed the group at the same moment. Try again.",
    (Detail.QUERY, "429"): "WhatsApp says this account does too much at once. Wait some minutes, then try again.",
    (Detail.QUERY, "500"): "WhatsApp had an internal error. Try again later.",
    (Detail.QUERY, "503"): "WhatsApp is unavailable for a moment. Try again later.",
}


def refused(refusal: EngineRefused) -> ProviderError:
    """Say what a refused request means and what to do next."""
    code, detail = refusal.code, refusal.detail
    word, _, number = detail.partition(" ")
    if code == Code.REJECTED:
        word, number = Detail.QUERY, detail
    for key in ((Detail.QUERY, number) if word == Detail.QUERY else (code, detail), (code, "")):
        if (text := _REFUSALS.get(key)) is not None:
            return ProviderError(text)
    return ProviderError(f"WhatsApp refused this ({code} {detail}).")


class GroupCalls(ABC):
    """The part of the provider that asks about groups and changes them (``worker.ports.Groups``)."""

    @abstractmethod
    async def _ask(self, call: Call, session_id: UUID, **arguments: Any) -> Frame:
        """Call the session's engine; ProviderError says what a person can do."""

    async def groups(self, session_id: UUID) -> list[Group]:
        """List the groups that the account is in."""
        return [Group(**group) for group in (await self._ask(Call.GROUPS, session_id))["groups"]]

    async def group(self, session_id: UUID, group_jid: str) -> GroupDetail:
        """Read one group with its members; ProviderError if the account is not in it."""
        return _detail((await self._ask(Call.GROUP_INFO, session_id, group=group_jid))["group"])

    async def create_group(
        self, session_id: UUID, name: str, people: Sequence[str]
    ) -> tuple[str, list[MemberOutcome]]:
        """Make a group of people; its JID, and who is in it and who is not, with the reason."""
        made = await self._ask(Call.CREATE_GROUP, session_id, subject=name, people=list(people))
        return str(made["jid"]), _outcomes(made["outcomes"])

    async def change_members(
        self, session_id: UUID, group_jid: str, change: MemberChange, people: Sequence[str]
    ) -> list[MemberOutcome]:
        """Change members; each has an outcome."""
        asked = {"group": group_jid, "change": Change(change), "people": list(people)}
        return _outcomes((await self._ask(Call.GROUP_MEMBERS, session_id, **asked))["outcomes"])

    async def set_group(self, session_id: UUID, group_jid: str, setting: GroupSetting, value: str | bool) -> None:
        """Change one setting of a group; ProviderError if WhatsApp refuses."""
        await self._ask(Call.GROUP_SETTING, session_id, group=group_jid, setting=Setting(setting), value=value)

    async def invite_link(self, session_id: UUID, group_jid: str, *, reset: bool = False) -> str:
        """Fetch a group's invite link, or make a new one; ProviderError if the account is no admin there."""
        return str((await self._ask(Call.INVITE_LINK, session_id, group=group_jid, reset=reset))["link"])


def _detail(group: Frame) -> GroupDetail:
    members = tuple(
        Member(phone=one["phone"], lid=one["lid"], is_admin=one["is_admin"])
        for one in group["members"]
        if not one["is_me"] and (one["phone"] or one["lid"])
    )
    return GroupDetail(**{**group, "members": members})


def _outcomes(outcomes: Sequence[Frame]) -> list[MemberOutcome]:
    return [_outcome(str(one["who"]), int(one["error"])) for one in outcomes]


def _outcome(member: str, number: int) -> MemberOutcome:
    if number in (0, 200):
        return MemberOutcome(member=member, ok=True, code="ok", reason=None)
    code, reason = _MEMBERS.get(number, (f"wa-{number}", f"WhatsApp refused this (its code: {number})."))
    return MemberOutcome(member=member, ok=False, code=code, reason=reason)
