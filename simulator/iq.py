"""Requests that need an answer: `<iq type=get|set xmlns=… id=…>`."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.connection import Connection
from simulator.device import Device, User
from simulator.wire.stanza import Node


class IqRefused(Exception):  # noqa: N818 - an answer to a client, not a fault of ours
    """Answer with `<error code text>`."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code, self.text = code, text


ITEM_NOT_FOUND = (404, "item-not-found")
FORBIDDEN = (403, "forbidden")
NOT_AUTHORIZED = (401, "not-authorized")
NOT_ACCEPTABLE = (406, "not-acceptable")
CONFLICT = (409, "conflict")


@dataclass(frozen=True, slots=True)
class Iq:
    """A request and the connection it came by. action: its first child, which says what the client wants."""

    connection: Connection
    node: Node

    @property
    def namespace(self) -> str:
        return self.node.text("xmlns", "")

    @property
    def is_set(self) -> bool:
        return self.node.attrs.get("type") == "set"

    @property
    def action(self) -> Node:
        return next(iter(self.node.children()), Node(""))

    @property
    def device(self) -> Device:
        if self.connection.device is None:
            raise IqRefused(*NOT_AUTHORIZED)
        return self.connection.device

    @property
    def user(self) -> User:
        return self.device.user
