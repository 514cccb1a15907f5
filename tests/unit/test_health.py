"""When a worker says that it is ready, and when it says that Supabase does not take its calls."""

import asyncio
import base64

import pytest
from structlog.testing import capture_logs

from tests.kit.clock import Clock
from worker.health import Health
from worker.settings import load_settings

LEASE = 20.0
ENVIRON = {
    "SUPABASE_URL": "http://127.0.0.1:9",
    "SUPABASE_SERVICE_KEY": "sb_secret_key",
    "ENCRYPTION_KEY": base64.b64encode(bytes(32)).decode(),
    "STATE_DIR": "/nowhere",
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(
        load_settings(ENVIRON | {"LEASE_SECONDS": str(LEASE)}), "1", asyncio.Event(), lambda: None, clock
    )


def test_a_queue_whose_calls_fail_is_not_ready_although_heartbeats_succeed(health: Health, clock: Clock) -> None:
    with capture_logs() as logs:
        for _ in range(6):
            health.heard("sessions", True)
            health.heard("queue", False)
            clock.now += 4
        health.heard("sessions", True)
        assert not health.ready
        health.heard("queue", True)
        assert health.ready
    assert [line["event"] for line in logs] == ["database_calls_fail", "database_calls_work_again"]


def test_calls_that_fail_for_a_moment_change_nothing(health: Health, clock: Clock) -> None:
    health.heard("sessions", True)
    health.heard("queue", False)
    clock.now += LEASE / 2
    health.heard("queue", True)
    health.heard("queue", False)
    clock.now += LEASE / 3
    assert health.ready


def test_without_heartbeats_it_is_not_ready(health: Health, clock: Clock) -> None:
    assert not health.ready
    health.heard("commands", True)
    assert not health.ready
    health.heard("sessions", True)
    assert health.ready
    clock.now += LEASE
    assert not health.ready
