"""What the library's error texts mean. It gives nothing but text, and only this module reads it.

Sources: whatsmeow's errors.go, send.go and request.go, and the texts that the simulator's answers produced.
"""

import re
from dataclasses import dataclass

from worker.engine.protocol import Code, Detail


@dataclass(frozen=True, slots=True)
class Failure:
    """What an error means. sure: the message did not leave; otherwise the store decides."""

    code: Code
    detail: str
    sure: bool = False


#: The first match counts. ``\1`` in a detail stands for the number in the text.
_MEANINGS: tuple[tuple[str, Failure], ...] = (
    # The server refused this very message.
    (r"^server returned error (\d+)", Failure(Code.REJECTED, r"\1", sure=True)),
    # The frame never reached a socket.
    (r"failed to send message node: websocket not connected", Failure(Code.NOT_CONNECTED, "no socket", sure=True)),
    (r"the store doesn't contain a device JID", Failure(Code.NOT_CONNECTED, Detail.NOT_LINKED, sure=True)),
    (r"client is nil", Failure(Code.NOT_OPEN, "stopped", sure=True)),
    (r"can't encrypt message for device|no signal session established", Failure(Code.UNSENT, Detail.NO_KEYS)),
    (r"don't have the permission|not participating in that group", Failure(Code.REJECTED, "403", sure=True)),
    (r"that group does not exist", Failure(Code.REJECTED, "404", sure=True)),
    (
        r"unknown server|recipient must be a user JID|invalid JID",
        Failure(Code.INVALID, "no such address", sure=True),
    ),
    (r"no LID found for", Failure(Code.UNSENT, Detail.NO_LID, sure=True)),
    # A question that goes before the message was refused. The message left only if the store has it.
    (r"info query returned status 429", Failure(Code.REJECTED, "429")),
    (r"info query returned status (\d+)", Failure(Code.UNSENT, rf"{Detail.QUERY} \1")),
    (r"timed out|deadline exceeded", Failure(Code.UNSENT, Detail.NO_ANSWER)),
    (r"websocket not connected|websocket disconnected|frame websocket", Failure(Code.NOT_CONNECTED, Detail.LOST)),
    (r"upload failed with status code (\d+)", Failure(Code.UNSENT, rf"{Detail.UPLOAD} \1")),
    (r"upload|media", Failure(Code.UNSENT, Detail.UPLOAD)),
)


def explain(text: str) -> Failure:
    """Read an error's text. The text may hold phone numbers, so it never leaves this function."""
    for pattern, meaning in _MEANINGS:
        if match := re.search(pattern, text):
            return Failure(meaning.code, match.expand(meaning.detail), meaning.sure)
    return Failure(Code.UNSENT, "library")
