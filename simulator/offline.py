"""What was sent to a device and not yet acknowledged.

A client acknowledges each message, receipt and notification with `<ack class=TAG id=… to=FROM>`. Until it
has, the stanza stays here; at the device's next login everything still here is sent again, in order, marked
`offline`. So a client that was killed loses nothing that it hadn't acknowledged, and may see a stanza twice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from simulator.wire.stanza import SERVER, Attribute, Node

_Key = tuple[str, Attribute, str, str]


def _bare(value: Attribute) -> str:
    return str(value or "")


def _key_of(node: Node) -> _Key:
    return node.tag, node.attrs.get("id"), _bare(node.attrs.get("from")), _bare(node.attrs.get("participant"))


class Outgoing:
    """The stanzas on their way to one device, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Node] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, node: Node) -> None:
        self._waiting.append(node)

    def acknowledged(self, ack: Node) -> None:
        """Forget the oldest stanza that this ack answers."""
        key: _Key = (
            ack.text("class", ""),
            ack.attrs.get("id"),
            _bare(ack.attrs.get("to")),
            _bare(ack.attrs.get("participant")),
        )
        exact = (index for index, node in enumerate(self._waiting) if _key_of(node) == key)
        # Baileys leaves the participant out of some acks: the same kind, id and sender is then enough.
        loose = (index for index, node in enumerate(self._waiting) if _key_of(node)[:3] == key[:3])
        index = next(exact, None)
        if index is None:
            index = next(loose, None)
        if index is not None:
            del self._waiting[index]

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
