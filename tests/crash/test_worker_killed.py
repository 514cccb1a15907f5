"""A worker that is killed, again and again: every message arrives, none twice, and nobody scans a QR."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from simulator.client import Recipient
from simulator.faults import FaultKind
from tests.conftest import MakeWorker, until_delivered
from tests.kit.worker_process import Worker
from tests.kit.world import World

EACH, ACCOUNTS = 10, 3  #: messages queued before each kill

#: WhatsApp's servers answer within a tenth of a second; long enough for kills to strike in every stage of a send.
ROUND_TRIP = 0.1


async def restart(worker: Worker) -> float:
    """Kill it, start it again; the seconds until all accounts can send again."""
    await worker.kill()
    begun = time.monotonic()
    await worker.start()
    await worker.until_serving(ACCOUNTS)
    return time.monotonic() - begun


async def schedule(world: World, targets: list[dict[str, str]], texts: list[str]) -> list[str]:
    """Spread texts over targets as the CRM would."""
    return await world.schedule(
        [{**targets[i % len(targets)], "message_content": text} for i, text in enumerate(texts)]
    )


async def arrivals(world: World, recipients: list[Recipient], prefix: str) -> Counter[tuple[str, str]]:
    """How often each text came to each phone."""
    return Counter(
        (entry.phone, entry.text)
        for recipient in recipients
        for entry in world.simulator.ledger.received(recipient.phone)
        if entry.text.startswith(prefix)
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [4, pytest.param(10, marks=pytest.mark.full)])
async def test_every_message_survives_kill_after_kill(
    world: World,
    make_worker: MakeWorker,
    new_phone: Callable[[], str],
    record_property: Callable[..., None],
    kills: int,
) -> None:
    worker = make_worker(POLL_INTERVAL="1")
    await worker.start()
    recipients = [await world.simulator.recipient(new_phone()) for _ in range(2)]
    phones = [recipient.phone for recipient in recipients]
    accounts = [new_phone() for _ in range(ACCOUNTS)]
    sessions = await asyncio.gather(*(world.link(f"Killed {phone}", phone) for phone in accounts))
    targets: list[dict[str, str]] = []
    for session, account in zip(sessions, accounts, strict=True):
        jid = await world.simulator.create_group(f"Group of {account}", account, phones)
        targets.append({"session_id": session, "group_id": str((await world.group(session, jid))["id"])})
    for number, session in enumerate(sessions):
        targets.append({"session_id": session, "recipient_phone": f"+{phones[number % 2]}"})
    await world.database.execute("create table public.doubts (message_id uuid primary key, secret_known boolean)")
    await world.database.execute(
        """
        create function public.note_doubt() returns trigger language plpgsql security definer as
          $$ begin insert into public.doubts values (new.id, new.wa_message_id is not null) on conflict do nothing;
             return null; end $$;
        create trigger note_doubt after update on public.scheduled_whatsapp_messages for each row
          when (new.status = 'in_doubt') execute function public.note_doubt();
        create function public.no_qr() returns trigger language plpgsql as
          $$ begin raise exception 'a QR after the link'; end $$;
        create trigger no_qr before update on public.whatsapp_sessions for each row
          when (new.qr_code is not null and old.connected_at is not null) execute function public.no_qr();
        """
    )
    rng = random.Random(20)
    await world.simulator.fault(FaultKind.DELAY, seconds=ROUND_TRIP)
    ids: list[str] = []
    back: list[float] = []
    try:
        for kill in range(kills):
            texts = [f"kill {kill + 1} of {kills}, {number}" for number in range(EACH)]
            ids += await schedule(world, targets, texts)
            await asyncio.sleep(rng.uniform(0, 0.8))  # the kill comes at any moment of a send
            back.append(await restart(worker))
    finally:
        await world.simulator.clear_faults()
    try:
        await until_delivered(world, ids)
    finally:
        doubts = await world.rows("select secret_known from public.doubts")
        await world.database.execute(
            "drop trigger note_doubt on public.scheduled_whatsapp_messages; drop table public.doubts;"
            "drop trigger no_qr on public.whatsapp_sessions; drop function public.note_doubt, public.no_qr"
        )
        record_property("seconds until back", [round(seconds, 2) for seconds in back])
        record_property("in doubt", len(doubts))
        print(f"back after {[round(s, 2) for s in back]} s; {len(doubts)} in doubt: {doubts}")
    expected: Counter[tuple[str, str]] = Counter()
    for number, message in enumerate(await in_order(world, ids)):
        target = targets[number % EACH % len(targets)]
        to = phones if "group_id" in target else [target["recipient_phone"].lstrip("+")]
        expected.update((phone, message) for phone in to)
    assert await arrivals(world, recipients, "kill ") == expected


async def in_order(world: World, ids: list[str]) -> list[str]:
    """The texts of messages, in the order of the ids."""
    rows = await world.rows(
        "select id, message_content from public.scheduled_whatsapp_messages where id = any(%s::uuid[])", ids
    )
    texts = {str(row["id"]): str(row["message_content"]) for row in rows}
    return [texts[message] for message in ids]
