"""The engine: does ENGINE_COMMAND start a program that speaks the protocol?"""

import tempfile
from pathlib import Path

from worker.doctor.finding import Case, Finding, error
from worker.errors import EngineError
from worker.providers.web.engine_process import EngineProcess


async def starts(case: Case) -> list[Finding]:
    """Start one in a folder of its own, say hello, and stop it."""
    command = case.set.engine_command
    with tempfile.TemporaryDirectory(prefix="herald-doctor-") as folder:
        engine = EngineProcess(command, Path(folder), lambda _frame: None, lambda _process: None)
        try:
            await engine.start()
        except EngineError as problem:
            asked = (
                f"{' '.join(command)} {folder} < /dev/null  # shows why; scripts/setup installs what is missing"
            )
            return [error("ENGINE_COMMAND", f"No engine can be started: {problem}.", asked)]
        await engine.stop()
    return []
