"""The looks in their order, and what each needs."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field

from worker.doctor import configuration, engine, functions, host, outbound, project, records, state_folder
from worker.doctor.finding import Case, Finding, Severity, error
from worker.errors import HeraldError


@dataclass(frozen=True, slots=True)
class Look:
    """needs: the look that must have succeeded; uses: the look whose answer it takes into account."""

    name: str
    take: Callable[[Case], Iterable[Finding] | Awaitable[Iterable[Finding]]]
    needs: str = ""
    uses: str = ""


LOOKS = (
    Look("settings", configuration.settings),
    Look("state-folder", state_folder.look, "settings"),
    Look("open-files", host.open_files, "settings"),
    Look("port", host.port, "settings"),
    Look("engine", engine.starts, "settings"),
    Look("database", project.database, "settings"),
    Look("worker-id", host.worker_id, "database"),
    Look("records", records.open_up, "database"),
    Look("auth", project.auth, "settings"),
    Look("storage", project.storage, "settings"),
    Look("realtime", project.realtime, "database"),
    Look("functions", functions.deployed, "settings", uses="database"),
    Look("outbound", outbound.reach),
)
NAMES = tuple(look.name for look in LOOKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look found. waits_for: the look that has to succeed first; then this one was not taken."""

    name: str
    findings: tuple[Finding, ...] = ()
    waits_for: str = ""

    @property
    def worst(self) -> Severity | None:
        """The worst severity, None if all is well."""
        return min((found.severity for found in self.findings), key=list(Severity).index, default=None)


@dataclass(slots=True)
class Examination:
    """Takes the looks that are wanted, and those that they need."""

    case: Case
    wanted: Collection[str] = field(default_factory=lambda: NAMES)

    async def run(self) -> AsyncIterator[Seen]:
        """Take one look after the other."""
        try:
            for look in LOOKS:
                if look.name in self.wanted or look.name in self._needed():
                    yield await self._take(look)
        finally:
            if self.case.database:
                await self.case.database.aclose()

    def _needed(self) -> set[str]:
        needed: set[str] = set()
        for look in reversed(LOOKS):
            if look.name in self.wanted or look.name in needed:
                needed |= {look.needs, look.uses} - {""}
        return needed

    async def _take(self, look: Look) -> Seen:
        ready = {"settings": self.case.settings, "database": self.case.database}
        if look.needs and ready[look.needs] is None:
            return Seen(name=look.name, waits_for=look.needs)
        try:
            answer = look.take(self.case)
            found = tuple(await answer if inspect.isawaitable(answer) else answer)
        except (HeraldError, OSError) as problem:
            found = (error(look.name, f"This check failed: {problem}", "herald doctor --only " + look.name),)
        return Seen(name=look.name, findings=found)
