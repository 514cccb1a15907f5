"""Calls that carry canaries and go wrong: at the worker, through the proxy, and at the other functions."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.kit.worker_process import Worker
from tests.kit.world import World


@dataclass(frozen=True, kw_only=True)
class Canaries:
    """What the calls carry."""

    text: str
    phone: str  #: digits
    token: str  #: of nobody, in a JWT's form
    key: str  #: of nobody
    api_key: str  #: the worker's own
    session: str
    sent: str  #: a message that was sent
    idempotency_key: str  #: of another message


@dataclass(slots=True)
class Answers:
    """What was answered: status, headers and body as text, by what was asked where."""

    texts: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)

    @property
    def errors(self) -> dict[str, str]:
        """Those that refused; what succeeds may give a caller what is theirs."""
        return {what: text for what, text in self.texts.items() if self.statuses[what] >= 400}


Asked = tuple[str, str, dict[str, Any]]


def wrong_calls(canaries: Canaries) -> Iterator[Asked]:
    """What goes wrong with a caller who may call: method, path, request."""
    phone, text = f"+{canaries.phone}", canaries.text
    to = {"phone": phone}
    for body in (
        {"to": {"phone": canaries.phone}, "text": text},  # no country code
        {"to": {"phone": f"+{canaries.phone * 3}"}, "text": text},
        {"to": {"phone": phone, "contact": canaries.session}, "text": text},
        {"to": {"contact": canaries.session}, "text": text},  # no such contact
        {"to": to, "text": text, "priority": text},
        {"to": to, "text": text, "media": {"url": text, "kind": text}},
        {"to": to, "text": f"{text}\x00"},
        {"to": to, "text": text, "scheduled_for": text},
        {"to": to, "text": text, "scheduled_for": "2036-01-02T00:00:00Z", "expires_at": "2036-01-01T00:00:00Z"},
        {"to": to, "text": text, "session_id": canaries.sent},  # no such account
        {"to": to, "text": text, "idempotency_key": canaries.idempotency_key},
        {"to": [to], "text": [text]},
    ):
        yield "POST", "/api/send", {"json": body}
    yield "POST", "/api/send", {"data": f'{{"text": "{text}', "headers": {"Content-Type": "application/json"}}
    yield "POST", "/api/send", {"data": text, "headers": {"Content-Type": "text/plain"}}
    yield "POST", "/api/send", {"json": {"to": to, "text": text}, "headers": {"Idempotency-Key": f"{text} ö"}}
    template = {"to": to, "template": "nobody_has_this", "variables": {"name": text, phone: text}}
    yield "POST", "/api/send-template", {"json": template}
    many = {"recipients": [to, {"phone": canaries.phone}], "text": text}
    yield "POST", "/api/send-bulk", {"json": many}
    yield "POST", f"/api/messages/{canaries.sent}/retry", {}
    yield "POST", f"/api/messages/{canaries.sent}/cancel", {}
    yield "POST", "/api/auth/connect", {"json": {"session_id": canaries.sent, "phone": phone}}
    yield "POST", "/api/auth/connect", {"json": {"phone": canaries.phone, "display_name": text * 20}}
    yield "POST", "/api/groups", {"json": {"name": text, "participants": [canaries.phone]}}
    yield "GET", f"/api/messages?status={text.replace(' ', '%20')}&cursor={canaries.phone}", {}
    yield "GET", f"/api/messages/{text.replace(' ', '%20')}", {}
    yield "GET", f"/api/groups/{canaries.phone}@g.us", {}
    yield "GET", f"/{canaries.phone}", {}


def wrong_callers(canaries: Canaries) -> Iterator[tuple[str, dict[str, str]]]:
    """Who is refused: who it is, headers."""
    yield "a wrong token", {"Authorization": f"Bearer {canaries.token}"}
    yield "a wrong organisation", {"X-Org-Id": canaries.text}
    yield "a wrong scheme", {"Authorization": f"Basic {canaries.token}"}
    yield "a wrong key", {"X-API-Key": canaries.key, "apikey": canaries.key}


async def ask_all(world: World, worker: Worker, canaries: Canaries, cron_secret: str) -> Answers:
    """Make the calls of all three kinds, and read what the worker tells everyone."""
    answers = Answers()
    signed_in = await world.admin.auth.get_session()
    assert signed_in
    admin = {"Authorization": f"Bearer {signed_in.access_token}"}
    functions = f"{world.stack.url}/functions/v1"
    doors: Mapping[str, tuple[str, dict[str, str]]] = {
        "worker": (f"http://127.0.0.1:{worker.port}", {**admin, "X-API-Key": canaries.api_key}),
        "proxy": (f"{functions}/proxy-whatsapp-vps", {**admin, "apikey": world.stack.publishable_key}),
    }
    async with aiohttp.ClientSession() as http:

        async def ask(what: str, method: str, url: str, caller: Mapping[str, str], **request: Any) -> None:
            given = {**caller, **request.pop("headers", {})}
            async with http.request(method, url, headers=given, **request) as answer:
                name = f"{what} ({len(answers.texts)})"
                answers.statuses[name] = answer.status
                answers.texts[name] = f"{json.dumps(dict(answer.headers))}\n{await answer.text()}"

        for door, (url, headers) in doors.items():
            for method, path, request in wrong_calls(canaries):
                await ask(f"{door}: {method} {path}", method, url + path, headers, **request)
            for who, wrong in wrong_callers(canaries):
                await ask(f"{door}: {who}", "GET", f"{url}/api/messages", {**headers, **wrong})
        crm = doors["proxy"][1]
        for body in (
            canaries.text,
            {"recipients": [{"phone": canaries.phone, "name": canaries.text}]},
            [canaries.phone],
        ):
            await ask("queue-whatsapp", "POST", f"{functions}/queue-whatsapp", crm, json=body)
        for name in ("process-whatsapp-queue", "session-cleanup"):
            for secret in (canaries.key, cron_secret):
                headers = {"x-cron-secret": secret, "Authorization": f"Bearer {secret}"}
                await ask(name, "POST", f"{functions}/{name}", headers, json={"said": canaries.text})
        base = doors["worker"][0]
        for path in ("/metrics", "/health", "/openapi.json", "/docs"):
            await ask(path, "GET", base + path, {"X-API-Key": canaries.api_key})
    return answers
