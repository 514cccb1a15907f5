"""One way to call a database function: bounded in time, repeated while Supabase is away, errors told apart.

Every function that is called through here is idempotent, or its lost answer is repaired by the caller
(``whatsapp_claims_return``): supabase-py itself never repeats a POST.
"""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import httpx
from postgrest.exceptions import APIError
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from worker.backoff import delay
from worker.errors import CredentialsError, HeraldError, LostLease, SettingsError, StoreError, Unstorable

#: Seconds for one attempt.
ATTEMPT_SECONDS = 10.0

_NOT_MIGRATED = {"PGRST202", "42883", "PGRST106"}

#: A token that PostgREST does not take, and how Supabase's gateway, which sends no code, refuses a key.
_REFUSED_KEY = {"PGRST301", "PGRST302", "PGRST303", "401", 401}
_NO_SUCH_KEY = ("Invalid API key", "No API key", "Unregistered API key")

#: Connection lost, resources, operator intervention, serialization, PostgREST without its database, an HTTP 5xx.
_PASSING = ("08", "53", "57P", "40", "PGRST000", "PGRST001", "PGRST002", "PGRST003", "5")

#: Classes of SQLSTATE that are about what was given: malformed, against a constraint, too large for an index.
_OF_THE_DATA = ("22", "23", "54")


def error_from(error: APIError, function: str) -> HeraldError:
    """Turn PostgREST's answer into who can mend it."""
    match error.code:
        case "HR001":
            return LostLease("another worker has started with this WORKER_ID; give each worker its own")
        case "HR002":
            return LostLease("the session is held by another worker now")
        case "HR003":
            return CredentialsError("the stored session state has changed since it was read")
        case code if code in _NOT_MIGRATED:
            return SettingsError(
                f"SUPABASE_URL: the database is not migrated ({function} is missing); run `supabase db push`"
            )
        case "42501":
            return SettingsError("SUPABASE_SERVICE_KEY: not a secret key; use the sb_secret_… or service_role key")
        case code if code in _REFUSED_KEY or (error.message or "").startswith(_NO_SUCH_KEY):
            return SettingsError("SUPABASE_SERVICE_KEY: refused by Supabase; copy the secret key of this project")
        case code:
            kind = Unstorable if str(code).startswith(_OF_THE_DATA) else StoreError
            return kind(f"{function} failed with {code}")


async def _expect_supabase(answer: httpx.Response) -> None:
    """Take what something in between sends instead of the database's answer for no answer.

    That is a page with a 200, which supabase-py hands on as text, and a 5xx without the code of an error.
    """
    if answer.status_code == 200 and "json" not in answer.headers.get("content-type", ""):
        raise httpx.DecodingError("not JSON", request=answer.request)
    if answer.status_code >= 500 and b'"code"' not in await answer.aread():
        raise httpx.HTTPStatusError(f"{answer.status_code}", request=answer.request, response=answer)


class Rpc:
    """Calls database functions over PostgREST as service_role."""

    def __init__(self, client: AsyncClient, http: httpx.AsyncClient, rng: random.Random | None = None) -> None:
        self._client = client
        self._http = http
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret

    @classmethod
    async def connect(cls, url: str, key: str) -> "Rpc":
        """Make a client of its own: supabase-py's default waits 120 s over HTTP/2."""
        http = httpx.AsyncClient(
            timeout=ATTEMPT_SECONDS,
            limits=httpx.Limits(max_connections=16),
            event_hooks={"response": [_expect_supabase]},
        )
        try:
            client = await acreate_client(url, key, AsyncClientOptions(httpx_client=http))
        except Exception as error:
            await http.aclose()
            raise SettingsError("SUPABASE_SERVICE_KEY: not a key that the Supabase client takes") from error
        return cls(client, http)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(
        self, function: str, arguments: Mapping[str, Any], *, attempts: int = 3, seconds: float = ATTEMPT_SECONDS
    ) -> Any:
        """Call a function; repeat while Supabase is unreachable, answers 5xx, or what answers is not Supabase.

        seconds: for each attempt.  Raises StoreError after the last one, else what error_from says.
        """
        for attempt in range(attempts):
            try:
                async with asyncio.timeout(seconds):
                    return (await self._client.rpc(function, dict(arguments)).execute()).data
            except APIError as error:
                if not str(error.code or "").startswith(_PASSING) or attempt == attempts - 1:
                    raise error_from(error, function) from None
            except (httpx.HTTPError, TimeoutError) as error:
                if attempt == attempts - 1:
                    raise StoreError(f"Supabase does not answer ({type(error).__name__})") from None
            await asyncio.sleep(delay(attempt + 1, self._rng, base=0.2, cap=2.0))
        raise AssertionError("unreachable")
