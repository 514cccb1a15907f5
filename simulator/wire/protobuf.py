"""A protobuf codec for the handful of small messages that the server side reads and writes.

Only what they need: varints, length-delimited fields, fixed-width fields on reading, and the first value
where a field repeats. No schema: a message is a mapping from field number to value.
"""

from __future__ import annotations

from collections.abc import Mapping

Field = int | bytes

_FIXED_WIDTH = {1: 8, 5: 4}


def varint(value: int) -> bytes:
    """Seven bits a byte, least significant first, the high bit says that more follow."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def encode(fields: Mapping[int, Field]) -> bytes:
    """Write the fields in the order given."""
    encoded = bytearray()
    for number, value in fields.items():
        if isinstance(value, int):
            encoded += varint(number << 3) + varint(value)
        else:
            encoded += varint(number << 3 | 2) + varint(len(value)) + value
    return bytes(encoded)


class Message:
    """A decoded message; asking for a field that isn't there, or is of the other kind, raises `KeyError`."""

    def __init__(self, encoded: bytes) -> None:
        self._fields = _decode(encoded)

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    def data(self, number: int) -> bytes:
        value = self._fields[number]
        if not isinstance(value, bytes):
            raise KeyError(number)
        return value

    def integer(self, number: int, default: int | None = None) -> int:
        value = self._fields.get(number, default)
        if not isinstance(value, int):
            raise KeyError(number)
        return value

    def message(self, number: int) -> Message:
        return Message(self.data(number))


def _decode(encoded: bytes) -> dict[int, Field]:
    fields: dict[int, Field] = {}
    at = 0
    while at < len(encoded):
        key, at = _read_varint(encoded, at)
        wire_type = key & 7
        value: Field
        if wire_type == 0:
            value, at = _read_varint(encoded, at)
        else:
            if wire_type == 2:
                length, at = _read_varint(encoded, at)
            elif wire_type in _FIXED_WIDTH:
                length = _FIXED_WIDTH[wire_type]
            else:
                raise ValueError(f"wire type {wire_type} is not in use")
            value, at = encoded[at : at + length], at + length
            if at > len(encoded):
                raise ValueError("the message ends inside a field")
        fields.setdefault(key >> 3, value)
    return fields


def _read_varint(encoded: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(encoded):
            raise ValueError("the message ends inside a number")
        byte = encoded[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
