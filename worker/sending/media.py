"""Fetches a message's picture without letting its URL reach into the operator's network.

The URL comes from a CRM's user. The guard sits where a socket is made: it sees the very address that the kernel
will connect to, whether a resolver, a literal or a redirect named it, so no second look-up can swap it.
"""

import asyncio
import base64
import binascii
import socket
import zlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import unquote_to_bytes, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from worker.errors import MediaError
from worker.sending import pictures

#: WhatsApp refuses larger pictures.
MAX_IMAGE_BYTES = 5 * 1024 * 1024

_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK = 64 * 1024

#: One picture is decoded at a time: a large one takes 100 MB meanwhile.
_DECODER = ThreadPoolExecutor(1, thread_name_prefix="picture")
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that is reached
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "Herald"}


@dataclass(frozen=True, slots=True)
class Media:
    """A file's bytes and the type that its first bytes show, whatever the server called it."""

    content: bytes
    mime: str


async def fetch(
    url: str,
    *,
    max_bytes: int,
    allow_private: bool = False,
    trusted_hosts: frozenset[str] = frozenset(),
    timeout: float = 30.0,
    resolver: AbstractResolver | None = None,
) -> Media:
    """Fetch a JPEG, PNG, WebP or GIF from an http(s) or ``data:…;base64,`` URL.

    Only public addresses are connected to, also after each of at most 3 redirects; ``trusted_hosts`` (host:port in
    small letters, such as the project's own Storage) are exempt. timeout: seconds, for everything together.
    Raises MediaError, whose ``retry`` says whether another try may help; its text never holds the URL, which may
    carry a token.
    """
    if url[:5].lower() == "data:":
        return await _image(_from_data_uri(url, max_bytes))
    try:
        async with asyncio.timeout(timeout):
            return await _image(await _download(url, max_bytes, allow_private, trusted_hosts, resolver))
    except TimeoutError:
        raise MediaError(f"The media did not arrive within {timeout:g} seconds.", retry=True) from None


def fetching_for(storage_url: str) -> Callable[[str], Awaitable[Media]]:
    """Make a worker's ``fetch``: pictures that WhatsApp takes; the project's Storage may be on a private host."""
    storage = urlsplit(storage_url)
    port = storage.port or {"http": 80, "https": 443}[storage.scheme]
    return partial(fetch, max_bytes=MAX_IMAGE_BYTES, trusted_hosts=frozenset({f"{storage.hostname}:{port}"}))


def is_public(address: str) -> bool:
    """Whether an address is one that anybody on the internet could reach; False for what is no address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return _is_public(ip)


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None:
            return _is_public(inner)
        if ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


async def _download(
    url: str, max_bytes: int, allow_private: bool, trusted_hosts: frozenset[str], resolver: AbstractResolver | None
) -> bytes:
    here = _checked(url)
    for _ in range(_MAX_REDIRECTS + 1):
        guarded = not allow_private and f"{here.host}:{here.port}" not in trusted_hosts
        refused: list[str] = []
        # A connector for each hop, because the guard is per hop; no cookie or connection crosses either.
        connector = aiohttp.TCPConnector(
            resolver=resolver, socket_factory=_guard(refused) if guarded else None, force_close=True
        )
        try:
            async with (
                aiohttp.ClientSession(connector=connector, headers=_HEADERS, auto_decompress=False) as session,
                session.get(here, allow_redirects=False) as response,
            ):
                if response.status not in _REDIRECTS:
                    return await _body(response, max_bytes)
                location = response.headers.get("Location", "")
                if not location:
                    raise MediaError("The media's host redirects without saying where.")
        except (
            aiohttp.InvalidURL,
            UnicodeError,
        ):  # such as 127.1, neither a name nor an address; a label too long
            raise MediaError("The media's URL is malformed.") from None
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            if refused:
                raise MediaError(f"The media's host {here.host} is not on the public internet.") from None
            raise MediaError(
                f"The media's host {here.host} can't be reached, or broke off.", retry=True
            ) from error
        here = _checked(location, here)
    raise MediaError(f"The media's URL redirects more than {_MAX_REDIRECTS} times.")


def _checked(url: str, base: URL | None = None) -> URL:
    try:
        asked = URL(url)
        if _is_encoded(url):
            asked = URL(url, encoded=True)  # signed URLs are requested byte for byte as they are written
        parsed = asked if base is None else base.join(asked)
    except ValueError:
        raise MediaError("The media's URL is malformed.") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise MediaError("The media's URL must start with https:// or http://, or be a data: URI.")
    if parsed.user is not None or parsed.password is not None:
        raise MediaError("The media's URL must not hold a user name or password.")
    return parsed


def _is_encoded(url: str) -> bool:
    """Tell whether a URL can go out as it is."""
    return url.isascii() and url.isprintable() and " " not in url


def _guard(refused: list[str]) -> Callable[[aiohttp.AddrInfoType], socket.socket]:
    def public_socket(info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if not is_public(str(address[0])):
            refused.append(str(address[0]))
            raise OSError("not a public address")  # as if unreachable: aiohttp goes on to the next address
        return socket.socket(family, kind, protocol)

    return public_socket


async def _body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    if response.status != 200:
        later = response.status in (408, 425, 429) or response.status >= 500
        raise MediaError(f"The media's host answered {response.status}.", retry=later)
    if (response.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    unpack = _unpacking(response.headers.get("Content-Encoding", ""), max_bytes)
    body = bytearray()
    try:
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += unpack(chunk)
            if len(body) > max_bytes:
                raise _too_large(max_bytes)
    except zlib.error:
        raise MediaError("The media's host sent a file that can't be unpacked.", retry=True) from None
    return bytes(body)


def _unpacking(encoding: str, max_bytes: int) -> Callable[[bytes], bytes]:
    """Give what unpacks a host's answer: some compress although they were asked not to. Never more than is allowed."""
    match encoding.strip().lower():
        case "" | "identity":
            return lambda chunk: chunk
        case "gzip" | "x-gzip" | "deflate":
            unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
            return lambda chunk: unpacker.decompress(chunk, max_bytes + 1)
        case _:
            raise MediaError("The media's host compresses its answer in a way that Herald can't unpack.")


def _from_data_uri(uri: str, max_bytes: int) -> bytes:
    head, comma, encoded = uri.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise MediaError("The media's data: URI must be data:image/…;base64,….")
    if len(encoded) > 4 * max_bytes:  # base64 takes 4 for 3, and %3D three for one: refused before it is decoded
        raise _too_large(max_bytes)
    try:
        content = base64.b64decode(unquote_to_bytes(encoded), validate=True)
    except binascii.Error:
        raise MediaError("The media's data: URI is not valid base64.") from None
    if len(content) > max_bytes:
        raise _too_large(max_bytes)
    return content


def _too_large(max_bytes: int) -> MediaError:
    return MediaError(f"The media is larger than {max_bytes:,} bytes.")


async def _image(content: bytes) -> Media:
    mime = _sniffed(content)
    if mime is None:
        raise MediaError("The media is not a JPEG, PNG, WebP or GIF image.")
    loop = asyncio.get_running_loop()
    if broken := await loop.run_in_executor(_DECODER, pictures.broken, content):
        raise MediaError(broken)
    return Media(content, mime)


def _sniffed(content: bytes) -> str | None:
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None
