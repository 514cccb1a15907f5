import base64
import os
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import CredentialsError
from worker.settings import load_settings
from worker.vault.keyring import Keyring, Place, key_id_of

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
SECRET, OTHER_SECRET = bytes(range(64, 96)), bytes(range(96, 128))
KEYRING = Keyring({"default": OLD})
PLACE = Place(organization=UUID(int=1), session=UUID(int=2), generation=7, incarnation=UUID(int=3), clean=False)
PLAINTEXT = b"noise key, identity key and everything else" * 3
RECORD = KEYRING.seal(PLAINTEXT, PLACE, SECRET)

#: A record as a database has it since format 2 began: every later version has to open it.
STORED = base64.b64decode(
    "AgdkZWZhdWx0x5v161NfIbs8cZyg8g26ma92JZFFPldMoXXgak2TpZHD5nTbGMXiNlb3MtScuE3BqwYarUxgzAxSG7aQj7EL"
    "7KKCU0wloj+dE0Bl5OI00LXtqVzjSvDgE82rzLECt9/fhh3nFrPyT8ZMig7sNQNlzuADo7w="
)

places = st.builds(
    Place,
    organization=st.uuids(),
    session=st.uuids(),
    generation=st.integers(0, 2**63 - 1),
    incarnation=st.uuids(),
    clean=st.booleans(),
)


def opened(record: bytes, keyring: Keyring = KEYRING) -> bytes:
    return keyring.open(record, PLACE, SECRET)


@given(plaintext=st.binary(max_size=2_000), place=places, secret=st.binary(min_size=32, max_size=32))
def test_what_was_sealed_opens_in_its_place(plaintext: bytes, place: Place, secret: bytes) -> None:
    assert KEYRING.open(KEYRING.seal(plaintext, place, secret), place, secret) == plaintext


def test_a_record_that_a_database_has_still_opens() -> None:
    assert opened(STORED) == b"noise key, identity key"


@given(other=places)
def test_it_opens_in_no_other_place(other: Place) -> None:
    for elsewhere in (
        replace(PLACE, organization=other.organization),
        replace(PLACE, session=other.session),
        replace(PLACE, generation=other.generation),
        replace(PLACE, incarnation=other.incarnation),
        replace(PLACE, clean=True),
        replace(PLACE, organization=PLACE.session, session=PLACE.organization),
    ):
        if elsewhere != PLACE:
            with pytest.raises(CredentialsError, match="belong to another session or generation"):
                KEYRING.open(RECORD, elsewhere, SECRET)


def test_the_operators_key_without_the_organisations_secret_opens_nothing() -> None:
    for secret in (OTHER_SECRET, bytes(32), b""):
        with pytest.raises(CredentialsError):
            KEYRING.open(RECORD, PLACE, secret)


@pytest.mark.parametrize("bit", [1 << n for n in range(8)] + [0xFF])
def test_no_flipped_byte_gives_any_plaintext(bit: int) -> None:
    for position in range(len(RECORD)):
        changed = bytearray(RECORD)
        changed[position] ^= bit
        with pytest.raises(CredentialsError):
            opened(bytes(changed))


def test_no_shorter_or_longer_record_gives_any_plaintext() -> None:
    for length in range(len(RECORD)):
        for shorter in (RECORD[:length], RECORD[len(RECORD) - length :]):
            with pytest.raises(CredentialsError):
                opened(shorter)
    with pytest.raises(CredentialsError):
        opened(RECORD + b"\0")


@given(record=st.binary(max_size=300))
def test_garbage_is_a_credentials_error(record: bytes) -> None:
    with pytest.raises(CredentialsError):
        opened(record)
    with pytest.raises(CredentialsError):
        opened(b"\x02\x07default" + record)


@pytest.mark.parametrize(
    "place",
    [PLACE, replace(PLACE, session=uuid4()), replace(PLACE, organization=uuid4()), replace(PLACE, generation=6)],
    ids=["the same place", "another session", "another organisation", "an older generation"],
)
def test_parts_of_two_records_do_not_mix(place: Place) -> None:
    other = KEYRING.seal(PLAINTEXT, place, SECRET)
    for cut in range(len(RECORD) + 1):
        for mixed in (RECORD[:cut] + other[cut:], other[:cut] + RECORD[cut:]):
            if mixed != RECORD and not (mixed == other and place == PLACE):
                with pytest.raises(CredentialsError):
                    opened(mixed)


def test_each_failure_says_what_it_is() -> None:
    with pytest.raises(CredentialsError, match="sealed with key 'default', which this worker does not have"):
        opened(RECORD, Keyring({"other": OLD}))
    with pytest.raises(CredentialsError, match="this worker's key 'default' is not the one"):
        opened(RECORD, Keyring({"default": NEW}))
    with pytest.raises(CredentialsError, match="truncated: 40 bytes"):
        opened(RECORD[:40])
    with pytest.raises(CredentialsError, match="format 9"):
        opened(b"\x09" + RECORD[1:])


def test_the_same_state_never_seals_to_the_same_bytes() -> None:
    again = KEYRING.seal(PLAINTEXT, PLACE, SECRET)
    header = len(b"\x02\x07default")
    assert again[:header] == RECORD[:header]
    assert again[header : header + 60] != RECORD[header : header + 60]
    assert again[header + 60 :] != RECORD[header + 60 :]


def test_a_snapshot_of_mostly_empty_pages_is_compressed() -> None:
    snapshot = os.urandom(20_000) + bytes(240_000)
    record = KEYRING.seal(snapshot, PLACE, SECRET)
    assert len(record) < 25_000
    assert opened(record) == snapshot


def test_the_keys_come_from_the_settings() -> None:
    settings = load_settings(
        {
            "SUPABASE_URL": "http://127.0.0.1:54321",
            "SUPABASE_SERVICE_KEY": "secret",
            "ENCRYPTION_KEYS": f"2027:{base64.b64encode(NEW).decode()},default:{base64.b64encode(OLD).decode()}",
        }
    )
    keyring = Keyring.from_settings(settings)
    assert (keyring.active, keyring.ids) == ("2027", ("2027", "default"))
    assert opened(RECORD, keyring) == PLAINTEXT
    assert key_id_of(RECORD) == "default"
