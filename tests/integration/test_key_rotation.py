"""Keys are rotated under running workers, records are spoiled: none is lost, and one account's ill is its own."""

import base64
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from localstack.layout import Layout
from tests.conftest import MakeWorker, settled
from tests.kit.sealed import Sealed, herald, keyring, new_key, run_herald
from tests.kit.worker_process import until
from tests.kit.world import Row, World

RECORDS = 200
Writes = Callable[[str, str], Awaitable[None]]


@pytest.fixture
async def sealed(world: World) -> AsyncIterator[Sealed]:
    """Begins with no record in the database: those of other tests are under keys of their own."""
    await world.rows("delete from herald.session_credentials returning session_id")
    yield Sealed(world)
    await world.rows("delete from herald.session_credentials returning session_id")


@pytest.fixture
async def write(world: World, new_phone: Callable[[], str]) -> Writes:
    """Proves that an account can send: a direct text to somebody new arrives once."""

    async def writes(session: str, text: str) -> None:
        recipient = await world.simulator.recipient(new_phone())
        row = {"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": text}
        [message] = await world.schedule([row])
        await settled(world, message, "delivered", "read")
        await recipient.expects(text)
        assert recipient.times_received(text) == 1

    return writes


async def record_of(world: World, session: str) -> Row:
    row = await world.row("select * from herald.session_credentials where session_id = %s", session)
    assert row
    return row


async def want(world: World, session: str) -> None:
    await world.admin.table("whatsapp_sessions").update({"desired_state": "connected"}).eq("id", session).execute()


