"""The keys that open the HTTP API: a key alone is the proxy's or the operator's, ``ORG-UUID:key`` a server's."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

#: Shortest key, characters; `openssl rand -hex 32` gives 64.
SHORTEST_KEY = 32

_KEY = re.compile(rf"[A-Za-z0-9._~+/=-]{{{SHORTEST_KEY},256}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key. organization: the only one it may act for; None: the proxy's or the operator's key."""

    organization: UUID | None
    secret: str = field(repr=False)


def parse_api_keys(text: str) -> tuple[ApiKey, ...]:
    """Read API_KEY: entries separated by commas, ``key`` or ``ORG-UUID:key``. Raises ValueError."""
    keys = []
    for entry in text.split(","):
        organization, colon, secret = entry.strip().rpartition(":")
        if not _KEY.fullmatch(secret) or (colon and not organization):
            raise ValueError
        keys.append(ApiKey(organization=UUID(organization) if organization else None, secret=secret))
    if len({key.secret for key in keys}) < len(keys):
        raise ValueError
    return tuple(keys)


def check_key(text: str) -> None:
    """Refuse what can be no key. Raises ValueError."""
    if not _KEY.fullmatch(text):
        raise ValueError


def matching_key(keys: Sequence[ApiKey], given: str) -> ApiKey | None:
    """Find the key that was given. All are compared, in constant time, whichever it is."""
    digest = hashlib.sha256(given.encode(errors="surrogatepass")).digest()
    found = None
    for key in keys:
        if hmac.compare_digest(hashlib.sha256(key.secret.encode()).digest(), digest):
            found = key
    return found
