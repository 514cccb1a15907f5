"""The doctor beside a worker that serves: nothing to find, and the worker is left alone."""

from collections.abc import Callable

from scripts.drills.world import World
from tests.conftest import MakeWorker, settled
from tests.integration.doctor_world import examine, herald_json, told


async def test_nothing_is_found_beside_a_worker_that_serves(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker = make_worker()
    await worker.start()
    session = await world.link("Front desk", new_phone())
    recipient = await world.simulator.recipient(new_phone())
    row = {"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": "The kiln is hot"}
    [message] = await world.schedule([row])
    await settled(world, message, "delivered", "read")
    run = await world.row("select run_id from herald.workers where worker_id = %s", worker.worker_id)
    code, answer = await herald_json(worker.environment, *("doctor", "--skip", "outbound", "--skip", "functions"))
    others = ("workers", "fallback")  # workers of other tests that were stopped, and what a world has no use for
    about_it = [one for one in answer["findings"] if worker.worker_id in one["what"] or one["topic"] not in others]
    assert (about_it, answer["looks"]["port"], answer["looks"]["worker-id"]) == ([], "ok", "ok")
    assert code == (1 if answer["findings"] else 0)
    assert await world.row("select run_id from herald.workers where worker_id = %s", worker.worker_id) == run
    await worker.until_serving(1)


async def test_a_worker_that_does_not_answer_is_found(make_worker: MakeWorker) -> None:
    worker = make_worker()
    await worker.start()
    await worker.until_serving(0)
    found = await examine({**worker.environment, "PORT": "9"}, only=["port"])
    assert ["does not answer on 127.0.0.1:9" in one.what for one in found] == [True], told(found)
