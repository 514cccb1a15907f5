"""What was sent to a device and not yet acknowledged.

A client acknowledges each message, receipt and notification with `<ack class=TAG id=… to=FROM>`. Until it
has, the stanza stays here; at the device's next login everything still here is sent again, in order, marked
`offline`. So a client that was killed loses nothing that it hadn't acknowledged, and may see a stanza twice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from simulator.wire.stanza import SERVER, Node


def _same(node: Node, tag: str, answer: Node) -> int:
    """How well an answer names this stanza: 0 not at all, more with its sender, more with the participant."""
    if (node.tag, node.attrs.get("id")) != (tag, answer.attrs.get("id")):
        return 0
    by_sender = node.attrs.get("from") == answer.attrs.get("to")
    return 1 + by_sender + (node.attrs.get("participant") == answer.attrs.get("participant"))


class Outgoing:
    """The stanzas on their way to one device, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Node] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, node: Node) -> None:
        self._waiting.append(node)

    def answered(self, answer: Node) -> None:
        """Forget the oldest stanza of those that an ack, or a message's receipt, names best."""
        tag = answer.text("class", "") if answer.tag == "ack" else "message"
        ranks = [_same(node, tag, answer) for node in self._waiting]
        if best := max(ranks, default=0):
            del self._waiting[ranks.index(best)]

    def at_login(self) -> list[Node]:
        """What a device is sent when it logs in: a count, what waited for it, and the end mark."""
        kinds = Counter(node.tag for node in self._waiting)
        preview = {"count": len(self._waiting), "appdata": 0}
        preview |= {tag: kinds[tag] for tag in ("message", "receipt", "notification")}
        return [
            Node("ib", {"from": SERVER}, [Node("offline_preview", preview)]),
            *(replace(node, attrs={**node.attrs, "offline": "0"}) for node in self._waiting),
            Node("ib", {"from": SERVER}, [Node("offline", {"count": len(self._waiting)})]),
        ]
