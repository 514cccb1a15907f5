"""Linking a phone: the QR code that the account's row shows, how often it is renewed, and for how long."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from worker.events import QrShown
from worker.session import Lease
from worker.sessions.qr_image import qr_data_uri


class Linking:
    """One session's QR code and pairing code. window: seconds from the first QR until the session gives up."""

    def __init__(self, lease: Lease, window: float) -> None:
        self._lease = lease
        self._window = window
        self._since: float | None = None
        self._shown: dict[str, object] = {}

    @property
    def shows(self) -> bool:
        """Whether the row shows a QR now."""
        return bool(self._shown)

    @property
    def ends_at(self) -> float | None:
        """When the window ends, in the loop's time; None while no QR was shown."""
        return None if self._since is None else self._since + self._window

    def renews(self) -> bool:
        """Whether the QR code is renewed when WhatsApp's are used up: until nobody has scanned within the window.

        WhatsApp gives a connection several codes, valid for 60 s and then 20 s each; after the last it ends, and the
        session opens again for new ones.
        """
        return self.ends_at is None or asyncio.get_running_loop().time() < self.ends_at

    def show_qr(self, event: QrShown) -> Mapping[str, object]:
        """Take the newest QR; what the row shows now."""
        self._since = self._since or asyncio.get_running_loop().time()
        self._shown |= {
            "qr_code": qr_data_uri(event.text),
            "qr_expires_at": self._lease.database_time() + timedelta(seconds=event.seconds),
        }
        return self._shown

    def show_code(self, code: str) -> Mapping[str, object]:
        """Take a pairing code, which stands beside the QR; what the row shows now."""
        self._shown["pairing_code"] = code
        return self._shown

    def show_nothing(self) -> None:
        """The connection opens again: the codes are void. The window goes on."""
        self._shown = {}

    def linked(self) -> None:
        """A phone has linked the account: the window ends."""
        self._since, self._shown = None, {}
