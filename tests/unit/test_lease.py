"""A lease ends here before it ends in the database, whatever this machine's wall clock says."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from worker.session import LEASE_MARGIN, DesiredState, Held, Lease, ProviderName, SessionStatus


def held(until: datetime, seconds: float = 20.0) -> Held:
    """A session as a heartbeat that was answered ``seconds`` before ``until`` lists it."""
    return Held(
        session_id=uuid4(),
        organization_id=uuid4(),
        provider=ProviderName.WEB,
        epoch=1,
        lease_seconds=seconds,
        desired_state=DesiredState.CONNECTED,
        status=SessionStatus.CONNECTED,
        phone_number=None,
        min_gap_ms=0,
        until=until,
    )


@pytest.mark.parametrize("years", [-30, 0, 30])
def test_a_lease_counts_from_before_the_question_and_keeps_a_margin(years: int) -> None:
    answered = datetime(2026, 11, 21, tzinfo=UTC) + timedelta(days=365 * years)
    asked = time.monotonic() - 3.0  # the answer took three seconds
    lease = Lease(held(answered + timedelta(seconds=20)), asked)
    assert lease.deadline == pytest.approx(asked + 20.0 * (1 - LEASE_MARGIN))
    assert lease.database_time() - answered == pytest.approx(timedelta(seconds=3), abs=timedelta(seconds=1))


def test_a_renewed_lease_ends_later() -> None:
    start, asked = datetime(2026, 11, 21, tzinfo=UTC), time.monotonic()
    lease = Lease(held(start + timedelta(seconds=20)), asked)
    before = lease.deadline
    lease.renew(held(start + timedelta(seconds=25)), asked + 5.0)
    assert lease.deadline == pytest.approx(before + 5.0)


def test_a_renewed_lease_knows_the_gap_that_an_admin_has_changed() -> None:
    first = held(datetime(2026, 11, 21, tzinfo=UTC))
    lease = Lease(first, time.monotonic())
    lease.renew(replace(first, min_gap_ms=1500), time.monotonic())
    assert lease.gap == pytest.approx(1.5)
