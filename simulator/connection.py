"""One client's socket after the handshake. Stanzas go out in order, after the delay that a fault asks for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from aiohttp import web

from simulator.device import Device, DeviceKeys
from simulator.wire import binary_xml
from simulator.wire.noise import Transport, frame
from simulator.wire.stanza import Node

log = logging.getLogger(__name__)

_GRACE = 1.0


class Connection:
    """A client's connection.

    cut: aborts the socket. delay: seconds that a stanza to this device waits.
    device: who is logged in; None while registering. registering: the keys of a new client, until it is paired.
    noise_static: the client's static Noise key, which its QR code repeats.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        cut: Callable[[], None],
        transport: Transport,
        noise_static: bytes,
        delay: Callable[[Device | None], float],
    ) -> None:
        self._socket, self._cut = socket, cut
        self._transport, self._delay = transport, delay
        self._queue: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())
        self.noise_static = noise_static
        self.device: Device | None = None
        self.registering: DeviceKeys | None = None
        self.pairing: Device | None = None

    def __str__(self) -> str:
        return str(self.device.phone_jid) if self.device else "unpaired"

    def read(self, sealed: bytes) -> Node:
        node = binary_xml.decode(self._transport.open(sealed))
        log.debug("← %s %s", self, node)
        return node

    def send(self, node: Node) -> None:
        """Queue a stanza; never blocks. It is lost with the socket: `Outgoing` keeps those that must not be."""
        log.debug("→ %s %s", self, node)
        due = asyncio.get_running_loop().time() + self._delay(self.device)
        self._queue.put_nowait((due, binary_xml.encode(node)))

    def dismiss(self, last: Node) -> None:
        """Send a last stanza that says why, then close if the client does not.

        It closes a little later: whatsmeow drops the stanzas it has not handled yet when its socket closes.
        """
        self.send(last)
        if self.device and self.device.connection is self:
            self.device.connection = None
        self.device = None
        self._queue.put_nowait((asyncio.get_running_loop().time() + _GRACE, None))

    def abort(self) -> None:
        """Cut the connection now. Queued stanzas are not sent."""
        self._writer.cancel()
        self._cut()

    async def finished(self) -> None:
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer

    async def _write(self) -> None:
        clock = asyncio.get_running_loop().time
        with contextlib.suppress(ConnectionError):
            while True:
                due, payload = await self._queue.get()
                if (wait := due - clock()) > 0:
                    await asyncio.sleep(wait)
                if payload is None:
                    await self._socket.close()
                    return
                await self._socket.send_bytes(frame(self._transport.seal(payload)))
