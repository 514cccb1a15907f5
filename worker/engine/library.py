"""The only module that imports neonize. It keeps the library quiet and leaves out what the engine does not use.

neonize imports libmagic, Pillow, a link previewer and a QR printer; the engine needs none of them. Empty stand-ins
take their place, which saves 16 of 62 MiB resident memory and the need for a system library.
"""

import ctypes
import io
import logging
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

from worker.engine.gate import EntryGate


class _Absent(ModuleType):
    """Stands in for a module that is not loaded. Every name in it is another stand-in."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Absent(f"{self.__name__}.{name}")

    def __or__(self, _other: object) -> type:
        return object  # in annotations

    __ror__ = __or__


_absent = {
    name: _Absent(name) for name in ("magic", "linkpreview", "PIL", "segno", "phonenumbers", "requests", "httpx")
}
for _name, _module in _absent.items():
    sys.modules.setdefault(_name, _module)

# ruff: noqa: E402 - after their stand-ins
_popen = os.popen
setattr(os, "popen", lambda _uname: io.StringIO(platform.platform()))  # noqa: B010 - uname would leave a child behind
try:
    import neonize
finally:
    setattr(os, "popen", _popen)  # noqa: B010
from neonize import events
from neonize._binder import gocode
from neonize.client import NewClient
from neonize.exc import NeonizeError
from neonize.proto.Neonize_pb2 import JID, ConnectFailureReason, PairStatus, Receipt, TemporaryBan
from neonize.proto.waCompanionReg.WAWebProtobufsCompanionReg_pb2 import DeviceProps
from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import ImageMessage, Message
from neonize.utils import ffmpeg
from neonize.utils.enum import ClientName, ClientType, MediaType, ParticipantChange

__all__ = [
    "ENGINE",
    "JID",
    "Client",
    "ClientName",
    "ClientType",
    "ConnectFailureReason",
    "Gone",
    "ImageMessage",
    "LibraryError",
    "MediaType",
    "Message",
    "PairStatus",
    "ParticipantChange",
    "Receipt",
    "TemporaryBan",
    "events",
    "shared_object",
]

for _name, _module in _absent.items():
    if sys.modules[_name] is _module:  # other importers get the real module
        del sys.modules[_name]

for _name in ("whatsmeow", "Whatsmeow", "neonize"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # their lines hold phone numbers and JIDs
logging.getLogger("neonize.utils.log").setLevel(logging.ERROR)  # what the Go side may log
ffmpeg._ffmpeg_checked = True  # no warning that ffmpeg is missing: we don't use it

ENGINE = f"neonize {neonize.__version__}"

LibraryError = NeonizeError


def shared_object() -> Any:
    """Load the library's shared object with a new handle, so that declared function types do not mix."""
    return ctypes.CDLL(gocode._name)


class Gone(Exception):  # noqa: N818 - it reads as the sentence that it is
    """The client was stopped. A call into it would end the process with a nil pointer."""


class _Gated:
    """The shared object's functions. Each call passes the gate, and is made only while the client lives."""

    def __init__(self, gate: EntryGate, alive: Callable[[], bool]) -> None:
        self._gate = gate
        self._alive = alive

    def __getattr__(self, name: str) -> Any:
        function = getattr(gocode, name)
        if name in ("Neonize", "Stop"):  # these change the table; their caller has closed the gate
            return function

        def call(*arguments: Any) -> Any:
            self._gate.enter()
            if not self._alive():
                raise Gone
            return function(*arguments)

        return call


#: How long the library waits for a locked store, milliseconds. By default it waits 5,000, then logs a warning and
#: sends the message unwritten. After a crash nobody would know that it left, and it would be sent twice.
_BUSY_MS = 60_000


class Client(NewClient):  # type: ignore[misc]
    """One instance of the library's client, with an id that no other instance has or had."""

    def __init__(self, store: Path, gate: EntryGate, alive: Callable[[], bool]) -> None:
        props = DeviceProps(os="Herald", platformType=DeviceProps.CHROME)
        super().__init__(f"{store}?_busy_timeout={_BUSY_MS}&_foreign_keys=on&_=", uuid=str(uuid4()), props=props)
        self._stop_finalizer.detach()  # it would stop the client at collection, past the gate
        self._NewClient__client = _Gated(gate, alive)
        self.on_login: Callable[[str], None] = lambda _status: None

    def _NewClient__onLoginStatus(self, _uuid: int, status: int) -> None:  # noqa: N802 - replaces a print
        self.on_login(ctypes.string_at(status).decode())
