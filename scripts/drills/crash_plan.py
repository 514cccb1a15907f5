"""What the crash drill kills, in which order, and what it notes of each kill."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tests.kit.faults.failpoints import Failpoint


class Kind(StrEnum):
    """A way to be killed or cut off. The worker's engines die with it, unless the kind says otherwise."""

    AFTER_CLAIM = Failpoint.AFTER_CLAIM
    BEFORE_WRITE_AHEAD = Failpoint.BEFORE_WRITE_AHEAD
    BEFORE_WIRE = Failpoint.BEFORE_WIRE
    AFTER_WIRE = Failpoint.AFTER_WIRE
    BEFORE_SETTLE = Failpoint.BEFORE_SETTLE
    AFTER_SETTLE = Failpoint.AFTER_SETTLE
    DURING_SNAPSHOT = Failpoint.DURING_SNAPSHOT
    DURING_TAKEOVER = Failpoint.DURING_TAKEOVER  #: a worker, then the newcomer that has just got its lease
    HOST_LOSS = "host_loss"  #: live stores wiped; another worker takes over, one of a new name joins

    AFTER_SNAPSHOT = Failpoint.AFTER_SNAPSHOT
    DURING_ADOPTION = Failpoint.DURING_ADOPTION
    WORKER = "worker"  #: the daemon alone: its engines end by themselves
    ENGINE = "engine"  #: one engine process alone
    POSTGREST = "postgrest"
    POSTGRES = "postgres"
    WHATSAPP_SOCKETS = "whatsapp_sockets"  #: all reset; the simulator stays, because it holds the accounts
    NETWORK_CUT = "network_cut"  #: of one worker, to Supabase and WhatsApp, sometimes for longer than its lease
    REALTIME_OFF = "realtime_off"


#: Those that a run must reach often enough.
FAILPOINTS = tuple(Kind)[:9]
OTHERS = tuple(Kind)[9:]


@dataclass(frozen=True, slots=True)
class Order:
    """One kill to be done. account: the one whose worker is killed."""

    kind: Kind
    account: int


def share(kills: int) -> int:
    """How many of the kills each failpoint gets at least: 20 of 200."""
    return kills // (len(FAILPOINTS) + 1)


def plan(kills: int, accounts: int, seed: int, only: Sequence[Kind] = ()) -> list[Order]:
    """The kills in their order: the same for the same seed. Failpoints get a tenth each, the others the rest."""
    kinds = [*FAILPOINTS] * share(kills)
    others = only or OTHERS
    if only:
        kinds = []
    kinds += [others[number % len(others)] for number in range(kills - len(kinds))]
    rng = random.Random(seed)
    rng.shuffle(kinds)
    return [Order(kind, rng.randrange(accounts)) for kind in kinds]


@dataclass(slots=True)
class Struck:
    """One kill that was done.

    in_flight: ids of the messages that were claimed by what was struck.  back: seconds from when what was struck
    could start again (a worker: at once; the network: healed) until every account had sent a message scheduled
    since; None if that took too long.
    """

    order: Order
    in_flight: frozenset[str]
    back: float | None = None


@dataclass(slots=True)
class History:
    """What was done. unreached: failpoints that were armed and not reached in time, and armed again."""

    struck: list[Struck] = field(default_factory=list)
    unreached: list[Struck] = field(default_factory=list)
    ended_by_themselves: list[str] = field(default_factory=list)

    @property
    def in_flight(self) -> set[str]:
        """Every message that was claimed by what was struck."""
        return {message for struck in self.struck + self.unreached for message in struck.in_flight}

    def last_over(self, message: str) -> Kind | None:
        """The last kill that had a message in flight."""
        return next((s.order.kind for s in reversed(self.struck) if message in s.in_flight), None)
