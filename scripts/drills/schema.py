"""Let schemathesis request everything that the API's OpenAPI document allows, and much that it does not.

A worker with a linked account serves on loopback. What the document calls an id comes mostly from rows that exist,
so that calls succeed. Every check of schemathesis is on, every limit of the API out of the way.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localstack.layout import REPOSITORY
from scripts.drills.report import Report, run
from scripts.drills.schema_hooks import KNOWN_VARIABLE
from scripts.drills.schema_rows import Known, make_rows
from tests.kit.api_world import ApiWorld, api_world
from tests.kit.proxy_process import proxied

#: Cases for each operation and phase in a round of what is allowed, and in the one of all else.
ALLOWED, REFUSED = 40, 10

#: Seconds after which a run ends in any case: a tenth of a second a case.
LONGEST = 900.0

#: The worker's: one account shows a QR all the time.
SETTINGS = {"QR_WINDOW": "3600"}

#: Paths that no route of the proxy reaches.
NOT_FOR_BROWSERS = ("/health", "/metrics", "/openapi.json", "/docs", "/api/events", "/api/queue/drain")


@dataclass(slots=True)
class Asked:
    """What came of the rounds. words: what schemathesis said of those in which something was wrong."""

    statuses: Counter[int] = field(default_factory=Counter)
    operations: dict[str, Counter[int]] = field(default_factory=dict)  #: statuses by operation
    seconds: Counter[str] = field(default_factory=Counter)  #: until they were answered, by operation
    failures: int = 0
    errors: int = 0
    words: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """Requests that were sent."""
        return self.statuses.total()

    @property
    def succeeded(self) -> int:
        """Those of them that were answered with a 2xx."""
        return sum(count for status, count in self.statuses.items() if 200 <= status < 300)

    def table(self) -> dict[str, dict[str, Any]]:
        """What was answered, and seconds a case, by operation."""
        return {
            label: {"statuses": _told(statuses), "seconds": round(self.seconds[label] / statuses.total(), 3)}
            for label, statuses in sorted(self.operations.items())
        }

    def add(self, verdict: Mapping[str, Any], events: Path, words: str) -> None:
        """Count one round by schemathesis's two reports."""
        cases = verdict["test_cases"]
        failures = sum(failure["count"] for failure in verdict["failures"])
        errors = cases["errored"] + sum(error["count"] for error in verdict["errors"])
        self.failures += failures
        self.errors += errors + (not verdict["complete"])
        if failures or errors or not verdict["complete"]:
            self.words.append(words)
        with events.open() as lines:
            for line in lines:
                finished = json.loads(line).get("ScenarioFinished", {})
                recorder = finished.get("recorder", {})
                for interaction in recorder.get("interactions", {}).values():
                    answer = interaction.get("response") or {"status_code": 0, "elapsed": 0.0}
                    self.statuses[answer["status_code"]] += 1
                    self.operations.setdefault(recorder["label"], Counter())[answer["status_code"]] += 1
                    self.seconds[recorder["label"]] += answer["elapsed"]


def _told(statuses: Mapping[int, int]) -> dict[str, int]:
    return {str(status): count for status, count in sorted(statuses.items())}


