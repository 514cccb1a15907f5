"""Messages as the library wants them, and as it shows them."""

from collections.abc import Callable
from typing import Any

from worker.engine.library import JID, ImageMessage, Message, Receipt

#: The image types that WhatsApp shows, by the bytes that they begin with.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
)

#: The field of a message → our word for it.
_KINDS: dict[str, str] = {
    "conversation": "text",
    "extendedTextMessage": "text",
    "imageMessage": "image",
    "videoMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
    "documentWithCaptionMessage": "document",
    "stickerMessage": "sticker",
    "contactMessage": "contact",
    "contactsArrayMessage": "contact",
    "locationMessage": "location",
    "liveLocationMessage": "location",
    "reactionMessage": "reaction",
    "pollCreationMessage": "poll",
    "pollCreationMessageV3": "poll",
}

#: Fields that carry no message of a person: a group's first message arrives twice, once with the key alone.
_SILENT = frozenset({"senderKeyDistributionMessage", "messageContextInfo", "protocolMessage"})

#: Receipts that say something about our messages. An inactive device has the message too.
RECEIPTS: dict[int, str] = {
    Receipt.DELIVERED: "delivered",
    Receipt.INACTIVE: "delivered",
    Receipt.READ: "read",
    Receipt.PLAYED: "played",
    Receipt.SENDER: "sender",
}


#: Ids of messages are 16 to 32 characters; who sends a message, or confirms one, may make up any.
LONGEST_ID = 128


def image_type(data: bytes) -> str | None:
    """Tell an image's media type by its first bytes; None if WhatsApp would not show it."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)


def parse_jid(text: str) -> JID:
    """Read ``user@server``."""
    user, _, server = text.partition("@")
    return JID(User=user, Server=server, Device=0, RawAgent=0, Integrator=0, IsEmpty=False)


def text_message(text: str, secret: bytes) -> Message:
    """Build a text without link preview; the secret makes its id findable in the store."""
    message = Message(conversation=text)
    message.messageContextInfo.messageSecret = secret
    return message


def image_message(upload: Any, caption: str, mimetype: str, secret: bytes) -> Message:
    """Build an image from what the library uploaded."""
    image = ImageMessage(
        URL=upload.url,
        mimetype=mimetype,
        caption=caption,
        fileSHA256=upload.FileSHA256,
        fileLength=upload.FileLength,
        mediaKey=upload.MediaKey,
        fileEncSHA256=upload.FileEncSHA256,
        directPath=upload.DirectPath,
    )
    message = Message(imageMessage=image)
    message.messageContextInfo.messageSecret = secret
    return message


def read_message(message: Message) -> tuple[str, str | bytes] | None:
    """Return (kind, text) of a message, None if it carries nothing that a person said. bytes: it is no UTF-8."""
    for wrapper in ("ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "deviceSentMessage"):
        if message.HasField(wrapper):
            return read_message(getattr(message, wrapper).message)
    fields = [field.name for field, _ in message.ListFields() if field.name not in _SILENT]
    if not fields:
        return None
    name = next((one for one in fields if one in _KINDS), fields[0])
    value = getattr(message, name)
    if name == "conversation":
        return "text", value
    text = getattr(value, "text", "") or getattr(value, "caption", "")
    return _KINDS.get(name, "other"), text if isinstance(text, str | bytes) else ""


def address(jid: JID, other: JID | None, phone_of: Callable[[str], str | None]) -> str:
    """Write a JID without its device; a person by number where the library or the store knows it, else by LID."""
    if jid.Server == "lid":
        if other is not None and other.Server == "s.whatsapp.net" and other.User:
            return f"{other.User}@{other.Server}"
        phone = phone_of(jid.User)
        if phone:
            return f"{phone}@s.whatsapp.net"
    return f"{jid.User}@{jid.Server}"
