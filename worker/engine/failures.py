"""What the library's error texts mean. It gives text only, so the text is read here, once.

Sources: whatsmeow's errors.go, send.go and request.go; observed against a server that answers so.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """What an error says by itself. sure: nothing left, whatever the store says."""

    code: str
    detail: str
    sure: bool = False


#: The first match counts. ``\\1`` in a detail stands for the number in the text.
_MEANINGS: tuple[tuple[str, Failure], ...] = (
    # The server answered this very message and refused it.
    (r"^server returned error (\d+)", Failure("rejected", r"\1", sure=True)),
    # The library never handed the frame to a socket.
    (r"failed to send message node: websocket not connected", Failure("not-connected", "no socket", sure=True)),
    (r"the store doesn't contain a device JID", Failure("not-connected", "not linked", sure=True)),
    (r"client is nil", Failure("not-open", "stopped", sure=True)),
    (r"can't encrypt message for device|no signal session established", Failure("unsent", "no keys")),
    (r"don't have the permission|not participating in that group", Failure("rejected", "403", sure=True)),
    (r"that group does not exist", Failure("rejected", "404", sure=True)),
    (r"unknown server|recipient must be a user JID|invalid JID", Failure("invalid", "no such address", sure=True)),
    (r"no LID found for", Failure("invalid", "not on WhatsApp", sure=True)),
    # A question before the message was refused; whether the message was written decides.
    (r"info query returned status 429", Failure("rejected", "429")),
    (r"info query returned status (\d+)", Failure("unsent", r"query \1")),
    (r"timed out|deadline exceeded", Failure("unsent", "no answer")),
    (r"websocket not connected|websocket disconnected|frame websocket", Failure("not-connected", "lost")),
    (r"upload failed with status code (\d+)", Failure("unsent", r"upload \1")),
    (r"upload|media", Failure("unsent", "upload")),
)


def explain(text: str) -> Failure:
    """Read an error's text; it may hold numbers, so it never leaves this function."""
    for pattern, meaning in _MEANINGS:
        if match := re.search(pattern, text):
            return Failure(meaning.code, match.expand(meaning.detail), meaning.sure)
    return Failure("unsent", "library")
