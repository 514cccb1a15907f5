"""The queue bench, run small: every figure is there, no message is lost or claimed twice. Not how fast it is."""

import asyncio
import json
import sys

import pytest

from localstack.layout import REPOSITORY


@pytest.mark.full
@pytest.mark.timeout(600)
async def test_the_queue_bench_drains_every_message_once_and_shows_every_figure() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.drills.queue", "--rows", "100000", "--json"),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, told = await process.communicate()
    assert process.returncode in (0, 1), told.decode()
    report = json.loads(said.splitlines()[-1])
    bars = {bar["name"]: bar for bar in report["bars"]}
    assert report["rows"] == 100_000
    assert [name for name, bar in bars.items() if bar["value"] is None] == []
    right = {name: bars[name]["value"] for name in ("claimed twice", "not sent", "claims left over")}
    assert right == {"claimed twice": 0, "not sent": 0, "claims left over": 0}
    assert report["messages"] >= 3_000
    limits = {
        "claim + settle, batch 50, every rule on": ">= 2000",
        "claim of 50, p99": "<= 25",
        "claim of 50, in turn: median ÷ that at 10,000 rows": "<= 1.2",
        "member's last 50 messages, p95": "<= 20",
        "a day's analytics, p95": "<= 200",
    }
    assert {name: bars[name]["limit"] for name in limits} == limits
