"""``herald keys``: what it prints, its exit codes, and that no key is ever in an error."""

import base64
import os
import re
import secrets
import subprocess
import sys
from uuid import uuid4

from worker.settings import load_settings
from worker.vault.keyring import Keyring, Place
from worker.vault.rotation import Record

OLD, NEW = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
SERVICE_KEY = f"sb_secret_{secrets.token_hex(16)}"
HERALD = "import worker.cli; raise SystemExit(worker.cli.main())"
SETTINGS = {
    "SUPABASE_URL": "http://127.0.0.1:9",  # nobody listens there
    "SUPABASE_SERVICE_KEY": SERVICE_KEY,
    "ENCRYPTION_KEYS": f"2027:{NEW},default:{OLD}",
}


def herald(*arguments: str, program: str = HERALD, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run it in a process of its own, as an operator does."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={"PATH": os.environ["PATH"], "COLUMNS": "200", **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_new_key_is_an_entry_of_the_setting() -> None:
    made = [herald("keys", "new"), herald("keys", "new", "--id", "spring")]
    entries = [one.stdout.strip() for one in made]
    assert [one.returncode for one in made] == [0, 0]
    assert re.match(r"\d{4}-\d{2}-\d{2}:", entries[0])
    assert entries[1].startswith("spring:")
    keys = load_settings(SETTINGS | {"ENCRYPTION_KEYS": ",".join(entries)}).sealing_keys()
    assert len(set(keys.values())) == 2
    assert all(entry.partition(":")[2] not in one.stderr for entry, one in zip(entries, made, strict=True))


def test_an_id_that_the_setting_does_not_take_is_refused() -> None:
    answer = herald("keys", "new", "--id", "two words")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "--id" in answer.stderr


def test_a_wrong_setting_and_an_absent_database_are_told_in_one_line() -> None:
    command = ("keys", "rotate")
    unset = herald(*command, SUPABASE_URL="http://127.0.0.1:9", SUPABASE_SERVICE_KEY=SERVICE_KEY)
    assert (unset.returncode, unset.stderr.count("\n")) == (2, 1)
    assert unset.stderr.startswith("herald: ENCRYPTION_KEY is missing")
    wrong = herald(*command, **SETTINGS | {"ENCRYPTION_KEYS": f"2027:{NEW}, default:{OLD[:-1]}"})
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    away = herald(*command, **SETTINGS)
    assert (away.returncode, away.stdout) == (1, "")
    assert "herald: Supabase does not answer" in away.stderr
    for answer in (unset, wrong, away):
        assert not [key for key in (OLD, OLD[:-1], NEW, SERVICE_KEY) if key in answer.stdout + answer.stderr]


def test_a_crash_shows_where_and_no_key() -> None:
    broken = """
import worker.cli, worker.supabase.records
async def broken(self): raise RuntimeError("out of order")
worker.supabase.records.SupabaseRecords.keys = broken
raise SystemExit(worker.cli.main())
"""
    answer = herald("keys", "rotate", program=broken, **SETTINGS)
    assert answer.returncode == 1
    assert "RuntimeError: out of order" in answer.stderr
    shown = answer.stdout + answer.stderr
    raw = [repr(base64.b64decode(key))[2:-1] for key in (OLD, NEW)]
    assert not [key for key in (OLD, NEW, SERVICE_KEY, *raw) if key in shown]


def test_no_repr_shows_a_key_a_secret_or_a_record() -> None:
    place = Place(organization=uuid4(), session=uuid4(), generation=1, incarnation=uuid4(), clean=True)
    record = Record(place=place, sealed=b"r" * 100, secret=b"s" * 32)
    shown = repr((Keyring({"default": b"k" * 32}), record))
    assert not [text for text in ("kkkk", "ssss", "rrrr") if text in shown]
