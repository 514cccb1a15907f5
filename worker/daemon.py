"""Wires the parts together and runs them: the only place that knows every one of them."""

import asyncio
import fcntl
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import IO, Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from worker.api import Api
from worker.api.app import ApiSettings
from worker.api.http.listener import listening
from worker.api.http.metrics import Metrics
from worker.errors import EngineError, HeraldError, InUse, LostLease, SettingsError, StoreError
from worker.outbox import Settlement
from worker.ports import Event, Inbound, Receipt, SentFact
from worker.process.pm2 import Channel
from worker.providers.web.provider import WhatsAppWeb
from worker.providers.web.shards import ShardLimits
from worker.sending.dispatcher import Dispatcher
from worker.sending.fetches import Fetches
from worker.sending.ledger import Ledger
from worker.sending.media import Media, fetch
from worker.sessions.commands import Commands
from worker.sessions.leftovers import Leftovers
from worker.sessions.supervisor import Supervisor
from worker.settings import Settings
from worker.supabase.client import Database
from worker.supabase.outbox import SupabaseOutbox
from worker.supabase.registry import SupabaseRegistry
from worker.supabase.wakeups import Wakeups
from worker.vault.keyring import Keyring

log = structlog.get_logger()

VERSION = "0.1.0"

#: How often the jobs run that may be late, seconds.
REAP_SECONDS, LEFTOVER_SECONDS, HOUSEKEEPING_SECONDS, SNAPSHOT_SECONDS = 15.0, 15.0, 60.0, 60.0
GROUP_SYNC_SECONDS = 900.0

#: Seconds that Supabase may take to answer at the start; then the operator is told.
START_SECONDS = 8.0

#: What commands under way get at a stop, seconds.
COMMANDS_STOP_SECONDS = 3.0
#: WhatsApp refuses larger pictures.
MAX_IMAGE_BYTES = 5 * 1024 * 1024


