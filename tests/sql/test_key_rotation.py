"""Sealed records: whose secret they need, when they are stale, and how they get under another key."""

import base64
import binascii
from typing import LiteralString
from uuid import UUID, uuid4

import pytest

from tests.kit.database import DENIED, Db, Organisation, Row, Run
from tests.sql.test_leases import refused

BODY = b"a nonce and what is sealed"


def head(key_id: str, filled: bytes = b"w") -> bytes:
    return bytes([2, len(key_id)]) + key_id.encode() + filled * 60


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def raw(encoded: str) -> bytes:
    return binascii.a2b_base64(encoded)


def write(run: Run, session: UUID, generation: int, record: bytes, *, clean: bool = True) -> None:
    run.db.call(
        "whatsapp_credentials_write",
        **run.fence(session),
        p_generation=generation,
        p_sealed=text(record),
        p_key_id="old",
        p_incarnation=uuid4(),
        p_clean=clean,
    )


def read(run: Run, session: UUID) -> Row:
    row: Row = run.db.call("whatsapp_credentials_read", **run.fence(session))
    return row


def secret(run: Run, session: UUID) -> str | None:
    found: str | None = run.db.call("whatsapp_credentials_secret", **run.fence(session))
    return found


def rewrap(db: Db, session: UUID, generation: int, was: bytes, new: bytes, key_id: str = "new") -> bool:
    return bool(
        db.call(
            "whatsapp_credentials_rewrap",
            p_session=session,
            p_generation=generation,
            p_was=text(was),
            p_head=text(new),
            p_key_id=key_id,
        )
    )


def page(db: Db, not_under: str | None = None, after: UUID | None = None, limit: int = 50) -> list[Row]:
    found: list[Row] = db.call("whatsapp_credentials_list", p_not_under=not_under, p_after=after, p_limit=limit)
    return found


# == the organisation's part of the key ==


def test_an_organisations_accounts_share_a_secret_that_no_other_has(db: Db, org: Organisation) -> None:
    second, stranger = org.add_session(), Organisation(db)
    run = Run(db).connect(org.session, second, stranger.session)
    made = secret(run, org.session)
    assert made
    assert len(raw(made)) == 32
    assert secret(run, second) == secret(run, org.session) == made
    assert secret(run, stranger.session) not in (made, None)


def test_only_the_holder_is_told_the_secret(db: Db, org: Organisation) -> None:
    with refused(db, "HR002"):
        db.call("whatsapp_credentials_secret", p_run=Run(db).id, p_session=org.session, p_epoch=1)


def test_the_secret_goes_with_the_organisation(db: Db, org: Organisation, run: Run) -> None:
    stranger = Organisation(db)
    secret(run, org.session)
    other = secret(Run(db).connect(stranger.session), stranger.session)
    names = "select name from vault.secrets where name like 'herald_sealing_%%' and name like %s"
    assert db.rows(names, f"%{org.id}")
    db.run("delete from public.organizations where id = %s", org.id)
    assert not db.rows(names, f"%{org.id}")
    assert not db.rows("select 1 from herald.session_credentials where organization_id = %s", org.id)
    assert other == db.value("select herald.organization_secret(%s)", stranger.id)


def test_a_secret_that_was_lost_is_not_replaced_while_records_need_it(db: Db, org: Organisation, run: Run) -> None:
    lost = secret(run, org.session)
    write(run, org.session, 1, head("old") + BODY)
    db.run("delete from vault.secrets where name = %s", f"herald_sealing_{org.id}")
    assert secret(run, org.session) is None
    assert [row["secret"] for row in page(db) if row["session_id"] == str(org.session)] == [None]
    db.call("whatsapp_credentials_forget", **run.fence(org.session))
    assert secret(run, org.session) not in (lost, None)


# == freshness ==


def test_the_newest_clean_record_is_fresh_and_an_unclean_one_is_not(org: Organisation, run: Run) -> None:
    write(run, org.session, 1, b"one", clean=True)
    assert (read(run, org.session)["clean"], read(run, org.session)["fresh"]) == (True, True)
    write(run, org.session, 2, b"two", clean=False)
    assert (read(run, org.session)["clean"], read(run, org.session)["fresh"]) == (False, False)


def test_an_older_record_that_was_put_back_by_hand_is_stale(db: Db, org: Organisation, run: Run) -> None:
    write(run, org.session, 1, b"one")
    kept = db.row("select * from herald.session_credentials where session_id = %s", org.session)
    write(run, org.session, 2, b"two")
    db.run(
        "update herald.session_credentials set generation = 1, sealed = %s, incarnation = %s"
        " where session_id = %s",
        *(kept["sealed"], kept["incarnation"], org.session),
    )
    assert (read(run, org.session)["clean"], read(run, org.session)["fresh"]) == (True, False)
    write(run, org.session, 2, b"newer")
    assert read(run, org.session)["fresh"]


def test_a_record_is_stale_in_a_database_that_was_restored_or_failed_over(
    db: Db, org: Organisation, run: Run
) -> None:
    write(run, org.session, 1, b"one")
    db.run(
        "create or replace function herald.database_life() returns text language sql volatile"
        " set search_path = '' as $$ select 'restored:00000002' $$"
    )
    assert (read(run, org.session)["clean"], read(run, org.session)["fresh"]) == (True, False)
    write(run, org.session, 2, b"two")
    assert read(run, org.session)["fresh"]


def test_a_new_pairing_after_an_unlink_is_fresh_again(db: Db, org: Organisation, run: Run) -> None:
    for generation in (1, 2):
        write(run, org.session, generation, b"sealed %d" % generation)
    db.call("whatsapp_credentials_forget", **run.fence(org.session))
    write(run, org.session, 1, b"paired anew")
    assert read(run, org.session)["fresh"]


