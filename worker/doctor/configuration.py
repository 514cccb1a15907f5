"""The settings: each one that is wrong, secrets that are weak or in the wrong place."""

import base64
import binascii
import difflib
import json
import re
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from worker.api_keys import SHORTEST_KEY
from worker.doctor.finding import Case, Finding, error, warning
from worker.errors import SettingsError
from worker.settings import (
    ALIASES,
    Settings,
    env_file,
    given_settings,
    load_settings,
    setting_problems,
    with_proper_names,
)

#: A secret with fewer different characters or bytes is not random: 32 random bytes have 26 or more.
_LEAST_DIFFERENT = 10

_SECRETS = ("SUPABASE_SERVICE_KEY", "ENCRYPTION_KEY", "ENCRYPTION_KEYS", "METRICS_KEY", "API_KEY")
_DRAW_KEY = "herald keys new  # then rotate, so that the links stay good: docs/keys.md"
_DRAW_API_KEY = "openssl rand -hex 32  # give it to whoever calls, and restart the worker"
_WRONG_KIND = "The worker needs the secret key."
_COPY_IT = "Supabase dashboard, Settings, API keys: copy the secret key (sb_secret_…)"


def settings(case: Case) -> Iterator[Finding]:
    """Read the settings into the case, and report what is wrong with them."""
    try:
        given = given_settings(case.environ)
    except SettingsError as refusal:
        yield error("HERALD_ENV_FILE", str(refusal), "ls -l $HERALD_ENV_FILE")
        return
    for name, problem in setting_problems(given):
        yield error(name, problem, f"Set {name} as docs/settings.md says.")
    with suppress(ValueError):  # both names given: that is among the problems
        given = with_proper_names(given)
    yield from _the_file(case.environ)
    yield from _the_url(given.get("SUPABASE_URL", ""))
    yield from _the_service_key(given.get("SUPABASE_SERVICE_KEY", ""))
    yield from _api_keys(given)
    try:
        case.settings = load_settings(case.environ)
    except SettingsError:
        return
    for key_id, key in case.settings.sealing_keys().items():
        if len(set(key)) < _LEAST_DIFFERENT or all(32 <= byte < 127 for byte in key):
            yield error(
                "ENCRYPTION_KEY",
                f"The key {key_id} is text or a pattern, not random: it can be guessed.",
                _DRAW_KEY,
            )


def _the_file(environ: Mapping[str, str]) -> Iterator[Finding]:
    path = environ.get("HERALD_ENV_FILE")
    if not path:
        return
    if Path(path).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield error(
            "HERALD_ENV_FILE", f"Other users of this machine can read the keys in {path}.", f"chmod 600 {path}"
        )
    known = {name.upper() for name in Settings.model_fields} | ALIASES.keys()
    for name in env_file(environ):
        meant = difflib.get_close_matches(name, known, 1, 0.85)
        if name not in known and meant:
            yield warning(
                "HERALD_ENV_FILE", f"{name} is not a setting, so it changes nothing.", f"Did you mean {meant[0]}?"
            )


def _the_url(text: str) -> Iterator[Finding]:
    try:
        url = urlsplit(text)
    except ValueError:
        return
    local = url.hostname in {"localhost", "::1"} or (url.hostname or "").startswith("127.")
    if url.scheme == "http" and not local:
        yield error(
            "SUPABASE_URL",
            "Herald would send the secret key unencrypted over http.",
            f"SUPABASE_URL=https://{url.netloc}",
        )


def _the_service_key(key: str) -> Iterator[Finding]:
    if key.startswith("sb_publishable_"):
        yield error("SUPABASE_SERVICE_KEY", f"This is the publishable key. {_WRONG_KIND}", _COPY_IT)
    claims = _claims(key)
    if claims is None:
        return
    if claims.get("role") != "service_role":
        role = re.sub(r"\W", "", str(claims.get("role")))[:40]
        yield error("SUPABASE_SERVICE_KEY", f"This is a key of the role {role}. {_WRONG_KIND}", _COPY_IT)
    expiry = claims.get("exp")
    if isinstance(expiry, int | float) and expiry < time.time():
        yield error("SUPABASE_SERVICE_KEY", "This key has expired.", _COPY_IT)


def _claims(key: str) -> dict[str, object] | None:
    """The claims in a legacy key (a JWT); None if it is no JWT."""
    parts = key.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except (binascii.Error, ValueError):
        return None
    return claims if isinstance(claims, dict) else None


def _api_keys(given: Mapping[str, str]) -> Iterator[Finding]:
    others = {given[name] for name in _SECRETS if name != "API_KEY" and given.get(name)}
    for number, entry in enumerate(filter(None, given.get("API_KEY", "").split(",")), 1):
        key = entry.strip().rpartition(":")[2]
        if len(key) >= SHORTEST_KEY and len(set(key)) < _LEAST_DIFFERENT:  # a shorter one is refused anyway
            yield error("API_KEY", f"Key {number} is a pattern, not random: it can be guessed.", _DRAW_API_KEY)
        if key in others:
            yield error("API_KEY", f"Key {number} is another secret of this worker as well.", _DRAW_API_KEY)
