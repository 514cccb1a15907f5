"""How each kill of the crash drill is done."""

import asyncio
import os
import signal
from typing import cast

from localstack.client import ChildName
from scripts.drills.crash_ground import URGENT, Account, Ground, Host, delays
from scripts.drills.crash_plan import Kind, Order, Struck
from simulator.faults import FaultKind
from tests.kit.faults.failpoints import Failpoint, armed
from tests.kit.faults.hold import Exchange, Stage
from tests.kit.worker_process import until

#: How long a worker may take to come to a failpoint, and how often one is armed, seconds and times.
REACH_SECONDS, TRIES = 15.0, 4

#: How long Postgres or PostgREST may take to come back, seconds.
RESTART_SECONDS = 40.0

#: How long accounts may take to send again after a graceful stop, seconds.
BACK_SECONDS = 40.0


class NotReached(Exception):  # noqa: N818 - told, and tried again
    """The worker did not come to the failpoint in time."""


class Striker:
    """Does kills, one after the other; `strike` leaves every worker running and the network whole."""

    def __init__(self, ground: Ground, wave: int, lease: float, seed: int) -> None:
        self._ground, self._wave, self._lease = ground, wave, lease
        self._rng = delays(seed)
        self._world = ground.world

    async def strike(self, order: Order) -> Struck:
        """Do one kill. Raises NotReached, TimeoutError."""
        ground, account = self._ground, self._ground.accounts[order.account]
        ground.note_ended()
        await ground.revive()
        host = await ground.holder(account)
        try:
            return Struck(order, await self._do(order.kind, host, account))
        except (NotReached, TimeoutError) as error:
            ground.history.unreached.append(Struck(order, await ground.claimed()))
            await host.wires.kill()  # it may be about to end by a SIGTERM of ours
            raise NotReached(str(error)) from None
        finally:
            await ground.revive()

    async def _do(self, kind: Kind, host: Host, account: Account) -> frozenset[str]:
        match kind:
            case Kind.BEFORE_WRITE_AHEAD:
                return await self._at(kind, host, account, stranger=True)
            case Kind.DURING_SNAPSHOT | Kind.AFTER_SNAPSHOT:
                return await self._at(kind, host, account, terminate=True)
            case Kind.DURING_TAKEOVER:
                return await self._takeover()
            case Kind.DURING_ADOPTION:
                return await self._adoption(host, account)
            case Kind.HOST_LOSS | Kind.WORKER | Kind.ENGINE:
                return await self._at_any_moment(kind, host, account)
            case Kind.POSTGREST | Kind.POSTGRES:
                return await self._child(kind)
            case Kind.WHATSAPP_SOCKETS | Kind.NETWORK_CUT | Kind.REALTIME_OFF:
                return await self._cut(kind, host)
            case _:
                return await self._at(kind, host, account)

    async def _at(
        self, kind: Kind, host: Host, account: Account, *, stranger: bool = False, terminate: bool = False
    ) -> frozenset[str]:
        """Bring a worker to a failpoint and kill it there. terminate: it comes there by SIGTERM."""
        ground, wires = self._ground, host.wires
        async with armed(Failpoint(kind.value), wires, account=account.phone) as point:
            if stranger:
                await ground.to_a_stranger(account)
            await ground.wave(self._wave)
            if terminate and wires.worker.process:
                await self._some_time()
                wires.worker.process.terminate()
            reached = await point.reached(REACH_SECONDS)
            await wires.kill()
            if not terminate and not reached.messages:
                raise NotReached("held, but no message was concerned")
            return await ground.claimed(host) | reached.messages

    async def _takeover(self) -> frozenset[str]:
        """Kill the worker with the most accounts, and the one that takes one over, at the moment it gets it."""
        ground = self._ground
        held = await ground.held()
        by_load = sorted(ground.hosts, key=lambda host: len(held.get(host.name, [])))
        victim, heir = by_load[-1], by_load[0]
        wanted = set(held.get(victim.name, []))

        def takes_one(exchange: Exchange) -> bool:
            return exchange.status == 200 and any(row["session_id"] in wanted for row in exchange.answer)

        await ground.wave(self._wave)
        await self._some_time()
        await victim.wires.kill()
        in_flight = await ground.claimed(victim)
        hold = heir.wires.gate.hold("whatsapp_heartbeat", Stage.ANSWER, takes_one)
        try:
            if heir is victim:
                await heir.wires.worker.start()
            await hold.held(REACH_SECONDS + 2 * self._lease)
            await heir.wires.kill()
            return in_flight | await ground.claimed(victim, heir)
        finally:
            hold.drop()

    async def _adoption(self, host: Host, account: Account) -> frozenset[str]:
        """Kill a worker that has claimed, and again when it has been given what it left."""
        in_flight = await self._at(Kind.AFTER_CLAIM, host, account)
        async with armed(Failpoint.DURING_ADOPTION, host.wires) as point:
            await host.wires.worker.start()
            await point.reached(REACH_SECONDS)
            await host.wires.kill()
            return in_flight | await self._ground.claimed(host)

    async def _at_any_moment(self, kind: Kind, host: Host, account: Account) -> frozenset[str]:
        """Kill in mid-send, wherever that is."""
        ground = self._ground
        if kind is Kind.HOST_LOSS:
            host = await self._sealed(host, account)
        await ground.wave(self._wave)
        await self._some_time()
        in_flight = await ground.claimed(host)
        if kind is Kind.HOST_LOSS:
            await host.wires.kill()
            in_flight |= await ground.claimed(host)
            await ground.lose(host)
            await ground.new_host()
        elif kind is Kind.WORKER:
            await host.wires.worker.kill()
        else:
            engine = host.wires.worker.engine_of(account.session)
            if not engine:
                raise NotReached(f"no engine of {account.phone}")
            os.kill(engine, signal.SIGKILL)
        return in_flight | await ground.claimed(host)

    async def _sealed(self, host: Host, account: Account) -> Host:
        """Have an account's store sealed, which else is done every minute; who serves it then.

        What is sent from then on makes that snapshot stale: with the ratchets in it a message would be lost.
        """
        await host.wires.worker.stop()
        await self._ground.revive()
        host = await self._ground.holder(account)
        await until_back(self._ground, BACK_SECONDS)
        return host

    async def _child(self, kind: Kind) -> frozenset[str]:
        """Kill a program of the stack, and wait until it is there again."""
        ground, stack, child = self._ground, self._world.stack, cast("ChildName", kind.value)
        await ground.wave(self._wave)
        await self._some_time()
        in_flight = await ground.claimed()
        killed = stack.kill(child)
        await asyncio.to_thread(stack.await_restart, child, killed, within=RESTART_SECONDS)
        if kind is Kind.POSTGRES:
            await self._world.reconnect()
        return in_flight | await ground.claimed()

    async def _cut(self, kind: Kind, host: Host) -> frozenset[str]:
        """Cut connections in mid-send, and let them be made again."""
        ground, gate, whatsapp = self._ground, host.wires.gate, host.wires.whatsapp
        await ground.wave(self._wave)
        await self._some_time()
        in_flight = await ground.claimed()
        if kind is Kind.WHATSAPP_SOCKETS:
            await self._world.simulator.fault(FaultKind.DROP)
        elif kind is Kind.REALTIME_OFF:
            await self._world.realtime("cut")
            await ground.wave(len(ground.accounts))
            await self._some_time()
            await self._world.realtime("on")
        else:
            await gate.network.cut()
            await whatsapp.cut()
            await asyncio.sleep(self._rng.uniform(0.5, 1.5 * self._lease))
            in_flight |= await ground.claimed()
            await gate.network.heal()
            await whatsapp.heal()
        return in_flight | await ground.claimed()

    async def _some_time(self) -> None:
        await asyncio.sleep(self._rng.uniform(0.05, 0.5))


async def until_back(ground: Ground, seconds: float) -> None:
    """Wait until every account has sent, or given up, a message that is scheduled now."""
    ids = await ground.wave(len(ground.accounts), priority=URGENT)
    done = ("sent", "delivered", "read", "failed", "in_doubt")

    async def look() -> bool | None:
        return True if all(row["status"] in done for row in await ground.rows(ids)) else None

    try:
        await until(look, seconds, "a message of every account")
    except TimeoutError as error:
        raise TimeoutError(f"{error}; {await ground.told_of_accounts(ids)}") from None
