"""The worker and PM2 over the socket that PM2 gives its processes."""

import asyncio
import os
import socket
from collections.abc import Iterator

import pytest

from worker.process.pm2 import Channel


@pytest.fixture
def pm2_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """PM2's end; the environment names ours."""
    theirs, ours = socket.socketpair()
    monkeypatch.setenv("NODE_CHANNEL_FD", str(os.dup(ours.fileno())))
    ours.close()
    with theirs:
        yield theirs


async def test_pm2_learns_that_the_worker_is_ready(pm2_end: socket.socket) -> None:
    channel = Channel.inherited()
    assert channel
    channel.ready()
    assert pm2_end.recv(100) == b'"ready"\n'
    channel.close()


async def test_the_worker_learns_when_pm2_is_gone_and_not_before(pm2_end: socket.socket) -> None:
    channel = Channel.inherited()
    assert channel
    gone = asyncio.Event()
    channel.watch(gone.set)
    pm2_end.send(b'{"type": "anything"}\n')
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(gone.wait(), 0.1)
    pm2_end.close()
    await asyncio.wait_for(gone.wait(), 5)
    channel.ready()  # nobody hears it, which is no error
    channel.close()


async def test_a_program_of_the_worker_does_not_inherit_it(pm2_end: socket.socket) -> None:
    channel = Channel.inherited()
    assert channel
    assert "NODE_CHANNEL_FD" not in os.environ
    assert Channel.inherited() is None
    channel.close()
    assert pm2_end.recv(100) == b""


@pytest.mark.parametrize("number", ["", "x", "-1", "987654"])
async def test_a_worker_without_pm2_has_none(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    monkeypatch.setenv("NODE_CHANNEL_FD", number)
    assert Channel.inherited() is None


async def test_a_file_that_is_no_socket_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setenv("NODE_CHANNEL_FD", str(reader))
    assert Channel.inherited() is None
    os.write(writer, b"x")
    assert os.read(reader, 1) == b"x"
    os.close(reader)
    os.close(writer)
