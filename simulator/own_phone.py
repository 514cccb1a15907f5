"""The phone in its owner's hand: device 0 of an account.

It can't decrypt (its secrets don't exist), but it behaves as a phone does towards the server: it confirms
what carries ciphertext for it. A message that one of its own account's clients sent is confirmed with a
`sender` receipt; a message from somebody else with a delivery receipt, provided that the account has no
linked client: those confirm for themselves, and only once they have really decrypted. While it is offline,
messages wait for it.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.wire.stanza import JID, Attribute, Node

if TYPE_CHECKING:
    from simulator.account import Device, User


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that reached the phone. chat: as the sender addressed it, a group or a person."""

    id: str
    chat: JID
    sender: Device

    @property
    def in_group(self) -> bool:
        return self.chat.server == "g.us"


class OwnPhone:
    """One account's phone.

    confirms_sends: whether it answers its own account's messages with a `sender` receipt.
    inbox: messages from others that it hasn't read, oldest first.
    """

    def __init__(self, user: User) -> None:
        self._user = user
        self.online = True
        self.confirms_sends = True
        self.inbox: list[Arrived] = []
        self._waiting: deque[Arrived] = deque()
        self._went_offline_at: float | None = None

    @property
    def last_seen(self) -> float:
        """Unix seconds; now, while it is online."""
        return self._went_offline_at or time.time()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def go_offline(self) -> None:
        if self.online:
            self.online, self._went_offline_at = False, time.time()

    def go_online(self) -> None:
        """Come back and confirm, in order, what arrived meanwhile."""
        self.online, self._went_offline_at = True, None
        while self._waiting:
            self._confirm(self._waiting.popleft())

    def receive(self, message: Arrived) -> None:
        if self.online:
            self._confirm(message)
        else:
            self._waiting.append(message)

    def read(self, message_ids: list[str] | None = None) -> list[str]:
        """The owner reads the messages (all by default): each sender gets a `read` receipt. Returns the IDs."""
        chosen = [message for message in self.inbox if message_ids is None or message.id in message_ids]
        for message in chosen:
            self.inbox.remove(message)
            for device in message.sender.user.linked:
                device.send(self._receipt(message, "read"))
        return [message.id for message in chosen]

    def confirm(self, message_id: str, sender: User) -> None:
        """Tell an account's clients that a message arrived, whatever its id and whether there is one."""
        for device in sender.linked:
            device.send(self._receipt(Arrived(message_id, sender.lid, device)))

    def _confirm(self, message: Arrived) -> None:
        if message.sender.user is self._user:
            if self.confirms_sends:
                message.sender.send(self._receipt(message, "sender"))
            return
        self.inbox.append(message)
        if not self._user.linked:
            message.sender.send(self._receipt(message))

    def _receipt(self, message: Arrived, kind: str | None = None) -> Node:
        attrs: dict[str, Attribute] = {"id": message.id, "t": int(time.time()), "type": kind}
        if message.in_group:
            attrs |= {"from": message.chat, "participant": self._user.lid}
        else:
            attrs["from"] = self._user.lid
            if kind == "sender":
                attrs["recipient"] = message.chat
        return Node("receipt", attrs)
