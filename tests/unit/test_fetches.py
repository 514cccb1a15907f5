"""Media on their way: an account waits for them as long as it can spare, and a slow host gets no patience."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from worker.errors import MediaError
from worker.message import Claim, MessageKind
from worker.sending.fetches import PER_ACCOUNT, Fetches, NotYet
from worker.sending.media import Media
from worker.session import ProviderName

SLOW, QUICK = "https://slow.example/1.png", "https://quick.example/1.png"
PICTURE = Media(b"png", "image/png")


class Host:
    """Answers quickly, or when it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked: list[str] = []
        self.error: MediaError | None = None
        self.ended = asyncio.Event()  #: a fetch was cancelled

    async def __call__(self, url: str) -> Media:
        self.asked.append(url)
        if "slow" in url:
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.ended.set()
                raise
        if self.error:
            raise self.error
        return PICTURE


@pytest.fixture
def host() -> Host:
    return Host()


def fetching(host: Host, gap: Callable[[UUID], float], *, kept: float = 60.0) -> Fetches:
    """An account without a gap waits 0.02 s, one with a long gap 0.3 s."""
    return Fetches(host, gap, least=0.02, most=0.3, kept=kept)


def no_gap(_session_id: UUID) -> float:
    return 0.0


async def waited(fetching: Fetches, one: Claim, url: str) -> float:
    """Seconds until it said that the media are not there yet."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert isinstance(await fetching.media(one, url), NotYet)
    return loop.time() - begun


def claim(session: UUID | None = None) -> Claim:
    return Claim(
        message_id=uuid4(),
        token=uuid4(),
        organization_id=uuid4(),
        session_id=session or uuid4(),
        provider=ProviderName.WEB,
        until=datetime.now(UTC),
        to="+491",
        kind=MessageKind.IMAGE,
        text="",
    )


async def test_quick_media_are_there_at_once(host: Host) -> None:
    assert await Fetches(host, no_gap).media(claim(), QUICK) == PICTURE


async def test_slow_media_are_fetched_once_and_found_when_the_message_comes_again(host: Host) -> None:
    one, waiting = claim(), fetching(host, no_gap)
    assert isinstance(await waiting.media(one, SLOW), NotYet)
    assert isinstance(await waiting.media(replace(one, token=uuid4()), SLOW), NotYet)
    host.go.set()
    await asyncio.sleep(0)
    assert await waiting.media(replace(one, token=uuid4()), SLOW) == PICTURE
    assert host.asked == [SLOW]


async def test_an_error_is_told_once_and_the_next_attempt_fetches_anew(host: Host) -> None:
    one, waiting = claim(), fetching(host, no_gap)
    host.error = MediaError("The media's host answered 503.", retry=True)
    await waiting.media(one, SLOW)
    host.go.set()
    await asyncio.sleep(0)
    with pytest.raises(MediaError):
        await waiting.media(one, SLOW)
    host.error = None
    assert await waiting.media(one, SLOW) == PICTURE


async def test_a_host_that_made_one_wait_gets_no_patience_from_the_next(host: Host) -> None:
    waiting = fetching(host, lambda _: 60.0)
    assert await waited(waiting, claim(), SLOW) > 0.29
    assert await waited(waiting, claim(), SLOW) < 0.15
    assert await waiting.media(claim(), QUICK) == PICTURE


async def test_an_account_waits_no_longer_than_it_pauses_between_two_sends_anyway(host: Host) -> None:
    gaps = {uuid4(): gap for gap in (0.0, 0.125, 60.0)}
    first, second, third = gaps
    assert await waited(fetching(host, gaps.__getitem__), claim(first), SLOW) < 0.1
    assert 0.09 < await waited(fetching(host, gaps.__getitem__), claim(second), SLOW) < 0.3
    assert await waited(fetching(host, gaps.__getitem__), claim(third), SLOW) > 0.29


async def test_a_host_that_was_too_slow_for_an_account_in_a_hurry_is_given_time_by_others(host: Host) -> None:
    hurried, patient = uuid4(), uuid4()
    waiting = fetching(host, lambda session_id: 60.0 if session_id == patient else 0.0)
    await waited(waiting, claim(hurried), SLOW)
    asyncio.get_running_loop().call_later(0.1, host.go.set)
    assert await waiting.media(claim(patient), SLOW) == PICTURE


async def test_a_stop_ends_every_wait_at_once(host: Host) -> None:
    waiting = Fetches(host, lambda _: 60.0)
    asked = asyncio.create_task(waiting.media(claim(), SLOW))
    await asyncio.sleep(0)
    waiting.stop()
    async with asyncio.timeout(0.5):
        assert isinstance(await asked, NotYet)
    assert isinstance(await waiting.media(claim(), QUICK), NotYet)


async def test_a_stop_ends_every_fetch(host: Host) -> None:
    waiting = fetching(host, no_gap)
    await waiting.media(claim(), SLOW)
    waiting.stop()
    async with asyncio.timeout(1):
        await host.ended.wait()


async def test_one_account_can_not_take_all_places(host: Host) -> None:
    waiting, greedy = fetching(host, no_gap), uuid4()
    for _ in range(PER_ACCOUNT + 2):
        assert isinstance(await waiting.media(claim(greedy), SLOW), NotYet)
    assert len(host.asked) == PER_ACCOUNT
    assert await waiting.media(claim(), QUICK) == PICTURE


async def test_media_that_nobody_takes_are_forgotten(host: Host) -> None:
    one, waiting = claim(), fetching(host, no_gap, kept=0.0)
    await waiting.media(one, SLOW)
    host.go.set()
    await asyncio.sleep(0.01)
    await waiting.media(one, SLOW)
    assert len(host.asked) == 2
