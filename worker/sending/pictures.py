"""Whether a picture is one: phones show nothing, or a grey box, where the bytes are broken."""

import warnings
from io import BytesIO

from PIL import Image, UnidentifiedImageError

#: A picture with more pixels takes more than 100 MB to decode. Phones' cameras make up to 50 million, as JPEG, which is
#: decoded at an eighth of its size.
MOST_PIXELS, MOST_JPEG_PIXELS = 25_000_000, 200_000_000

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP")


def broken(content: bytes) -> str | None:
    """Decode a picture; what is wrong with it, in words for who wrote the message, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # MOST_PIXELS is below Pillow's own limit
            with Image.open(BytesIO(content), formats=_FORMATS) as image:
                most = MOST_JPEG_PIXELS if image.format == "JPEG" else MOST_PIXELS
                if image.width * image.height > most:
                    return f"The picture has more than {most // 1_000_000} million pixels. Make it smaller."
                if getattr(image, "n_frames", 1) > 1:
                    return "An animated picture can't be sent as an image. Send a still picture."
                if image.format == "JPEG":
                    image.draft(image.mode, (image.width // 8 or 1, image.height // 8 or 1))
                image.load()
    except Image.DecompressionBombError:
        return "The picture has too many pixels. Make it smaller."
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        TypeError,
        OverflowError,
    ):
        return "The media is no complete picture: it can't be decoded. Save it again and send that."
    return None
