"""What an engine answers without WhatsApp: a real child, asked about sessions that nobody has linked."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from worker.engine import shapes
from worker.engine.protocol import Call, Code
from worker.errors import EngineRefused
from worker.providers.web.engine_process import EngineProcess

SESSION = str(uuid4())


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[EngineProcess]:
    """The engine that Herald ships, without a network of its own."""
    started = EngineProcess([sys.executable, "-m", "worker.engine"], tmp_path, lambda _: None, lambda _: None)
    await started.start()
    yield started
    await started.stop()


async def refusal(engine: EngineProcess, call: str, **arguments: object) -> tuple[str, str]:
    with pytest.raises(EngineRefused) as refused:
        await engine.call(call, timeout=10, **arguments)
    return refused.value.code, refused.value.detail


async def test_answers_have_the_fields_that_the_protocol_names(engine: EngineProcess) -> None:
    calls: dict[Call, dict[str, object]] = {
        Call.HELLO: {"send_seconds": 100.0},
        Call.CLOSE: {"session": SESSION},
        Call.SNAPSHOT: {"session": SESSION, "ratchets": True},
        Call.FINGERPRINT: {"session": SESSION},
        Call.FORGET_RATCHETS: {"session": SESSION},
        Call.LEASE: {"sessions": {SESSION: 0.0}},
        Call.JOURNALLED: {"session": SESSION},
    }
    for call, arguments in calls.items():
        answer = await engine.call(call, timeout=10, **arguments)
        assert list(answer) == list(shapes.CALLS[call].answer.__annotations__), call


async def test_a_call_that_lacks_arguments_is_told_which(engine: EngineProcess) -> None:
    assert await refusal(engine, Call.OPEN) == (Code.INVALID, "missing session, deadline")
    assert await refusal(engine, Call.SEND, session=SESSION, token="t", to="1@g.us", kind="text", secret="") == (
        Code.INVALID,
        "missing text",
    )


async def test_what_cannot_be_done_is_refused_with_its_code(engine: EngineProcess) -> None:
    assert await refusal(engine, "dance") == (Code.INVALID, "unknown call")
    assert await refusal(engine, Call.CLOSE, session="../elsewhere") == (Code.INVALID, "ValueError")
    assert (await refusal(engine, Call.GROUPS, session=SESSION))[0] == Code.NOT_OPEN
    assert (await refusal(engine, Call.LOOKUP, session=SESSION, secret=""))[0] == Code.STORE
    assert (await refusal(engine, Call.OPEN, session=SESSION, deadline=0.0))[0] == Code.NOT_OPEN
