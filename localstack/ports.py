"""Ports that no other stack takes while their programs start."""

import contextlib
import random
import socket
from collections.abc import Mapping

#: Below the kernel's range for outgoing connections, so that none of them takes the port of a restarting child.
PORTS = range(18_000, 32_000)

#: A program binds its port seconds after the port was chosen, and another stack could choose it meanwhile. So each
#: choice holds an abstract socket's name, which the kernel gives to one process and frees when that process ends.
_claims: dict[int, socket.socket] = {}


def free_ports(*names: str, preferred: Mapping[str, int] | None = None) -> dict[str, int]:
    """A free port for each name that no other stack has chosen: the preferred one if possible."""
    ports: dict[str, int] = {}
    for name in names:
        port = (preferred or {}).get(name) or random.choice(PORTS)
        while port in ports.values() or not _claim(port):
            port = random.choice(PORTS)
        ports[name] = port
    return ports


def _claim(port: int) -> bool:
    if port in _claims:
        return _is_free(port)
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with contextlib.suppress(OSError):
        claim.bind(f"\0herald-localstack-port-{port}")
        if _is_free(port):
            _claims[port] = claim
            return True
    claim.close()
    return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
