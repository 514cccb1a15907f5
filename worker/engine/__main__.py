"""``python -m worker.engine STATE_DIR``: speaks docs/engine-protocol.md on standard input and output."""

import os
import sys
from pathlib import Path

#: The library marks every direct message as a bot's unless this is in the environment that the process began with.
_BOT_TAG = {"NEONIZE_BOT_TAG": "off"}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m worker.engine STATE_DIR (the daemon starts it; see docs/engine-protocol.md)")
    if _BOT_TAG.items() - os.environ.items():
        command = [sys.executable, "-m", "worker.engine", sys.argv[1]]
        os.execve(sys.executable, command, {**os.environ, **_BOT_TAG})  # noqa: S606 - ourselves
    from worker.engine.server import serve

    serve(Path(sys.argv[1]))
