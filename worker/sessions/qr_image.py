"""A QR code as the CRM shows it (PNG data URI) and as a terminal shows it.

The text is a key to the account: neither it nor what these functions return is ever logged.
"""

import base64
import io

import qrcode
from qrcode.constants import ERROR_CORRECT_L

# L as WhatsApp's own client does: a screen has no smudges, and larger modules scan faster.
# The border of 4 modules is the quiet zone that ISO/IEC 18004 asks for.
_PIXELS_PER_MODULE = 6
_QUIET_ZONE = 4

# Upper and lower module of one character cell; True is dark.
_HALF_BLOCK = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
_BLACK_ON_WHITE, _RESET = "\x1b[30;107m", "\x1b[0m"


def qr_data_uri(text: str) -> str:
    """Draw the code as ``data:image/png;base64,…``."""
    png = io.BytesIO()
    _code(text).make_image().save(png, format="PNG")
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode("ascii")


def qr_terminal(text: str) -> str:
    """Draw the code in half blocks, two modules a character; colours are set, so it scans on any theme."""
    rows: list[list[bool]] = _code(text).get_matrix()
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    lines = (
        "".join(_HALF_BLOCK[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    )
    return "\n".join(f"{_BLACK_ON_WHITE}{line}{_RESET}" for line in lines)


def _code(text: str) -> qrcode.QRCode:
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_L, box_size=_PIXELS_PER_MODULE, border=_QUIET_ZONE)
    code.add_data(text)
    code.make(fit=True)
    return code
