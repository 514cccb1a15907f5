"""One edge function in a Deno process of its own."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localstack.layout import REPOSITORY
from localstack.process import die_with_parent

DENO = REPOSITORY / ".venv/bin/deno"
#: Packages that functions import; scripts/setup fetches them.
CACHE = REPOSITORY / ".deno"
START_PATIENCE = 60.0  #: seconds; a package may have to be fetched in this time
_LISTENING = re.compile(rb"Listening on (http://[0-9.:]+)")


class StartError(Exception):
    """The function did not start; the text says why."""


@dataclass(slots=True, kw_only=True)
class DenoFunction:
    url: str
    version: object
    _process: asyncio.subprocess.Process = field(repr=False)
    _pump: "asyncio.Task[None]" = field(repr=False)

    @classmethod
    async def start(
        cls, folder: Path, environment: Mapping[str, str], version: object, log: Path
    ) -> "DenoFunction":
        """Raises StartError; by then its output is in the log."""
        if not DENO.exists():
            raise StartError(f"{DENO} is missing: run scripts/setup.")
        config, lock = folder / "deno.json", folder.parent / "deno.lock"
        process = await asyncio.create_subprocess_exec(
            *(str(DENO), "serve", "--no-prompt", "--allow-net", "--allow-env"),
            *(["--lock", str(lock), "--frozen"] if lock.exists() else ["--no-lock"]),
            *(["--config", str(config)] if config.exists() else ["--no-config"]),
            *("--host", "127.0.0.1", "--port", "0", str(folder / "index.ts")),
            env={
                **environment,
                "DENO_DIR": str(CACHE),
                "DENO_NO_UPDATE_CHECK": "1",
                "NO_COLOR": "1",
                "HOME": str(folder),
                "PATH": "/usr/bin:/bin",
            },
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(os.getpid(), signal.SIGKILL),
        )
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        pump = asyncio.create_task(_keep_words(process, folder.name, log, listening))
        try:
            async with asyncio.timeout(START_PATIENCE):
                url = await listening
        except TimeoutError:
            process.kill()
            raise StartError(f"{folder.name} doesn't listen after {START_PATIENCE:g} s") from None
        return cls(url=url, version=version, _process=process, _pump=pump)

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        await self._process.wait()
        await self._pump


async def _keep_words(
    process: asyncio.subprocess.Process, name: str, log: Path, listening: "asyncio.Future[str]"
) -> None:
    """Copy the function's output to the log, and its address to `listening`."""
    assert process.stdout
    with log.open("ab") as file:
        async for line in process.stdout:
            if not listening.done() and (found := _LISTENING.search(line)):
                listening.set_result(found[1].decode())
            file.write(f"{name}: ".encode() + line)
            file.flush()
    await process.wait()
    if not listening.done():
        listening.set_exception(StartError(f"{name} ended with {process.returncode}"))
