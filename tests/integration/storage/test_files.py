"""The local stack's Storage as the official clients see it: what becomes of files."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from storage3.exceptions import StorageApiError

from localstack.client import LocalStack, Stack
from localstack.layout import Layout
from tests.kit.storage import IGNORED, PNG, Person, bytes_on_disk

pytestmark = pytest.mark.filterwarnings(IGNORED)


async def test_an_object_is_replaced_only_when_asked_and_its_old_bytes_are_deleted(
    stack: Stack, asha: Person
) -> None:
    before = bytes_on_disk(stack)
    await asha.media.upload(asha("a.png"), b"first of all", PNG)
    with pytest.raises(StorageApiError) as refusal:
        await asha.media.upload(asha("a.png"), b"second", PNG)
    assert (refusal.value.code, refusal.value.status) == ("Duplicate", "409")
    await asha.media.upload(asha("a.png"), b"second", {**PNG, "upsert": "true"})
    assert await asha.media.download(asha("a.png")) == b"second"
    await asha.media.update(asha("a.png"), b"third", PNG)
    assert await asha.media.download(asha("a.png")) == b"third"
    assert len(bytes_on_disk(stack) - before) == 1


async def test_uploads_to_one_key_at_once_leave_the_bytes_of_one(stack: Stack, asha: Person) -> None:
    before = bytes_on_disk(stack)
    contents = [f"version {number}".encode() for number in range(8)]
    await asyncio.gather(
        *(asha.media.upload(asha("race.png"), content, {**PNG, "upsert": "true"}) for content in contents)
    )
    assert await asha.media.download(asha("race.png")) in contents
    assert len(bytes_on_disk(stack) - before) == 1


async def test_a_moved_object_keeps_its_bytes_and_a_removed_one_does_not(stack: Stack, asha: Person) -> None:
    before = bytes_on_disk(stack)
    await asha.media.upload(asha("a.png"), b"on the move", PNG)
    await asha.media.move(asha("a.png"), asha("sub/b.png"))
    assert await asha.media.exists(asha("a.png")) is False
    assert await asha.media.download(asha("sub/b.png")) == b"on the move"
    [gone] = await asha.media.remove([asha("sub/b.png")])
    assert gone["name"] == asha("sub/b.png")
    assert await asha.media.exists(asha("sub/b.png")) is False
    assert bytes_on_disk(stack) == before


async def test_a_list_shows_files_and_folders_of_one_level(asha: Person) -> None:
    for name in ("b.png", "a.png", "sub/deep/c.png", "Alps.png"):
        await asha.media.upload(asha(name), b"x", PNG)
    listed = await asha.media.list(asha.folder)
    assert [(row["name"], row["id"] is None) for row in listed] == [
        ("Alps.png", False), ("a.png", False), ("b.png", False), ("sub", True),
    ]  # fmt: skip
    assert listed[0]["metadata"]["mimetype"] == "image/png"
    down = {"limit": 1, "offset": 1, "search": "A", "sortBy": {"column": "name", "order": "desc"}}
    assert [row["name"] for row in await asha.media.list(asha.folder, down)] == ["Alps.png"]  # type: ignore[arg-type]


async def test_a_signed_address_opens_one_object_for_a_time(http: httpx.AsyncClient, asha: Person) -> None:
    await asha.media.upload(asha("a b.png"), b"picture", PNG)
    await asha.media.upload(asha("other.png"), b"other", PNG)
    url = (await asha.media.create_signed_url(asha("a b.png"), 60, {"download": "Blick.png"}))["signedURL"]
    assert url
    answer = await http.get(url)
    assert (answer.content, answer.headers["content-disposition"]) == (
        b"picture",
        "attachment; filename*=UTF-8''Blick.png",
    )
    signature = url.partition("token=")[2].partition("&")[0].rpartition(".")[2]
    forged = url.replace(signature, signature[::-1])
    assert (await http.get(forged)).json()["error"] == "InvalidJWT"
    wrong = (await http.get(url.replace("a%20b.png", "other.png"))).json()
    assert wrong["error"] == "InvalidSignature"
    assert (await http.get(f"object/sign/media/{asha('a b.png')}")).json()["statusCode"] == "400"

    soon = (await asha.media.create_signed_url(asha("other.png"), 1))["signedURL"] or ""
    deadline = time.monotonic() + 10
    while (late := (await http.get(soon))).status_code == 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert (late.status_code, late.json()["error"]) == (400, "InvalidJWT")


async def test_a_signed_address_takes_one_upload_as_its_maker_could(asha: Person, http: httpx.AsyncClient) -> None:
    signed = await asha.media.create_signed_upload_url(asha("gift.png"))
    again = {"file": ("gift.png", b"second", "image/png")}
    visitor = await http.put(f"object/upload/sign/media/{asha('gift.png')}", params={"token": "no"}, files=again)
    assert visitor.json()["error"] == "InvalidJWT"
    await asha.media.upload_to_signed_url(asha("gift.png"), signed["token"], b"from a visitor", PNG)
    assert await asha.media.download(asha("gift.png")) == b"from a visitor"
    assert (await http.put(signed["signed_url"], files=again)).json()["error"] == "Duplicate"


async def test_a_player_may_ask_for_a_part_of_an_object(http: httpx.AsyncClient, service: Person) -> None:
    await service.storage.from_("shop").upload("digits.png", b"0123456789", PNG)
    part = await http.get("object/public/shop/digits.png", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.headers["content-range"], part.content) == (206, "bytes 2-4/10", b"234")
    head = await http.head("object/public/shop/digits.png")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "10", b"")


async def test_a_bucket_has_its_limits(stack: Stack, service: Person) -> None:
    limited = service.storage.from_("limited")
    await limited.upload("just.png", b"x" * 1024, PNG)
    before = bytes_on_disk(stack)
    with pytest.raises(StorageApiError) as refusal:
        await limited.upload("more.png", b"x" * 1025, PNG)
    assert (refusal.value.code, refusal.value.status) == ("Payload too large", "413")
    with pytest.raises(StorageApiError, match="mime type application/pdf is not supported"):
        await limited.upload("paper.pdf", b"x", {"content-type": "application/pdf"})
    assert bytes_on_disk(stack) == before
    with pytest.raises(StorageApiError, match="must be a number of bytes"):
        await service.storage.create_bucket("huge", options={"file_size_limit": 2**40})


@pytest.mark.parametrize("key", ["..%2F..%2Fcredentials.json", "a%2F..%2Fb", "a//b", "a%5Cb", "a%00b", "%2Fa"])
async def test_no_key_climbs_out_of_its_bucket(stack: Stack, http: httpx.AsyncClient, key: str) -> None:
    headers = {"apikey": stack.secret_key}
    for answer in (
        await http.post(f"object/media/{key}", content=b"x", headers=headers),
        await http.get(f"object/public/shop/{key}"),
        await http.get(f"object/media/{key}", headers=headers),
    ):
        assert (answer.status_code, answer.json()["error"]) == (400, "InvalidKey")


async def test_files_survive_a_restart_and_end_with_a_reset(tmp_path: Path) -> None:
    headers = {}
    async with LocalStack.start(tmp_path / "stack", migrate=False) as stack:
        headers = {"apikey": stack.secret_key}
        async with httpx.AsyncClient(base_url=f"{stack.url}/storage/v1/", headers=headers) as http:
            await http.post("bucket", json={"id": "media"})
            await http.post("object/media/a.txt", content=b"kept")
            killed = stack.kill("postgres"), stack.kill("gateway")
            await asyncio.to_thread(stack.await_restart, "postgres", killed[0])
            await asyncio.to_thread(stack.await_restart, "gateway", killed[1])
            assert (await http.get("object/media/a.txt")).content == b"kept"
            await asyncio.to_thread(stack.reset)
            assert (await http.get("bucket")).json() == []
            assert not Layout(stack.directory).storage.exists()
    assert not Layout(tmp_path / "stack").database.exists()