async def under(world: World, key_id: str) -> int:
    row = await world.row("select public.whatsapp_credentials_keys() ->> %s as records", key_id)
    return int((row or {})["records"] or 0)


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.full) for n in (2, 3))])
async def test_a_rotation_that_is_killed_half_way_is_finished_by_the_next(
    world: World, sealed: Sealed, seed: int
) -> None:
    old, new = f"default:{new_key()}", f"2027:{new_key()}"
    both = f"{new},{old}"
    stranger, _ = await world.found_organization("Glass & Co.")
    await sealed.add(RECORDS // 2, world.organization, keyring(old))
    await sealed.add(RECORDS // 2, stranger, keyring(old))
    before = await sealed.rows()
    position = random.Random(seed).randrange(1, RECORDS - 1)
    held = list(before)[position]
    async with await psycopg.AsyncConnection.connect(world.stack.database_url) as database:
        await database.execute("select 1 from herald.session_credentials where session_id = %s for update", [held])
        process = await herald(world, both, "keys", "rotate")

        async def half_way() -> bool | None:
            return await under(world, "2027") == position or None

        await until(half_way, 30, f"{position} records under the new key")
        title = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.kill()
        output = (await process.communicate())[0].decode()
        assert await sealed.readable(keyring(both)) == RECORDS
        assert await sealed.readable(keyring(old)) == RECORDS - position
        await database.rollback()
    code, told = await run_herald(world, both, "keys", "rotate")
    assert (code, told.splitlines()[-1]) == (
        0,
        "0 records under other keys: default may be removed from ENCRYPTION_KEYS.",
    )
    assert await sealed.readable(keyring(new)) == RECORDS
    code, shown = await run_herald(world, new, "keys", "status", "--check")
    assert (code, shown.splitlines()[-1]) == (0, f"{RECORDS} records open, 0 don't.")
    bare = [entry.partition(":")[2] for entry in (old, new)]
    assert not [key for key in bare if key in output + told + shown or key.encode() in title]


async def test_accounts_send_through_a_rotation_and_an_old_key_alone_spoils_nothing(
    world: World, sealed: Sealed, make_worker: MakeWorker, new_phone: Callable[[], str], write: Writes
) -> None:
    old, new = f"default:{new_key()}", f"2027:{new_key()}"
    worker = make_worker(ENCRYPTION_KEY="", ENCRYPTION_KEYS=old)
    await worker.start()
    session, idle = [await world.link(name, new_phone()) for name in ("Busy", "Idle")]
    await world.rows("update public.whatsapp_sessions set enabled = false where id = %s returning id", idle)
    await world.until_status(idle, "disconnected")
    await sealed.add(30, world.organization, keyring(old))
    await worker.stop()
    worker.environment["ENCRYPTION_KEYS"] = f"{new},{old}"
    await worker.start()
    await write(session, "sealed with the new key from now on")
    rotation = await herald(world, f"{new},{old}", "keys", "rotate")
    for text in ("during", "the", "rotation"):
        await write(session, text)
    assert await rotation.wait() == 0
    assert await worker.stop() == 0
    assert await sealed.readable(keyring(new)) == 30

    before = await record_of(world, session)
    worker.environment["ENCRYPTION_KEYS"] = old
    await worker.start()
    row = await world.until_status(session, "error")
    assert "sealed with key '2027', which this worker does not have" in row["last_error"]
    await worker.stop()
    assert await record_of(world, session) == before

    worker.environment["ENCRYPTION_KEYS"] = new
    await world.rows("update public.whatsapp_sessions set enabled = true where id = %s returning id", idle)
    await want(world, session)
    await worker.start()
    await worker.until_serving(2)
    await write(session, "with the new key alone")
    await write(idle, "the one that was put under the new key while nobody served it")


#: What befalls a record; each makes it open nowhere. The last two swap the records of two accounts.
SPOILED: dict[str, LiteralString] = {
    "its last byte": "sealed = set_byte(sealed, length(sealed) - 1, get_byte(sealed, length(sealed) - 1) # 1)",
    "its wrapped key": "sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 128)",
    "its key's name": "sealed = set_byte(sealed, 2, get_byte(sealed, 2) # 1)",
    "its format": "sealed = set_byte(sealed, 0, 1)",
    "its length": "sealed = substring(sealed for length(sealed) - 1)",
    "all of it": "sealed = ''",
    "its clean flag": "clean = not clean",
    "its incarnation": "incarnation = gen_random_uuid()",
    "its generation": "generation = generation + 1",
}


async def test_a_spoiled_record_stops_its_own_account_and_no_other(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str], write: Writes
) -> None:
    worker = make_worker()
    await worker.start()
    spoiled = {what: await world.link(f"Spoiled: {what}", new_phone()) for what in SPOILED}
    swapped = [await world.link(f"Swapped {side}", new_phone()) for side in "ab"]
    healthy = await world.link("Healthy", new_phone())
    assert await worker.stop() == 0
    ill = [*spoiled.values(), *swapped]
    whole = {session: await record_of(world, session) for session in ill}
    for what, change in SPOILED.items():
        await world.rows(
            f"update herald.session_credentials set {change} where session_id = %s returning session_id",
            spoiled[what],
        )
    for session, other in (swapped, reversed(swapped)):
        await world.rows(
            "update herald.session_credentials set sealed = %s where session_id = %s returning session_id",
            *(whole[other]["sealed"], session),
        )
    as_spoiled = {session: await record_of(world, session) for session in ill}

    await worker.start()  # its live stores are still there: they are not taken on trust either
    for session in ill:
        row = await world.until_status(session, "error")
        assert row["last_error"].startswith("The credentials "), row["last_error"]
        assert row["desired_state"] == "disconnected"
    await write(healthy, "the healthy account works")
    assert {session: await record_of(world, session) for session in ill} == as_spoiled

    for session, row in whole.items():
        await world.rows(
            "update herald.session_credentials set generation = %s, sealed = %s, incarnation = %s, clean = %s"
            " where session_id = %s returning session_id",
            *(row["generation"], row["sealed"], row["incarnation"], row["clean"], session),
        )
        await want(world, session)
    await worker.until_serving(len(ill) + 1)
    await write(swapped[0], "and this one again")


@pytest.mark.parametrize("messages", [1, *(pytest.param(n, marks=pytest.mark.full) for n in (10, 100))])
async def test_a_clean_record_that_was_put_back_is_known_to_be_stale(
    world: World,
    make_worker: MakeWorker,
    new_phone: Callable[[], str],
    messages: int,
) -> None:
    account, phone = new_phone(), new_phone()
    recipient = await world.simulator.recipient(phone)
    worker = make_worker()
    await worker.start()
    session = await world.link("Put back", account)
    await world.rows(
        "update public.whatsapp_sessions set per_group_per_minute = 1000, daily_limit = 1000"
        " where id = %s returning id",
        session,
    )
    group = await world.group(session, await world.simulator.create_group("Back", account, [phone]))
    direct = {"session_id": session, "recipient_phone": f"+{phone}"}
    to_group = {"session_id": session, "group_id": str(group["id"])}

    async def send(*texts: str) -> None:
        rows = [way | {"message_content": text} for text in texts for way in (direct, to_group)]
        for message in await world.schedule(rows):
            await settled(world, message, "delivered", "read")
        for text in texts:
            await recipient.expects(text)
            assert recipient.times_received(text) == 2

    await send("before it was kept")
    assert await worker.stop() == 0
    kept = await record_of(world, session)
    assert kept["clean"]
    await worker.start()
    await send(*(f"after it was kept, {n}" for n in range(messages)))
    assert await worker.stop() == 0
    await world.rows(
        "update herald.session_credentials set generation = %s, sealed = %s, incarnation = %s, clean = true,"
        " written_in = %s where session_id = %s returning session_id",
        *(kept["generation"], kept["sealed"], kept["incarnation"], kept["written_in"], session),
    )
    shutil.rmtree(worker.environment["STATE_DIR"])
    await worker.start()
    await send(*(f"after it was put back, {n}" for n in range(20)))


async def test_no_private_key_of_an_account_is_on_disk(
    world: World,
    make_worker: MakeWorker,
    new_phone: Callable[[], str],
    write: Writes,
    tmp_path: Path,
) -> None:
    worker = make_worker(TMPDIR=str(tmp_path), HOME=str(tmp_path))
    await worker.start()
    session = await world.link("On disk", new_phone())
    await write(session, "so that there are sessions and sender keys")
    store = Path(worker.environment["STATE_DIR"]) / session / "store.db"
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        private = database.execute("select noise_key, identity_key, adv_key from whatsmeow_device").fetchone()
    assert [len(key) for key in private] == [32, 32, 32]
    assert await worker.stop() == 0
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    forms = [form for key in private for form in (key, key.hex().encode(), base64.b64encode(key))]
    database_files = Layout(world.stack.directory).database
    found = {path for folder in (world.directory, database_files) for path in holding(forms, folder)}
    assert not found
    assert holding(forms, store.parent) == [store]  # it would have been seen


def holding(forms: list[bytes], folder: Path) -> list[Path]:
    """The files under a folder that hold one of the forms."""
    found, seen = [], 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # Postgres puts files away meanwhile
            if path.is_file():
                raw, seen = path.read_bytes(), seen + 1
                found += [path] * any(form in raw for form in forms)
    assert seen
    return found
