"""A stanza: one element of the conversation between a client and the server, and the addresses in it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class JID:
    """An address: a user at a server, and which of the user's devices (0 is the phone itself)."""

    user: str
    server: str
    device: int = 0

    def __str__(self) -> str:
        user = f"{self.user}:{self.device}" if self.device else self.user
        return f"{user}@{self.server}" if user else self.server

    @property
    def bare(self) -> JID:
        """The user, whatever the device."""
        return JID(self.user, self.server)


PHONE_SERVER, LID_SERVER, GROUP_SERVER = "s.whatsapp.net", "lid", "g.us"

#: The server itself. In an IQ it must be this pair with an empty user: clients ignore an IQ with a plain string.
SERVER = JID("", PHONE_SERVER)

Attribute = str | int | JID | None
Attributes = Mapping[str, Attribute]
Content = bytes | list["Node"] | None


@dataclass(slots=True)
class Node:
    """One element. Attributes that are None or empty don't go over the wire."""

    tag: str
    attrs: Attributes = field(default_factory=dict)
    content: Content = None

    def children(self, tag: str | None = None) -> list[Node]:
        if not isinstance(self.content, list):
            return []
        return [child for child in self.content if tag is None or child.tag == tag]

    def child(self, tag: str) -> Node | None:
        return next(iter(self.children(tag)), None)

    def need(self, tag: str) -> Node:
        """The child of that name; a stanza without it is malformed."""
        if (child := self.child(tag)) is None:
            raise ValueError(f"<{self.tag}> has no <{tag}>")
        return child

    def data(self) -> bytes:
        """The bytes that this element holds."""
        if not isinstance(self.content, bytes):
            raise ValueError(f"<{self.tag}> holds no bytes")  # noqa: TRY004 - the stanza is malformed, not our code
        return self.content

    def text(self, attribute: str, default: str | None = None) -> str:
        value = self.attrs.get(attribute, default)
        if value is None:
            raise ValueError(f"<{self.tag}> has no attribute {attribute}")
        return str(value)

    def jid(self, attribute: str) -> JID:
        value = self.attrs.get(attribute)
        if not isinstance(value, JID):
            raise ValueError(f"<{self.tag}> has no JID in {attribute}")  # noqa: TRY004 - see data()
        return value

    def __str__(self) -> str:
        attrs = "".join(f' {name}="{value}"' for name, value in self.attrs.items())
        match self.content:
            case None | []:
                return f"<{self.tag}{attrs}/>"
            case bytes() as data:
                return f"<{self.tag}{attrs}>[{len(data)} bytes]</{self.tag}>"
            case children:
                more = f"…+{len(children) - 8}" if len(children) > 8 else ""
                return f"<{self.tag}{attrs}>{''.join(map(str, children[:8]))}{more}</{self.tag}>"


def now() -> int:
    """Unix seconds, the unit of every `t` attribute."""
    return int(time.time())
