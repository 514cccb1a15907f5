"""The walk as hypothesis takes it: which steps there are, and how often each comes."""

from collections.abc import Callable
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.kit.database import Db
from tests.sql.model.ground import CONTACTS, SESSIONS, prepare
from tests.sql.model.people import People
from tests.sql.model.walk import Process, Walk

#: Name → how often it comes.
WORK = {
    "beat": 5,
    "take_cloud": 2,
    "claim": 10,
    "settle": 10,
    "serve": 4,
    "report": 2,
    "settle_stale": 3,
    "receipt": 4,
    "adopt_again": 1,
    "give_back": 2,
    "release": 1,
    "restart": 1,
    "reap": 2,
}
LIFE = {
    "pass_time": 7,
    "queue": 6,
    "queue_across_an_opt_out": 1,
    "decide": 2,
    "edit": 1,
    "opt": 1,
    "alter": 3,
    "configure": 3,
    "answer": 1,
    "move_campaign": 1,
    "link": 1,
    "housekeeping": 1,
}
ACTS = [name for name, times in (WORK | LIFE).items() for _ in range(times)]
SECONDS = [1, 1, 1, 2, 3, 6, 21, 61, 170, 800, 3600, 8 * 3600, 90_000]
OUTCOMES = ["accepted", "rejected", "unavailable", "indeterminate"]
QUIET: list[object] = [
    None,
    None,
    {"start": "20:30", "end": "22:00"},
    {"start": "19:00", "end": "08:00", "exempt": ["live"]},
    {"start": "23:00", "end": "02:30", "exempt": []},
]
NUMBER = st.integers(0, 99)


class Connections:
    """Four connections that all walks share: two workers, the CRM and an eye that looks on."""

    def __init__(self, url: str) -> None:
        self.open = [Db.connect(url, autocommit=True) for _ in range(4)]
        self.crm, self.eye, *self.workers = [connection.__enter__() for connection in self.open]
        prepare(self.crm)

    def close(self) -> None:
        for connection in self.open:
            connection.__exit__(None, None, None)


class Queue(RuleBasedStateMachine):
    """Subclassed by who runs it, with the connections."""

    shared: ClassVar[Connections]
    taken: ClassVar[dict[str, int]]

    @initialize(messages=st.lists(st.tuples(NUMBER, NUMBER), min_size=10, max_size=10))
    def begin(self, messages: list[tuple[int, int]]) -> None:
        self.walk = Walk(self.shared.crm, self.shared.eye, self.shared.workers)
        self.people = People(self.walk)
        for a, b in messages:
            self.people.queue(a, b, 1 + a % 10, 0, 0, campaign=False)
        for process in self.walk.processes:
            self.walk.beat(process, lose=False)
        self.walk.take_cloud(self.walk.processes[0])

    @rule(act=st.sampled_from(ACTS), which=st.integers(0, 1), a=NUMBER, b=NUMBER)
    def step(self, act: str, which: int, a: int, b: int) -> None:
        self.taken[act] = self.taken.get(act, 0) + 1
        if act in WORK:
            self.work(self.walk.processes[which], a, b)[act]()
        else:
            self.live(a, b)[act]()

    def work(self, process: Process, a: int, b: int) -> dict[str, Callable[[], object]]:
        walk = self.walk
        return {
            "beat": lambda: walk.beat(process, lose=a % 5 == 0, lease=(20, 20, 2000)[b % 3]),
            "serve": lambda: walk.serve(process),
            "report": lambda: walk.report(process, connected=a % 2 == 0),
            "take_cloud": lambda: walk.take_cloud(process),
            "claim": lambda: walk.claim(process, (1, 50, 50, 50)[a % 4], lose=b % 5 == 1, send=b % 4 != 0),
            "settle": lambda: walk.settle_in_hand(process, a, b),
            "settle_stale": lambda: walk.settle_stale(process, a, OUTCOMES[b % 4]),
            "receipt": lambda: walk.receipt(process, a, "xy"[b % 2], ("delivered", "read", "sender")[b % 3]),
            "adopt_again": lambda: walk.adopt_again(process),
            "give_back": lambda: walk.give_back(process),
            "release": lambda: walk.release(process, SESSIONS[a % 3]),
            "restart": lambda: walk.restart(process),
            "reap": walk.reap,
        }

    def live(self, a: int, b: int) -> dict[str, Callable[[], object]]:
        people, person = self.people, list(CONTACTS)[b % 2]
        return {
            "pass_time": lambda: people.pass_time(SECONDS[a % len(SECONDS)]),
            "queue": lambda: self.queue(a, b),
            "queue_across_an_opt_out": lambda: people.queue_across_an_opt_out(person),
            "decide": lambda: people.decide(a, b),
            "edit": lambda: people.edit(a, 1 + b % 10, b % 9),
            "opt": lambda: people.opt(person, out=a % 3 == 0),
            "alter": lambda: people.alter(a, *self.account_setting(b)),
            "configure": lambda: people.configure(*self.organisation_setting(a, b)),
            "answer": people.answer,
            "move_campaign": lambda: people.move_campaign(("running", "running", "paused", "cancelled")[a % 4]),
            "link": lambda: people.link(a if b % 3 else None, b % 5),
            "housekeeping": people.housekeeping,
        }

    def queue(self, a: int, b: int) -> None:
        wait, life = (0, 0, 0, 5, 90)[b % 5], (0, 0, 40, 400)[a % 4]
        self.people.queue(a, b, 1 + a % 10, wait, life, campaign=b % 3 == 0)
        self.walk.observe(settings=True)

    def account_setting(self, b: int) -> tuple[str, object]:
        """Mostly back to what lets messages go."""
        settings: list[tuple[str, object]] = [
            ("daily_limit", (200, 200, 0, 2, 4)[b % 5]),
            ("health_score", (100, 50, 20)[b % 3]),
            ("per_group_per_minute", (30, 30, 1, 2)[b % 4]),
            ("min_gap_ms", (0, 2000, 10_000)[b % 3]),
            ("paused_until", self.walk.ahead((None, None, 5, 600)[b % 4])),
            ("enabled", b % 4 != 0),
        ]
        return settings[b // 4 % len(settings)]

    def organisation_setting(self, a: int, b: int) -> tuple[str, object]:
        settings: list[tuple[str, object]] = [
            ("quiet_hours", QUIET[b % len(QUIET)]),
            ("timezone", ("UTC", "Europe/Berlin", "Asia/Kolkata")[b % 3]),
            ("paused_until", self.walk.ahead((None, None, 5, 600)[b % 4])),
            ("require_opt_in", b % 4 == 0),
        ]
        return settings[a % len(settings)]
