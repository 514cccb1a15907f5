"""The world of the crash drill: workers on wires that share accounts, groups of real recipients, messages."""

import asyncio
import itertools
import random
import shutil
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from postgrest import APIError

from scripts.drills.crash_judge import Message
from scripts.drills.crash_plan import History
from simulator.faults import FaultKind
from tests.kit.faults.wires import Wires
from tests.kit.worker_process import until
from tests.kit.world import Row, World

#: Seconds that WhatsApp's servers take to answer here, so that sends take a time in which to be struck.
ROUND_TRIP = 0.1

#: Real recipients in each group, and light members, whose phones confirm but can't decrypt.
GROUP_RECIPIENTS, LIGHT_MEMBERS = 2, 3

#: Recipients in all.
RECIPIENTS = 6

#: How long the CRM's insert is retried while Supabase is away, seconds.
INSERT_SECONDS = 30.0

#: How long the devices of a garbled person are away at most, seconds.
AWAY = 600.0

#: Goes out before all that waits.
URGENT = 10

_CLAIMED = """
select c.message_id from herald.message_claims as c join herald.session_leases as l using (session_id)
where cardinality(%s::text[]) = 0 or l.worker_id = any(%s::text[])
"""
_ACCOUNTS = """
select s.phone_number, s.status, s.last_error, l.worker_id, l.ready, l.expires_at > now() as leased, m.status as m
from public.scheduled_whatsapp_messages as m
join public.whatsapp_sessions as s on s.id = m.session_id
left join herald.session_leases as l on l.session_id = s.id
where m.id = any(%s::uuid[]) and m.status in ('pending', 'sending')
"""
_HOLDER = """
select worker_id from herald.session_leases where session_id = %s and ready and expires_at > now()
"""


@dataclass(frozen=True, slots=True)
class Account:
    """A linked account with one group. group: its row's id.  members: the group's real recipients.

    garbled: a person of its own, whose phone is a real client: their number, and the ledger's names of their devices.
    """

    phone: str
    session: str
    group: str
    members: tuple[str, ...]
    garbled: tuple[str, tuple[str, ...]] | None = None


@dataclass(slots=True)
class Host:
    """A worker on its wires. exits: what to undo when the host is gone."""

    wires: Wires
    exits: AsyncExitStack

    @property
    def name(self) -> str:
        return self.wires.worker.worker_id

    @property
    def state(self) -> Path:
        """Where its live stores lie."""
        return Path(self.wires.worker.environment["STATE_DIR"])

    @property
    def runs(self) -> bool:
        process = self.wires.worker.process
        return process is not None and process.returncode is None


