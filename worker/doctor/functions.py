"""The edge functions: deployed, and given the secrets that they need."""

import asyncio
from dataclasses import dataclass

import httpx

from worker.doctor.finding import Case, Finding, error, not_set_up, warning
from worker.doctor.project import asking

#: Called without a session or a secret, each refuses at once when all is well.
_CALLS = {
    "proxy-whatsapp-vps": ("GET", "/api/groups"),
    "queue-whatsapp": ("POST", ""),
    "process-whatsapp-queue": ("POST", ""),
    "session-cleanup": ("POST", ""),
}

#: A function that nobody has called for a while is started first, seconds.
_SECONDS = 20.0

#: Only the fallback's schedule calls with it.
_OF_FALLBACK = "CRON_SECRET"

_LOGS = "Supabase dashboard, Edge Functions, Logs: the log says why."


async def deployed(case: Case) -> list[Finding]:
    """Each function is there and has its secrets."""
    async with asking(case) as http:
        # No header that signs in: what is looked for is the refusal.
        http.headers.pop("Authorization", None)
        found = list(await asyncio.gather(*(_ask(http, name) for name in _CALLS)))
    if "fallback" in case.not_set_up:
        found = [one for one in found if not (isinstance(one, _NotSetUp) and one.secret == _OF_FALLBACK)]
    if found and all(isinstance(one, _NotSetUp) for one in found):
        what = "The edge functions are not set up (optional). The CRM's pages call the worker through them."
        return [not_set_up("functions", what, "docs/functions.md says how to deploy them.")]
    return [one.finding if isinstance(one, _NotSetUp) else one for one in found if one]


@dataclass(frozen=True, slots=True)
class _NotSetUp:
    """A function that is not deployed or has no secrets; a finding only if others are set up."""

    finding: Finding
    secret: str = ""  #: that it lacks


async def _ask(http: httpx.AsyncClient, name: str) -> Finding | _NotSetUp | None:
    method, path = _CALLS[name]
    try:
        answer = await http.request(method, f"/functions/v1/{name}{path}", json={}, timeout=_SECONDS)
    except httpx.HTTPError as problem:
        return error("functions", f"{name} does not answer ({type(problem).__name__}).", _LOGS)
    told = _told(answer)
    if answer.status_code == 404 and told.get("code") != "no-such-route":
        fix = f"supabase functions deploy {name} --project-ref YOUR-PROJECT  # docs/functions.md"
        return _NotSetUp(warning("functions", f"{name} is not deployed.", fix))
    if told.get("code") == "not-configured":
        secret = str(told.get("detail", "")).partition(" ")[0]
        fix = f"supabase secrets set --project-ref YOUR-PROJECT {secret}=…  # docs/functions.md says what"
        return _NotSetUp(error("functions", f"{name}: {told.get('detail')}", fix), secret)
    if answer.status_code >= 500:
        return error("functions", f"{name} fails ({answer.status_code}).", _LOGS)
    return None


def _told(answer: httpx.Response) -> dict[str, object]:
    """What its problem says; empty if it is none."""
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
