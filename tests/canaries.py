"""A run of the tests fails if a log, an answer that refuses, or a metric holds what none may hold.

While the tests run, every log of a stack, worker, simulator and PM2 that would be removed is kept, and their
secrets, numbers and message texts are noted where they are made (localstack/kept_logs.py). At the end the kept
logs, those in the tests' own folders, what tests wrote to the terminal, refusals and metrics are searched for
them, and for what looks like a secret or a number, whoever made it.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from localstack.kept_logs import NOTES, VARIABLE

#: What looks like it, whatever its value. Tests' phones are German mobiles.
FORMS = {
    "a phone number": r"(?<![0-9A-Fa-f.-])49(15|16|17)[0-9]{8,9}(?![0-9A-Fa-f])",
    "a token": r"eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "a secret key of Supabase": r"sb_secret_[0-9A-Za-z]{8,}",
    "a database's password": r"postgres(ql)?://[^:/@\s]+:[^@/\s]+@",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "a QR": r"[A-Za-z0-9+/]{43}=,[A-Za-z0-9+/]{43}=",
    "a QR's picture": r"data:image/png;base64,[A-Za-z0-9+/]{16}",
}


#: The number in the product's own hints and documents.
EXAMPLE = "491701234567"


@dataclass(frozen=True, slots=True)
class Leak:
    """What stands where. The value itself is not told again."""

    what: str
    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.what} in {self.file}, line {self.line}"


def leaks(folders: Iterable[Path], notes: Path) -> list[Leak]:
    """Search every log below the folders for what was noted, and for what has one of the forms."""
    logs = sorted({path for folder in folders for path in folder.rglob("*.log*") if path.is_file()})
    if not logs:
        return []
    found = [leak for what, form in FORMS.items() for leak in _grep(what, logs, "-P", "-e", form)]
    if notes.exists() and notes.stat().st_size:
        found += _grep("what was noted as secret", logs, "-F", "-f", str(notes))
    return found


def _grep(what: str, logs: list[Path], *how: str) -> Iterator[Leak]:
    done = subprocess.run(
        ["grep", "-anoH", "--null", *how, "--", *map(str, logs)],
        env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
    )
    if done.returncode > 1:
        raise RuntimeError(done.stderr.decode())
    for line in done.stdout.splitlines():
        name, _, rest = line.partition(b"\0")
        number, _, value = rest.partition(b":")
        if value != EXAMPLE.encode():
            yield Leak(what, Path(name.decode()), int(number))


class Watch:
    """One run's folder, and what was found at its end."""

    def __init__(self) -> None:
        self.kept = Path(tempfile.mkdtemp(prefix="herald-kept-logs-"))
        self.folders = [self.kept]
        self.found: list[Leak] = []
        self.patches = pytest.MonkeyPatch()
        self.patches.setenv(VARIABLE, str(self.kept))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What a test writes to the terminal is a log too: the API and the worker's parts log there in tests."""
        if report.when == "teardown":  # it has all
            test = report.nodeid.partition("[")[0]
            ours = [
                section for section in report.sections if "log" not in section[0]
            ]  # that is pytest's own handler's
            self._keep("terminal.log", *(f"{test}, {name}\n{text}" for name, text in ours))

    def heard(self, url: str, content_type: str, headers: Mapping[str, str], content: bytes) -> None:
        """Keep an answer that refuses, or that everyone may read."""
        if content_type == "application/problem+json" or url.endswith("/metrics"):
            self._keep("answers.log", *headers.values(), content.decode(errors="replace"))

    def _keep(self, name: str, *texts: str) -> None:
        with (self.kept / name).open("a") as log:
            log.writelines(f"{text}\n" for text in texts)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.found = leaks(self.folders, self.kept / NOTES)
        for file in {leak.file for leak in self.found if self.kept not in leak.file.parents}:
            shutil.copy(file, self.kept)  # other runs remove the tests' folders
        if self.found and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.found:
            terminalreporter.section("leaks: what no log may hold", red=True)
            for leak in self.found[:50]:
                terminalreporter.line(str(leak))
            terminalreporter.line(f"{len(self.found)} in all; the logs are kept in {self.kept}")

    def pytest_unconfigure(self) -> None:
        self.patches.undo()
        if not self.found:
            shutil.rmtree(self.kept, ignore_errors=True)


def _listen(watch: Watch) -> None:
    """Have both clients that tests use tell what they hear."""
    read, send = aiohttp.ClientResponse.read, httpx.AsyncClient.send

    async def read_and_tell(answer: aiohttp.ClientResponse) -> bytes:
        content = await read(answer)
        watch.heard(answer.url.path, answer.content_type, answer.headers, content)
        return content

    async def send_and_tell(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
        answer = await send(client, request, **options)
        if answer.is_closed:  # and read
            content_type = answer.headers.get("Content-Type", "").partition(";")[0]
            watch.heard(request.url.path, content_type, answer.headers, answer.content)
        return answer

    watch.patches.setattr(aiohttp.ClientResponse, "read", read_and_tell)
    watch.patches.setattr(httpx.AsyncClient, "send", send_and_tell)


_WATCH = pytest.StashKey[Watch]()


@pytest.fixture(scope="session", autouse=True)
def _tests_own_folders(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> None:
    pytestconfig.stash[_WATCH].folders.append(tmp_path_factory.getbasetemp())


def pytest_configure(config: pytest.Config) -> None:
    """Watch this run."""
    config.stash[_WATCH] = watch = Watch()
    _listen(watch)
    config.pluginmanager.register(watch, "herald-canaries")
