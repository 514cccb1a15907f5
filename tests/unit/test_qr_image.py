import base64
import io

from PIL import Image

from worker.sessions.qr_image import qr_data_uri, qr_terminal

#: As long as what WhatsApp Web shows: a reference and three keys.
TEXT = "2@" + "x" * 110 + "," + ",".join(["k" * 44] * 3)
MODULES = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}


def image_of(text: str) -> Image.Image:
    prefix, encoded = qr_data_uri(text).split(",", 1)
    assert prefix == "data:image/png;base64"
    png = base64.b64decode(encoded, validate=True)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return Image.open(io.BytesIO(png)).convert("L")


def test_the_data_uri_is_a_square_png_with_a_quiet_zone_that_fits_a_row() -> None:
    image = image_of(TEXT)
    assert image.width == image.height
    assert image.width > 300
    assert image.crop((0, 0, image.width, 24)).getextrema() == (255, 255)
    assert len(qr_data_uri(TEXT)) < 10_000


def test_another_text_is_another_code() -> None:
    assert qr_data_uri(TEXT) != qr_data_uri(TEXT + "y")


def test_the_terminal_shows_the_same_modules_as_the_png() -> None:
    image = image_of(TEXT)
    lines = [line.removeprefix("\x1b[30;107m").removesuffix("\x1b[0m") for line in qr_terminal(TEXT).split("\n")]
    rows = [[MODULES[cell][half] for cell in line] for line in lines for half in (0, 1)]
    size = len(rows[0])
    pixels = image.width // size
    seen = [[image.getpixel((x * pixels, y * pixels)) == 0 for x in range(size)] for y in range(size)]
    assert rows[:size] == seen
