"""What the workers do in a walk, each step judged by what was there before it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID, uuid4

from tests.kit.database import Db, Row, Run
from tests.kit.drift import DRIFT
from tests.sql.model import rules
from tests.sql.model.ground import CLOUD, SESSIONS, START, at, look, look_at_settings
from tests.sql.model.judge import judge_claim
from tests.sql.model.rules import Ledger, Look
from worker.message import NEXT

STEPS = {(old.value, new.value) for old, several in NEXT.items() for new in several}

#: As a heartbeat takes web accounts: only from nobody, or from one whose time is over.
TAKE_CLOUD: LiteralString = """
insert into herald.session_leases as l (session_id, worker_id, run_id, expires_at, ready, incarnation)
values (%s, %s, %s, herald.clock() + interval '60 seconds', true, gen_random_uuid())
on conflict (session_id) do update
set worker_id = excluded.worker_id, run_id = excluded.run_id, expires_at = excluded.expires_at, ready = true,
  epoch = case when l.run_id = excluded.run_id and l.expires_at > herald.clock() then l.epoch else l.epoch + 1 end,
  incarnation = excluded.incarnation
where l.expires_at <= herald.clock() or l.run_id = excluded.run_id
returning epoch, expires_at
"""


@dataclass
class Process:
    """A worker's process: its connection, what it has in hand and until when it believes to hold an account."""

    db: Db
    run: Run
    hand: dict[str, Row] = field(default_factory=dict)
    believes: dict[str, datetime] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.run.id)