# == rotation ==


def test_a_record_gets_another_head_and_nothing_else(db: Db, org: Organisation, run: Run) -> None:
    write(run, org.session, 1, head("old") + BODY)
    before = read(run, org.session)
    assert rewrap(db, org.session, 1, head("old"), head("newer", b"v"), "newer")
    changed = {"sealed": read(run, org.session)["sealed"], "key_id": "newer"}
    assert read(run, org.session) == before | changed
    assert raw(changed["sealed"]) == head("newer", b"v") + BODY


def test_the_answer_to_a_rewrap_may_be_lost(db: Db, org: Organisation, run: Run) -> None:
    write(run, org.session, 1, head("old") + BODY)
    assert rewrap(db, org.session, 1, head("old"), head("new"))
    assert rewrap(db, org.session, 1, head("old"), head("new"))
    assert raw(read(run, org.session)["sealed"]) == head("new") + BODY


def test_a_workers_write_that_crosses_a_rewrap_wins(db: Db, org: Organisation, run: Run) -> None:
    write(run, org.session, 1, head("old") + BODY)
    write(run, org.session, 2, head("old", b"2") + BODY)
    assert not rewrap(db, org.session, 1, head("old"), head("new"))
    assert not rewrap(db, org.session, 2, head("old"), head("new"))
    assert not rewrap(db, org.session, 1, head("old", b"2"), head("new"))
    assert raw(read(run, org.session)["sealed"]) == head("old", b"2") + BODY
    assert not rewrap(db, uuid4(), 1, head("old"), head("new"))


def test_a_worker_may_repeat_a_write_that_a_rotation_has_rewrapped(db: Db, org: Organisation, run: Run) -> None:
    write(run, org.session, 1, head("old") + BODY)
    rewrap(db, org.session, 1, head("old"), head("new"))
    write(run, org.session, 1, head("old") + BODY)  # its first answer was lost
    assert raw(read(run, org.session)["sealed"]) == head("new") + BODY
    with refused(db, "HR003"):
        write(run, org.session, 1, head("old") + b"something else")
    write(run, org.session, 2, head("old") + BODY)


@pytest.mark.parametrize(
    ("was", "new", "key_id"),
    [
        (head("old"), head("new"), "other"),
        (head("old"), head("new")[:-1], "new"),
        (head("old"), head("new") + b"w", "new"),
        (head("old"), b"\x01" + head("new")[1:], "new"),
        (head("old")[:-1], head("new"), "new"),
        (head("old")[:1], head("new"), "new"),
        (b"", b"", ""),
    ],
)
def test_what_is_no_head_is_refused(
    db: Db, org: Organisation, run: Run, was: bytes, new: bytes, key_id: str
) -> None:
    write(run, org.session, 1, head("old") + BODY)
    with refused(db, "22023"):
        rewrap(db, org.session, 1, was, new, key_id)


def test_records_are_counted_by_the_key_that_they_name_themselves(db: Db, org: Organisation) -> None:
    records: dict[bytes, str] = {
        head("old") + BODY: "old",
        head("new") + BODY: "new",
        b"\x01" + head("new")[1:]: "",
        b"\x02": "",
        b"": "",
        b"\x02\x09trunc": "trunc",
        b"\x02\x03\xff\x00a": "\\377\\000a",
    }
    sessions = [org.add_session() for _ in records]
    run = Run(db).connect(*sessions)
    before = db.call("whatsapp_credentials_keys")
    for session, record in zip(sessions, records, strict=True):
        write(run, session, 1, record)  # the column says "old" for all of them
    after = db.call("whatsapp_credentials_keys")
    told = {key_id: after[key_id] - before.get(key_id, 0) for key_id in after}
    named = list(records.values())
    assert {key_id: count for key_id, count in told.items() if count} == {
        key_id: named.count(key_id) for key_id in named
    }
    listed = {UUID(row["session_id"]) for row in page(db, "new")}
    assert listed & set(sessions) == {
        session for session, key_id in zip(sessions, named, strict=True) if key_id != "new"
    }


def test_a_page_has_fifty_records_at_most_and_the_next_goes_on(db: Db, org: Organisation) -> None:
    sessions = [org.add_session() for _ in range(60)]
    run = Run(db)
    run.heartbeat(capacity=100)
    for session in sessions:
        write(run, session, 1, head("old") + BODY)
    secret(run, sessions[0])
    walked: list[str] = []
    while rows := page(db, "new", UUID(walked[-1]) if walked else None, 1_000):
        assert len(rows) <= 50
        walked += [row["session_id"] for row in rows]
    assert walked == sorted(walked)
    assert set(map(str, sessions)) <= set(walked)
    assert len(page(db, limit=7)) == 7
    assert page(db, limit=-1) == []


@pytest.mark.parametrize(
    "call",
    [
        "select public.whatsapp_credentials_keys()",
        "select public.whatsapp_credentials_list(null, null, 1)",
        "select public.whatsapp_credentials_rewrap(gen_random_uuid(), 1, '', '', '')",
        "select public.whatsapp_credentials_secret(gen_random_uuid(), gen_random_uuid(), 1)",
    ],
)
def test_people_have_no_part_in_it(db: Db, org: Organisation, call: LiteralString) -> None:
    with db.speaking_as("authenticated", org.people["owner"]):
        assert db.refusal(call) == DENIED
    with db.speaking_as("anon"):
        assert db.refusal(call) == DENIED
