"""A random walk of two workers that die, lose answers and take over, and of a person who cancels and retries.

The walk keeps what only the world knows: which sends reached the wire. No message may reach it twice unless a
person asked for that, no claim may be held twice, and nothing that a dead holder says may count.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import LiteralString
from uuid import UUID

import pytest

from tests.sql.world import Db, Organisation, Row, Run
from worker.message import NEXT

STEPS = 400

HOLDER: LiteralString = """
select 1 from herald.message_claims as c join herald.session_leases as l on l.session_id = c.session_id
where c.message_id = %s and c.token = %s and l.run_id = %s and l.epoch = c.epoch and l.run_id = c.run_id
"""

#: Writes down every step that a message takes.
WITNESS: LiteralString = """
create table herald.witness (old_status text, new_status text);
create function herald.witness() returns trigger language plpgsql security definer as $$
begin
  insert into herald.witness values (old.status, new.status);
  return null;
end $$;
create trigger witness after update of status on public.scheduled_whatsapp_messages
for each row when (old.status <> new.status) execute function herald.witness();
"""


@dataclass
class Worker:
    """A worker's process: the claims that it was told of, and those that it has put on the wire."""

    run: Run
    claims: dict[str, Row] = field(default_factory=dict)


@dataclass
class Walk:
    db: Db
    org: Organisation
    rng: random.Random
    sessions: list[UUID] = field(default_factory=list)
    wire: dict[str, Row] = field(default_factory=dict)  #: token of a send → its claim
    reached: Counter[str] = field(default_factory=Counter)
    allowed: Counter[str] = field(default_factory=Counter)  #: by how often a person asked
    workers: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.db.run(WITNESS)
        self.sessions = [self.org.session, self.org.add_session(), self.org.add_session()]
        self.workers = [Worker(Run(self.db, worker=f"vps-{n}")) for n in range(2)]

    def worker(self) -> Worker:
        return self.rng.choice(self.workers)

    def schedule(self) -> None:
        seconds = self.rng.choice([None, 40, 400])
        expiry = self.db.value("select herald.clock() + make_interval(secs => %s)", seconds) if seconds else None
        self.org.schedule(
            session_id=self.rng.choice(self.sessions),
            expires_at=expiry,
            max_retries=self.rng.randint(0, 2),
            priority=self.rng.randint(1, 10),
        )

    def pass_time(self) -> None:
        self.db.pass_time(self.rng.choice([1, 2, 4, 8, 8, 25, 200, 800]))

    def restart(self) -> None:
        worker = self.worker()
        worker.run, worker.claims = Run(self.db, worker=worker.run.worker), {}

    def beat(self) -> None:
        worker = self.worker()
        before = dict(worker.run.epochs)
        worker.run.heartbeat()
        for session, epoch in worker.run.epochs.items():
            if before.get(session) != epoch:
                worker.run.connect(session)
                if self.rng.random() < 0.3:
                    worker.run.adopt(session)  # its answer is lost
                    if self.rng.random() < 0.5:
                        continue
                worker.claims |= {c["message_id"]: c for c in worker.run.adopt(session)}

    def claim(self) -> None:
        worker = self.worker()
        claims = worker.run.claim(self.rng.randint(1, 3))
        assert all(claim["former_token"] is None for claim in claims)
        if self.rng.random() < 0.8:  # else the answer is lost
            worker.claims |= {claim["message_id"]: claim for claim in claims}
            for claim in claims:
                if self.rng.random() < 0.7:
                    self.wire[claim["token"]] = claim
                    self.reached[claim["message_id"]] += 1

    def give_back(self) -> None:
        worker = self.worker()
        worker.run.give_back([UUID(message) for message in worker.claims])

    def settle(self) -> None:
        worker = self.worker()
        if not worker.claims:
            return
        message, claim = worker.claims.popitem()
        holder = self.db.rows(HOLDER, message, claim["token"], worker.run.id)
        wa_id = f"3EB0{claim['former_token'] or claim['token']}"
        if (claim["former_token"] or claim["token"]) in self.wire:
            outcome = self.rng.choice(["accepted", "indeterminate"])
            settled = worker.run.settle(claim, outcome, wa_message_id=wa_id)
        else:
            outcome = self.rng.choice(["unavailable", "rejected"])
            settled = worker.run.settle(claim, outcome, code="463", retry=self.rng.random() < 0.7, retry_after=3)
        assert settled == len(holder)

    def receipt(self) -> None:
        if self.wire:
            token, claim = self.rng.choice(list(self.wire.items()))
            self.worker().run.receipt(
                UUID(claim["session_id"]),
                f"3EB0{token}",
                self.rng.choice("xy"),
                self.rng.choice(["delivered", "read"]),
            )

    def reap(self) -> None:
        self.db.call("whatsapp_reap")

    def person(self) -> None:
        old, new = self.rng.choice(
            [("pending", "cancelled"), ("failed", "pending"), ("in_doubt", "pending"), ("in_doubt", "failed")]
        )
        with self.db.speaking_as("authenticated", self.org.people["admin"]):
            rows = self.db.rows(
                "update public.scheduled_whatsapp_messages set status = %s,"
                # What is tried again after its time needs a new one.
                " expires_at = case when %s = 'pending' and expires_at <= herald.clock() then null"
                " else expires_at end where id ="
                " (select id from public.scheduled_whatsapp_messages where status = %s order by id limit 1)"
                " returning id",
                new,
                new,
                old,
            )
        if new == "pending":
            self.allowed.update(str(row["id"]) for row in rows)

    def check(self) -> None:
        rows = self.db.rows(
            "select m.status, c.token from public.scheduled_whatsapp_messages as m"
            " left join herald.message_claims as c on c.message_id = m.id"
        )
        assert all((row["status"] == "sending") == (row["token"] is not None) for row in rows)
        for message, times in self.reached.items():
            assert times <= 1 + self.allowed[message], f"{message} went out {times} times"


@pytest.mark.parametrize("seed", range(5))
def test_no_walk_sends_twice_or_steps_where_there_is_no_step(db: Db, org: Organisation, seed: int) -> None:
    walk = Walk(db, org, random.Random(seed))
    often: list[Callable[[], None]] = [walk.beat, walk.claim, walk.claim, walk.settle, walk.settle, walk.receipt]
    seldom = [walk.schedule, walk.pass_time, walk.restart, walk.give_back, walk.reap, walk.person]
    for _ in range(8):
        walk.schedule()
    for _ in range(STEPS):
        walk.rng.choice(often + often + seldom)()
        walk.check()
    steps = {(r["old_status"], r["new_status"]) for r in db.rows("select * from herald.witness")}
    assert steps <= {(old, new) for old, several in NEXT.items() for new in several}
    assert ("pending", "sending") in steps
