import base64
import os
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import CredentialsError
from worker.keyring import Keyring, key_id_of
from worker.settings import load_settings

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
KEYRING = Keyring({"default": OLD})
ORGANIZATION, SESSION = UUID(int=1), UUID(int=2)
PLAINTEXT = b"noise key, identity key and everything else" * 3
RECORD = KEYRING.seal(PLAINTEXT, organization=ORGANIZATION, session=SESSION, generation=7)

owners = st.tuples(st.uuids(), st.uuids(), st.integers(0, 2**63 - 1))


def opened(record: bytes, keyring: Keyring = KEYRING) -> bytes:
    return keyring.open(record, organization=ORGANIZATION, session=SESSION, generation=7)


@given(plaintext=st.binary(max_size=2_000), owner=owners)
def test_what_was_sealed_opens_for_its_owner(plaintext: bytes, owner: tuple[UUID, UUID, int]) -> None:
    organization, session, generation = owner
    record = KEYRING.seal(plaintext, organization=organization, session=session, generation=generation)
    assert KEYRING.open(record, organization=organization, session=session, generation=generation) == plaintext


@given(owner=owners)
def test_no_other_owner_or_generation_opens_it(owner: tuple[UUID, UUID, int]) -> None:
    organization, session, generation = owner
    for candidate in (
        (organization, SESSION, 7),
        (ORGANIZATION, session, 7),
        (ORGANIZATION, SESSION, generation),
        (SESSION, ORGANIZATION, 7),
    ):
        if candidate == (ORGANIZATION, SESSION, 7):
            continue
        with pytest.raises(CredentialsError, match="belong to another session or generation"):
            KEYRING.open(RECORD, organization=candidate[0], session=candidate[1], generation=candidate[2])


@pytest.mark.parametrize("mask", [0x01, 0x20, 0xFF])
def test_no_flipped_byte_gives_any_plaintext(mask: int) -> None:
    for position in range(len(RECORD)):
        changed = bytearray(RECORD)
        changed[position] ^= mask
        with pytest.raises(CredentialsError):
            opened(bytes(changed))


def test_no_shorter_or_longer_record_gives_any_plaintext() -> None:
    for length in range(len(RECORD)):
        with pytest.raises(CredentialsError):
            opened(RECORD[:length])
    with pytest.raises(CredentialsError):
        opened(RECORD + b"\0")


@given(record=st.binary(max_size=300))
def test_garbage_is_a_credentials_error(record: bytes) -> None:
    with pytest.raises(CredentialsError):
        opened(record)
    with pytest.raises(CredentialsError):
        opened(b"\x01\x07default" + record)


def test_parts_of_two_records_do_not_mix() -> None:
    other = KEYRING.seal(PLAINTEXT, organization=ORGANIZATION, session=SESSION, generation=7)
    for cut in range(1, len(RECORD)):
        mixed = RECORD[:cut] + other[cut:]
        if mixed not in (RECORD, other):
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


def test_a_rotated_key_still_opens_what_it_sealed() -> None:
    rotated = Keyring({"2027": NEW, "default": OLD})
    assert opened(RECORD, rotated) == PLAINTEXT
    resealed = rotated.seal(PLAINTEXT, organization=ORGANIZATION, session=SESSION, generation=8)
    assert (key_id_of(RECORD), key_id_of(resealed), rotated.active) == ("default", "2027", "2027")
    alone = Keyring({"2027": NEW})
    assert alone.open(resealed, organization=ORGANIZATION, session=SESSION, generation=8) == PLAINTEXT


def test_the_same_state_never_seals_to_the_same_bytes() -> None:
    again = KEYRING.seal(PLAINTEXT, organization=ORGANIZATION, session=SESSION, generation=7)
    header = len(b"\x01\x07default")
    assert again[:header] == RECORD[:header]
    assert again[header : header + 60] != RECORD[header : header + 60]


def test_a_snapshot_of_mostly_empty_pages_is_compressed() -> None:
    snapshot = os.urandom(20_000) + bytes(240_000)
    record = KEYRING.seal(snapshot, organization=ORGANIZATION, session=SESSION, generation=7)
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
    assert keyring.active == "2027"
    assert opened(RECORD, keyring) == PLAINTEXT
