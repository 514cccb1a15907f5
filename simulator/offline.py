"""What was sent to a device and is not acknowledged yet.

A client acknowledges each message, receipt and notification with `<ack class=TAG id=… to=FROM>`. Until then the
stanza stays here. At the device's next login everything that is left is sent again, in order, marked `offline`.
So a client that was killed loses nothing that it had not acknowledged, and may see a stanza twice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count

from simulator.wire.stanza import SERVER, Attribute, Attributes, Node

_Name = tuple[str, Attribute, Attribute, Attribute]


def _name(node: Node) -> _Name:
    return node.tag, node.attrs.get("id"), node.attrs.get("from"), node.attrs.get("participant")


class Outgoing:
    """The stanzas on their way to one device, oldest first."""

    def __init__(self) -> None:
        self._waiting: dict[int, Node] = {}
        self._numbers: dict[_Name, list[int]] = {}
        self._next = count()

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, node: Node) -> None:
        number = next(self._next)
        self._waiting[number] = node
        self._numbers.setdefault(_name(node), []).append(number)

    def answered(self, answer: Node) -> None:
        """Forget the oldest stanza that an ack or a message's receipt names."""
        tag = answer.text("class", "") if answer.tag == "ack" else "message"
        id_, sender = answer.attrs.get("id"), answer.attrs.get("to")
        name: _Name | None = (tag, id_, sender, answer.attrs.get("participant"))
        if name not in self._numbers:  # an own message is answered to its chat, and acks may lack the participant
            alike = [each for each in self._numbers if each[:2] == (tag, id_)]
            name = next((each for each in alike if each[2] == sender), next(iter(alike), None))
        if name is None:
            return
        numbers = self._numbers[name]
        del self._waiting[numbers.pop(0)]
        if not numbers:
            del self._numbers[name]

    def at_login(self) -> list[Node]:
        """What a device gets when it logs in: a count, the stanzas that waited for it, and an end mark."""
        waiting = list(self._waiting.values())
        kinds = Counter(node.tag for node in waiting)
        preview: Attributes = {
            "count": len(waiting),
            "message": kinds["message"],
            "receipt": kinds["receipt"],
            "notification": kinds["notification"],
            "appdata": 0,
        }
        return [
            Node("ib", {"from": SERVER}, [Node("offline_preview", preview)]),
            *(replace(node, attrs={**node.attrs, "offline": "0"}) for node in waiting),
            Node("ib", {"from": SERVER}, [Node("offline", {"count": len(waiting)})]),
        ]
