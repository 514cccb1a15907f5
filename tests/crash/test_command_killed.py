"""A worker is killed while it carries out what an admin has asked."""

from collections.abc import Callable

from simulator.faults import FaultKind
from tests.conftest import MakeWorker
from tests.kit.worker_process import until
from tests.kit.world import World


async def test_a_request_outlives_its_worker_as_a_clear_failure(
    world: World, new_phone: Callable[[], str], make_worker: MakeWorker
) -> None:
    account, ann = new_phone(), new_phone()
    fast = {"LEASE_SECONDS": "3", "HEARTBEAT_SECONDS": "0.5", "POLL_INTERVAL": "0.5"}
    first = make_worker(**fast)
    await first.start()
    session = await world.link("Killed", account)
    await world.simulator.account(ann)
    jid = await world.simulator.create_group("Killed", account, [ann])
    await world.simulator.fault(FaultKind.STALL_QUERY, account, count=1)
    asked = {"organization_id": world.organization, "session_id": session, "kind": "sync_contacts"}
    await world.admin.table("whatsapp_commands").insert({**asked, "arguments": {"group_jid": jid}}).execute()
    await world.simulator.until_used_up(FaultKind.STALL_QUERY, phone=account)
    await first.kill()
    second = make_worker(**fast)
    await second.start()
    failed = await until(
        lambda: world.row(
            "select error_message from public.whatsapp_commands where session_id = %s and state = 'failed'"
            " and kind = 'sync_contacts'",
            session,
        ),
        30,
        "a command that failed",
    )
    assert "may have been done" in failed["error_message"]
