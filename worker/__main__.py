"""``python -m worker``: read the settings, run the daemon, say in one line what is wrong with them."""

import asyncio
import gc
import sys
from enum import IntEnum

import structlog

from worker.daemon import Daemon
from worker.errors import HeraldError, LostLease, SettingsError
from worker.logs import configure_logs
from worker.process.log_file import LogFile
from worker.process.pm2 import Channel
from worker.settings import Settings, load_settings

log = structlog.get_logger()


class Exit(IntEnum):
    """How a worker ends, for the program that starts it again (ecosystem.config.js, the Dockerfile, systemd)."""

    STOPPED = 0  #: in order
    BROKE = 1  #: a bug: start it again
    SETTINGS = 2  #: a setting is wrong: do not start it again before somebody has fixed it
    REPLACED = 3  #: another worker has started under its WORKER_ID: if both are started again, they never end
    LATER = 4  #: Supabase, the port or the state folder can't be had now: start it again


def exit_of(error: HeraldError) -> Exit:
    """Choose by who can fix it."""
    match error:
        case SettingsError():
            return Exit.SETTINGS
        case LostLease():
            return Exit.REPLACED
        case _:
            return Exit.LATER


def open_logs(settings: Settings) -> None:
    """Let the logs go where the settings say. Raises SettingsError."""
    if settings.log_file is None:
        configure_logs(settings.log_level)
        return
    try:
        file = LogFile(settings.log_file, max_bytes=int(settings.log_file_mb * 2**20), keep=settings.log_files)
    except OSError as error:
        raise SettingsError(
            f"LOG_FILE: can't be written ({error.strerror}); name a file in a writable folder"
        ) from None
    configure_logs(settings.log_level, file)


def say(error: HeraldError, *, also_log: bool) -> Exit:
    """One line on stderr for a person, and one in the log if that is elsewhere."""
    code = exit_of(error)
    if also_log:
        log.error("worker_ended", exit_code=int(code), error=error)
    print(f"herald: {error}", file=sys.stderr)
    return code


def main() -> int:
    """Run to the end; see Exit."""
    pm2 = Channel.inherited()
    configure_logs("INFO")  # until the settings are known, so that nothing is ever printed unredacted
    logs_to_file = False
    try:
        settings = load_settings()
        open_logs(settings)
        logs_to_file = settings.log_file is not None
        gc.freeze()  # what the imports made stays: a full collection of it stops the worker for 50 ms
        asyncio.run(Daemon(settings, pm2).run())
    except HeraldError as error:
        return say(error, also_log=logs_to_file)
    except Exception:
        # Its text may quote a body or a number, which a traceback would print; the log has type and place.
        log.exception("worker_ended", exit_code=int(Exit.BROKE))
        return Exit.BROKE
    return Exit.STOPPED


if __name__ == "__main__":
    sys.exit(main())
