"""What a look finds, and what it looks at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from worker.settings import Settings
from worker.supabase.client import Database


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"  #: something does not work, or is not safe
    WARNING = "warning"  #: it will cause trouble later
    OPTIONAL = "optional"  #: not set up, and nothing that is set up needs it; no problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong or not set up.

    topic: which setting or part; what: a sentence; fix: the command, SQL or step that fixes it.
    """

    severity: Severity
    topic: str
    what: str
    fix: str


def error(topic: str, what: str, fix: str) -> Finding:
    """Something that does not work, or is not safe."""
    return Finding(severity=Severity.ERROR, topic=topic, what=what, fix=fix)


def warning(topic: str, what: str, fix: str) -> Finding:
    """Something that will cause trouble later."""
    return Finding(severity=Severity.WARNING, topic=topic, what=what, fix=fix)


def not_set_up(topic: str, what: str, fix: str) -> Finding:
    """Something optional."""
    return Finding(severity=Severity.OPTIONAL, topic=topic, what=what, fix=fix)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorker:
    """A worker as the database knows it. seconds: since it last reported."""

    worker_id: str
    seconds: float


@dataclass(slots=True, kw_only=True)
class Case:
    """What is looked at. settings, database: None until they are known to be right; hosts: host:port to reach.

    old_seconds: how long a transaction may be open.
    """

    environ: Mapping[str, str] = field(repr=False)
    hosts: tuple[str, ...]
    old_seconds: float = 300.0
    settings: Settings | None = None
    database: Database | None = None
    workers: tuple[LiveWorker, ...] = ()
    not_set_up: frozenset[str] = frozenset()  #: topics that the database look found not set up

    @property
    def set(self) -> Settings:
        """The settings, for looks that are only taken when they are right."""
        assert self.settings
        return self.settings

    @property
    def calls(self) -> Database:
        """The database's functions, for looks that are only taken when it answers."""
        assert self.database
        return self.database
