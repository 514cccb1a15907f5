"""Frames on a pipe: the length in four bytes, big endian, then one JSON object in UTF-8."""

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

#: The largest body of a frame, bytes. A store snapshot has about 0.3 MB, an image up to 16 MB before base64.
MAX_FRAME = 64 * 1024 * 1024

#: How many bytes give a body's length.
HEADER = 4

Frame = dict[str, Any]


class FrameError(ValueError):
    """The bytes are not a frame of the protocol."""


def plain(value: Any) -> Any:
    """Turn what came from WhatsApp into text that JSON and Postgres accept.

    Senders choose ids, texts and group names, and the library passes them on unchecked. NUL becomes U+FFFD, and so
    does what is not UTF-8; the library gives such a string as ``bytes``.
    """
    match value:
        case str():
            return value.replace("\0", "\ufffd")
        case bytes():
            return plain(value.decode(errors="replace"))
        case Mapping():
            return {name: plain(one) for name, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case _:
            return value


def pack(frame: Mapping[str, Any]) -> bytes:
    """Encode a frame with its length; FrameError if it is larger than MAX_FRAME."""
    body = json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    if len(body) > MAX_FRAME:
        raise FrameError(f"a frame of {len(body)} bytes is more than {MAX_FRAME}")
    return len(body).to_bytes(HEADER, "big") + body


def body_length(header: bytes) -> int:
    """Read the length of a frame's body; FrameError if it is larger than MAX_FRAME."""
    length = int.from_bytes(header, "big")
    if length > MAX_FRAME:
        raise FrameError(f"a frame of {length} bytes is more than {MAX_FRAME}")
    return length


def unpack(body: bytes) -> Frame:
    """Decode a frame's body; FrameError if it is not a JSON object."""
    try:
        frame = json.loads(body.decode("utf-8", "surrogatepass"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise FrameError("a frame is not JSON in UTF-8") from error
    if not isinstance(frame, dict):
        raise FrameError("a frame is not a JSON object")
    return frame


def read(stream: BinaryIO) -> Frame | None:
    """Read the next frame. None at the end of the stream, also if it ends within a frame."""
    header = stream.read(HEADER)
    if len(header) < HEADER:
        return None
    length = body_length(header)
    body = stream.read(length)
    return unpack(body) if len(body) == length else None
