"""Pairing and the simulator's life, from outside: a bare client of the wire protocol, signals, no libmagic."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import httpx
import pytest

from simulator.client import Simulator, SimulatorRefused
from simulator.process import REPOSITORY
from simulator.wire import binary_xml, protobuf
from simulator.wire.noise import FrameReader, Transport, frame
from simulator.wire.stanza import Node
from tests.unit.test_simulator_noise import Initiator

HEADER = b"WA\6\3"
IDENTITY, ADV_SECRET = bytes(range(32)), bytes(range(32, 64))


@pytest.fixture(scope="module")
async def simulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with await Simulator.start(tmp_path_factory.mktemp("pairing")) as running:
        yield running


@dataclass
class BareClient:
    """A client that has shaken hands and wants to be paired."""

    socket: aiohttp.ClientWebSocketResponse
    transport: Transport
    noise_static: bytes

    async def next(self) -> Node:
        (sealed,) = FrameReader().feed(await self.socket.receive_bytes(timeout=5))
        return binary_xml.decode(self.transport.open(sealed))

    async def refs(self) -> list[str]:
        offer = (await self.next()).need("pair-device")
        return [ref.data().decode() for ref in offer.children("ref")]

    def qr(self, ref: str, identity: bytes = IDENTITY) -> str:
        return ",".join(
            [ref, *(base64.b64encode(part).decode() for part in (self.noise_static, identity, ADV_SECRET))]
        )


@asynccontextmanager
async def bare_client(simulator: Simulator) -> AsyncIterator[BareClient]:
    url = f"https://localhost:{simulator.endpoint.tls_port}/ws/chat"
    trust = ssl.create_default_context(cafile=str(simulator.endpoint.ca))
    registration = protobuf.encode({1: b"\0\0\0\1", 3: IDENTITY, 4: b"\0\0\1", 5: bytes(32), 6: bytes(64)})
    noise = Initiator(HEADER)
    async with aiohttp.ClientSession() as session, session.ws_connect(url, ssl=trust) as socket:
        await socket.send_bytes(HEADER + frame(noise.hello(b"")))
        (answer,) = FrameReader().feed(await socket.receive_bytes(timeout=5))
        noise.read_answer(answer)
        await socket.send_bytes(frame(noise.finish(protobuf.encode({19: registration}))))
        yield BareClient(socket, noise.transport(), noise.static_public)


async def test_a_login_gets_six_codes_of_which_any_pairs(simulator: Simulator) -> None:
    async with bare_client(simulator) as client:
        refs = await client.refs()
        assert len(set(refs)) == 6
        await simulator.scan("491711111111", client.qr(refs[3]))
        identity = protobuf.Message((await client.next()).need("pair-success").need("device-identity").data())
        assert identity.data(2) == hmac.new(ADV_SECRET, identity.data(1), hashlib.sha256).digest()
        with pytest.raises(SimulatorRefused, match="not on any screen"):
            await simulator.scan("491722222222", client.qr(refs[4]))


async def test_a_code_with_other_keys_is_refused(simulator: Simulator) -> None:
    async with bare_client(simulator) as client:
        ref, *_ = await client.refs()
        with pytest.raises(SimulatorRefused, match="not those of the client"):
            await simulator.scan("491711111111", client.qr(ref, identity=bytes(32)))


async def test_a_code_expires_with_its_client(simulator: Simulator) -> None:
    async with bare_client(simulator) as client:
        ref, *_ = await client.refs()
        text = client.qr(ref)
    with pytest.raises(SimulatorRefused, match="not on any screen"):
        await simulator.scan("491711111111", text)


async def test_garbage_ends_one_connection_and_nothing_else(simulator: Simulator) -> None:
    async with bare_client(simulator) as client:
        await client.refs()
        await client.socket.send_bytes(frame(os.urandom(64)))
        assert (await client.socket.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    async with bare_client(simulator) as another:
        assert await another.refs()


async def test_it_stops_on_a_signal_and_takes_its_children_along(tmp_path: Path) -> None:
    simulator = await Simulator.start(tmp_path)
    await simulator.recipient("491711111111")
    recipients = (await simulator.state())["recipients_pid"]
    os.kill(simulator.endpoint.pid, signal.SIGTERM)
    await simulator.stop()
    assert not simulator.file.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(recipients, 0)


async def test_its_children_end_with_it_even_if_it_is_killed(tmp_path: Path) -> None:
    simulator = await Simulator.start(tmp_path)
    async with httpx.AsyncClient(trust_env=False) as ledger:
        os.kill(simulator.endpoint.pid, signal.SIGKILL)
        await simulator.stop()
        with pytest.raises(httpx.TransportError):  # cut when the ledger's process ends, or refused after it
            await ledger.get(f"{simulator.endpoint.ledger_url}/wait?phone=491711111111&timeout=20", timeout=10)


async def test_the_library_is_imported_on_a_machine_without_libmagic(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "magic.py").write_text("raise ImportError('failed to find libmagic')\n")
    (tmp_path / "shows_magic.py").write_text(
        "import neonize.client as client\nprint(client.magic.from_buffer(b'GIF89a', mime=True))\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "simulator.launch_engine",
            "--simulator",
            str(simulator.file),
            "--",
            "shows_magic",
        ),
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 20)
    assert said == b"image/gif\n"