def configuration(caller: Mapping[str, str]) -> str:
    """Write a schemathesis.toml that says who calls. JSON's strings are TOML's."""
    lines = ["[headers]", *(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in caller.items())]
    lines += ["[output.sanitization]", 'keys-to-sanitize = ["Authorization", "X-API-Key"]']
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One run of schemathesis. mode: positive, or all: what is not allowed too. proxy: address of one to pass."""

    proxy: str | None = None
    caller: Mapping[str, str]
    mode: str
    seed: int
    phases: str = "examples,coverage,fuzzing,stateful"
    examples: int = ALLOWED


async def ask_round(place: ApiWorld, known: Known, one: Round, asked: Asked) -> None:
    """Let schemathesis ask once through; ``asked`` gets what came of it."""
    with tempfile.TemporaryDirectory(prefix="herald-schema-") as name:
        folder = Path(name)
        config, verdict, events = (
            folder / file for file in ("schemathesis.toml", "verdict.json", "events.ndjson")
        )
        config.write_text(configuration(one.caller))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
            *(
                "run",
                f"{place.url}/openapi.json",
                *(_through(one.proxy) if one.proxy else ()),
                "--checks",
                "all",
                "--continue-on-failure",
                "--no-color",
            ),
            *("--mode", one.mode, "--phases", one.phases),
            *("--max-examples", str(one.examples), "--seed", str(one.seed)),
            *("--generation-with-security-parameters", "false"),  # else it makes up tokens beside the key
            *("--suppress-health-check", "all", "--request-timeout", "60", "--max-response-time", "40"),
            *("--generation-database", "none", "--report", "json,ndjson"),
            *("--report-json-path", str(verdict), "--report-ndjson-path", str(events)),
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(REPOSITORY),
                "SCHEMATHESIS_HOOKS": "scripts.drills.schema_hooks",
                KNOWN_VARIABLE: json.dumps(known),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if not verdict.exists():
            raise RuntimeError(f"schemathesis did not run:\n{said.decode()[-3000:]}")
        asked.add(json.loads(verdict.read_text()), events, said.decode())


def _through(proxy: str) -> Iterator[str]:
    """Ask there, and leave out what it has no way to."""
    yield from ("--url", proxy)
    for path in NOT_FOR_BROWSERS:
        yield from ("--exclude-path", path)


async def callers(place: ApiWorld) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The headers of the organisation's admin, behind a proxy's key, and of a server of it."""
    named = {"X-Org-Id": place.world.organization}
    admin = {**named, "X-API-Key": place.operator_key, "Authorization": f"Bearer {await place.token()}"}
    return admin, {**named, "X-API-Key": place.server_key}


async def ask_until(place: ApiWorld, cases: int, seed: int, report: Report, *, proxy: str | None = None) -> Asked:
    """Ask in turn as an admin and as a server, until there were so many cases and half of them succeeded.

    Through a proxy as the admin only: servers have keys of their own and don't pass it.

    The first round asks what is not allowed too; schemathesis has about three such cases for one that is right.
    """
    asked, known = Asked(), await make_rows(place)
    who = await callers(place)
    deadline = asyncio.get_running_loop().time() + LONGEST
    for number in itertools.count():
        one = Round(
            caller=who[0 if proxy else number % 2],
            mode="positive" if number else "all",
            examples=ALLOWED if number else REFUSED,
            seed=seed + number,
            proxy=proxy,
        )
        await ask_round(place, known, one, asked)
        report.say(f"{asked.cases} cases, {asked.succeeded} with a 2xx, {asked.failures} failures")
        enough = asked.cases >= cases and asked.succeeded >= asked.cases / 2
        if enough or asyncio.get_running_loop().time() > deadline:
            break
    return asked


async def bench(as_json: bool, cases: int, seed: int, through_proxy: bool) -> int:
    """Ask and judge; the exit code."""
    report = Report("schema", as_json)
    with tempfile.TemporaryDirectory(prefix="herald-schema-world-") as folder:
        async with AsyncExitStack() as closing:
            place = await closing.enter_async_context(api_world(Path(folder), report.say, **SETTINGS))
            proxy = await closing.enter_async_context(proxied(place)) if through_proxy else None
            asked = await ask_until(place, cases, seed, report, proxy=proxy)
    for words in asked.words:
        sys.stderr.write(words)
    report.bar("cases", asked.cases, "", ">=", cases)
    report.bar("answered with a 2xx", round(asked.succeeded / max(asked.cases, 1), 3), "of all", ">=", 0.5)
    report.bar("failures", asked.failures, "", "==", 0)
    report.bar("errors", asked.errors, "", "==", 0)
    report.extra = {"seed": seed, "statuses": _told(asked.statuses), "operations": asked.table()}
    return report.finish()


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench schema", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--cases", type=int, default=2000, help="at least so many requests (default 2000)")
    parser.add_argument("--through-proxy", action="store_true", help="ask the stand-alone proxy before the worker")
    parser.add_argument("--seed", type=int, help="the seed of a run, to have it again")
    options = parser.parse_args()
    seed = random.randrange(2**31) if options.seed is None else options.seed
    return run(bench(options.json, options.cases, seed, options.through_proxy))


if __name__ == "__main__":
    sys.exit(main())
