"""Groups (`xmlns=w:g2`): list, create, members, settings, invite links; members are told of each change."""

from __future__ import annotations

from collections.abc import Callable

from simulator.account import Device, Group, User, World, now, participant
from simulator.iq import FORBIDDEN, ITEM_NOT_FOUND, NOT_ACCEPTABLE, NOT_AUTHORIZED, Iq, IqRefused
from simulator.wire.stanza import JID, Attribute, Attributes, Node

_ROLE_AFTER = {"add": "", "promote": "admin", "demote": ""}


class Groups:
    """Answers group requests and sends the notifications that follow from them."""

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
            "announcement": self._setting,
            "not_announcement": self._setting,
            "locked": self._setting,
            "unlocked": self._setting,
        }

    def create(
        self, subject: str, creator: User, members: list[User], *, announce: bool = False, by: Device | None = None
    ) -> Group:
        """Make a group and tell every member's clients, except the one that asked for it."""
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
                members = [self._member(node.jid("jid")) for node in iq.action.children("participant")]
                return [self.create(iq.action.text("subject", ""), iq.user, members, by=iq.device).node()]
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

    def _member(self, jid: JID) -> User:
        return self._world.find(jid) or self._world.account(jid.user)

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
        self._admin_only(iq, group)
        change = iq.action.tag
        users = [self._member(node.jid("jid")) for node in iq.action.children("participant")]
        changed = Node(change, {}, [participant(user) for user in users])
        if change == "remove":
            self._notify(group, iq.user, changed)  # while those removed can still hear it
            for user in users:
                group.roles.pop(user, None)
        else:
            group.roles |= dict.fromkeys(users, _ROLE_AFTER[change])
            self._notify(group, iq.user, changed)
        return [changed]

    def _subject(self, iq: Iq, group: Group) -> list[Node]:
        if group.locked:
            self._admin_only(iq, group)
        group.subject = iq.action.data().decode()
        attrs: Attributes = {"subject": group.subject, "s_t": now(), "s_o": iq.user.lid}
        self._notify(group, iq.user, Node("subject", attrs))
        return []

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
            for device in user.linked:
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
