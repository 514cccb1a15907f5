"""What a copy of a live account's store contains, and when a new copy is worth taking.

Such a copy serves only a host that has lost its live store, and ratchets must be forgotten before it is used. So
the copy goes without ratchets, and without the secrets of all but the newest messages. The sealed copy of a
linked account has 41 KB. Ratchets with 47 devices would add 25 KB and a hundred messages 7 KB, and every message
would need a new copy.
"""

import hashlib

from worker.engine.sqlite import Database, loaded

#: Left out of a copy: ratchets, and messages that the library keeps for a moment.
_LEFT_OUT = ("whatsmeow_sessions", "whatsmeow_event_buffer", "whatsmeow_retry_buffer")

#: Tables that the library fills again by itself: a change in them is no reason for a new copy.
_RENEWED = frozenset(
    {
        *_LEFT_OUT,
        "whatsmeow_app_state_mutation_macs",
        "whatsmeow_app_state_version",
        "whatsmeow_chat_settings",
        "whatsmeow_contacts",
        "whatsmeow_identity_keys",
        "whatsmeow_lid_map",
        "whatsmeow_message_secrets",
        "whatsmeow_pre_keys",
        "whatsmeow_privacy_tokens",
        "whatsmeow_sender_keys",
    }
)

#: How many messages keep their secrets: votes and answers may still refer to them.
SECRETS_KEPT = 1000

_OLD_SECRETS = f"""
delete from whatsmeow_message_secrets
where rowid <= (select max(rowid) from whatsmeow_message_secrets) - {SECRETS_KEPT}
"""  # noqa: S608 - a number of ours

_TABLES = "select name from sqlite_master where type = 'table' and name not like 'sqlite%' order by name"


def fingerprint(database: Database) -> str:
    """Digest what a lost host must not lose: the device, the last pre-key that was made, the sync keys."""
    digest = hashlib.sha256()
    present = [str(name) for (name,) in database.run(_TABLES)]
    for table in present:
        if table not in _RENEWED:
            columns = [name for _, name, *_ in database.run(f"pragma table_info({table})")]
            row = " || ',' || ".join(f'quote("{column}")' for column in columns)
            rows = database.run(f"select {row} from {table} order by 1")  # noqa: S608 - names of the store's own
            digest.update(repr((table, rows)).encode())
    if "whatsmeow_pre_keys" in present:
        digest.update(repr(database.run("select max(key_id) from whatsmeow_pre_keys")).encode())
    return digest.hexdigest()


def lean(store: bytes, own: list[str]) -> bytes:
    """Delete what makes a copy large and is useless in it. own: the account itself, whose group keys go."""
    with loaded(store) as database:
        present = {name for (name,) in database.run(_TABLES)}
        for table in present.intersection(_LEFT_OUT):
            database.run(f"delete from {table}")  # noqa: S608 - as above
        forget_own_keys(database, own)
        database.run(_OLD_SECRETS)
        database.run("vacuum")
        return database.copy()


def forget_own_keys(database: Database, own: list[str]) -> None:
    """Delete our own keys for encrypting to groups. own: the account itself, by number and LID."""
    for user in own:
        own_rows = "delete from whatsmeow_sender_keys where sender_id glob ? or sender_id = ?"
        database.run(own_rows, f"{user}[:._]*", user)
