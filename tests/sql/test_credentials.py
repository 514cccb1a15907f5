"""Sealed session state: written by the holder only, one generation after the other."""

import base64
from uuid import UUID, uuid4

from tests.kit.database import Db, Organisation, Row, Run
from tests.sql.test_leases import refused

STORE = uuid4()


def write(run: Run, session: UUID, generation: int, sealed: bytes = b"sealed", epoch: int | None = None) -> None:
    run.db.call(
        "whatsapp_credentials_write",
        **run.fence(session, epoch),
        p_generation=generation,
        p_sealed=base64.b64encode(sealed).decode(),
        p_key_id="k1",
        p_incarnation=STORE,
        p_clean=True,
    )


def read(run: Run, session: UUID) -> Row | None:
    row: Row | None = run.db.call("whatsapp_credentials_read", **run.fence(session))
    return row


def test_what_was_sealed_last_is_read(org: Organisation, run: Run) -> None:
    assert read(run, org.session) is None
    write(run, org.session, 1)
    write(run, org.session, 2, b"newer")
    assert read(run, org.session) == {
        "generation": 2,
        "sealed": base64.b64encode(b"newer").decode(),
        "key_id": "k1",
        "incarnation": str(STORE),
        "clean": True,
        "fresh": True,
    }


def test_a_generation_follows_the_stored_one(db: Db, org: Organisation, run: Run) -> None:
    with refused(db, "HR003"):
        write(run, org.session, 2)
    write(run, org.session, 1)
    for generation in (1, 3):
        with refused(db, "HR003"):
            write(run, org.session, generation, b"other")


def test_the_same_write_after_a_lost_answer_is_accepted(org: Organisation, run: Run) -> None:
    write(run, org.session, 1)
    write(run, org.session, 1)
    write(run, org.session, 2, b"newer")


def test_only_the_holder_writes_reads_and_forgets(db: Db, org: Organisation, run: Run) -> None:
    write(run, org.session, 1)
    db.pass_time(21)
    second = Run(db).connect(org.session)
    for function in ("whatsapp_credentials_read", "whatsapp_credentials_forget"):
        with refused(db, "HR002"):
            db.call(function, **run.fence(org.session))
    with refused(db, "HR002"):
        write(run, org.session, 2)
    with refused(db, "HR002"):
        write(second, org.session, 2, epoch=1)
    write(second, org.session, 2)


def test_a_forgotten_state_begins_again_at_one(db: Db, org: Organisation, run: Run) -> None:
    write(run, org.session, 1)
    write(run, org.session, 2)
    db.call("whatsapp_credentials_forget", **run.fence(org.session))
    assert read(run, org.session) is None
    write(run, org.session, 1)
