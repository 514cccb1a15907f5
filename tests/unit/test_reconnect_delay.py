"""The wait before the next try: a uniform draw between half a base and a ceiling that doubles."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.reconnect_delay import delay

seconds = st.floats(min_value=0.001, max_value=1e6)


class Drawn(Random):
    """Draws this share of every range."""

    def __init__(self, share: float) -> None:
        super().__init__(0)
        self.share = share

    def random(self) -> float:
        return self.share


@given(attempt=st.integers(1, 100), base=seconds, cap=seconds)
def test_the_longest_wait_doubles_with_each_attempt_up_to_the_cap(attempt: int, base: float, cap: float) -> None:
    longest = min(cap, base * 2.0 ** (attempt - 1))
    assert delay(attempt, Drawn(1.0), base=base, cap=cap) == pytest.approx(longest)


@given(attempt=st.integers(-5, 10**6), base=seconds, cap=seconds)
def test_the_shortest_wait_is_half_a_base_whatever_the_attempt(attempt: int, base: float, cap: float) -> None:
    assert delay(attempt, Drawn(0.0), base=base, cap=cap) == pytest.approx(min(base, cap) / 2)


@given(attempt=st.integers(-5, 10**6), seed=st.integers(), base=seconds, cap=seconds)
def test_a_delay_is_above_zero_and_never_over_the_cap(attempt: int, seed: int, base: float, cap: float) -> None:
    assert 0 < delay(attempt, Random(seed), base=base, cap=cap) <= cap


@pytest.mark.parametrize(
    ("attempt", "longest"), [(0, 1.0), (1, 1.0), (2, 2.0), (6, 32.0), (7, 60.0), (10**9, 60.0)]
)
def test_unless_told_otherwise_it_goes_from_one_second_to_sixty(attempt: int, longest: float) -> None:
    assert delay(attempt, Drawn(1.0)) == longest
    assert delay(attempt, Drawn(0.0)) == 0.5


def test_two_workers_that_fail_together_do_not_come_back_together() -> None:
    assert delay(5, Random(1)) != delay(5, Random(2))
    assert delay(5, Random(1)) == delay(5, Random(1))
