"""Requests about groups (`xmlns=w:g2`): list, create, members, settings, invite links."""

from __future__ import annotations

from collections.abc import Callable

from simulator.device import Device, User
from simulator.group import Description, Group, participant
from simulator.iq import CONFLICT, FORBIDDEN, ITEM_NOT_FOUND, NOT_ACCEPTABLE, NOT_AUTHORIZED, Iq, IqRefused
from simulator.wire.stanza import JID, Attribute, Attributes, Node, now
from simulator.world import World

_ROLE_AFTER = {"add": "", "promote": "admin", "demote": ""}

#: WhatsApp's numbers for why one person's change does not happen.
_MAY_NOT_BE_ADDED, _NO_SUCH_MEMBER, _IS_CREATOR, _IS_MEMBER = 403, 404, 405, 409

_LONGEST_SUBJECT, _LONGEST_DESCRIPTION = 100, 2048


class Groups:
    """Answers the requests and notifies members of each change."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._requests: dict[str, Callable[[Iq, Group], list[Node]]] = {
            "query": lambda _iq, group: [group.node()],
            "invite": self._invite_code,
            "add": self._change_members,
            "remove": self._change_members,
            "promote": self._change_members,
            "demote": self._change_members,
            "subject": self._subject,
            "description": self._description,
            "announcement": self._setting,
            "not_announcement": self._setting,
            "locked": self._setting,
            "unlocked": self._setting,
        }

    def create(
        self, subject: str, creator: User, members: list[User], *, announce: bool = False, by: Device | None = None
    ) -> Group:
        """Create a group and notify every member's clients, except the one that asked for it."""
        group = self._world.create_group(subject, creator, members)
        group.announce = announce
        self._notify(group, creator, Node("create", {"type": "new"}, [group.node()]), skip=by)
        return group

    def answer(self, iq: Iq) -> list[Node]:
        address = iq.node.jid("to")
        match iq.action.tag:
            case "participating":
                return [Node("groups", {}, [group.node() for group in self._world.groups_of(iq.user)])]
            case "create":
                return [self._create(iq)]
            case "invite" if not address.user:
                return self._follow_invite(iq)
            case "leave":
                return self._leave(iq)
        group = self._world.groups.get(address.user)
        if group is None:
            raise IqRefused(*ITEM_NOT_FOUND)
        if iq.user not in group.roles:
            raise IqRefused(*FORBIDDEN)
        request = self._requests.get(iq.action.tag)
        return request(iq, group) if request else []

    def _create(self, iq: Iq) -> Node:
        """Create the group with those who may be added. The answer names the others, each with an error."""
        subject = _text(iq.action.text("subject", ""), 1, _LONGEST_SUBJECT)
        asked = [node.jid("jid") for node in iq.action.children("participant")]
        errors = {jid: self._add_error(jid, None) for jid in asked}
        members = [user for jid in asked if errors[jid] is None and (user := self._world.find(jid))]
        node = self.create(subject, iq.user, members, by=iq.device).node()
        assert isinstance(node.content, list)
        node.content += [self._refused(jid, error) for jid, error in errors.items() if error]
        return node

    def _add_error(self, jid: JID, group: Group | None) -> int | None:
        user = self._world.find(jid)
        if user is None:
            return _NO_SUCH_MEMBER
        if group and user in group.roles:
            return _IS_MEMBER
        return None if user.joins_when_added else _MAY_NOT_BE_ADDED

    def _refused(self, jid: JID, error: int) -> Node:
        """Name a person whose change did not happen. One who may not be added may be invited by a code."""
        user = self._world.find(jid)
        node = participant(user, error=error) if user else Node("participant", {"jid": jid, "error": error})
        if error == _MAY_NOT_BE_ADDED:
            node.content = [Node("add_request", {"code": "simulated", "expiration": now() + 259_200})]
        return node

    def _follow_invite(self, iq: Iq) -> list[Node]:
        code = iq.action.text("code")
        group = next((group for group in self._world.groups.values() if group.invite_code == code), None)
        if group is None:
            raise IqRefused(*NOT_ACCEPTABLE)
        if not iq.is_set:
            return [group.node()]
        group.roles.setdefault(iq.user, "")
        self._notify(group, iq.user, Node("add", {"reason": "invite"}, [participant(iq.user)]))
        return [Node("group", {"jid": group.jid})]

    def _leave(self, iq: Iq) -> list[Node]:
        left = []
        for asked in iq.action.children("group"):
            group = self._world.groups.get(asked.jid("id").user)
            if group and iq.user in group.roles:
                self._notify(group, iq.user, Node("remove", {}, [participant(iq.user)]))
                del group.roles[iq.user]
            left.append(Node("group", {"id": asked.attrs.get("id")}))
        return [Node("leave", {}, left)]

    def _invite_code(self, iq: Iq, group: Group) -> list[Node]:
        if not group.is_admin(iq.user):
            raise IqRefused(*NOT_AUTHORIZED)
        if iq.is_set:
            group.renew_invite_code()
        return [Node("invite", {"code": group.invite_code})]

    def _change_members(self, iq: Iq, group: Group) -> list[Node]:
        """Change those who can be changed. The answer names everyone, with an error where nothing changed."""
        self._admin_only(iq, group)
        change = iq.action.tag
        answer, users = [], []
        for jid in (node.jid("jid") for node in iq.action.children("participant")):
            error = self._add_error(jid, group) if change == "add" else self._change_error(jid, group, change)
            user = self._world.find(jid)
            if error is None and user:
                users.append(user)
                answer.append(participant(user))
            else:
                answer.append(self._refused(jid, error or _NO_SUCH_MEMBER))
        self._change(iq, group, change, users)
        return [Node(change, {}, answer)]

    def _change_error(self, jid: JID, group: Group, change: str) -> int | None:
        user = self._world.find(jid)
        if user is None or user not in group.roles:
            return _NO_SUCH_MEMBER
        return _IS_CREATOR if user is group.creator and change != "promote" else None

    def _change(self, iq: Iq, group: Group, change: str, users: list[User]) -> None:
        if not users:
            return
        changed = Node(change, {}, [participant(user) for user in users])
        if change == "remove":
            self._notify(group, iq.user, changed)  # before they go, so that they hear it too
            for user in users:
                group.roles.pop(user, None)
        else:
            group.roles |= dict.fromkeys(users, _ROLE_AFTER[change])
            self._notify(group, iq.user, changed)

    def _subject(self, iq: Iq, group: Group) -> list[Node]:
        self._may_edit(iq, group)
        group.subject = _text(iq.action.data().decode(), 1, _LONGEST_SUBJECT)
        attrs: Attributes = {"subject": group.subject, "s_t": now(), "s_o": iq.user.lid}
        self._notify(group, iq.user, Node("subject", attrs))
        return []

    def _description(self, iq: Iq, group: Group) -> list[Node]:
        """Set or delete the description. CONFLICT unless the request names the present one as its predecessor."""
        self._may_edit(iq, group)
        if iq.action.attrs.get("prev") != (group.description.id if group.description else None):
            raise IqRefused(*CONFLICT)
        if iq.action.attrs.get("delete") == "true":
            group.description = None
            change = Node("description", {"delete": "true"})
        else:
            text = _text(iq.action.need("body").data().decode(), 1, _LONGEST_DESCRIPTION)
            group.description = Description(iq.action.text("id"), text)
            change = Node("description", {"id": group.description.id}, [Node("body", {}, text.encode())])
        self._notify(group, iq.user, change)
        return []

    def _may_edit(self, iq: Iq, group: Group) -> None:
        if group.locked:
            self._admin_only(iq, group)

    def _setting(self, iq: Iq, group: Group) -> list[Node]:
        self._admin_only(iq, group)
        match iq.action.tag:
            case "announcement" | "not_announcement" as setting:
                group.announce = setting == "announcement"
            case setting:
                group.locked = setting == "locked"
        self._notify(group, iq.user, Node(iq.action.tag))
        return []

    def _admin_only(self, iq: Iq, group: Group) -> None:
        if not group.is_admin(iq.user):
            raise IqRefused(*FORBIDDEN)

    def _notify(self, group: Group, by: User, change: Node, skip: Device | None = None) -> None:
        for user in group.roles:
            for device in user.clients:
                if device is skip:
                    continue
                attrs: dict[str, Attribute] = {
                    "from": group.jid,
                    "type": "w:gp2",
                    "id": self._world.stanza_id(),
                    "participant": by.lid,
                    "participant_pn": by.phone_jid,
                    "t": now(),
                    "addressing_mode": "lid",
                }
                device.send(Node("notification", attrs, [change]))


def _text(text: str, least: int, most: int) -> str:
    if not least <= len(text) <= most:
        raise IqRefused(*NOT_ACCEPTABLE)
    return text
