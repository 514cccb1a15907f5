from random import Random

from hypothesis import given
from hypothesis import strategies as st

from worker.backoff import delay

seconds = st.floats(min_value=0.001, max_value=1e6)


@given(attempt=st.integers(-5, 10**6), seed=st.integers(), base=seconds, cap=seconds)
def test_a_delay_is_above_zero_and_never_over_the_cap(attempt: int, seed: int, base: float, cap: float) -> None:
    assert 0 < delay(attempt, Random(seed), base=base, cap=cap) <= cap


@given(attempt=st.integers(1, 40), seed=st.integers())
def test_the_ceiling_doubles_with_each_attempt(attempt: int, seed: int) -> None:
    assert 0.5 <= delay(attempt, Random(seed)) <= min(60.0, 2.0 ** (attempt - 1))


def test_two_workers_that_fail_together_do_not_come_back_together() -> None:
    assert delay(5, Random(1)) != delay(5, Random(2))
    assert delay(5, Random(1)) == delay(5, Random(1))


def test_late_delays_spread_over_the_whole_range() -> None:
    rng = Random(0)
    drawn = [delay(20, rng) for _ in range(1_000)]
    assert min(drawn) < 5
    assert max(drawn) > 55
