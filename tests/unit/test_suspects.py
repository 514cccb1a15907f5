"""The session that engines die of is found by halving, and it alone waits."""

from uuid import UUID

import pytest

from tests.kit.clock import Clock
from worker.errors import CrashLoop
from worker.providers.web.suspects import FIRST_WAIT, FORGIVE, LONGEST_WAIT, TRIAL, Suspects


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def suspects(clock: Clock) -> Suspects:
    return Suspects(clock)


def engines(suspects: Suspects, sessions: list[UUID]) -> list[list[UUID]]:
    """Open sessions as Shards does: who shares a group shares an engine."""
    groups: dict[int | None, list[UUID]] = {}
    for session in sessions:
        suspects.opens(session)
        groups.setdefault(suspects.group(session), []).append(session)
    return list(groups.values())


def test_the_guilty_one_of_25_is_found_after_six_deaths_and_the_others_open_meanwhile(suspects: Suspects) -> None:
    everybody = [UUID(int=number) for number in range(25)]
    guilty, waiting, deaths = everybody[17], everybody, 0
    while len(waiting) > 1 or deaths == 0:
        for engine in engines(suspects, waiting):
            if guilty in engine:
                suspects.died(engine, crashed=True)
                waiting, deaths = engine, deaths + 1
            else:
                for session in engine:
                    suspects.opened(session)
    assert waiting == [guilty]
    assert deaths <= 6
    suspects.opens(guilty)  # alone by now, and its first death alone was free
    suspects.died([guilty], crashed=True)
    with pytest.raises(CrashLoop) as waits:
        suspects.opens(guilty)
    assert waits.value.seconds == FIRST_WAIT


def test_the_wait_doubles_up_to_some_minutes(suspects: Suspects, clock: Clock) -> None:
    session, waits = UUID(int=1), []
    for _ in range(12):
        try:
            suspects.opens(session)
        except CrashLoop as loop:
            waits.append(loop.seconds)
            clock.now += loop.seconds
            suspects.opens(session)
        suspects.died([session], crashed=False)
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert waits[-1] == LONGEST_WAIT


def test_an_engine_that_somebody_kills_makes_nobody_a_suspect_who_was_open(suspects: Suspects) -> None:
    sessions = [UUID(int=1), UUID(int=2)]
    engines(suspects, sessions)
    for session in sessions:
        suspects.opened(session)
    for _ in range(5):
        suspects.died(sessions, crashed=False)
    assert [suspects.group(session) for session in sessions] == [None, None]


def test_who_survives_the_trial_is_no_suspect_any_more(suspects: Suspects, clock: Clock) -> None:
    sessions = [UUID(int=1), UUID(int=2)]
    engines(suspects, sessions)
    suspects.died(sessions, crashed=True)
    assert len(engines(suspects, sessions)) == 2
    for session in sessions:
        suspects.opened(session)
    clock.now += TRIAL + 1
    assert [suspects.group(session) for session in sessions] == [None, None]


def test_a_second_crash_soon_makes_suspects_of_those_who_saw_both(suspects: Suspects, clock: Clock) -> None:
    sessions = [UUID(int=number) for number in range(3)]
    engines(suspects, sessions)
    for session in sessions:
        suspects.opened(session)
    clock.now += TRIAL + 1
    suspects.died(sessions, crashed=True)
    assert len(engines(suspects, sessions)) == 1  # once may be anything
    for session in sessions:
        suspects.opened(session)
    clock.now += TRIAL + 1
    suspects.died(sessions, crashed=True)
    assert len(engines(suspects, sessions)) == 2


def test_a_long_quiet_time_clears_a_record(suspects: Suspects, clock: Clock) -> None:
    session = UUID(int=1)
    suspects.opens(session)
    suspects.died([session], crashed=True)
    suspects.opens(session)
    suspects.opened(session)
    clock.now += FORGIVE + 1
    suspects.died([session], crashed=False)
    suspects.opens(session)
    suspects.died([session], crashed=True)
    suspects.opens(session)  # the first death again


def test_a_crash_soon_after_the_login_makes_suspects_in_two_halves(suspects: Suspects, clock: Clock) -> None:
    sessions = [UUID(int=number) for number in range(5)]
    engines(suspects, sessions)
    for session in sessions:
        suspects.opened(session)
    clock.now += TRIAL
    suspects.died(sessions, crashed=True)
    assert [len(engine) for engine in engines(suspects, sessions)] == [3, 2]


@pytest.mark.parametrize(("apart", "halves"), [(FORGIVE - 1, 2), (FORGIVE, 1)])
def test_two_crashes_are_one_sessions_doing_only_if_they_are_close(
    suspects: Suspects, clock: Clock, apart: float, halves: int
) -> None:
    sessions = [UUID(int=1), UUID(int=2)]
    for wait in (TRIAL + 1, apart):
        engines(suspects, sessions)
        for session in sessions:
            suspects.opened(session)
        clock.now += wait
        suspects.died(sessions, crashed=True)
    assert len(engines(suspects, sessions)) == halves


def test_a_suspect_that_is_closed_in_order_stays_a_suspect(suspects: Suspects) -> None:
    sessions = [UUID(int=1), UUID(int=2)]
    engines(suspects, sessions)
    suspects.died(sessions, crashed=True)
    [[first], [_]] = engines(suspects, sessions)
    suspects.opened(first)
    suspects.closed(first)
    assert suspects.group(first) is not None


def test_a_session_that_was_never_opened_here_is_no_suspect_and_has_nothing_to_close(suspects: Suspects) -> None:
    stranger = UUID(int=1)
    suspects.opened(stranger)
    suspects.closed(stranger)
    assert suspects.group(stranger) is None
    suspects.opens(stranger)
    suspects.closed(stranger)  # nothing is known of it any more: a crash of others is not its doing
    suspects.died([UUID(int=2)], crashed=True)
    assert suspects.group(stranger) is None
