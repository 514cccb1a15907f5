"""WhatsApp's binary XML (dictionary version 3): a stanza is a tag, attributes and children or bytes.

The first byte of a frame is flags (bit 1: the rest is zlib-deflated). Strings that occur often are one byte
(the single dictionary) or two (one of four double dictionaries); JIDs, digits and hex have packed forms of
their own. The token tables in tokens.json are a fact of the wire format, taken from npm
@whiskeysockets/baileys 7.0.0-rc14 (MIT).
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

from simulator.wire.stanza import JID, Attribute, Content, Node

_TABLES = json.loads(Path(__file__).with_name("tokens.json").read_text())
_SINGLE: list[str] = _TABLES["single"]
_DOUBLE: list[list[str]] = _TABLES["double"]
_SINGLE_INDEX = {token: index for index, token in enumerate(_SINGLE) if token}
_DOUBLE_INDEX = {token: (page, index) for page, table in enumerate(_DOUBLE) for index, token in enumerate(table)}

_LIST_EMPTY = 0
_DICTIONARY_0 = 236
_AD_JID = 247  #: a JID with a device number
_LIST_8, _LIST_16 = 248, 249
_JID_PAIR = 250
_HEX_8 = 251
_BINARY_8, _BINARY_20, _BINARY_32 = 252, 253, 254
_NIBBLE_8 = 255

_NIBBLES = "0123456789-."
_HEX_DIGITS = "0123456789ABCDEF"
_PACKED_MAX = 127
_AD_SERVERS = {0: "s.whatsapp.net", 1: "lid", 128: "hosted", 129: "hosted.lid"}
_AD_DOMAINS = {"s.whatsapp.net": 0, "lid": 1}


def decode(frame: bytes) -> Node:
    """Read one stanza; `ValueError` if the frame isn't one."""
    try:
        body = zlib.decompress(frame[1:]) if frame[0] & 2 else frame[1:]
        return _Reader(body).node()
    except (IndexError, KeyError, zlib.error) as malformed:
        raise ValueError("not a stanza") from malformed


def encode(node: Node) -> bytes:
    """Write one stanza, uncompressed."""
    writer = _Writer()
    writer.node(node)
    return b"\0" + bytes(writer.out)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def node(self) -> Node:
        size = self._list_size(self._number(1))
        tag = self._string()
        attrs: dict[str, Attribute] = {}
        for _ in range((size - 1) // 2):
            name = self._string()
            attrs[name] = self._attribute()
        return Node(tag, attrs, self._content() if size % 2 == 0 else None)

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise ValueError("the frame ends inside a stanza")
        self._at += count
        return taken

    def _number(self, width: int) -> int:
        return int.from_bytes(self._take(width), "big")

    def _list_size(self, token: int) -> int:
        match token:
            case 0:
                return 0
            case _ if token == _LIST_8:
                return self._number(1)
            case _ if token == _LIST_16:
                return self._number(2)
        raise ValueError(f"token {token} starts no list")

    def _string(self) -> str:
        value = self._attribute()
        if not isinstance(value, str):
            raise ValueError("a name is expected")  # noqa: TRY004 - the frame is malformed
        return value

    def _attribute(self) -> str | JID | None:
        token = self._number(1)
        if token == _LIST_EMPTY:
            return None
        if token in (_BINARY_8, _BINARY_20, _BINARY_32):
            return self._binary(token).decode(errors="surrogateescape")
        return self._word(token)

    def _content(self) -> Content:
        token = self._number(1)
        if token == _LIST_EMPTY:
            return None
        if token in (_LIST_8, _LIST_16):
            return [self.node() for _ in range(self._list_size(token))]
        if token in (_BINARY_8, _BINARY_20, _BINARY_32):
            return self._binary(token)
        return str(self._word(token)).encode()

    def _binary(self, token: int) -> bytes:
        if token == _BINARY_20:
            return self._take(self._number(3) & 0xFFFFF)
        return self._take(self._number(1 if token == _BINARY_8 else 4))

    def _word(self, token: int) -> str | JID:
        if token == _JID_PAIR:
            user = self._attribute()
            return JID(str(user or ""), self._string())
        if token == _AD_JID:
            domain, device = self._number(1), self._number(1)
            return JID(self._string(), _AD_SERVERS[domain], device)
        if token == _NIBBLE_8:
            return self._packed(_NIBBLES)
        if token == _HEX_8:
            return self._packed(_HEX_DIGITS)
        if token >= _DICTIONARY_0:
            return _DOUBLE[token - _DICTIONARY_0][self._number(1)]
        return _SINGLE[token]

    def _packed(self, alphabet: str) -> str:
        head = self._number(1)
        nibbles = [nibble for byte in self._take(head & 0x7F) for nibble in (byte >> 4, byte & 15)]
        if head & 0x80:
            nibbles.pop()
        return "".join(alphabet[nibble] for nibble in nibbles)


class _Writer:
    def __init__(self) -> None:
        self.out = bytearray()

    def node(self, node: Node) -> None:
        attrs = {name: value for name, value in node.attrs.items() if value is not None and value != ""}
        self._list_head(2 * len(attrs) + 1 + (node.content is not None))
        self._string(node.tag)
        for name, value in attrs.items():
            self._string(name)
            if isinstance(value, JID):
                self._jid(value)
            else:
                self._string(str(value))
        match node.content:
            case bytes() as data:
                self._binary(data)
            case list() as children:
                self._list_head(len(children))
                for child in children:
                    self.node(child)

    def _list_head(self, size: int) -> None:
        if size == 0:
            self.out.append(_LIST_EMPTY)
        elif size < 1 << 8:
            self.out += bytes((_LIST_8, size))
        else:
            self.out += bytes((_LIST_16,)) + size.to_bytes(2, "big")

    def _string(self, value: str) -> None:
        if value in _SINGLE_INDEX:
            self.out.append(_SINGLE_INDEX[value])
        elif value in _DOUBLE_INDEX:
            page, index = _DOUBLE_INDEX[value]
            self.out += bytes((_DICTIONARY_0 + page, index))
        elif 0 < len(value) <= _PACKED_MAX and set(value) <= set(_NIBBLES):
            self._packed(_NIBBLE_8, value, _NIBBLES)
        elif 0 < len(value) <= _PACKED_MAX and set(value) <= set(_HEX_DIGITS):
            self._packed(_HEX_8, value, _HEX_DIGITS)
        else:
            self._binary(value.encode(errors="surrogateescape"))

    def _packed(self, token: int, value: str, alphabet: str) -> None:
        nibbles = [alphabet.index(character) for character in value]
        odd = len(nibbles) % 2
        if odd:
            nibbles.append(15)
        self.out += bytes((token, len(nibbles) // 2 | (0x80 if odd else 0)))
        self.out += bytes(high << 4 | low for high, low in zip(nibbles[::2], nibbles[1::2], strict=True))

    def _jid(self, jid: JID) -> None:
        if jid.device and jid.server in _AD_DOMAINS:
            self.out += bytes((_AD_JID, _AD_DOMAINS[jid.server], jid.device))
            self._string(jid.user)
            return
        self.out.append(_JID_PAIR)
        if jid.user:
            self._string(jid.user)
        else:
            self.out.append(_LIST_EMPTY)
        self._string(jid.server)

    def _binary(self, data: bytes) -> None:
        size = len(data)
        if size < 1 << 8:
            self.out += bytes((_BINARY_8, size))
        elif size < 1 << 20:
            self.out += bytes((_BINARY_20,)) + size.to_bytes(3, "big")
        else:
            self.out += bytes((_BINARY_32,)) + size.to_bytes(4, "big")
        self.out += data