@dataclass
class Walk:
    """One walk through the queue's life. Every act ends with `observe`, which judges the step."""

    crm: Db
    eye: Db
    connections: Sequence[Db]
    processes: list[Process] = field(init=False)
    now: Look = field(init=False)
    ledger: Ledger = field(default_factory=Ledger)
    history: list[tuple[str, Row]] = field(default_factory=list)  #: every claim that a run was told of
    wire: dict[str, Row] = field(default_factory=dict)  #: token of a send → its claim
    reached: Counter[str] = field(default_factory=Counter)
    allowed: Counter[str] = field(default_factory=Counter)  #: by how often a person asked for one more

    def __post_init__(self) -> None:
        self.crm.run("select herald.test_begin(%s)", START)
        self.processes = [Process(db, Run(db, worker=f"vps-{n}")) for n, db in enumerate(self.connections)]
        self.now = look(self.eye, 0) | look_at_settings(self.eye)

    @property
    def moment(self) -> datetime:
        moment = at(self.now["now"])
        assert moment
        return moment

    def ahead(self, seconds: float | None) -> datetime | None:
        return None if seconds is None else self.moment + timedelta(seconds=seconds)

    def messages(self, *statuses: str) -> list[Row]:
        """In an order that doesn't depend on their ids."""
        found = [m for m in self.now["messages"].values() if not statuses or m["status"] in statuses]
        return sorted(found, key=lambda m: (m["message_content"], m["id"]))

    # == judging ==

    def observe(self, *, claimed: frozenset[str] = frozenset(), settings: bool = False) -> Look:
        """Look at what may have changed; what was before. Judges what holds for every step, whoever took it."""
        old = self.now
        new = self.now = old | look(self.eye, old["witnessed"]) | (look_at_settings(self.eye) if settings else {})
        for message, before, after in new["steps"]:
            assert (before, after) in STEPS, f"{message} went from {before} to {after}"
        assert old["messages"].keys() <= new["messages"].keys(), "a message is gone"
        sending = {key for key, message in new["messages"].items() if message["status"] == "sending"}
        assert sending == new["claims"].keys(), "what is being sent, and only that, has a claim"
        fresh = new["claims"].keys() - old["claims"].keys()
        assert fresh == claimed, "a claim that nobody was given"
        for session, account in new["sessions"].items():
            slots = [claim["slot"] for claim in new["claims"].values() if claim["session_id"] == session]
            assert len(set(slots)) == len(slots) <= rules.SLOTS[account["provider"]]
            believers = [p.run.worker for p in self.processes if p.believes.get(session, START) > self.moment]
            assert len(believers) <= 1, f"{believers} hold the same account"
        for session, lease in new["leases"].items():
            before = old["leases"].get(session, {"epoch": 0, "run_id": None})
            moved = lease["run_id"] not in (None, before["run_id"])
            assert lease["epoch"] >= before["epoch"] + moved, "an epoch must grow with every acquisition"
        if settings:
            self.judge_counts(new)
            assert self.eye.rows(DRIFT) == [], "the small tables follow the queue"
        for message, times in self.reached.items():
            assert times <= 1 + self.allowed[message], f"{message} went out {times} times"
        return old

    def judge_counts(self, new: Look) -> None:
        """Neither less than what was sent, nor more than what was sent a step before."""
        for account, used in new["sent_by_account"].items():
            assert (
                self.ledger.of_account(account, self.moment)
                <= used
                <= self.ledger.of_account(account, self.moment, slack=True)
            )
        for group, used in new["sent_to_group"].items():
            assert (
                self.ledger.of_group(group, self.moment)
                <= used
                <= self.ledger.of_group(group, self.moment, slack=True)
            )

    # == workers ==

    def beat(self, process: Process, lose: bool, lease: float = 20) -> None:
        """Renew and take; connect what is new, and adopt what its former holder left."""
        before = dict(process.run.epochs)
        held = process.run.heartbeat(capacity=2, lease=lease)
        process.believes = {row["session_id"]: datetime.fromisoformat(row["until"]) for row in held}
        for session, epoch in process.run.epochs.items():
            if before.get(session) != epoch and session != CLOUD:
                process.db.call("whatsapp_session_attach", **process.run.fence(session), p_incarnation=uuid4())
                process.run.report(session, status="connected", whatsapp_id="49170@s.whatsapp.net")
                self.adopt(process, session, lose)
        self.observe()

    def take_cloud(self, process: Process) -> None:
        rows = process.db.rows(TAKE_CLOUD, CLOUD, process.run.worker, process.run.id)
        if rows:
            process.run.epochs[CLOUD] = rows[0]["epoch"]
            process.believes[str(CLOUD)] = rows[0]["expires_at"]
            self.adopt(process, CLOUD, lose=False)
        self.observe()

    def adopt(self, process: Process, session: UUID, lose: bool) -> None:
        held = (process.id, process.run.epochs[session])
        left = {
            key
            for key, claim in self.now["claims"].items()
            if claim["session_id"] == str(session)
            and (claim["former_token"] or (claim["run_id"], claim["epoch"]) != held)
        }
        claims = process.run.adopt(session)
        assert {claim["message_id"] for claim in claims} == left, "what a former holder left is to be looked up"
        for claim in claims:
            assert claim["former_token"] not in (None, claim["token"])
            self.history.append((process.id, claim))
            if not lose:
                process.hand[claim["message_id"]] = claim

    def adopt_again(self, process: Process) -> None:
        """After a lost answer."""
        for session in SESSIONS:
            if (lease := self.now["leases"].get(str(session))) and lease["run_id"] == process.id:
                process.run.epochs[session] = lease["epoch"]
                self.adopt(process, session, lose=False)
        self.observe()

    def restart(self, process: Process) -> None:
        process.run, process.hand, process.believes = Run(process.db, worker=process.run.worker), {}, {}
        self.observe()
        holders = {lease["run_id"] for lease in self.now["leases"].values()}
        assert holders <= {None, *(other.id for other in self.processes)}, "a process that is gone holds a lease"

    def report(self, process: Process, connected: bool) -> None:
        """A connection breaks, or is there again."""
        for session, epoch in process.run.epochs.items():
            lease = self.now["leases"][str(session)]
            if (
                session != CLOUD
                and (lease["run_id"], lease["epoch"]) == (process.id, epoch)
                and lease["incarnation"]
            ):
                status = "connected" if connected else "connecting"
                process.run.report(session, status=status, whatsapp_id="49170@s.whatsapp.net")
        self.observe()

    def release(self, process: Process, session: UUID) -> None:
        if session in process.run.epochs:
            process.db.call("whatsapp_lease_release", **process.run.fence(session))
            process.believes.pop(str(session), None)
            process.run.epochs.pop(session)
        self.observe()

    def claim(self, process: Process, limit: int, lose: bool, send: bool) -> None:
        claims = process.run.claim(limit)
        claimed = frozenset(claim["message_id"] for claim in claims)
        judge_claim(self.now, self.ledger, process.id, limit, claims)
        for claim in claims:
            self.history.append((process.id, claim))
            if lose:
                continue
            process.hand[claim["message_id"]] = claim
            if send:
                self.wire[claim["token"]] = claim
                self.reached[claim["message_id"]] += 1
        self.observe(claimed=claimed)

    def settle(self, process: Process, claim: Row, outcome: str, **facts: object) -> None:
        """Settle as anyone may try; what comes of it depends on who holds the claim."""
        old = self.now
        valid = rules.may_settle(old, claim, process.id)
        assert process.run.settle(claim, outcome, **facts) == valid, "settled by one who does not hold it"
        if valid and outcome == "unavailable":
            self.ledger.refund(claim["message_id"])
        self.observe()
        if not valid:
            assert {**old, "steps": 0} == {**self.now, "steps": 0}, "a stale settle changed something"
            return
        was, message = old["messages"][claim["message_id"]], self.now["messages"][claim["message_id"]]
        tried_again = facts.get("retry") and was["retry_count"] < was["max_retries"]
        expected = {
            "accepted": {"sent", "delivered", "read"},
            "indeterminate": {"in_doubt", "sent", "delivered", "read"},
            "unavailable": {"pending"},
            "rejected": {"pending" if tried_again else "failed"},
        }
        assert message["status"] in expected[outcome]

    def serve(self, process: Process) -> None:
        """Send what may go, until nothing may."""
        for _ in range(3):
            self.claim(process, 50, lose=False, send=True)
            if not process.hand:
                return
            while process.hand:
                self.settle_in_hand(process, 0, 0)

    def settle_in_hand(self, process: Process, which: int, kind: int) -> None:
        """Honestly: what was put on the wire may be out, the rest surely is not."""
        if not process.hand:
            process = next((other for other in self.processes if other.hand), process)
        if not process.hand:
            return
        key = list(process.hand)[which % len(process.hand)]
        claim = process.hand.pop(key)
        token = claim["former_token"] or claim["token"]
        if token in self.wire:
            outcome = ("accepted", "accepted", "indeterminate")[kind % 3]
            self.settle(process, claim, outcome, wa_message_id=f"3EB0{token}")
        else:
            outcome = ("unavailable", "rejected")[kind % 2]
            self.settle(process, claim, outcome, code="463", retry=kind % 3 > 0, retry_after=kind % 4)

    def settle_stale(self, process: Process, which: int, outcome: str) -> None:
        """A settle that is sent twice, or by one who has lost the account or the claim."""
        if not self.history:
            return
        _, claim = self.history[which % len(self.history)]
        if not rules.may_settle(self.now, claim, process.id):
            self.settle(process, claim, outcome, wa_message_id="3EB0STALE", retry=True)

    def give_back(self, process: Process) -> None:
        lost = [
            key
            for key, claim in self.now["claims"].items()
            if claim["run_id"] == process.id and not claim["former_token"] and key not in process.hand
        ]
        assert process.run.give_back([UUID(key) for key in process.hand]) == len(lost)
        for key in lost:
            self.ledger.refund(key)
        self.observe()
        assert all(self.now["messages"][key]["status"] == "pending" for key in lost)

    def receipt(self, process: Process, which: int, recipient: str, kind: str) -> None:
        """Early, late or once more, of anything that was ever put on the wire."""
        if self.wire:
            token = list(self.wire)[which % len(self.wire)]
            session = UUID(self.wire[token]["session_id"])
            process.run.receipt(session, f"3EB0{token}", recipient, kind)
        self.observe()

    def reap(self) -> None:
        old = self.now
        self.crm.call("whatsapp_reap")
        self.observe()
        for key, before, after in self.now["steps"]:
            message, claim = old["messages"][key], old["claims"].get(key)
            if (before, after) == ("pending", "failed"):
                assert (
                    "expired" in rules.holds(old, self.ledger, message)
                    or self.now["messages"][key]["error_code"] == "suppressed"
                )
            elif (before, after) == ("sending", "in_doubt"):
                lease = old["leases"][message["session_id"]]
                assert not rules.later(claim["claimed_until"], self.moment - timedelta(minutes=10))
                assert not rules.later(lease["expires_at"], self.moment) or lease["epoch"] != claim["epoch"]
