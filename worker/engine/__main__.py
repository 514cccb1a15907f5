"""``python -m worker.engine STATE_DIR`` speaks docs/engine-protocol.md over standard input and output."""

import os
import sys
from pathlib import Path

#: Unless the process starts with this in its environment, the library marks every direct message as a bot's.
_BOT_TAG = {"NEONIZE_BOT_TAG": "off"}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(
            "usage: python -m worker.engine STATE_DIR (Herald's daemon starts it; see docs/engine-protocol.md)"
        )
    if _BOT_TAG.items() - os.environ.items():
        command = [sys.executable, "-m", "worker.engine", sys.argv[1]]
        os.execve(sys.executable, command, {**os.environ, **_BOT_TAG})  # noqa: S606 - ourselves
    from worker.engine.server import serve

    serve(Path(sys.argv[1]))
