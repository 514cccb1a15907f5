"""``python -m worker``: read the settings, run the daemon, say in one line what is wrong with them."""

import asyncio
import sys

from worker.daemon import Daemon
from worker.errors import HeraldError, LostLease
from worker.logs import configure_logs
from worker.settings import load_settings


async def serve() -> None:
    """Run one daemon with the settings of the environment."""
    settings = load_settings()
    configure_logs(settings.log_level)
    await Daemon(settings).run()


def main() -> int:
    """Exit codes: 0 stopped in order, 2 a setting is wrong, 3 replaced by another process, 1 broke."""
    try:
        asyncio.run(serve())
    except LostLease as error:
        print(f"herald: {error}", file=sys.stderr)
        return 3
    except HeraldError as error:
        print(f"herald: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