class Ground:
    """Makes all of it, schedules messages, and knows who holds what."""

    def __init__(self, world: World, workers: int, accounts: int, lease: float, *, garbles: bool = False) -> None:
        """garbles: each account has a person whose phone gets damaged copies."""
        self.world = world
        self._garbles = garbles
        self.garbled: set[str] = set()  #: messages of which a copy was damaged
        self.hosts: list[Host] = []
        self.accounts: list[Account] = []
        self.messages: dict[str, Message] = {}  #: by id
        self.history = History()
        self._lease = lease
        self._wanted = (workers, accounts)
        self._recipients = [f"4917300000{number:02d}" for number in range(RECIPIENTS)]
        self._fresh = itertools.count(1)
        self._names = itertools.count(1)
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> "Ground":
        try:
            await self._lay()
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for host in self.hosts:
            await host.wires.kill()
            await host.exits.aclose()
        await self._exits.aclose()

    async def _lay(self) -> None:
        workers, accounts = self._wanted
        for _ in range(workers):
            await self.new_host()
        for phone in self._recipients:
            await self.world.simulator.recipient(phone)
        for number in range(accounts):
            self.accounts.append(await self._account(number))
        await self.world.rows(
            "update public.whatsapp_sessions set daily_limit = 100000, per_group_per_minute = 100000 returning id"
        )
        await self.world.simulator.fault(FaultKind.DELAY, seconds=ROUND_TRIP)
        self._exits.push_async_callback(self.world.simulator.clear_faults)

    async def _account(self, number: int) -> Account:
        phone, world = f"4917200000{number:02d}", self.world
        session = await world.link(f"Account {number}", phone)
        members = tuple(self._recipients[(number + n) % RECIPIENTS] for n in range(GROUP_RECIPIENTS))
        light = [f"49174{number:02d}000{n:02d}" for n in range(LIGHT_MEMBERS)]
        jid = await world.simulator.create_group(f"Group {number}", phone, [*members, *light])
        garbled = await self._garbled_person(number) if self._garbles else None
        return Account(phone, session, str((await world.group(session, jid))["id"]), members, garbled)

    async def _garbled_person(self, number: int) -> tuple[str, tuple[str, ...]]:
        """Somebody whose phone will not be able to read: with zero, one and two linked computers, in turn."""
        phone, clients = f"4917600000{number:02d}", ("phone", "desktop", "tablet")[: 1 + number % 3]
        made = [await self.world.simulator.recipient(phone, client=client) for client in clients]
        return phone, tuple(recipient.name for recipient in made)

    async def damage(self, account: Account) -> None:
        """Send a message whose copy for the person's phone is damaged, while all their devices are away."""
        assert account.garbled
        phone, devices = account.garbled
        await self.world.simulator.fault(FaultKind.DELAY, phone, seconds=AWAY)
        await self.world.simulator.fault(FaultKind.GARBLE, phone, count=1, device=0)
        message, row = _message(len(self.messages), account, phone, URGENT)
        message = replace(message, recipients=(devices,))
        [made] = await self._insert([row], {message.text: message})

        async def sent() -> bool | None:
            return (await self.rows([made]))[0]["status"] not in ("pending", "sending") or None

        await until(sent, INSERT_SECONDS, "a message with a damaged copy")
        self.garbled.add(made)

    async def comes_back(self, account: Account) -> None:
        """Let the person's devices get what waits for them."""
        assert account.garbled
        await self.world.simulator.clear_faults(FaultKind.DELAY, account.garbled[0])
        await self.world.simulator.fault(FaultKind.DROP, account.garbled[0])

    async def new_host(self) -> Host:
        """Start a worker under a new name, with an empty live store."""
        workers, accounts = self._wanted
        worker = self.world.make_worker(
            f"crash-{next(self._names)}",
            POLL_INTERVAL="1",
            LOG_LEVEL="INFO",
            ENGINE_SHARD_SIZE="2",
            LEASE_SECONDS=str(self._lease),
            HEARTBEAT_SECONDS=str(self._lease / 4),
            # no worker takes all accounts, so that several work; there is room for another's
            WORKER_MAX_SESSIONS=str(accounts if workers == 1 else accounts // workers + 1),
        )
        exits = AsyncExitStack()
        host = Host(await exits.enter_async_context(Wires.of(self.world, worker)), exits)
        self.hosts.append(host)
        await worker.start()
        return host

    async def lose(self, host: Host) -> None:
        """A host is gone for good, with its live stores."""
        await host.wires.kill()
        shutil.rmtree(host.state)
        self.hosts.remove(host)
        await host.exits.aclose()

    async def revive(self) -> None:
        """Start every worker that is not running; one that nobody killed is noted by `note_ended`."""
        for host in self.hosts:
            if not host.runs:
                await host.wires.worker.start()

    def note_ended(self) -> None:
        """Note the workers that ended although nobody killed them."""
        for host in self.hosts:
            if not host.runs and host.wires.worker.process:
                code = host.wires.worker.process.returncode
                self.history.ended_by_themselves.append(f"{host.name} ended with {code}")

    async def holder(self, account: Account) -> Host:
        """Wait until somebody serves the account; who."""

        async def look() -> Host | None:
            row = await self.world.row(_HOLDER, account.session)
            return next((host for host in self.hosts if row and host.name == row["worker_id"]), None)

        return await until(look, 4 * self._lease + 30, f"a worker that serves {account.phone}")

    async def held(self) -> dict[str, list[str]]:
        """The sessions of each worker that holds some, by its name."""
        rows = await self.world.rows(
            "select worker_id, session_id from herald.session_leases where expires_at > now()"
        )
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(row["worker_id"], []).append(str(row["session_id"]))
        return found

    async def claimed(self, *hosts: Host) -> frozenset[str]:
        """The messages that are claimed now, of these workers' sessions; by default of all."""
        names = [host.name for host in hosts]
        return frozenset(str(row["message_id"]) for row in await self.world.rows(_CLAIMED, names, names))

    async def wave(self, count: int, *, priority: int = 5) -> list[str]:
        """Queue messages over all accounts, to persons and groups in turn; their ids.

        Each account writes to few persons, often: a ratchet that fell back loses what is sent to the same one.
        """
        texts: dict[str, Message] = {}
        rows: list[Row] = []
        for number in range(len(self.messages), len(self.messages) + count):
            account = self.accounts[number % len(self.accounts)]
            turn = number // len(self.accounts)
            to = account.members[turn % GROUP_RECIPIENTS] if turn % 3 else None
            message, row = _message(number, account, to, priority)
            texts[message.text] = message
            rows.append(row)
        return await self._insert(rows, texts)

    async def to_a_stranger(self, account: Account) -> list[str]:
        """Queue a message to somebody whom the account has never written to; its id."""
        phone = f"49175{next(self._fresh):07d}"
        await self.world.simulator.recipient(phone)
        message, row = _message(len(self.messages), account, phone, URGENT)
        return await self._insert([row], {message.text: message})

    async def _insert(self, rows: list[Row], texts: dict[str, Message]) -> list[str]:
        """Insert as the CRM does; if Supabase is away, look whether the rows arrived, and retry."""
        sql = "select id, message_content from public.scheduled_whatsapp_messages where message_content = any(%s)"

        async def insert() -> list[Row] | None:
            try:
                await self.world.schedule(rows)
            except (APIError, httpx.HTTPError):
                await asyncio.sleep(0.2)
            return await self.world.rows(sql, list(texts)) or None

        found = await until(insert, INSERT_SECONDS, "an insert by the CRM")
        made = {str(row["id"]): texts[row["message_content"]] for row in found}
        self.messages |= made
        return list(made)

    async def told_of_accounts(self, ids: Iterable[str]) -> str:
        """What is known of the accounts whose messages have not gone out."""
        return "; ".join(str(row) for row in await self.world.rows(_ACCOUNTS, list(ids)))

    async def count(self, statuses: Iterable[str]) -> int:
        """How many of the messages have one of these statuses."""
        sql = "select 1 from public.scheduled_whatsapp_messages where id = any(%s::uuid[]) and status = any(%s)"
        return len(await self.world.rows(sql, list(self.messages), list(statuses)))

    async def rows(self, ids: Iterable[str]) -> list[Row]:
        """What the queue says of messages."""
        return await self.world.rows(
            "select id, status, error_code, error_message, wa_message_id, sent_at, updated_at, session_id, resent_count"
            " from public.scheduled_whatsapp_messages where id = any(%s::uuid[])",
            list(ids),
        )


def _message(number: int, account: Account, to: str | None, priority: int) -> tuple[Message, Row]:
    """A message to a phone, or to the account's group; and its row."""
    text = f"crash {number:05d}"
    row: Row = {
        "session_id": account.session,
        "group_id": None if to else account.group,
        "recipient_phone": f"+{to}" if to else None,
        "message_content": text,
        "idempotency_key": text,  # an insert whose answer was lost is not done twice
        "priority": priority,
    }
    return Message(text, account.session, tuple((phone,) for phone in ((to,) if to else account.members))), row


def delays(seed: int) -> random.Random:
    """When to strike; a random source separate from the plan's, so that a retry does not change the plan."""
    return random.Random(seed + 1)
