"""What the documents tell to do in SQL is done here: the quickstart to its message, and every other statement."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localstack.layout import REPOSITORY
from tests.conftest import until_delivered
from tests.kit.worker_process import until
from tests.kit.world import Row, World, qr_text

DOCS = REPOSITORY / "docs"

#: Pages whose statements may be run as they stand.
PAGES = ["operations.md", "backup.md", "engine-upgrades.md", "keys.md", "sending-rules.md", "workshops.md"]


def blocks(page: str) -> list[str]:
    """A page's SQL, block by block."""
    return re.findall(r"^```sql\n(.*?)^```", (DOCS / page).read_text(), flags=re.S | re.M)


def statements(block: str) -> list[str]:
    """What ends in a semicolon at the end of a line."""
    without_comments = re.sub(r"--.*$", "", block, flags=re.M)
    return [one.strip() for one in re.split(r";[ \t]*\n", without_comments + "\n") if one.strip()]


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[World]:
    """A world in which nobody has done anything, so that the statements find what the reader finds."""
    async with World(tmp_path) as made:
        yield made


@pytest.mark.full
async def test_the_quickstart_leads_to_a_message_on_a_phone(fresh: World) -> None:
    make_account, show_qr, send, why = blocks("quickstart.md")
    worker = fresh.make_worker()
    await worker.start()
    recipient = await fresh.simulator.recipient("491700000002")
    for statement in statements(make_account):
        await fresh.database.execute(statement.encode())

    async def qr() -> str | None:
        row = await fresh.row(show_qr)
        return row["qr_code"] if row else None

    picture = await until(qr, 15, "the QR")
    assert picture.startswith("data:image/png")
    await fresh.simulator.scan("491700000001", qr_text(picture))

    async def connected() -> Row | None:
        row = await fresh.row(show_qr)
        return row if row and row["status"] == "connected" else None

    await until(connected, 20, "a connected account")
    insert, look = statements(send)
    await fresh.database.execute(insert.encode())
    await recipient.expects("Hello from Herald")
    message = await fresh.row("select id from public.scheduled_whatsapp_messages")
    assert message
    await until_delivered(fresh, [str(message["id"])])
    row = await fresh.row(look)
    assert row
    assert (row["status"], row["error_message"]) == ("delivered", None)
    assert await fresh.rows(why) == []
    assert await worker.stop() == 0


@pytest.mark.parametrize("page", PAGES)
async def test_every_other_statement_is_one_that_the_database_takes(world: World, page: str) -> None:
    found = [statement for block in blocks(page) for statement in statements(block)]
    found += re.findall(r"`((?:select|update) [^`]+?)`", (DOCS / page).read_text())
    assert found
    for statement in found:
        async with world.database.transaction(force_rollback=True):
            for secret in ("herald_functions_url", "herald_cron_secret"):  # as docs/functions.md has them made
                await world.database.execute(
                    "select vault.create_secret('https://functions.example.com/functions/v1', %s)", [secret]
                )
            whole = statement.replace("…", "null").replace("'ID'", "gen_random_uuid()").rstrip(";")
            await world.database.execute(whole.encode())


async def test_after_a_restore_nothing_that_was_due_goes_out(world: World) -> None:
    session = await world.add_account("Restored")
    row = {"session_id": session, "recipient_phone": "+491700000009", "message_content": "sent before the restore"}
    [due] = await world.schedule([row])
    show, cancel = statements(blocks("backup.md")[0])
    assert {str(one["organization_id"]): one["count"] for one in await world.rows(show)}[world.organization] >= 1
    async with world.database.transaction(force_rollback=True):
        await world.database.execute(cancel.encode())
        assert await world.rows(show) == []
        [left] = await world.rows("select status from public.scheduled_whatsapp_messages where id = %s", due)
        assert left["status"] == "cancelled"
