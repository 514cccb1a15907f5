"""An engine that misbehaves is an EngineError, promptly, and never a hang; the programs here are real children."""

import asyncio
import sys
from pathlib import Path

import pytest

from worker.engine.framing import Frame
from worker.errors import EngineError, EngineRefused
from worker.providers.web.engine_process import EngineProcess

SPEAK = """
import sys
from worker.engine import framing
def say(**frame):
    sys.stdout.buffer.write(framing.pack(frame)); sys.stdout.buffer.flush()
def hear():
    return framing.read(sys.stdin.buffer)
say(id=hear()["id"], ok={"protocol": 3, "engine": "test"})
"""


class Engine(EngineProcess):
    """A child that runs this text after its greeting."""

    def __init__(self, text: str, state: Path) -> None:
        self.events: list[Frame] = []
        self.exited = asyncio.Event()
        super().__init__(
            [sys.executable, "-c", text], state, self.events.append, lambda _engine: self.exited.set()
        )


async def test_calls_get_their_answers_and_events_come_in_order(tmp_path: Path) -> None:
    engine = Engine(
        SPEAK + "first, second = hear(), hear()\n"
        "say(event='a'); say(id=second['id'], ok={'n': 2}); say(event='b')\n"
        "say(id=first['id'], error={'code': 'locked', 'detail': 'x'}); hear()",
        tmp_path,
    )
    await engine.start()
    first, second = await asyncio.gather(
        engine.call("one", timeout=5), engine.call("two", timeout=5), return_exceptions=True
    )
    assert isinstance(first, EngineRefused)
    assert first.code == "locked"
    assert second == {"n": 2}
    assert [event["event"] for event in engine.events] == ["a", "b"]
    await engine.stop()


async def test_a_command_that_does_not_exist_is_told(tmp_path: Path) -> None:
    engine = EngineProcess(["/nonexistent/engine"], tmp_path, lambda _: None, lambda _: None)
    with pytest.raises(EngineError, match="ENGINE_COMMAND"):
        await engine.start()


@pytest.mark.parametrize(
    "text",
    [
        "raise SystemExit(3)",
        "print('hello, world, this is not the protocol')",
        SPEAK.replace('"protocol": 3', '"protocol": 99') + "hear()",
    ],
)
async def test_a_child_that_is_no_engine_is_told(tmp_path: Path, text: str) -> None:
    engine = Engine(text, tmp_path)
    with pytest.raises(EngineError):
        await engine.start()
    await asyncio.wait_for(engine.exited.wait(), 5)


async def test_a_death_fails_what_was_asked(tmp_path: Path) -> None:
    engine = Engine(SPEAK + "hear(); raise SystemExit(3)", tmp_path)
    await engine.start()
    with pytest.raises(EngineError, match="ended"):
        await engine.call("send", timeout=20)
    await asyncio.wait_for(engine.exited.wait(), 5)
    assert not engine.alive
    with pytest.raises(EngineError, match="not running"):
        await engine.call("send", timeout=20)


async def test_a_silent_engine_times_out_and_can_be_killed(tmp_path: Path) -> None:
    engine = Engine(SPEAK + "import time\nwhile True: time.sleep(60)", tmp_path)
    await engine.start()
    with pytest.raises(EngineError, match="did not answer"):
        await engine.call("send", timeout=0.1)
    await engine.kill_and_wait()
    assert engine.exited.is_set()
    await engine.stop()
