"""The short form of ``scripts/bench reload``: workers under PM2 are reloaded while the queue drains."""

import asyncio
import json
import sys

import pytest

from localstack.layout import REPOSITORY


@pytest.mark.full
@pytest.mark.timeout(300)
async def test_reloads_while_the_queue_drains_lose_double_and_hide_nothing() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.drills.reload", "--json", "--messages", "300", "--reloads", "2"),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, told = await process.communicate()
    assert process.returncode in (0, 1), told.decode()  # 1: too slow, on a machine that does other things
    bars = {bar["name"]: bar for bar in json.loads(said.splitlines()[-1])["bars"]}
    nothing = [name for name, bar in bars.items() if bar["limit"] == "== 0"]
    assert len(nothing) == 5
    assert {name: bars[name]["value"] for name in nothing} == dict.fromkeys(nothing, 0)
    assert bars["workers that ended in order"]["value"] == 4
    assert bars["messages waiting at the last reload"]["ok"]
    assert bars["pm2 reload returns, worst"]["limit"] == "<= 10"
    assert bars["every account sends again, worst"]["limit"] == "<= 10"
