"""Wires the parts together and runs them: the only place that knows every one of them."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID, uuid4

import structlog

from worker.api import Api
from worker.api.app import ApiSettings
from worker.api.http.listener import listening
from worker.api.http.metrics import Metrics
from worker.errors import EngineError, HeraldError, KeyRefused, SettingsError, StoreError
from worker.health import Health
from worker.jobs import Hints, Upkeep
from worker.process.pm2 import Channel
from worker.process.state_lock import lock_state
from worker.providers.web.provider import WhatsAppWeb
from worker.providers.web.shards import ShardLimits
from worker.receiving.router import EventRouter
from worker.sending.dispatcher import Dispatcher
from worker.sending.fetches import Fetches
from worker.sending.ledger import Ledger
from worker.sending.media import fetching_for
from worker.session import ProviderName
from worker.sessions.commands import CommandRunner
from worker.sessions.leftovers import Leftovers
from worker.sessions.supervisor import Supervisor
from worker.sessions.web import WebSessions
from worker.settings import Settings
from worker.supabase.client import PATIENCE_SECONDS, Database, KeyTrust
from worker.supabase.commands import SupabaseCommands
from worker.supabase.credentials import SupabaseCredentials
from worker.supabase.groups import SupabaseGroups
from worker.supabase.leases import SupabaseLeases
from worker.supabase.outbox import SupabaseOutbox
from worker.supabase.realtime.wakeups import Wakeups
from worker.vault.keyring import Keyring

log = structlog.get_logger()

VERSION = "0.1.0"

#: Seconds that Supabase may take to answer at the start; then the worker ends and says so.
START_SECONDS = 8.0

#: Between two tries with a key that Supabase refuses, seconds.
REFUSED_PAUSE_SECONDS = 3.0

#: How long a stop waits for commands under way, seconds.
COMMANDS_STOP_SECONDS = 3.0


class Daemon:
    """One worker process: ``run`` returns after a graceful stop, or raises what ended it."""

    def __init__(self, settings: Settings, pm2: Channel | None = None) -> None:
        self._settings = settings
        self._pm2 = pm2
        self._run_id: UUID = uuid4()
        self._stop = asyncio.Event()
        self._broken: BaseException | None = None

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then hand over. Raises SettingsError, InUse, StoreError, LostLease."""
        settings = self._settings
        lock = lock_state(settings.state_dir)
        key = settings.supabase_service_key.get_secret_value()
        database = Database(settings.supabase_url, key, trust=KeyTrust(PATIENCE_SECONDS))
        try:
            await self._serve(database)
        finally:
            await database.aclose()
            lock.close()

    async def _serve(self, database: Database) -> None:
        settings = self._settings
        self._wire(database)
        api = Api(ApiSettings.of(settings, VERSION), self._health, self._dispatcher.wake, self._metrics)
        async with (
            api as self._api,
            # First: a port in use must not fence off the worker that uses it. Last: calls under way are answered.
            listening(self._api.app, settings.host, settings.port, reuse_port=settings.reuse_port),
        ):
            self._dispatcher.listeners.append(self._api.settled)
            self._catch_signals()
            try:
                if await self._announced():
                    await self._start_engines()
                    await self._work_until_stopped()
            finally:
                await self._web.aclose()
        log.info("worker_stopped")
        if self._broken:
            raise self._broken

    def _wire(self, database: Database) -> None:
        """Make every part, each with those that it needs."""
        settings, run = self._settings, self._run_id
        self._leases = SupabaseLeases(database, run, settings.lease_seconds)
        outbox = SupabaseOutbox(database, run)
        limits = ShardLimits(sessions=settings.engine_shard_size, memory_mb=settings.engine_memory_limit_mb)
        events = EventRouter()
        self._web = WhatsAppWeb(settings.engine_command, settings.state_dir, events, limits)
        work = asyncio.Event()
        ledger = Ledger(outbox, self._web.acknowledge, work)
        web_sessions = WebSessions(
            accounts=self._web,
            leases=self._leases,
            credentials=SupabaseCredentials(database, run),
            outbox=outbox,
            group_rows=SupabaseGroups(database, run),
            ledger=ledger,
            keyring=Keyring.from_settings(settings),
            state_dir=settings.state_dir,
            qr_window=settings.qr_window,
            wake=work.set,
        )
        self._supervisor = Supervisor(
            leases=self._leases,
            factories={ProviderName.WEB: web_sessions},
            ledger=ledger,
            capacity=settings.worker_max_sessions,
        )
        events.connect(ledger, self._supervisor.hear)
        fetches = Fetches(fetching_for(settings.supabase_url), self._supervisor.gap)
        self._dispatcher = Dispatcher(outbox, {ProviderName.WEB: self._web}, ledger, work, fetches)
        self._metrics = Metrics(settings.worker_id, VERSION)
        self._health = Health(settings, VERSION, self._stop, self._pm2.ready if self._pm2 else lambda: None)
        self._hints = Hints(self._dispatcher.wake, self._health.heard)
        self._dispatcher.tells_health = self._health.heard
        key = settings.supabase_service_key.get_secret_value()
        self._wakeups = Wakeups(database, settings.supabase_url, key, run, self._hints.hint)
        self._health.watch(self._supervisor, self._wakeups, self._metrics)
        self._commands = CommandRunner(SupabaseCommands(database, run), self._supervisor, self._command_ended)
        leftovers = Leftovers(settings.state_dir, self._leases, outbox, self._web, self._supervisor.holds)
        self._upkeep = Upkeep(outbox, self._supervisor, leftovers)

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
        while True:
            try:
                async with asyncio.timeout(START_SECONDS):
                    await self._leases.start(self._settings.worker_id, VERSION)
            except KeyRefused as error:
                log.warning("key_refused", error=error, wrong_after_seconds=PATIENCE_SECONDS)
                await asyncio.sleep(REFUSED_PAUSE_SECONDS)
                continue
            except StoreError as error:
                reason = str(error)
            except TimeoutError:
                reason = f"Supabase does not answer within {START_SECONDS:g} s"
            else:
                return
            break
        raise StoreError(f"SUPABASE_URL: {reason}; check the URL and that the project is running")

    async def _start_engines(self) -> None:
        try:
            await self._web.start()
        except EngineError as error:
            if isinstance(error.__cause__, FileNotFoundError | PermissionError | NotADirectoryError):
                raise SettingsError(str(error)) from None
            raise

    async def _work_until_stopped(self) -> None:
        settings, hints = self._settings, self._hints
        self._upkeep.start()
        tasks = [
            asyncio.create_task(self._guard(work), name=name)
            for name, work in {
                "dispatcher": self._dispatcher.run,
                "wakeups": self._wakeups.run,
                "api": self._api.run,
                "sessions": lambda: hints.run_on("sessions", self._supervisor.heartbeat),
                "commands": lambda: hints.run_on("commands", self._commands.run_pending),
                "heart": lambda: hints.repeat(settings.heartbeat_seconds, "sessions"),
                "poll": lambda: hints.repeat(settings.poll_interval, "queue", "commands"),
            }.items()
        ]
        log.info("worker_started", worker_id=settings.worker_id, pid=os.getpid(), port=settings.port)
        await self._stop.wait()
        log.info("worker_stopping")
        self._upkeep.stop()
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

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        """Stop the worker when a part of it ends; ``run`` raises why, and the process manager starts it again."""
        try:
            await work()
        except Exception as error:
            if not isinstance(error, HeraldError):
                log.exception("worker_broke")
            self._broken = error
            self._stop.set()

    def _command_ended(self, command: UUID) -> None:
        self._hints.hint("commands")  # the account's next one
        self._api.changes.tell(command)

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self._stop.set)
        if self._pm2:
            self._pm2.watch(self._left_alone)

    def _left_alone(self) -> None:
        log.error("pm2_gone")
        self._stop.set()
