"""A worker stops, dies, or moves to another host: accounts follow without a new QR."""

import asyncio
import base64
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.client import Recipient
from tests.conftest import MakeWorker, settled
from tests.kit.worker_process import Worker
from tests.kit.world import World

#: What a worker takes by itself, seconds.
LEASE = 20.0


class Account:
    """A linked account that writes to one recipient."""

    def __init__(self, world: World, session: str, recipient: Recipient) -> None:
        self.world, self.session, self.recipient = world, session, recipient

    async def writes(self, text: str, seconds: float = 30) -> None:
        """Prove that it can send: a direct text arrives once."""
        row = {"session_id": self.session, "recipient_phone": f"+{self.recipient.phone}", "message_content": text}
        [message] = await self.world.schedule([row])
        await settled(self.world, message, "delivered", seconds=seconds)
        await self.recipient.expects(text)  # a delivery receipt alone may come for a lost message
        assert self.recipient.times_received(text) == 1


@pytest.fixture
def link(world: World, new_phone: Callable[[], str]) -> Callable[[str], "asyncio.Future[Account]"]:
    """Links an account by its QR."""

    async def make(name: str) -> Account:
        recipient = await world.simulator.recipient(new_phone())
        return Account(world, await world.link(name, new_phone()), recipient)

    return lambda name: asyncio.ensure_future(make(name))


@pytest.fixture
async def qr_watch(world: World) -> Callable[[str], "asyncio.Future[int]"]:
    """Counts the QR codes that a session's row has shown from the first call on, by a trigger in the database."""
    await world.database.execute(
        """
        create table if not exists public.shown_qrs (session_id uuid, at timestamptz default clock_timestamp());
        create or replace function public.note_qr() returns trigger language plpgsql security definer as
          $$ begin insert into public.shown_qrs (session_id) values (new.id); return null; end $$;
        create or replace trigger note_qr after update on public.whatsapp_sessions for each row
          when (new.qr_code is not null and new.qr_code is distinct from old.qr_code)
          execute function public.note_qr();
        """
    )

    async def count(session: str) -> int:
        return len(await world.rows("select 1 from public.shown_qrs where session_id = %s", session))

    return lambda session: asyncio.ensure_future(count(session))


async def until_serving(worker: Worker, sessions: int = 1, seconds: float = 30) -> float:
    """Wait until it serves; the seconds that it took."""
    begun = time.monotonic()
    await worker.until_serving(sessions, seconds)
    return time.monotonic() - begun


async def test_a_graceful_restart_needs_no_qr(
    make_worker: MakeWorker,
    link: Callable[[str], "asyncio.Future[Account]"],
    qr_watch: Callable[[str], "asyncio.Future[int]"],
) -> None:
    worker = make_worker()
    await worker.start()
    account = await link("Restarted")
    await account.writes("before the restart")
    shown = await qr_watch(account.session)
    assert await worker.stop() == 0
    await worker.start()
    assert await until_serving(worker) < LEASE  # the lease was given back: nobody waits for its end
    await account.writes("after the restart")
    assert await qr_watch(account.session) == shown


async def test_an_account_moves_to_another_host_by_its_sealed_state(
    world: World,
    make_worker: MakeWorker,
    link: Callable[[str], "asyncio.Future[Account]"],
    qr_watch: Callable[[str], "asyncio.Future[int]"],
) -> None:
    first, second = make_worker(), make_worker()
    await first.start()
    account = await link("Moving")
    await account.writes("from the first host")
    shown = await qr_watch(account.session)
    assert await first.stop() == 0
    shutil.rmtree(first.environment["STATE_DIR"])
    await second.start()
    await until_serving(second)
    await account.writes("from the second host")
    await second.stop()
    Path(first.environment["STATE_DIR"]).mkdir()
    await first.start()  # and back: what it had is older than what the database has
    await until_serving(first)
    await account.writes("from the first host again")
    assert await qr_watch(account.session) == shown
    row = await world.row("select clean from herald.session_credentials where session_id = %s", account.session)
    assert row == {"clean": False}


async def test_an_old_store_on_a_host_is_not_taken_for_the_newest(
    make_worker: MakeWorker, link: Callable[[str], "asyncio.Future[Account]"]
) -> None:
    first, second = make_worker(), make_worker()
    await first.start()
    account = await link("Back again")
    await account.writes("one")
    await first.stop()
    await second.start()
    await until_serving(second)
    await account.writes("two")
    await account.writes("three")
    await second.stop()
    await first.start()  # its folder still holds the store from before
    await until_serving(first)
    await account.writes("four")


@pytest.mark.full  # a lease has to run out
async def test_a_lost_host_is_replaced_within_half_a_minute(
    make_worker: MakeWorker,
    link: Callable[[str], "asyncio.Future[Account]"],
    qr_watch: Callable[[str], "asyncio.Future[int]"],
) -> None:
    first, second = make_worker(), make_worker()
    await first.start()
    account = await link("Survivor")
    await account.writes("before the loss")
    shown = await qr_watch(account.session)
    await second.start()
    await second.until_serving(0)
    await first.kill()
    shutil.rmtree(first.environment["STATE_DIR"])
    assert await until_serving(second, seconds=40) <= 30
    await account.writes("after the loss")
    assert await qr_watch(account.session) == shown


async def test_a_wrong_encryption_key_is_told_in_the_row_of_the_account_only(
    world: World, make_worker: MakeWorker, link: Callable[[str], "asyncio.Future[Account]"]
) -> None:
    first = make_worker()
    await first.start()
    account = await link("Sealed elsewhere")
    await first.stop()
    other = make_worker(ENCRYPTION_KEY=base64.b64encode(secrets.token_bytes(32)).decode())
    await other.start()
    row = await world.until_status(account.session, "error")
    assert "ENCRYPTION_KEY" in row["last_error"]
    assert row["desired_state"] == "disconnected"
    fresh = await link("Sealed here")
    await fresh.writes("the other account works")
    assert (await other.health() or {})["sessions"] == {"held": 1, "connected": 1}
    await other.stop()
    await (
        world.admin.table("whatsapp_sessions")
        .update({"desired_state": "connected"})
        .eq("id", account.session)
        .execute()
    )
    await world.rows(
        "update public.whatsapp_sessions set desired_state = 'disconnected' where id = %s returning id",
        fresh.session,
    )
    await first.start()
    await until_serving(first)
    await account.writes("with the right key again")


async def test_a_second_worker_of_the_same_name_takes_over_and_the_first_ends(
    make_worker: MakeWorker, link: Callable[[str], "asyncio.Future[Account]"]
) -> None:
    first = make_worker()
    await first.start()
    account = await link("Twice")
    await account.writes("by the first")
    second = make_worker(WORKER_ID=first.worker_id, STATE_DIR=first.environment["STATE_DIR"] + "-other")
    await second.start()
    assert first.process
    assert await asyncio.wait_for(first.process.wait(), 15) == 3
    assert "another worker has started with this WORKER_ID" in await asyncio.to_thread(first.log.read_text)
    await until_serving(second)
    await account.writes("by the second")
