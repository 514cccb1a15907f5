"""A message that its engine dies of costs an attempt each time, so that it ends; the others go out."""

from collections.abc import Callable

from tests.conftest import MakeWorker, settled, until_delivered
from tests.kit.world import World


async def test_a_message_that_engines_die_of_fails_at_its_limit_and_the_others_arrive_once(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker = make_worker(POLL_INTERVAL="1")
    engine = worker.environment["ENGINE_COMMAND"].replace("-- worker.engine", "-- tests.crash.poisoned_engine")
    worker.environment["ENGINE_COMMAND"] = engine
    await worker.start()
    recipient = await world.simulator.recipient(new_phone())
    session, neighbour = [await world.link(name, new_phone()) for name in ("Poisoned", "Its neighbour")]
    to = {"recipient_phone": f"+{recipient.phone}"}
    [poison, *healthy] = await world.schedule(
        [
            {**to, "session_id": session, "message_content": "poison", "max_retries": 1, "priority": 10},
            {**to, "session_id": session, "message_content": "after it", "max_retries": 3, "priority": 5},
            {
                **to,
                "session_id": neighbour,
                "message_content": "beside it",
                "max_retries": 3,
                "priority": 5,
            },
        ]
    )
    row = await settled(world, poison, "failed", seconds=60)
    assert (row["retry_count"], row["error_code"]) == (1, "herald-engine-crashed")
    await until_delivered(world, healthy)
    for text in ("after it", "beside it"):
        assert recipient.times_received(text) == 1
