"""A group, its members, and how clients are shown both."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass

from simulator.device import User
from simulator.wire.stanza import JID, Attributes, Node, now


@dataclass(frozen=True, slots=True)
class Description:
    """A group's description. Each change has an id and names the id that it replaces."""

    id: str
    text: str


class Group:
    """A group addressed by LID. roles: "" (member), "admin" or "superadmin"."""

    def __init__(self, jid: JID, subject: str, creator: User, members: list[User]) -> None:
        self.jid, self.subject, self.creator = jid, subject, creator
        self.created = now()
        self.roles: dict[User, str] = {**dict.fromkeys(members, ""), creator: "superadmin"}
        self.description: Description | None = None
        self.announce = self.locked = False
        self.renew_invite_code()

    def renew_invite_code(self) -> None:
        self.invite_code = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")

    def is_admin(self, user: User) -> bool:
        return bool(self.roles.get(user))

    def may_send(self, user: User) -> bool:
        return user in self.roles and (not self.announce or self.is_admin(user))

    def node(self) -> Node:
        children = [participant(user, role) for user, role in self.roles.items()]
        if self.announce:
            children.append(Node("announcement"))
        if self.locked:
            children.append(Node("locked"))
        if self.description:
            body = [Node("body", {}, self.description.text.encode())]
            children.append(Node("description", {"id": self.description.id, "t": now()}, body))
        return Node(
            "group",
            {
                "id": self.jid.user,
                "subject": self.subject,
                "s_t": self.created,
                "s_o": self.creator.lid,
                "creation": self.created,
                "creator": self.creator.lid,
                "creator_pn": self.creator.phone_jid,
                "addressing_mode": "lid",
                "size": len(self.roles),
            },
            children,
        )


def participant(user: User, role: str = "", error: int | None = None) -> Node:
    """A group member as clients expect it: by LID, with the phone number beside it.

    error: why this person's change did not happen.
    """
    attrs: Attributes = {"jid": user.lid, "phone_number": user.phone_jid, "type": role, "error": error}
    return Node("participant", attrs)
