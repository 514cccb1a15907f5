"""Who a user's Supabase token says they are: verified here, with the project's public keys."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import aiohttp
import jwt
import structlog

from worker.api.http.problem import Problem

log = structlog.get_logger()

#: Asymmetric only: with a shared secret, anybody who verifies could also sign.
ALGORITHMS = ("ES256", "RS256")
AUDIENCE = "authenticated"
REQUIRED = ("exp", "sub", "role", "aud", "iss")

#: Seconds between refreshes of the key set, and the least between two that unknown key ids cause.
REFRESH_SECONDS, UNKNOWN_KEY_SECONDS = 600.0, 10.0

#: Seconds for fetching the key set.
FETCH_SECONDS = 5.0

#: How long, and how many, verified tokens are remembered: a verification costs 0.2 ms. The database looks at each
#: token's end again.
REMEMBER_SECONDS, REMEMBERED = 30.0, 10_000

#: Seconds by which clocks may differ.
LEEWAY = 10.0


@dataclass(frozen=True, slots=True)
class User:
    """A signed-in user."""

    id: UUID


class Tokens:
    """Verifies tokens against a key set that is fetched ahead and refreshed; never waits long for it."""

    def __init__(self, supabase_url: str, leeway: float = LEEWAY) -> None:
        self._leeway = leeway
        self._issuer = f"{supabase_url}/auth/v1"
        self._url = f"{self._issuer}/.well-known/jwks.json"
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = False
        self._asked = float("-inf")
        self._fetching = asyncio.Lock()
        self._known: OrderedDict[bytes, tuple[float, User]] = OrderedDict()

    async def run(self) -> None:
        """Keep the key set fresh until cancelled."""
        while True:
            await self._refresh()
            await asyncio.sleep(REFRESH_SECONDS if self._fetched else UNKNOWN_KEY_SECONDS)

    async def verify(self, token: str) -> User:
        """Tell the token's user. Raises Problem: 401, or 503 when the project's keys can't be fetched."""
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        now = time.monotonic()
        if (known := self._known.get(digest)) and known[0] > now:
            return known[1]
        user = await self._verify(token)
        self._known[digest] = (now + REMEMBER_SECONDS, user)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return user

    def has_ended(self, token: str) -> bool:
        """Whether a token that was verified has expired since."""
        try:
            jwt.decode(token, options={"verify_signature": False, "verify_exp": True}, leeway=self._leeway)
        except jwt.PyJWTError:
            return True
        return False

    async def _verify(self, token: str) -> User:
        try:
            key = await self._key(jwt.get_unverified_header(token))
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=AUDIENCE,
                issuer=self._issuer,
                leeway=self._leeway,
                options={"require": list(REQUIRED)},
            )
            if claims["role"] != "authenticated":
                raise jwt.InvalidTokenError
            return User(UUID(claims["sub"]))
        except jwt.ExpiredSignatureError:
            raise _refused(
                "token-expired", "The user's token has expired.", "Sign in again, or refresh it."
            ) from None
        except (jwt.PyJWTError, ValueError, KeyError, TypeError):
            raise _refused(
                "token-invalid",
                "The user's token is not one of this project's.",
                "Send the access token that Supabase Auth gave; sign in again if it is an old one.",
            ) from None

    async def _key(self, header: dict[str, object]) -> jwt.PyJWK:
        if header.get("alg") not in ALGORITHMS:
            await self._tell_legacy_key()
            raise jwt.InvalidAlgorithmError
        kid = str(header.get("kid") or "")
        lately = self._fetched and time.monotonic() - self._asked < UNKNOWN_KEY_SECONDS
        if kid not in self._keys and not lately:
            await self._refresh()
        if not self._fetched:
            raise Problem(
                503,
                "auth-unavailable",
                "Supabase's signing keys can't be fetched now.",
                "Try again.",
                retry_after=5,
            )
        return self._keys[kid]

    async def _tell_legacy_key(self) -> None:
        """Blame the project, not the user, if it publishes no key: all its tokens are signed with a shared secret."""
        if not self._fetched:
            await self._refresh()
        if self._fetched and not self._keys:
            raise _refused(
                "token-invalid",
                "This project signs with a legacy key: its tokens can't be verified here.",
                "The operator changes to ES256 in the Supabase dashboard: Settings, JWT keys: migrate, then rotate.",
            )

    async def _refresh(self) -> None:
        began = time.monotonic()
        async with self._fetching:
            if self._asked > began:  # while this one waited, another has asked
                return
            self._asked = time.monotonic()
            try:
                timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
                async with aiohttp.ClientSession(timeout=timeout) as http, http.get(self._url) as answer:
                    answer.raise_for_status()
                    found = (await answer.json())["keys"]
            except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
                log.warning("signing_keys_unreachable", kind=type(error).__name__)
                return
            keys = {}
            for entry in found:
                with suppress(jwt.PyJWTError, AttributeError):
                    key = jwt.PyJWK(entry)
                    if key.algorithm_name in ALGORITHMS:
                        keys[key.key_id or ""] = key
            self._keys, self._fetched = keys, True


def _refused(code: str, detail: str, hint: str) -> Problem:
    return Problem(401, code, detail, hint, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
