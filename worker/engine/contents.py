"""Messages in the library's form, built for a send and read on arrival."""

from collections.abc import Callable
from typing import Any

from worker.engine.library import JID, ImageMessage, Message, Receipt
from worker.engine.protocol import InboundKind, ReceiptType

#: The image types that WhatsApp shows, by the bytes that they begin with.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
)

#: The field of a message → the protocol's word for it.
_KINDS: dict[str, InboundKind] = {
    "conversation": InboundKind.TEXT,
    "extendedTextMessage": InboundKind.TEXT,
    "imageMessage": InboundKind.IMAGE,
    "videoMessage": InboundKind.VIDEO,
    "audioMessage": InboundKind.AUDIO,
    "documentMessage": InboundKind.DOCUMENT,
    "documentWithCaptionMessage": InboundKind.DOCUMENT,
    "stickerMessage": InboundKind.STICKER,
    "contactMessage": InboundKind.CONTACT,
    "contactsArrayMessage": InboundKind.CONTACT,
    "locationMessage": InboundKind.LOCATION,
    "liveLocationMessage": InboundKind.LOCATION,
    "reactionMessage": InboundKind.REACTION,
    "pollCreationMessage": InboundKind.POLL,
    "pollCreationMessageV3": InboundKind.POLL,
}

#: Fields that carry nothing a person said: a group's first message also arrives once with the key alone.
_SILENT = frozenset({"senderKeyDistributionMessage", "messageContextInfo", "protocolMessage"})

#: Receipts about our messages. A device that is inactive has received the message too.
RECEIPTS: dict[int, ReceiptType] = {
    Receipt.DELIVERED: ReceiptType.DELIVERED,
    Receipt.INACTIVE: ReceiptType.DELIVERED,
    Receipt.READ: ReceiptType.READ,
    Receipt.PLAYED: ReceiptType.PLAYED,
    Receipt.SENDER: ReceiptType.SENDER,
}

#: A receipt that asks for a message again.
RETRY = Receipt.RETRY

#: Message ids have 16 to 32 characters, but whoever sends or confirms a message can make up any id.
LONGEST_ID = 128


def image_type(data: bytes) -> str | None:
    """Read an image's media type from its first bytes; None if WhatsApp would not show it."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)


def parse_jid(text: str) -> JID:
    """Read ``user@server``."""
    user, _, server = text.partition("@")
    return JID(User=user, Server=server, Device=0, RawAgent=0, Integrator=0, IsEmpty=False)


def text_message(text: str, secret: bytes) -> Message:
    """Build a text without link preview. The secret lets ``lookup`` find its id in the store."""
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


def read_message(message: Message) -> tuple[InboundKind, str | bytes] | None:
    """Return a message's kind and text; None if it carries nothing a person said. Text is bytes if not UTF-8."""
    for wrapper in ("ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "deviceSentMessage"):
        if message.HasField(wrapper):
            return read_message(getattr(message, wrapper).message)
    fields = [field.name for field, _ in message.ListFields() if field.name not in _SILENT]
    if not fields:
        return None
    name = next((one for one in fields if one in _KINDS), fields[0])
    value = getattr(message, name)
    if name == "conversation":
        return InboundKind.TEXT, value
    text = getattr(value, "text", "") or getattr(value, "caption", "")
    return _KINDS.get(name, InboundKind.OTHER), text if isinstance(text, str | bytes) else ""


def address(jid: JID, other: JID | None, phone_of: Callable[[str], str | None]) -> str:
    """Write a JID without its device: a person's number where the library or the store knows it, else the LID.

    other: the same person's second JID, if the library gave one. phone_of: finds the number of a LID's user part.
    """
    if jid.Server == "lid":
        if other is not None and other.Server == "s.whatsapp.net" and other.User:
            return f"{other.User}@{other.Server}"
        phone = phone_of(jid.User)
        if phone:
            return f"{phone}@s.whatsapp.net"
    return f"{jid.User}@{jid.Server}"


def seconds(timestamp: int) -> float:
    """Read a time of the library's: most are in seconds, some in milliseconds."""
    return timestamp / 1000 if timestamp > 100_000_000_000 else float(timestamp)
