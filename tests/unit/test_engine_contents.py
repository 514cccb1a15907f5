"""Messages and addresses as the engine shows them."""

import pytest

from worker.engine.contents import address, image_type, parse_jid, read_message
from worker.engine.library import ImageMessage, Message


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\nrest", "image/png"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"GIF89a", "image/gif"),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_an_image_is_known_by_its_first_bytes(data: bytes, kind: str | None) -> None:
    assert image_type(data) == kind


def test_what_a_person_said_is_read() -> None:
    assert read_message(Message(conversation="STOP")) == ("text", "STOP")
    assert read_message(Message(imageMessage=ImageMessage(caption="a bowl"))) == ("image", "a bowl")


def test_what_is_no_text_is_read_all_the_same() -> None:
    assert read_message(Message.FromString(b"\x0a\x04bad\xff")) == ("text", b"bad\xff")


def test_a_key_alone_is_no_message() -> None:
    silent = Message()
    silent.senderKeyDistributionMessage.groupID = "1@g.us"
    assert read_message(silent) is None
    assert read_message(Message()) is None


def test_a_person_is_named_by_number_where_it_is_known() -> None:
    lid, phone = parse_jid("9111@lid"), parse_jid("4915@s.whatsapp.net")
    assert address(lid, phone, lambda _: None) == "4915@s.whatsapp.net"
    assert address(lid, None, {"9111": "4916"}.get) == "4916@s.whatsapp.net"
    assert address(lid, None, lambda _: None) == "9111@lid"
    assert address(parse_jid("1@g.us"), None, lambda _: None) == "1@g.us"