class Daemon:
    """One worker process: ``run`` returns after a graceful stop, or raises what ended it."""

    def __init__(self, settings: Settings, pm2: Channel | None = None) -> None:
        self._settings = settings
        self._pm2 = pm2
        self._run_id: UUID = uuid4()
        self._work = asyncio.Event()
        self._stop = asyncio.Event()
        self._hints = {name: asyncio.Event() for name in ("sessions", "commands")}
        self._last_answer: float | None = None
        self._broken: BaseException | None = None

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then hand over. Raises SettingsError, InUse, StoreError, LostLease."""
        settings = self._settings
        lock = lock_state(settings)
        database = Database(settings.supabase_url, settings.supabase_service_key.get_secret_value())
        try:
            await self._serve(database)
        finally:
            await database.aclose()
            lock.close()

    async def _serve(self, database: Database) -> None:
        settings = self._settings
        key = settings.supabase_service_key.get_secret_value()
        self._registry = SupabaseRegistry(database, self._run_id, settings.lease_seconds)
        outbox = SupabaseOutbox(database, self._run_id)
        self._transport = WhatsAppWeb(
            settings.engine_command,
            settings.state_dir,
            self._hear,
            ShardLimits(sessions=settings.engine_shard_size, memory_mb=settings.engine_memory_limit_mb),
        )
        self._ledger = Ledger(outbox, self._transport.acknowledge, self._work)
        fetches = Fetches(self._fetch_media, lambda session_id: self._supervisor.gap(session_id))
        self._dispatcher = Dispatcher(outbox, self._transport, self._ledger, self._work, fetches, self._settled)
        self._supervisor = Supervisor(
            registry=self._registry,
            outbox=outbox,
            transport=self._transport,
            ledger=self._ledger,
            keyring=Keyring.from_settings(settings),
            state_dir=settings.state_dir,
            capacity=settings.worker_max_sessions,
            qr_window=settings.qr_window,
            wake=self._dispatcher.wake,
        )
        self._leftovers = Leftovers(
            settings.state_dir, self._registry, outbox, self._transport, self._supervisor.holds
        )
        self._commands = Commands(self._registry, self._supervisor, self._command_ended)
        self._wakeups = Wakeups(database, settings.supabase_url, key, self._run_id, self._hint)
        self._outbox = outbox
        self._metrics = self._make_metrics()
        api_settings = ApiSettings.of(settings, VERSION)
        async with (
            Api(api_settings, self._health, self._dispatcher.wake, self._metrics) as self._api,
            # First: a port in use must not fence off the worker that uses it. Last: calls under way are answered.
            listening(self._api.app, settings.host, settings.port, reuse_port=settings.reuse_port),
        ):
            self._catch_signals()
            try:
                if await self._announced():
                    await self._start_engines()
                    await self._work_until_stopped()
            finally:
                await self._transport.aclose()
        log.info("worker_stopped")
        if self._broken:
            raise self._broken

    async def _announced(self) -> bool:
        """Whether this is the worker of its name now; False if it was stopped before. Raises as _announce does."""
        announcing, stopped = asyncio.ensure_future(self._announce()), asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((announcing, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not announcing.done():
            announcing.cancel()
            return False
        announcing.result()
        return True

    async def _announce(self) -> None:
        """Become the worker of this name. Raises StoreError if Supabase is away, SettingsError if it refuses."""
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._registry.start(self._settings.worker_id, VERSION)
        except StoreError as error:
            reason = str(error)
        except TimeoutError:
            reason = f"Supabase does not answer within {START_SECONDS:g} s"
        else:
            return
        raise StoreError(f"SUPABASE_URL: {reason}; check the URL and that the project is running")

    async def _start_engines(self) -> None:
        try:
            await self._transport.start()
        except EngineError as error:
            if isinstance(error.__cause__, FileNotFoundError | PermissionError | NotADirectoryError):
                raise SettingsError(str(error)) from None
            raise

    async def _work_until_stopped(self) -> None:
        settings = self._settings
        scheduler = self._schedule()
        tasks = [
            asyncio.create_task(self._guard(work), name=name)
            for name, work in {
                "dispatcher": self._dispatcher.run,
                "wakeups": self._wakeups.run,
                "api": self._api.run,
                "sessions": lambda: self._on_hint("sessions", self._supervisor.heartbeat),
                "commands": lambda: self._on_hint("commands", self._commands.run_pending),
                "heart": lambda: self._every(settings.heartbeat_seconds, lambda: self._hint("sessions")),
                "poll": lambda: self._every(settings.poll_interval, self._poll),
            }.items()
        ]
        log.info("worker_started", worker_id=settings.worker_id, pid=os.getpid(), port=settings.port)
        await self._stop.wait()
        log.info("worker_stopping")
        scheduler.shutdown(wait=False)
        try:
            if self._broken is None:
                await self._dispatcher.claim_no_more()
                await self._commands.finish(COMMANDS_STOP_SECONDS)
                await self._supervisor.stop()
                with suppress(HeraldError):
                    await self._dispatcher.exchange()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, event: Event, sequence: int) -> None:
        match event:
            case Receipt():
                self._ledger.receipt(event, sequence)
            case SentFact():
                self._ledger.sent(event, sequence)
            case Inbound():
                self._ledger.safe_after_next_exchange(event.session_id, sequence)
            case _:
                self._supervisor.hear(event)

    def _hint(self, name: str, after: float = 0.0) -> None:
        if name == "queue":
            self._dispatcher.wake(after)
        else:
            self._hints[name].set()

    async def _on_hint(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._hints[name].wait()
            self._hints[name].clear()
            try:
                await work()
                if self._pm2 and self._last_answer is None:
                    self._pm2.ready()
                self._last_answer = asyncio.get_running_loop().time()
            except StoreError as error:
                log.warning("supabase_unreachable", kind=name, error=error)

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        """A part that ends is the end of the worker: it stops and says why, and its manager starts it again."""
        try:
            await work()
        except Exception as error:
            if not isinstance(error, HeraldError):
                log.exception("worker_broke")
            self._broken = error
            self._stop.set()

    async def _every(self, seconds: float, job: Callable[[], None]) -> None:
        """Do a job now and again; unlike the scheduler's jobs not late when the wall clock jumps."""
        while True:
            job()
            await asyncio.sleep(seconds)

    def _poll(self) -> None:
        self._dispatcher.wake()
        self._hint("commands")

    def _schedule(self) -> AsyncIOScheduler:
        scheduler = AsyncIOScheduler(
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        jobs: list[tuple[Callable[[], Any], float]] = [
            (self._reap, REAP_SECONDS),
            (self._housekeep, HOUSEKEEPING_SECONDS),
            (self._look_through_leftovers, LEFTOVER_SECONDS),
            (self._supervisor.snapshot_all, SNAPSHOT_SECONDS),
            (self._supervisor.sync_all_groups, GROUP_SYNC_SECONDS),
        ]
        for job, seconds in jobs:
            scheduler.add_job(job, "interval", seconds=seconds)
        scheduler.start()
        return scheduler

    async def _reap(self) -> None:
        try:
            expired, in_doubt = await self._outbox.reap()
        except (StoreError, LostLease) as error:
            log.warning("reap_failed", error=error)
            return
        if expired:
            log.warning("messages_expired", count=expired)
        if in_doubt:
            log.warning("messages_in_doubt", count=in_doubt)

    async def _look_through_leftovers(self) -> None:
        try:
            await self._leftovers.look()
        except (StoreError, LostLease) as error:
            log.warning("leftovers_kept", error=error)

    async def _housekeep(self) -> None:
        try:
            failed = await self._outbox.housekeep()
        except (StoreError, LostLease) as error:
            log.warning("housekeeping_failed", error=error)
            return
        if failed:
            log.warning("housekeeping_incomplete", kind=",".join(failed))

    async def _fetch_media(self, url: str) -> Media:
        storage = urlsplit(self._settings.supabase_url)
        port = storage.port or {"http": 80, "https": 443}[storage.scheme]
        trusted = frozenset({f"{storage.hostname}:{port}"})
        return await fetch(url, max_bytes=MAX_IMAGE_BYTES, trusted_hosts=trusted)

    def _make_metrics(self) -> Metrics:
        metrics = Metrics(self._settings.worker_id, VERSION)
        metrics.watch("herald_sessions", "Accounts of this worker.", "state", lambda: self._supervisor.counts)
        metrics.watch(
            "herald_realtime_live", "1: Realtime gives hints.", "", lambda: {"": float(self._wakeups.live)}
        )
        return metrics

    def _command_ended(self, command: UUID) -> None:
        self._hint("commands")  # the account's next one
        self._api.changes.tell(command)

    def _settled(self, settlement: Settlement) -> None:
        self._metrics.settled(settlement.outcome)
        self._api.changes.tell(settlement.message_id)

    def _health(self) -> dict[str, Any]:
        now = asyncio.get_running_loop().time()
        ready = self._last_answer is not None and now - self._last_answer < self._settings.lease_seconds
        return {
            "live": True,
            "ready": ready and not self._stop.is_set(),
            "worker_id": self._settings.worker_id,
            "version": VERSION,
            "realtime": self._wakeups.live,
            "sessions": self._supervisor.counts,
        }

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self._stop.set)
        if self._pm2:
            self._pm2.watch(self._left_alone)

    def _left_alone(self) -> None:
        log.error("pm2_gone")
        self._stop.set()


def lock_state(settings: Settings) -> IO[str]:
    """Make sure that one process only works on the state folder. Raises SettingsError, InUse."""
    folder = settings.state_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "worker.lock").open("w")
    except OSError as error:
        raise SettingsError(f"STATE_DIR: can't be used ({error.strerror}); name a writable folder") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise InUse("STATE_DIR: another worker runs on it; stop it, or name another folder") from None
    return lock
