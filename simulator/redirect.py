"""Points the unmodified neonize library at the simulator. For development and tests, never in the product.

Two things bring a client here. One is its environment: the Go runtime inside the library reads the environment
that the process was *started* with, not `os.environ`, so a process that lacks the variables starts itself again
with them. The other is the root key that it trusts: 32 bytes that occur once in the library's writable memory
and are overwritten.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import os
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: WhatsApp's root key, as every client library ships it.
_WHATSAPP_ROOT = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")
_MAGIC_NUMBERS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG": "image/png",
    b"GIF8": "image/gif",
    b"%PDF": "application/pdf",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a running simulator is: the contents of its simulator.json."""

    proxy: str
    tls_port: int
    control_url: str
    ledger_url: str
    ledger: Path
    ca: Path
    root_public_key: bytes
    pid: int

    @classmethod
    def read(cls, path: Path) -> Endpoint:
        found = json.loads(path.read_text())
        return cls(
            proxy=found["proxy"],
            tls_port=found["tls_port"],
            control_url=found["control_url"],
            ledger_url=found["ledger_url"],
            ledger=Path(found["ledger"]),
            ca=Path(found["ca"]),
            root_public_key=bytes.fromhex(found["root_public_key"]),
            pid=found["pid"],
        )

    def environment(self) -> dict[str, str]:
        """The variables that the library must start with. Without the last, each message carries a bot tag."""
        return {
            "HTTPS_PROXY": self.proxy,
            "SSL_CERT_FILE": str(self.ca),
            "NO_PROXY": "127.0.0.1,localhost",
            "NEONIZE_BOT_TAG": "off",
        }


def restart_with(environment: Mapping[str, str]) -> None:
    """Start this process again with these variables. Returns if it has them already."""
    if any(os.environ.get(name) != value for name, value in environment.items()):
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **environment})  # noqa: S606 - ourselves again


def import_trusting(root_public_key: bytes, library: str = "neonize") -> None:
    """Import neonize and make it trust this root key instead of WhatsApp's. library: a module that imports it."""
    if importlib.util.find_spec("magic") is None or not _imports("magic"):
        sys.modules["magic"] = _magic_stand_in()
    importlib.import_module(library)
    hits = _overwrite(_WHATSAPP_ROOT, root_public_key)
    if hits != 1:
        raise RuntimeError(
            f"WhatsApp's root key was found {hits} times in the library, not once: is it another version?"
        )


def _imports(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:  # python-magic is installed, the system's libmagic is not
        return False
    return True


def _magic_stand_in() -> types.ModuleType:
    """Stand in for `magic.from_buffer`, the one function neonize uses, on machines without libmagic."""
    module = types.ModuleType("magic")

    def from_buffer(data: bytes, mime: bool = False) -> str:  # noqa: ARG001 - python-magic's signature
        known = (kind for start, kind in _MAGIC_NUMBERS.items() if data.startswith(start))
        return next(known, "application/octet-stream")

    module.__dict__["from_buffer"] = from_buffer
    return module


def _overwrite(old: bytes, new: bytes) -> int:
    hits = 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, permissions, *_, path = line.split(maxsplit=5)
        if not (permissions.startswith("rw") and "neonize" in path and path.endswith(".so")):
            continue
        start, end = (int(address, 16) for address in span.split("-"))
        memory = ctypes.string_at(start, end - start)
        at = memory.find(old)
        while at >= 0:
            ctypes.memmove(start + at, new, len(new))
            hits += 1
            at = memory.find(old, at + 1)
    return hits
