"""What commands do to an account's groups: WhatsApp first, then the group's row, for the CRM to see it at once."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import structlog

from worker.errors import HeraldError, ProviderError
from worker.ports import GroupSetting, MemberChange, MemberOutcome
from worker.registry import Command
from worker.sessions.live_session import LiveSession

log = structlog.get_logger()


class GroupWork:
    """One method a command, on one session; each returns what its admin reads. Raises ProviderError."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._transport = session.transport
        self._id = session.held.session_id

    async def create(self, command: Command) -> Mapping[str, Any]:
        """Make a group of those who may be put into one; the others are named with the reason."""
        asked = command.arguments
        people = [one for one in asked.get("participants", []) if one not in command.held_back]
        jid, outcomes = await self._transport.create_group(self._id, asked["name"].strip(), people)
        await self._refresh()
        return {"group_jid": jid, "name": asked["name"].strip(), "members": _told(command, outcomes)}

    async def invite(self, command: Command) -> Mapping[str, Any]:
        """Read the invite link, or make a new one, and write it to the group's row."""
        jid = command.arguments["group_jid"]
        link = await self._transport.invite_link(self._id, jid, reset=command.arguments.get("reset", False))
        await self._session.registry.note_invite_link(self._session.held, jid, link)
        return {"group_jid": jid, "invite_link": link}

    async def change_members(self, command: Command) -> Mapping[str, Any]:
        """Add, remove, promote or demote; what became of each."""
        jid, change = command.arguments["group_jid"], MemberChange(command.arguments["action"])
        people = [one for one in command.arguments["members"] if one not in command.held_back]
        outcomes: list[MemberOutcome] = []
        if people:
            outcomes = await self._transport.change_members(self._id, jid, change, people)
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
                    await self._transport.set_group(self._id, jid, setting, value)
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
        group = await self._transport.group(self._id, command.arguments["group_jid"])
        counts = await self._session.registry.sync_group(self._session.held, group)
        return {"group_jid": group.jid, **counts}

    async def _refresh(self) -> None:
        """Bring the rows of the account's groups up to date; what was done stands, also when that fails."""
        try:
            await self._session.sync_groups()
        except HeraldError as error:
            log.warning("groups_not_synced", session_id=str(self._id), error=error)


def _told(command: Command, outcomes: list[MemberOutcome]) -> list[dict[str, Any]]:
    """Say what became of each, those who were held back first."""
    held = [
        MemberOutcome(member=member, ok=False, code="opted-out", reason=reason)
        for member, reason in command.held_back.items()
    ]
    return [asdict(one) for one in (*held, *outcomes)]
