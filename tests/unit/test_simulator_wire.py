"""The simulator's wire formats: what is written can be read, what is malformed is refused."""

from __future__ import annotations

import contextlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.offline import Outgoing
from simulator.wire import binary_xml, protobuf
from simulator.wire.noise import FrameReader, frame, split_header
from simulator.wire.stanza import JID, Attribute, Node

words = st.one_of(
    st.sampled_from(["message", "receipt", "participant", "w:gp2", "s.whatsapp.net"]),  # in the dictionaries
    st.text("0123456789-.", min_size=1, max_size=200),  # packed as nibbles, up to 127
    st.text("0123456789ABCDEF", min_size=1, max_size=200),
    st.text(min_size=1, max_size=300),
)
jids = st.one_of(
    st.builds(
        JID, st.text("0123456789", min_size=1), st.sampled_from(["s.whatsapp.net", "lid"]), st.integers(0, 99)
    ),
    st.builds(JID, st.text("0123456789-", max_size=30), st.sampled_from(["g.us", "s.whatsapp.net"])),
)
attributes: st.SearchStrategy[dict[str, Attribute]] = st.dictionaries(words, st.one_of(words, jids), max_size=5)
nodes = st.recursive(
    st.builds(Node, words, attributes, st.one_of(st.none(), st.binary(max_size=300))),
    lambda inner: st.builds(Node, words, attributes, st.lists(inner, min_size=1, max_size=4)),
    max_leaves=12,
)


@given(nodes)
def test_a_stanza_survives_the_wire(node: Node) -> None:
    assert binary_xml.decode(binary_xml.encode(node)) == node


@given(nodes)
def test_a_compressed_frame_is_the_same_stanza(node: Node) -> None:
    plain = binary_xml.encode(node)
    assert binary_xml.decode(b"\2" + zlib.compress(plain[1:])) == node


@pytest.mark.parametrize("size", [255, 256, (1 << 20) - 1, 1 << 20])
def test_bytes_of_any_length_class_survive(size: int) -> None:
    node = Node("enc", {"v": "2"}, bytes(size))
    assert binary_xml.decode(binary_xml.encode(node)) == node


def test_a_list_longer_than_a_byte_survives() -> None:
    node = Node("list", {}, [Node("user", {"jid": JID(str(number), "lid")}) for number in range(1, 1025)])
    assert binary_xml.decode(binary_xml.encode(node)) == node


@given(st.binary(max_size=200))
def test_garbage_is_refused_as_a_value_error(garbage: bytes) -> None:
    with contextlib.suppress(ValueError):
        binary_xml.decode(garbage)


def test_empty_attributes_stay_at_home() -> None:
    sent = Node("ack", {"id": "1", "phash": None, "type": ""})
    assert binary_xml.decode(binary_xml.encode(sent)).attrs == {"id": "1"}


@given(st.dictionaries(st.integers(1, 500), st.one_of(st.integers(0, 2**63), st.binary(max_size=300)), max_size=8))
def test_protobuf_fields_survive(fields: dict[int, int | bytes]) -> None:
    message = protobuf.Message(protobuf.encode(fields))
    for number, value in fields.items():
        assert (message.integer(number) if isinstance(value, int) else message.data(number)) == value


@pytest.mark.parametrize("cut", [b"\x0a\x05abc", b"\x08\x80", b"\x0b"])
def test_a_protobuf_message_cut_short_is_refused(cut: bytes) -> None:
    with pytest.raises(ValueError, match=r"ends inside|not in use"):
        protobuf.Message(cut)


@given(st.lists(st.binary(max_size=400), max_size=6), st.integers(1, 50))
def test_frames_are_cut_wherever_the_stream_is(payloads: list[bytes], step: int) -> None:
    reader, stream = FrameReader(), b"".join(frame(payload) for payload in payloads)
    pieces = [stream[at : at + step] for at in range(0, len(stream), step)]
    assert [payload for piece in pieces for payload in reader.feed(piece)] == payloads


def test_routing_bytes_before_the_header_are_skipped() -> None:
    assert split_header(b"ED\0\1\0\0\3xyzWA\6\3rest") == (b"WA\6\3", b"rest")


def test_a_stanza_waits_until_it_is_acknowledged() -> None:
    outgoing, sender = Outgoing(), JID("9111", "lid", 1)
    for id_ in ("A", "B"):
        outgoing.keep(Node("message", {"id": id_, "from": sender}))
    outgoing.answered(Node("ack", {"class": "message", "id": "A", "to": sender}))
    waiting = [node for node in outgoing.at_login() if node.tag == "message"]
    assert [(node.attrs["id"], node.attrs["offline"]) for node in waiting] == [("B", "0")]
