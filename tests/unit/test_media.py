import asyncio
import base64
import gzip
import socket
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from worker.errors import MediaError
from worker.sending.media import Media, fetch, is_public


def drawn(kind: str, **how: object) -> bytes:
    """A small picture."""
    file = BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, kind, **how)
    return file.getvalue()


PNG, JPEG = drawn("PNG"), drawn("JPEG")
CAP = 100_000
CLOSING = web.AppKey("closing", asyncio.Event)


class Names(AbstractResolver):
    """A resolver that gives every name the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - both families are given
    ) -> list[ResolveResult]:
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass


@dataclass
class Host:
    """A web server on loopback, and what was asked of it."""

    port: int
    asked: list[str]
    raw: list[str]  #: the same, byte for byte

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def trusted(self) -> frozenset[str]:
        return frozenset({f"127.0.0.1:{self.port}"})


async def answer(request: web.Request) -> web.StreamResponse:
    what, _, rest = request.path.strip("/").partition("/")
    match what:
        case "raw":
            return web.Response(body=PNG, headers={"X-Asked": request.raw_path})
        case "packed":
            body = {"gzip": gzip.compress(PNG), "deflate": zlib.compress(PNG)}.get(rest, PNG)
            return web.Response(body=body, headers={"Content-Encoding": rest})
        case "bomb":
            return web.Response(body=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"})
        case "nowhere":
            return web.Response(status=302)
        case "png":
            return web.Response(body=PNG, content_type="text/html")
        case "page":
            return web.Response(text="<html>", content_type="image/png")
        case "status":
            return web.Response(status=int(rest))
        case "hops":
            left = int(rest)
            raise web.HTTPFound(f"/hops/{left - 1}" if left else "/png")
        case "to":
            return web.Response(status=307, headers={"Location": request.query["url"]})
        case "silent":
            await request.app[CLOSING].wait()
            return web.Response()
    # "endless": no length is announced, and it stops only when the other side does
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(PNG)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    asked: list[str] = []
    raw: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        raw.append(request.raw_path)
        return await answer(request)

    app = web.Application()
    app[CLOSING] = asyncio.Event()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port: int = runner.addresses[0][1]
    yield Host(port, asked, raw)
    app[CLOSING].set()
    await runner.cleanup()


async def refusal(url: str, *, max_bytes: int = CAP, **how: object) -> MediaError:
    with pytest.raises(MediaError) as caught:
        await fetch(url, max_bytes=max_bytes, **how)  # type: ignore[arg-type]
    return caught.value


async def test_a_picture_comes_from_a_trusted_host_with_the_type_of_its_bytes(host: Host) -> None:
    assert await fetch(host.url("/png"), max_bytes=CAP, trusted_hosts=host.trusted) == Media(PNG, "image/png")


async def test_the_same_host_is_refused_when_it_is_not_trusted(host: Host) -> None:
    for name in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
        error = await refusal(f"http://{name}:{host.port}/png")
        assert "is not on the public internet" in str(error)
        assert not error.retry
    assert host.asked == []


async def test_trust_is_for_one_port_only(host: Host) -> None:
    error = await refusal(host.url("/png"), trusted_hosts=frozenset({"127.0.0.1:1", "127.0.0.1"}))
    assert "is not on the public internet" in str(error)


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("10.0.0.1", "127.0.0.1"), ("::1",), ("169.254.169.254",)])
async def test_a_public_name_that_resolves_to_a_private_address_is_refused(
    host: Host, addresses: tuple[str, ...]
) -> None:
    error = await refusal(f"http://pictures.example:{host.port}/png", resolver=Names(*addresses))
    assert str(error) == "The media's host pictures.example is not on the public internet."
    assert host.asked == []


async def test_an_operator_may_allow_private_addresses(host: Host) -> None:
    url = f"http://pictures.example:{host.port}/png"
    media = await fetch(url, max_bytes=CAP, allow_private=True, resolver=Names("127.0.0.1"))
    assert media.content == PNG


@pytest.mark.parametrize("number", ["2130706433", "127.1", "0x7f.1", "0177.0.0.1", "0"])
async def test_an_address_in_disguise_is_refused(host: Host, number: str) -> None:
    assert not (await refusal(f"http://{number}:{host.port}/png")).retry
    assert host.asked == []


async def test_a_redirect_to_a_private_address_is_refused(host: Host) -> None:
    for target in (f"http://localhost:{host.port}/png", "http://169.254.169.254/latest", "http://[::1]/"):
        error = await refusal(host.url(f"/to?url={target}"), trusted_hosts=host.trusted)
        assert "is not on the public internet" in str(error)
    assert host.asked == ["/to"] * 3


async def test_a_redirect_to_another_scheme_is_refused(host: Host) -> None:
    for target in ("file:///etc/passwd", "data:image/png;base64,AAAA", "ftp://example.com/"):
        assert "must start with https://" in str(
            await refusal(host.url(f"/to?url={target}"), trusted_hosts=host.trusted)
        )


async def test_three_redirects_are_followed_and_a_fourth_is_not(host: Host) -> None:
    assert (await fetch(host.url("/hops/2"), max_bytes=CAP, trusted_hosts=host.trusted)).content == PNG
    assert "more than 3 times" in str(await refusal(host.url("/hops/3"), trusted_hosts=host.trusted))


async def test_a_body_over_the_cap_is_cut_off_whether_its_length_is_announced_or_not(host: Host) -> None:
    for path in ("/png", "/endless"):
        error = await refusal(host.url(path), max_bytes=len(PNG) - 1, trusted_hosts=host.trusted)
        assert str(error) == f"The media is larger than {len(PNG) - 1} bytes."
    assert await fetch(host.url("/png"), max_bytes=len(PNG), trusted_hosts=host.trusted)


async def test_what_is_no_image_is_refused_whatever_it_is_called(host: Host) -> None:
    error = await refusal(host.url("/page"), trusted_hosts=host.trusted)
    assert str(error) == "The media is not a JPEG, PNG, WebP or GIF image."


@pytest.mark.parametrize(
    ("status", "retry"), [(404, False), (403, False), (408, True), (425, True), (429, True), (503, True)]
)
async def test_a_bad_status_says_whether_another_try_may_help(host: Host, status: int, retry: bool) -> None:
    error = await refusal(host.url(f"/status/{status}?token=private"), trusted_hosts=host.trusted)
    assert (str(error), error.retry) == (f"The media's host answered {status}.", retry)


async def test_a_host_that_is_silent_or_away_may_be_tried_again(host: Host) -> None:
    silent = await refusal(host.url("/silent"), trusted_hosts=host.trusted, timeout=0.05)
    assert (str(silent), silent.retry) == ("The media did not arrive within 0.05 seconds.", True)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    away = await refusal(f"http://127.0.0.1:{port}/png", trusted_hosts=frozenset({f"127.0.0.1:{port}"}))
    assert "can't be reached" in str(away)
    assert away.retry


@pytest.mark.parametrize(
    "url",
    [
        "",
        "no url",
        "http://",
        "file:///etc/passwd",
        "ftp://example.com/a.png",
        "http://[::1",
        "http://u:p@example.com/",
        f"https://{'a' * 64}.example/no name has such a part",
        "http://\ud800/",
        "http://x:99999/",
    ],
)
async def test_a_url_of_another_kind_is_refused(url: str) -> None:
    assert str(await refusal(url)).startswith("The media's URL")


#: No digits: they could be somebody's address.
words = st.text(st.characters(exclude_categories=["Nd"]))


@settings(deadline=None)
@given(words | st.builds("https://{}/{}".format, words, words) | st.builds("data:{}".format, words))
async def test_whatever_a_url_is_it_is_refused_in_words(url: str) -> None:
    assert str(await refusal(url, resolver=Names("127.0.0.1")))


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (drawn("GIF"), "image/gif"),
        (drawn("WEBP"), "image/webp"),
    ],
)
async def test_a_data_uri_is_decoded_and_typed_by_its_bytes(content: bytes, mime: str) -> None:
    uri = "data:image/png;base64," + base64.b64encode(content).decode()
    assert await fetch(uri, max_bytes=len(content)) == Media(content, mime)
    assert await fetch(uri.replace("=", "%3D"), max_bytes=len(content)) == Media(content, mime)


def moving() -> bytes:
    file = BytesIO()
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "green", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def huge() -> bytes:
    """A PNG of a few kilobytes that would take 300 MB to decode."""
    file = BytesIO()
    Image.new("1", (10_000, 10_000)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xd8\xff and some text", "can't be decoded"),
        (JPEG[:60], "can't be decoded"),
        (JPEG[: len(JPEG) // 2], "can't be decoded"),
        (PNG[:-30], "can't be decoded"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "can't be decoded"),
        (moving(), "animated picture"),
        (huge(), "25 million pixels"),
    ],
)
async def test_a_picture_that_a_phone_could_not_show_is_refused(content: bytes, words: str) -> None:
    error = await refusal("data:image/png;base64," + base64.b64encode(content).decode())
    assert words in str(error)
    assert not error.retry


async def test_a_url_is_requested_byte_for_byte_as_it_is_written(host: Host) -> None:
    path = "/png/a%27b%2Fc%7Ed%40e~f'g?token=%2B%3d%3D&x=a%20b"
    await fetch(host.url(path), max_bytes=CAP, trusted_hosts=host.trusted)
    assert host.raw == [path]


async def test_a_redirect_is_followed_byte_for_byte_too(host: Host) -> None:
    path = "/png/a%27b%2Fc"
    await fetch(host.url(f"/to?url={path.replace('%', '%25')}"), max_bytes=CAP, trusted_hosts=host.trusted)
    assert host.raw[-1] == path


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_what_a_host_compresses_unasked_is_unpacked(host: Host, encoding: str) -> None:
    media = await fetch(host.url(f"/packed/{encoding}"), max_bytes=CAP, trusted_hosts=host.trusted)
    assert media.content == PNG


async def test_what_can_not_be_unpacked_or_grows_too_large_is_refused(host: Host) -> None:
    assert "can't unpack" in str(await refusal(host.url("/packed/br"), trusted_hosts=host.trusted))
    assert "larger than" in str(await refusal(host.url("/bomb"), trusted_hosts=host.trusted))


async def test_a_redirect_to_nowhere_is_told_as_one(host: Host) -> None:
    error = await refusal(host.url("/nowhere"), trusted_hosts=host.trusted)
    assert str(error) == "The media's host redirects without saying where."


async def test_a_data_uri_that_is_too_large_or_broken_is_refused() -> None:
    uri = "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert "larger than" in str(await refusal(uri, max_bytes=len(PNG) - 1))
    assert "larger than" in str(await refusal(uri, max_bytes=10))
    assert "not valid base64" in str(await refusal("data:image/png;base64,????"))
    assert "must be data:image" in str(await refusal("data:image/png,plain"))
    assert "not a JPEG" in str(await refusal("data:image/png;base64,PHN2Zz4="))


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1"),  # noqa: S104
        *("192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
        *("2001:db8::1", "2001::1", "fc00::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1"),
        *("localhost", "127.1", "2130706433"),
    ],
)
def test_an_address_that_is_not_for_everybody_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_for_everybody_is_public(address: str) -> None:
    assert is_public(address)
