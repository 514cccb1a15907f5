"""The command line: `python -m localstack up | status | reset | down`."""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from localstack.client import Stack
from localstack.layout import Layout, LocalStackError, Phase, State
from localstack.migrations import FUNCTIONS, MIGRATIONS
from localstack.supervisor import Supervisor

EPILOG = """
examples:
  python -m localstack up --detach      start and return when everything answers
  set -a; . .localstack/env             SUPABASE_URL, the keys and DATABASE_URL for a shell
  python -m localstack status           what runs, and where
  python -m localstack reset            a new database, same keys and ports
  python -m localstack down             stop and remove everything, data too

Several stacks run side by side, each with its own --dir.
"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m localstack",
        description="A local Supabase on loopback, without Docker: Postgres, REST, Auth, Realtime, functions.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.add_argument(
            "--dir",
            type=Path,
            default=Path(".localstack"),
            metavar="DIR",
            help="the stack's directory: env, logs, state (default: .localstack)",
        )
        return sub

    up = command("up", "start a stack and apply the migrations")
    up.add_argument("--detach", action="store_true", help="return when everything is ready")
    up.add_argument("--no-migrate", action="store_true", help="leave the database empty")
    up.add_argument(
        "--migrations",
        type=Path,
        default=MIGRATIONS,
        metavar="PATH",
        help="a directory of .sql files (default: supabase/migrations)",
    )
    up.add_argument(
        "--functions",
        type=Path,
        default=FUNCTIONS,
        metavar="PATH",
        help="a project's supabase/functions (default: this folder's); config.toml lies beside it",
    )
    up.add_argument("--with-parent", action="store_true", help="stop when the calling process is gone")
    # A program may have started this through a pipe and wait for its end: close the output when ready.
    up.add_argument("--hand-over", action="store_true", help=argparse.SUPPRESS)
    status = command("status", "show what runs")
    status.add_argument("--json", action="store_true", help="print state.json")
    command("reset", "make the database anew; data is lost, keys and ports stay")
    command("down", "stop a stack and remove its data")
    return top


def up(options: argparse.Namespace) -> None:
    layout = Layout.at(options.dir)
    if options.detach:
        _detach(layout, options)
        return
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - started:5.1f} s  {line}", flush=True)

    def on_ready(state: State) -> None:
        progress(f"Ready: {state.url}   environment: {layout.env}")
        if options.hand_over:
            os.dup2(os.open(layout.logs / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 1)
            os.dup2(1, 2)

    Supervisor(
        layout,
        functions=options.functions.resolve(),
        migrations=None if options.no_migrate else options.migrations.resolve(),
        progress=progress,
        on_ready=on_ready,
        orphan_of=os.getppid() if options.with_parent else None,
    ).run()


def _detach(layout: Layout, options: argparse.Namespace) -> None:
    """Run `up` in a session of its own and show its progress until it is ready."""
    argv = [sys.executable, "-m", "localstack", "up", "--hand-over", "--dir", str(layout.directory)]
    argv += ["--no-migrate"] if options.no_migrate else ["--migrations", str(options.migrations)]
    argv += ["--functions", str(options.functions)]
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    assert process.stdout
    for line in process.stdout:
        print(line, end="", flush=True)
    if layout.read_state().supervisor != process.pid or layout.read_state().phase is Phase.FAILED:
        sys.exit(process.wait() or 1)


def status(options: argparse.Namespace) -> None:
    layout = Layout.at(options.dir)
    state = layout.read_state()
    if options.json:
        print(json.dumps(asdict(state), indent=2))
    else:
        print(f"{layout.directory}: {state.phase}{': ' + state.error if state.error else ''}")
        if state.phase not in (Phase.STOPPED, Phase.FAILED):
            print(f"  {'url':<11} {state.url}\n  {'supervisor':<11} pid {state.supervisor}")
            for name, child in state.children.items():
                health = "ready" if child.ready else "not ready"
                print(
                    f"  {name:<11} pid {child.pid}, port {state.ports[name]}, {health}, {child.restarts} restarts"
                )
            print(f"  {'env':<11} {shlex.quote(str(layout.env))}")
    sys.exit(0 if state.phase is Phase.READY else 3)


def main(arguments: list[str] | None = None) -> None:
    """Exit code 0: done. 1: it failed, and stderr says why. 3: `status` of a stack that isn't ready."""
    options = parser().parse_args(arguments)
    try:
        match options.command:
            case "up":
                up(options)
            case "status":
                status(options)
            case "reset":
                Stack.attach(options.dir).reset()
                print("Reset.")
            case "down":
                Stack.take_down(options.dir)
                print("Down.")
    except LocalStackError as error:
        print(f"localstack: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
