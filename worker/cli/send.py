"""``herald send``: a test message the way every message goes, each step shown."""

import asyncio
import sys
import time
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer

from worker.cli.connection import operations
from worker.cli.queue import reasons
from worker.cli.show import AsJson, print_json
from worker.supabase.operations import Operations

#: How often the row is looked at, seconds.
_LOOK = 0.3

_ENDS = {"sent", "delivered", "read", "failed", "cancelled", "in_doubt"}
_GONE = {"sent", "delivered", "read"}


def send(
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="From which account: its id, or how that begins.")
    ],
    to: Annotated[str | None, typer.Option(metavar="NUMBER", help="To a person: +491701234567.")] = None,
    group: Annotated[
        UUID | None,
        typer.Option(metavar="UUID", help="To a group: its id, as GET /api/groups shows it."),
    ] = None,
    text: Annotated[str, typer.Option(help="What it says; - reads it from standard input.")] = "A test by Herald.",
    wait: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for the outcome.")] = 60,
    delivered: Annotated[
        bool, typer.Option("--delivered", help="Wait until a phone has it, not only WhatsApp.")
    ] = False,
    key: Annotated[str, typer.Option(help="Idempotency key: the same one again sends nothing twice.")] = "",
    as_json: AsJson = False,
) -> None:
    """Queue a test message, wait for its outcome and show each step.

    It goes by the rules that hold for every message: limits, quiet hours, opt-outs. What has not gone after --wait
    stays in the queue for an hour. Exit code 0: it went out.
    """
    if (to is None) == (group is None):
        raise typer.BadParameter("say --to NUMBER or --group UUID")
    words = sys.stdin.read() if text == "-" else text
    key = key or f"herald-send-{uuid4()}"
    raise typer.Exit(
        asyncio.run(_send(account, to, group, words, key, wait, delivered=delivered, as_json=as_json))
    )


async def _send(
    account: str,
    to: str | None,
    group: UUID | None,
    text: str,
    key: str,
    wait: float,
    *,
    delivered: bool,
    as_json: bool,
) -> int:
    begun = time.monotonic()
    async with operations() as asked:
        message = await asked.send(account, phone=to, group=group, text=text, key=key)
        facts = await _follow(asked, message, begun, wait, delivered=delivered, told=not as_json)
    if as_json:
        print_json(facts | {"seconds": round(time.monotonic() - begun, 3)})
    elif facts["status"] not in _ENDS:
        print(f"It has not gone within {wait:g} s and stays in the queue: herald queue why {message}")
    return 0 if facts["status"] in _GONE else 1


async def _follow(
    asked: Operations, message: UUID, begun: float, wait: float, *, delivered: bool, told: bool
) -> dict[str, Any]:
    """Look at the message until its status is final or the time is up; its facts then."""
    seen: list[str] = []

    def tell(words: str) -> None:
        if told and words not in seen:
            seen.append(words)
            print(f"{time.monotonic() - begun:6.1f} s  {words}", flush=True)

    tell(f"queued as {message}")
    while True:
        facts = await asked.message(message)
        _tell_steps(facts, tell)
        ended = facts["status"] in (_ENDS - {"sent"} if delivered else _ENDS)
        if ended or time.monotonic() - begun > wait:
            return facts
        await asyncio.sleep(_LOOK)


def _tell_steps(facts: dict[str, Any], tell: Any) -> None:
    match facts["status"]:
        case "pending":
            held = [
                reason
                for reason, one in zip(reasons(facts), facts["reasons"], strict=True)
                if one["rule"] != "next"
            ]
            for reason in held:
                tell(f"waits: {reason}")
        case "sending":
            tell(f"the worker {facts['worker'] or '(gone)'} sends it")
        case "failed" | "cancelled" | "in_doubt":
            tell(f"{facts['status'].replace('_', ' ')}: {facts['error_message'] or facts['error_code'] or ''}")
        case _:
            tell("sent: WhatsApp has it")
            if facts["delivered_at"]:
                tell("delivered: a phone has it")
            if facts["read_at"]:
                tell("read")
