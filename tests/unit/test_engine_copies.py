"""A lean copy keeps the newest messages' secrets and nothing that encrypts for a group in our name."""

import sqlite3
from contextlib import closing

from worker.engine.copies import SECRETS_KEPT, fingerprint, lean
from worker.engine.sqlite import loaded

_STORE = """
create table whatsmeow_device (jid text, noise_key blob, lid text, push_name text);
create table whatsmeow_pre_keys (key_id integer, key blob);
create table whatsmeow_sessions (their_id text, session blob);
create table whatsmeow_sender_keys (chat_id text, sender_id text, sender_key blob);
create table whatsmeow_message_secrets (message_id text primary key, key blob);
insert into whatsmeow_device (jid, noise_key) values ('49151.0:3@s.whatsapp.net', x'00ff00');
insert into whatsmeow_pre_keys values (1, x'01'), (2, x'02');
insert into whatsmeow_sessions values ('49152', x'00');
insert into whatsmeow_sender_keys values ('g', '49151:3', x'01'), ('g', '77_1:3', x'02'), ('g', '491512:0', x'03');
"""


def store(*changes: str) -> bytes:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(_STORE)
        for change in changes:
            database.execute(change)
        database.commit()
        return database.serialize()


def marked(*changes: str) -> str:
    with loaded(store(*changes)) as database:
        return fingerprint(database)


def test_only_the_newest_messages_keep_their_secrets() -> None:
    many = f"""
    insert into whatsmeow_message_secrets
    with recursive n (i) as (select 1 union all select i + 1 from n where i < {SECRETS_KEPT + 5})
    select i, zeroblob(32) from n
    """
    with loaded(lean(store(many), [])) as database:
        oldest, kept = database.run(
            "select min(cast(message_id as integer)), count(*) from whatsmeow_message_secrets"
        )[0]
    assert (oldest, kept) == ("6", str(SECRETS_KEPT))


def test_our_own_group_keys_go_and_the_others_stay() -> None:
    with loaded(lean(store(), ["49151", "77"])) as database:
        assert database.run("select sender_id from whatsmeow_sender_keys") == [("491512:0",)]
        assert database.run("select count(*) from whatsmeow_sessions") == [("0",)]


def test_a_copy_is_worth_taking_for_the_device_and_for_new_pre_keys_only() -> None:
    same = marked()
    assert marked("insert into whatsmeow_message_secrets values ('1', x'01')") == same
    assert marked("update whatsmeow_sender_keys set sender_key = x'ff'") == same
    assert marked("delete from whatsmeow_pre_keys where key_id = 1") == same  # somebody used it
    assert marked("insert into whatsmeow_pre_keys values (3, x'03')") != same
    assert marked("update whatsmeow_device set noise_key = x'00fe00'") != same
