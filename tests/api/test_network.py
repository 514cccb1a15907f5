"""From where the API may be called, and by which pages."""

from ipaddress import ip_network

import pytest

from tests.kit.served_api import HOME_KEY, Ground, served
from worker.api.http.network import client_address

PROXIES = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"))


@pytest.mark.parametrize(
    ("remote", "forwarded", "found"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # no proxy of ours: what it says is not believed
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),  # what the client itself wrote stands left
        ("127.0.0.1", ["6.6.6.6", "198.51.100.1, 10.0.0.3"], "198.51.100.1"),
        ("127.0.0.1", ["garbage"], None),
        ("127.0.0.1", [], "127.0.0.1"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
    ],
)
def test_the_address_is_what_the_last_trusted_proxy_saw(
    remote: str, forwarded: list[str], found: str | None
) -> None:
    address = client_address(remote, forwarded, PROXIES)
    assert (str(address) if address else None) == found


async def test_only_allowed_networks_may_call_and_everyone_may_ask_for_health(ground: Ground) -> None:
    lists = {"allowed_ips": (ip_network("203.0.113.0/24"),), "trusted_proxies": (ip_network("127.0.0.1/32"),)}
    async with served(ground, **lists) as api:
        outside = await api.ask("GET", "/api/groups", key=HOME_KEY)
        inside = await api.ask(
            "GET", "/api/groups", key=HOME_KEY, headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}
        )
        docs = await api.ask("GET", "/docs", key=None)
        health = await api.ask("GET", "/health", key=None)
    assert (outside.status, outside.code) == (403, "address-not-allowed")
    assert inside.status == 200
    assert (docs.status, health.status) == (403, 200)


async def test_metrics_are_for_the_operator_and_for_prometheus_wherever_they_call_from(ground: Ground) -> None:
    key = "metrics-0123456789abcdef0123456789abcdef"
    async with served(ground, metrics_key=key) as api:
        # From 127.0.0.1 and without a header: so calls a stranger through a proxy on this host that adds none.
        strangers = [
            await api.ask("GET", "/metrics", key=None, headers=headers)
            for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {key[:-1]}"})
        ]
        server = await api.ask("GET", "/metrics", key=HOME_KEY)
        prometheus = await api.ask("GET", "/metrics", key=None, headers={"Authorization": f"Bearer {key}"})
        operator = await api.ask("GET", "/metrics")
        elsewhere = await api.ask("GET", "/api/groups", key=key)
    assert [said.status for said in (*strangers, server)] == [401] * 4
    assert (prometheus.status, operator.status, elsewhere.status) == (200, 200, 401)
    assert prometheus.headers["Content-Type"] == "text/plain; version=1.0.0; charset=utf-8"
    told = operator.content.decode()
    assert 'herald_queue_messages{state="pending"}' in told
    assert 'herald_accounts{status="qr_pending"}' in told
    assert "herald_database_up 1.0" in told
    assert str(ground.home.id) not in told


async def test_metrics_stay_closed_where_no_key_was_set(ground: Ground) -> None:
    async with served(ground, keys=()) as api:
        said = [await api.ask("GET", "/metrics", key=key) for key in (None, "")]
    assert [(one.status, one.code) for one in said] == [(401, "key-missing")] * 2


async def test_only_pages_of_allowed_origins_may_read_the_answers(ground: Ground) -> None:
    origin = "https://crm.example.com"
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    async with served(ground, allowed_origins=(origin,)) as api:
        before = await api.ask("OPTIONS", "/api/send", key=None, headers=asked)
        answer = await api.ask("GET", "/api/groups", key=HOME_KEY, headers={"Origin": origin})
        refused = await api.ask("GET", "/api/groups", key=None, headers={"Origin": origin})
        strange = await api.ask("GET", "/api/groups", key=HOME_KEY, headers={"Origin": "https://evil.example"})
    assert before.status == 204
    assert "Idempotency-Key" in before.headers["Access-Control-Allow-Headers"]
    for said in (before, answer, refused):
        assert said.headers["Access-Control-Allow-Origin"] == origin
    assert "Access-Control-Allow-Origin" not in strange.headers
    async with served(ground) as closed:
        none = await closed.ask("GET", "/api/groups", key=HOME_KEY, headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in none.headers
