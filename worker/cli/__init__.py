"""``herald``: what the operator does beside the running workers, with the worker's own settings.

Results go to stdout, progress and refusals to stderr. A key is never an argument: process lists show those.
"""

import sys

import typer

from worker.cli.audit import audit
from worker.cli.doctor import doctor
from worker.cli.keys import keys
from worker.cli.queue import queue
from worker.cli.send import send
from worker.cli.sessions import sessions
from worker.cli.watch import watch
from worker.errors import HeraldError, SettingsError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Herald's tools for operators. They take the worker's settings from the environment.",
    epilog="Exit codes: 0 all is well or done, 1 something is left to be done, 2 a setting is wrong.",
)
app.command()(doctor)
app.add_typer(sessions, name="sessions")
app.add_typer(queue, name="queue")
app.command()(send)
app.command()(watch)
app.command()(audit)
app.add_typer(keys, name="keys")


def main() -> int:
    """Exit codes: 0 done, 1 something is left to be done or Supabase is away, 2 a setting is wrong."""
    try:
        app(prog_name="herald")
    except HeraldError as error:
        print(f"herald: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    return 0
