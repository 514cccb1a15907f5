"""The engine, but it dies of a message whose text says so, before anything of it is written or sent."""

import os
import sys
from pathlib import Path
from typing import Any

from worker.engine import contents, sender
from worker.engine.library import Message
from worker.engine.server import serve

#: How a Go program ends that panics.
PANIC = 2

_text_message = contents.text_message


def die_of(text: str, secret: bytes) -> Message:
    """Build a text, or end."""
    if "poison" in text:
        os._exit(PANIC)
    built: Any = _text_message(text, secret)
    return built


if __name__ == "__main__":
    setattr(sender, "text_message", die_of)  # noqa: B010 - a name that it imports, for the type checker
    serve(Path(sys.argv[1]))
