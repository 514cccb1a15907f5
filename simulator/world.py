"""Who there is: accounts, their phones, and groups.

Everything lives in memory. A restart of the simulator forgets accounts, devices, groups, prekeys and queues, as if
every phone had been reset.
"""

from __future__ import annotations

import os
import time

from simulator.device import User
from simulator.group import Group
from simulator.own_phone import OwnPhone
from simulator.wire.stanza import GROUP_SERVER, JID, LID_SERVER


class World:
    """Every account and group of this simulator."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self._by_lid: dict[str, User] = {}
        self._phones: dict[User, OwnPhone] = {}
        self._stanza_count = 0

    def account(self, phone: str, name: str | None = None) -> User:
        """The account of that number, created on first mention."""
        if not phone.isdigit():
            raise ValueError(f"a phone number is digits only, not {phone!r}")
        user = self.users.get(phone)
        if user is None:
            user = self.users[phone] = User(phone, name or phone)
            self._by_lid[user.lid.user] = user
            self._phones[user] = OwnPhone(user)
        elif name:
            user.name = name
        return user

    def own_phone(self, user: User) -> OwnPhone:
        """What the phone in the account owner's hand does."""
        return self._phones[user]

    def find(self, jid: JID) -> User | None:
        return (self._by_lid if jid.server == LID_SERVER else self.users).get(jid.user)

    def create_group(self, subject: str, creator: User, members: list[User]) -> Group:
        jid = JID(f"1203630{time.time_ns() % 10**11:011d}", GROUP_SERVER)
        group = self.groups[jid.user] = Group(jid, subject, creator, members)
        return group

    def groups_of(self, user: User) -> list[Group]:
        return [group for group in self.groups.values() if user in group.roles]

    def stanza_id(self) -> str:
        self._stanza_count += 1
        return f"{self._stanza_count}-{os.urandom(2).hex()}"
