"""What tests are given: one world of real parts and its workers; a WhatsApp alone, and people with phones."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from simulator.client import Recipient, Simulator
from tests.kit import memory, phones
from tests.kit.worker_process import Worker, until
from tests.kit.world import Row, World

_worker_names = itertools.count(1)

MakeWorker = Callable[..., Worker]


@pytest.fixture(scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One stack, one simulated WhatsApp, one organisation for all tests: each makes its own rows and phones."""
    async with World(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def new_phone() -> Callable[[], str]:
    """Gives a phone number (digits only) that no other test has."""
    return phones.new_phone


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """Where a provider of the test's own keeps its live stores."""
    with memory.in_memory("state") as folder:
        yield folder


@pytest.fixture(scope="session")
async def whatsapp(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    """One simulated WhatsApp without a Supabase beside it, for all tests of a run."""
    async with memory.whatsapp(tmp_path_factory.mktemp("whatsapp")) as started:
        yield started


@pytest.fixture
async def simulator(whatsapp: Simulator) -> AsyncIterator[Simulator]:
    """The same, and no fault of this test's outlives it."""
    yield whatsapp
    await whatsapp.clear_faults()


@pytest.fixture(scope="session")
async def asha(whatsapp: Simulator) -> Recipient:
    """A person whose phone has a real client, so that it decrypts what it is sent."""
    return await whatsapp.recipient("491511111111", "Asha")


@pytest.fixture(scope="session")
async def bela(whatsapp: Simulator) -> Recipient:
    """Another one."""
    return await whatsapp.recipient("491522222222", "Bela")


@asynccontextmanager
async def workers(world: World) -> AsyncIterator[MakeWorker]:
    """Makes workers under names of their own; when they end, no session is left that another would take up."""
    made: list[Worker] = []

    def make(**settings: str) -> Worker:
        name = settings.pop("WORKER_ID", f"test-{next(_worker_names)}")
        made.append(world.make_worker(name, **settings))
        made[-1].forked = True
        return made[-1]

    try:
        yield make
    finally:
        await world.rows(
            "update public.whatsapp_sessions set desired_state = 'disconnected'"
            " where desired_state <> 'disconnected' returning id"
        )
        for worker in made:
            await worker.stop()


@pytest.fixture(scope="module")
async def worker(world: World) -> AsyncIterator[Worker]:
    """A worker that serves throughout a module."""
    async with workers(world) as make:
        started = make()
        await started.start()
        yield started


@pytest.fixture
async def make_worker(world: World) -> AsyncIterator[MakeWorker]:
    """Makes workers of the test's own; not to be mixed with `worker`, which would take their sessions."""
    async with workers(world) as make:
        yield make


async def settled(world: World, message: str, *statuses: str, seconds: float = 30) -> Row:
    """Wait until a message has one of the statuses; its row."""
    return (await world.until_settled([message], statuses, seconds))[0]


async def counted(world: World, message: str, *, delivered: int, read: int = 0) -> Row:
    """Wait until a message's row counts so many recipients; the row."""
    sql = (
        "select * from public.scheduled_whatsapp_messages where id = %s"
        " and delivered_count = %s and read_count = %s"
    )
    return await until(
        lambda: world.row(sql, message, delivered, read), 20, f"{delivered} delivered and {read} read"
    )


async def until_delivered(world: World, ids: list[str], seconds: float = 60) -> list[Row]:
    """Wait until every message is delivered; if one isn't, say what became of it on every side."""
    try:
        return await world.until_settled(ids, ("delivered", "read"), seconds)
    except TimeoutError as error:
        missing = await world.rows(
            "select * from public.scheduled_whatsapp_messages"
            " where id = any(%s::uuid[]) and status not in ('delivered', 'read')",
            ids,
        )
        told = [str(error)]
        for row in missing:
            text, wa_id = row["message_content"], row["wa_message_id"]
            arrived = sum(entry.text == text for entry in world.simulator.ledger.received())
            processed = await world.simulator.times_processed(wa_id) if wa_id else None
            told.append(
                f"{text!r} is {row['status']} as {wa_id} ({row['error_message']}), session {row['session_id']}: "
                f"processed by the server {processed} times, arrived {arrived} times"
            )
        raise AssertionError("\n".join(told)) from None
