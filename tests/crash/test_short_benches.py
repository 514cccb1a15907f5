"""The long measurements, run short: every bar that does not depend on the machine's speed holds."""

import asyncio
import json
import signal
import sys
from typing import Any

import pytest

from localstack.layout import REPOSITORY

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

#: Bars that a busy machine may miss.
SPEED = ("full rate again, worst",)


async def measured(name: str, *arguments: str) -> dict[str, Any]:
    """Run a bench to its end; its report."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"scripts.drills.{name}", "--json", *arguments),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, told = await process.communicate()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()
    assert process.returncode in (0, 1), told.decode()
    report: dict[str, Any] = json.loads(said.splitlines()[-1])
    wrong = [bar for bar in report["bars"] if bar["ok"] is False and not bar["name"].endswith(SPEED)]
    assert wrong == [], told.decode()
    return report


async def test_an_outage_in_a_drain_costs_no_message() -> None:
    report = await measured("outages", "--rounds", "1")
    assert report["messages"] >= 160


async def test_what_an_account_sends_after_its_state_fell_back_is_readable() -> None:
    await measured("rollback")


async def test_bad_weather_ends_no_worker_and_costs_no_message() -> None:
    await measured("weather", "--pairs", "8", "--rounds", "0")


async def test_poison_stops_at_its_limit_and_costs_no_other_message() -> None:
    await measured("poison", "--messages", "100")
