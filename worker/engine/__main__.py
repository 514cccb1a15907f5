"""``python -m worker.engine STATE_DIR``: speaks docs/engine-protocol.md on standard input and output."""

import sys
from pathlib import Path

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m worker.engine STATE_DIR (the daemon starts it; see docs/engine-protocol.md)")
    from worker.engine.server import serve

    serve(Path(sys.argv[1]))
