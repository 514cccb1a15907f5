"""What goes into a copy of a store whose account is at work, and what makes one worth taking.

Such a copy serves only a host that has lost its live store, and there ratchets are forgotten before it is used: so
it goes without them, and without the secrets of all but the newest messages. Sealed, a linked account's copy has
41 KB; ratchets with 47 devices added 25 KB, a hundred messages 7, and every message made a new one.
"""

import hashlib

from worker.engine.sqlite import Database, loaded

#: Left out: ratchets, and messages that the library keeps for a moment.
_LEFT_OUT = ("whatsmeow_sessions", "whatsmeow_event_buffer", "whatsmeow_retry_buffer")

#: What the library learns or agrees on anew by itself: no reason for a copy of its own.
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

#: Messages whose secrets are kept: those that votes and answers may still come to.
SECRETS_KEPT = 1000

_OLD_SECRETS = f"""
delete from whatsmeow_message_secrets
where rowid <= (select max(rowid) from whatsmeow_message_secrets) - {SECRETS_KEPT}
"""  # noqa: S608 - a number of ours

_TABLES = "select name from sqlite_master where type = 'table' and name not like 'sqlite%' order by name"


def fingerprint(database: Database) -> str:
    """Digest what a lost host must not lose: the device, its pre-keys as far as they were made, its sync keys."""
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
    """Leave out of a copy what makes it large and is of no use to it. own: our users, whose group keys go."""
    with loaded(store) as database:
        present = {name for (name,) in database.run(_TABLES)}
        for table in present.intersection(_LEFT_OUT):
            database.run(f"delete from {table}")  # noqa: S608 - as above
        forget_own_keys(database, own)
        database.run(_OLD_SECRETS)
        database.run("vacuum")
        return database.copy()


def forget_own_keys(database: Database, own: list[str]) -> None:
    """Delete the keys that we encrypt for groups with. own: our users."""
    for user in own:
        own_rows = "delete from whatsmeow_sender_keys where sender_id glob ? or sender_id = ?"
        database.run(own_rows, f"{user}[:._]*", user)
