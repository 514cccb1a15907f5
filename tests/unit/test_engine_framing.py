"""Frames: what goes in comes out, and nothing else gets through."""

import contextlib
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.engine import framing

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
frames = st.dictionaries(st.text(), values, max_size=6)


@settings(deadline=None)  # two cores, shared
@given(st.lists(frames, max_size=5))
def test_a_stream_of_frames_is_read_as_it_was_written(written: list[framing.Frame]) -> None:
    stream = io.BytesIO(b"".join(map(framing.pack, written)))
    assert [framing.read(stream) for _ in written] == written
    assert framing.read(stream) is None


@settings(deadline=None)
@given(frames, st.data())
def test_a_torn_frame_is_the_end(frame: framing.Frame, data: st.DataObject) -> None:
    packed = framing.pack(frame)
    torn = packed[: data.draw(st.integers(0, len(packed) - 1))]
    assert framing.read(io.BytesIO(torn)) is None


@given(st.binary(max_size=200))
def test_noise_is_refused_or_an_object(body: bytes) -> None:
    with contextlib.suppress(framing.FrameError):
        assert isinstance(framing.unpack(body), dict)


@pytest.mark.parametrize("value", [[], 1, "text", None])
def test_only_objects_are_frames(value: object) -> None:
    with pytest.raises(framing.FrameError):
        framing.unpack(json.dumps(value).encode())


def test_a_length_beyond_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(framing.FrameError):
        framing.read(io.BytesIO((framing.MAX_FRAME + 1).to_bytes(4, "big") + b"{}"))


outside = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["ids", "text"]), inner),
    max_leaves=12,
)


@given(outside)
def test_whatever_comes_from_outside_becomes_text_that_can_be_told_and_stored(value: object) -> None:
    assert "\\u0000" not in json.dumps(framing.plain(value)).replace("\\\\", "")


@given(values)
def test_what_can_be_stored_stays_as_it_is(value: object) -> None:
    storable = json.loads(json.dumps(value).replace("\\u0000", ""))
    assert framing.plain(storable) == storable
