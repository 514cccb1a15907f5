"""The phone in its owner's hand: device 0 of an account.

It can't decrypt, because its secrets don't exist, but towards the server it behaves as a phone does: it confirms
what carries ciphertext for it. A message of its own account's clients gets a `sender` receipt. A message from
somebody else gets a delivery receipt, but only if the account has no linked client: clients confirm for
themselves, once they have really decrypted. While the phone is offline, messages wait for it.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from simulator.device import Device, User
from simulator.wire.stanza import GROUP_SERVER, JID, Attribute, Node, now


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that reached the phone. chat: the group or person that the sender wrote to."""

    id: str
    chat: JID
    sender: Device

    @property
    def in_group(self) -> bool:
        return self.chat.server == GROUP_SERVER


class OwnPhone:
    """One account's phone.

    confirms_sends: whether it answers its own account's messages with a `sender` receipt.
    inbox: unread messages from others, oldest first.
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
        """When it was last online, Unix seconds; now, if it is."""
        return self._went_offline_at or time.time()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def go_offline(self) -> None:
        if self.online:
            self.online, self._went_offline_at = False, time.time()

    def go_online(self) -> None:
        """Come back, and confirm in order what arrived in the meantime."""
        self.online, self._went_offline_at = True, None
        while self._waiting:
            self._confirm(self._waiting.popleft())

    def receive(self, message: Arrived) -> None:
        if self.online:
            self._confirm(message)
        else:
            self._waiting.append(message)

    def read(self, message_ids: list[str] | None = None) -> list[str]:
        """Read messages, by default all: each sender gets a `read` receipt. Returns the ids."""
        chosen = [message for message in self.inbox if message_ids is None or message.id in message_ids]
        for message in chosen:
            self.inbox.remove(message)
            for device in message.sender.user.clients:
                device.send(self._receipt(message, "read"))
        return [message.id for message in chosen]

    def confirm(self, message_id: str, sender: User) -> None:
        """Tell an account's clients that a message of this id arrived, even if there is none."""
        for device in sender.clients:
            device.send(self._receipt(Arrived(message_id, sender.lid, device)))

    def _confirm(self, message: Arrived) -> None:
        if message.sender.user is self._user:
            if self.confirms_sends:
                message.sender.send(self._receipt(message, "sender"))
            return
        self.inbox.append(message)
        if not self._user.clients:
            message.sender.send(self._receipt(message))

    def _receipt(self, message: Arrived, kind: str | None = None) -> Node:
        attrs: dict[str, Attribute] = {"id": message.id, "t": now(), "type": kind}
        if message.in_group:
            attrs |= {"from": message.chat, "participant": self._user.lid}
        else:
            attrs["from"] = self._user.lid
            if kind == "sender":
                attrs["recipient"] = message.chat
        return Node("receipt", attrs)
