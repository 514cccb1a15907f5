"""The local stack's Storage as the official clients see it: whose files, by policies alone."""

import asyncio
import json
import os
import time
from pathlib import Path

import httpx
import psycopg
import pytest
from storage3.exceptions import StorageApiError

from localstack.client import Stack
from tests.kit.storage import IGNORED, PNG, Person, StorageWorld, bytes_on_disk, execute

pytestmark = pytest.mark.filterwarnings(IGNORED)

REPOSITORY = Path(__file__).resolve().parents[3]


async def test_a_member_writes_and_reads_in_the_own_folder_alone(asha: Person, binh: Person) -> None:
    made = await asha.media.upload(asha("a.png"), b"picture", PNG)
    assert made.full_path == f"media/{asha('a.png')}"
    assert await asha.media.download(asha("a.png")) == b"picture"
    for attempt in (
        binh.media.download(asha("a.png")),
        binh.media.create_signed_url(asha("a.png"), 60),
        binh.media.move(asha("a.png"), binh("a.png")),
    ):
        with pytest.raises(StorageApiError) as refusal:
            await attempt
        assert (refusal.value.code, refusal.value.status) == ("not_found", "404")
    assert await binh.media.remove([asha("a.png")]) == []
    assert await binh.media.list(asha.folder) == []
    assert await binh.media.exists(asha("a.png")) is False
    with pytest.raises(StorageApiError, match="row-level security"):
        await binh.media.update(asha("a.png"), b"of binh", PNG)
    assert await asha.media.download(asha("a.png")) == b"picture"


@pytest.mark.parametrize("upsert", ["false", "true"])
async def test_a_foreign_folder_takes_no_upload_and_keeps_no_bytes(
    stack: Stack, asha: Person, binh: Person, upsert: str
) -> None:
    before = bytes_on_disk(stack)
    with pytest.raises(StorageApiError) as refusal:
        await binh.media.upload(asha("b.png"), f"of binh {upsert}".encode(), {**PNG, "upsert": upsert})
    assert (refusal.value.code, refusal.value.status) == ("Unauthorized", "403")
    assert "row-level security" in refusal.value.message
    with pytest.raises(StorageApiError, match="row-level security"):
        await binh.media.create_signed_upload_url(asha("b.png"))
    assert bytes_on_disk(stack) == before


async def test_an_upload_takes_no_right_to_read(asha: Person) -> None:
    inbox = asha.storage.from_("inbox")
    await inbox.upload("letter.txt", b"hello")
    with pytest.raises(StorageApiError, match="Object not found"):
        await inbox.download("letter.txt")


async def test_a_visitor_sees_nothing_but_public_buckets(
    world: StorageWorld, service: Person, http: httpx.AsyncClient
) -> None:
    anon = await world.anon()
    await service.storage.from_("shop").upload("door.png", b"door", PNG)
    await service.media.upload("closed.png", b"closed", PNG)
    url = await anon.storage.from_("shop").get_public_url("door.png")
    answer = await http.get(url)
    assert (answer.content, answer.headers["content-type"]) == (b"door", "image/png")
    assert (await http.get("object/public/media/closed.png")).json()["error"] == "Bucket not found"
    assert (await http.get("object/media/closed.png")).status_code == 401
    with pytest.raises(StorageApiError, match="Object not found"):
        await anon.media.download("closed.png")
    with pytest.raises(StorageApiError, match="row-level security"):
        await anon.media.upload("mine.png", b"", PNG)


async def test_the_secret_key_alone_keeps_buckets(asha: Person, service: Person) -> None:
    with pytest.raises(StorageApiError, match="row-level security"):
        await asha.storage.create_bucket("mine")
    assert await asha.storage.list_buckets() == []
    await service.storage.create_bucket("attic")
    with pytest.raises(StorageApiError) as refusal:
        await service.storage.create_bucket("attic")
    assert (refusal.value.code, refusal.value.status) == ("Duplicate", "409")
    assert "attic" in [bucket.name for bucket in await service.storage.list_buckets()]


@pytest.mark.parametrize("word", ["not.a.jwt", "EXPIRED", "SIGNED", "CLIMBING"])
async def test_a_token_that_is_none_of_auth_opens_nothing(
    stack: Stack, http: httpx.AsyncClient, asha: Person, word: str
) -> None:
    await asha.media.upload(asha("a.png"), b"picture", PNG)
    url = (await asha.media.create_signed_url(asha("a.png"), 60))["signedURL"] or ""
    claims = {"sub": asha.folder, "role": "authenticated"}
    bearer = {
        "EXPIRED": stack.sign({**claims, "exp": int(time.time()) - 5}),
        "SIGNED": url.partition("token=")[2],
        "CLIMBING": stack.sign({**claims, "role": "postgres", "exp": int(time.time()) + 60}),
    }.get(word, word)
    answer = await http.get(
        f"object/media/{asha('a.png')}",
        headers={"apikey": stack.publishable_key, "Authorization": f"Bearer {bearer}"},
    )
    assert (answer.status_code, answer.json()["statusCode"]) == (400, "403")
    assert "picture" not in answer.text
    assert answer.json()["message"]


async def test_a_migration_may_do_to_storage_what_it_may_hosted(stack: Stack) -> None:
    execute(stack, "create policy more on storage.objects for select to anon using (false)")
    execute(stack, "drop policy more on storage.objects")
    for refused, words in (
        ("alter table storage.objects add column mine text", "must be owner"),
        ("create index on storage.objects (owner)", "must be owner"),
        ("delete from storage.objects", "Direct deletion"),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=words):
            execute(stack, refused)
    with psycopg.connect(stack.database_url) as connection:
        parts = connection.execute(
            "select storage.foldername(n), storage.filename(n), storage.extension(n)"
            " from (values ('a/b/c.tar.gz')) v (n)"
        )
        assert parts.fetchone() == (["a", "b"], "c.tar.gz", "gz")


async def test_the_javascript_client_sees_the_same(stack: Stack) -> None:
    node = await asyncio.create_subprocess_exec(
        *("node", REPOSITORY / "tests/integration/supabase_js/own_folder_only.mjs"),
        cwd=REPOSITORY,
        env={
            "PATH": os.environ["PATH"],
            "SUPABASE_URL": stack.url,
            "SUPABASE_PUBLISHABLE_KEY": stack.publishable_key,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaint = await node.communicate()
    assert node.returncode == 0, complaint.decode()
    assert json.loads(said) == {
        "read": "raw words",
        "blob": "of a blob",
        "type": "text/html",
        "signed": "raw words",
        "gift": "by a visitor",
        "listed": ["blob.html", "gift.txt", "raw.txt"],
        "exists": [True, False],
        "foreign": ["403", "404", "404"],
    }
