"""The doctor beside a worker that serves: nothing to find, and the worker is left alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import MakeWorker, settled
from tests.kit.doctor import Project, examine, herald, herald_json, told
from tests.kit.world import World


@pytest.fixture
async def healthy(tmp_path: Path) -> AsyncIterator[World]:
    """A world that no other test has left anything in, with the fallback and the functions' secrets."""
    async with World(tmp_path / "world") as made:
        Project(made.stack, tmp_path).complete()
        yield made


async def test_nothing_is_found_beside_a_worker_that_serves(healthy: World) -> None:
    worker = healthy.make_worker()
    await worker.start()
    session = await healthy.link("Front desk", "491600000001")
    recipient = await healthy.simulator.recipient("491600000002")
    row = {"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": "The kiln is hot"}
    [message] = await healthy.schedule([row])
    await settled(healthy, message, "delivered", "read")
    run = await healthy.row("select run_id from herald.workers")
    code, answer = await herald_json(worker.environment, "doctor", "--skip", "outbound")
    assert (code, answer["findings"], set(answer["looks"].values())) == (0, [], {"ok"})
    assert await healthy.row("select run_id from herald.workers") == run
    await worker.until_serving(1)


async def test_after_the_quickstart_only_what_is_optional_is_not_set_up(tmp_path: Path) -> None:
    async with World(tmp_path / "world") as world:
        worker = world.make_worker()
        await worker.start()
        await worker.until_serving(0)
        code, answer = await herald_json(worker.environment, "doctor", "--skip", "outbound")
        code_for_people, output = await herald(worker.environment, "doctor", "--skip", "outbound")
    assert [(one["severity"], one["topic"]) for one in answer["findings"]] == [("optional", "fallback")]
    assert (code, answer["ok"], answer["looks"]["database"]) == (0, True, "optional")
    assert {*answer["looks"].values()} == {"ok", "optional"}
    assert code_for_people == 0
    assert ("is not set up (optional)" in output, output.rstrip().endswith("All is well.")) == (True, True)


async def test_a_worker_that_does_not_answer_is_found(make_worker: MakeWorker) -> None:
    worker = make_worker()
    await worker.start()
    await worker.until_serving(0)
    found = await examine({**worker.environment, "PORT": "9"}, only=["port"])
    assert ["does not answer on 127.0.0.1:9" in one.what for one in found] == [True], told(found)
