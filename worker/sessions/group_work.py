"""An account's groups: commands change them at WhatsApp first, then in their rows, so the CRM sees it at once."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import structlog

from worker.errors import HeraldError, ProviderError
from worker.groups import GroupSetting, MemberChange, MemberOutcome
from worker.ports import Command, GroupRows, Groups
from worker.session import Held
from worker.sessions.port import CommandWork

log = structlog.get_logger()


class GroupWork:
    """One method for each command; each returns what its admin reads. Raises ProviderError."""

    def __init__(self, held: Held, groups: Groups, rows: GroupRows) -> None:
        self._held = held
        self._id = held.session_id
        self._groups = groups
        self._rows = rows
        self._syncing = asyncio.Lock()
        self.commands: Mapping[str, CommandWork] = {
            "refresh_groups": self.refresh,
            "create_group": self.create,
            "group_invite": self.invite,
            "group_members": self.change_members,
            "update_group": self.update,
            "sync_contacts": self.sync_contacts,
        }

    async def sync(self) -> int:
        """Read the account's groups and write their rows; how many there are.

        One sync at a time: an older list that came later would hide a group that was just made.
        """
        async with self._syncing:
            return await self._rows.write_all(self._held, await self._groups.groups(self._id))

    async def refresh(self, _command: Command) -> Mapping[str, Any]:
        """Sync because an admin asks for it."""
        return {"groups": await self.sync()}

    async def create(self, command: Command) -> Mapping[str, Any]:
        """Make a group of those who may be put into one; the others are named with the reason."""
        asked = command.arguments
        people = [one for one in asked.get("participants", []) if one not in command.held_back]
        jid, outcomes = await self._groups.create_group(self._id, asked["name"].strip(), people)
        await self._refresh()
        return {"group_jid": jid, "name": asked["name"].strip(), "members": _told(command, outcomes)}

    async def invite(self, command: Command) -> Mapping[str, Any]:
        """Read the invite link, or make a new one, and write it to the group's row."""
        jid = command.arguments["group_jid"]
        link = await self._groups.invite_link(self._id, jid, reset=command.arguments.get("reset", False))
        await self._rows.write_invite_link(self._held, jid, link)
        return {"group_jid": jid, "invite_link": link}

    async def change_members(self, command: Command) -> Mapping[str, Any]:
        """Add, remove, promote or demote people; the outcome for each."""
        jid, change = command.arguments["group_jid"], MemberChange(command.arguments["action"])
        people = [one for one in command.arguments["members"] if one not in command.held_back]
        outcomes: list[MemberOutcome] = []
        if people:
            outcomes = await self._groups.change_members(self._id, jid, change, people)
            await self._refresh()
        return {"group_jid": jid, "action": change.value, "members": _told(command, outcomes)}

    async def update(self, command: Command) -> Mapping[str, Any]:
        """Change settings one after the other; a failure says which were changed before it."""
        jid, changed = command.arguments["group_jid"], dict[str, Any]()
        try:
            for setting in GroupSetting:
                if setting.value in command.arguments:
                    value = command.arguments[setting.value]
                    value = value.strip() if isinstance(value, str) else value
                    await self._groups.set_group(self._id, jid, setting, value)
                    changed[setting.value] = value
        except ProviderError as error:
            before = f" Changed before that: {', '.join(changed)}." if changed else ""
            raise ProviderError(f"{setting.value}: {error}{before}") from None
        finally:
            if changed:
                await self._refresh()
        return {"group_jid": jid, "changed": changed}

    async def sync_contacts(self, command: Command) -> Mapping[str, Any]:
        """Write who is in a group, as contacts of the organisation."""
        group = await self._groups.group(self._id, command.arguments["group_jid"])
        counts = await self._rows.write_one(self._held, group)
        return {"group_jid": group.jid, **counts}

    async def _refresh(self) -> None:
        """Sync after a change. If that fails the change stands all the same."""
        try:
            await self.sync()
        except HeraldError as error:
            log.warning("groups_not_synced", session_id=str(self._id), error=error)


def _told(command: Command, outcomes: list[MemberOutcome]) -> list[dict[str, Any]]:
    """Tell the outcome for each, those who were held back first."""
    held = [
        MemberOutcome(member=member, ok=False, code="opted-out", reason=reason)
        for member, reason in command.held_back.items()
    ]
    return [asdict(one) for one in (*held, *outcomes)]
