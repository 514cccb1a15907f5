"""Every setting of the worker, read once from the environment and frozen.

The environment's names are the fields' names in capitals. Secrets show neither in a repr nor in an error.
"""

import base64
import binascii
import ipaddress
import os
import re
import shlex
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from worker.api_keys import SHORTEST_KEY, ApiKey, check_key, parse_api_keys
from worker.errors import SettingsError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: The key id that ENCRYPTION_KEY writes under. To rotate it: ENCRYPTION_KEYS=new:<new key>,default:<the old one>.
DEFAULT_KEY_ID = "default"

_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
_A_KEY = "32 random bytes in base64 (openssl rand -base64 32)"


def _one_key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise ValueError
    return key


def is_key_id(text: str) -> bool:
    """Whether a key may be called so in ENCRYPTION_KEYS."""
    return _KEY_ID.fullmatch(text) is not None


def _many_keys(text: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for entry in text.split(","):
        key_id, _, key = entry.strip().partition(":")
        if not is_key_id(key_id) or key_id in keys:
            raise ValueError
        keys[key_id] = _one_key(key)
    return keys


def _base_url(text: str) -> str:
    url = urlsplit(text)
    plain = not (url.username or url.password or url.query or url.fragment or url.path.strip("/"))
    if url.scheme not in {"http", "https"} or not url.hostname or not plain or url.port == 0:
        raise ValueError
    return text.rstrip("/")


def _checked_key(secret: SecretStr) -> SecretStr:
    _one_key(secret.get_secret_value())
    return secret


def _checked_keys(secret: SecretStr) -> SecretStr:
    _many_keys(secret.get_secret_value())
    return secret


def _checked_api_keys(secret: SecretStr) -> SecretStr:
    parse_api_keys(secret.get_secret_value())
    return secret


def _checked_metrics_key(secret: SecretStr) -> SecretStr:
    check_key(secret.get_secret_value())
    return secret


def _listed(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",")) if isinstance(value, str) else value


def _networks(value: str | tuple[Network, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(item) for item in _listed(value)) if isinstance(value, str) else value


def _origin(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname or text != f"{url.scheme}://{url.netloc}":
        raise ValueError
    return text


def _words(value: str | tuple[str, ...]) -> tuple[str, ...]:
    words = tuple(shlex.split(value)) if isinstance(value, str) else value
    if not words:
        raise ValueError
    return words


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError
    return path


#: Other names of settings, as Supabase and its examples use them.
ALIASES: Mapping[str, str] = {"SUPABASE_SERVICE_ROLE_KEY": "SUPABASE_SERVICE_KEY"}

#: Other names of log levels, as other loggers use them.
_LEVELS = {"WARN": "WARNING", "FATAL": "CRITICAL"}


def _level(value: Any) -> Any:
    return _LEVELS.get(value.upper(), value.upper()) if isinstance(value, str) else value


def with_proper_names(given: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the settings that were given under an alias. Raises ValueError if both names are given and differ."""
    named = dict(given)
    for alias, name in ALIASES.items():
        if alias in named:
            value = named.pop(alias)
            if named.setdefault(name, value) != value:
                raise ValueError(f"{name} and {alias} are both set, and differ: remove one of them")
    return named


class Settings(BaseSettings):
    """What the worker was told. A field's description completes "NAME must be …" in an error."""

    model_config = SettingsConfigDict(
        frozen=True, alias_generator=str.upper, extra="ignore", hide_input_in_errors=True
    )

    supabase_url: Annotated[str, AfterValidator(_base_url)] = Field(
        description="the project's URL without a path, such as https://abcdefgh.supabase.co"
    )
    supabase_service_key: SecretStr = Field(
        min_length=1, description="the project's secret key (Supabase dashboard, Settings, API keys)"
    )
    encryption_key: Annotated[SecretStr, AfterValidator(_checked_key)] | None = Field(None, description=_A_KEY)
    encryption_keys: Annotated[SecretStr, AfterValidator(_checked_keys)] | None = Field(
        None, description=f"id:key,id:key with the active key first, ids all different, each key {_A_KEY}"
    )
    worker_id: str = Field(
        default_factory=socket.gethostname,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="1 to 64 letters, digits, dots, dashes or underscores, different on every worker",
    )
    worker_max_sessions: int = Field(100, ge=1, description="a whole number from 1")
    state_dir: Annotated[Path, AfterValidator(_absolute)] = Field(
        default_factory=lambda: Path(f"/dev/shm/herald-{os.getuid()}"),  # noqa: S108 - memory, so never on disk
        description="an absolute path, in memory (under /dev/shm)",
    )
    engine_command: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        default_factory=lambda: (sys.executable, "-m", "worker.engine"),
        description="a command line in shell words, such as python -m worker.engine",
    )
    engine_shard_size: int = Field(25, ge=1, description="a whole number of sessions per engine process, from 1")
    #: Above it an engine process is emptied into others, account by account; at twice as much it is killed.
    engine_memory_limit_mb: float = Field(
        512.0, ge=96, allow_inf_nan=False, description="megabytes per engine process, from 96"
    )
    #: How long a worker that died holds its accounts. An engine closes them a tenth of it earlier.
    lease_seconds: float = Field(
        20.0, ge=3, le=60, description="seconds from 3 to 60, at least three HEARTBEAT_SECONDS"
    )
    heartbeat_seconds: float = Field(5.0, ge=0.5, le=20, description="seconds from 0.5 to 20")
    port: int = Field(3000, ge=1, le=65535, description="a port from 1 to 65535")
    host: str = Field("127.0.0.1", min_length=1, description="the address to listen on, such as 127.0.0.1")
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_level)] = (
        Field("INFO", description="one of DEBUG, INFO, WARNING, ERROR, CRITICAL")
    )
    log_file: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        None, description="the absolute path of a file in a folder that exists and is writable"
    )
    log_file_mb: float = Field(50.0, ge=0.1, allow_inf_nan=False, description="megabytes per log file, from 0.1")
    log_files: int = Field(10, ge=1, le=1000, description="how many full log files are kept, from 1 to 1000")
    poll_interval: float = Field(5.0, gt=0, allow_inf_nan=False, description="seconds above 0")
    #: How long a QR that nobody scans is renewed.
    qr_window: float = Field(600.0, gt=0, allow_inf_nan=False, description="seconds above 0")

    #: Without it the API is closed, and only /health answers.
    api_key: Annotated[SecretStr, AfterValidator(_checked_api_keys)] | None = Field(
        None,
        description=f"keys of at least {SHORTEST_KEY} characters (openssl rand -hex 32), all different, separated by"
        " commas; ORGANISATION-UUID:key for a server that may act for one organisation only",
    )
    #: For Prometheus, whose configuration should hold no key to messages.
    metrics_key: Annotated[SecretStr, AfterValidator(_checked_metrics_key)] | None = Field(
        None, description=f"a key of at least {SHORTEST_KEY} characters (openssl rand -hex 32)"
    )
    allowed_origins: Annotated[
        tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_listed)
    ] = Field((), description="origins separated by commas, such as https://crm.example.com")
    allowed_ips: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = Field(
        (), description="networks separated by commas, such as 203.0.113.7/32,2001:db8::/32"
    )
    #: Whose X-Forwarded-For is believed.
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = Field(
        (), description="networks separated by commas, such as 127.0.0.1/32"
    )
    #: Several workers listen on the same port, and the kernel shares the connections out.
    reuse_port: bool = Field(False, description="true or false")
    api_requests_per_minute: int = Field(
        600, ge=1, le=1_000_000, description="a whole number of requests per organisation, from 1 to 1000000"
    )
    api_sends_per_minute: int = Field(
        10, ge=1, le=1_000_000, description="a whole number of send calls per organisation, from 1 to 1000000"
    )

    @model_validator(mode="before")
    @classmethod
    def _take_aliases(cls, given: Any) -> Any:
        return with_proper_names(given) if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _a_lease_outlives_missed_heartbeats(self) -> "Settings":
        if self.lease_seconds < 3 * self.heartbeat_seconds:
            raise ValueError("LEASE_SECONDS is too short: it must be at least three times HEARTBEAT_SECONDS")
        return self

    @model_validator(mode="after")
    def _one_way_to_give_keys(self) -> "Settings":
        if self.encryption_key and self.encryption_keys:
            raise ValueError("ENCRYPTION_KEY and ENCRYPTION_KEYS are both set: remove one of them")
        if not self.encryption_key and not self.encryption_keys:
            raise ValueError(f"ENCRYPTION_KEY is missing: it must be {_A_KEY}")
        return self

    def sealing_keys(self) -> dict[str, bytes]:
        """Key-encryption keys by id, the active one first; 32 bytes each."""
        if self.encryption_keys:
            return _many_keys(self.encryption_keys.get_secret_value())
        assert self.encryption_key
        return {DEFAULT_KEY_ID: _one_key(self.encryption_key.get_secret_value())}

    def api_keys(self) -> tuple[ApiKey, ...]:
        """The keys that open the HTTP API; none: it is closed."""
        return parse_api_keys(self.api_key.get_secret_value()) if self.api_key else ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings passes them all by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what load_settings read, and nothing behind its back."""
        return (init_settings,)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from ``environ`` (the process's by default).

    HERALD_ENV_FILE may name a .env file; what the environment itself sets wins over it, and an empty value
    counts as not set. Raises SettingsError: one line with the setting and its remedy, never its value.
    """
    try:
        return Settings.model_validate(given_settings(os.environ if environ is None else environ))
    except ValidationError as error:
        problem = _problems(error)[0][1]
    # Raised out here, so that no crash reporter finds pydantic's error, and with it the input, as the context.
    raise SettingsError(problem)


def given_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Read what the environment and the file of HERALD_ENV_FILE set, before any check. Raises SettingsError."""
    return {**env_file(environ), **{name: text for name, text in environ.items() if text}}


def setting_problems(given: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each setting that is missing or wrong, and in words what it must be; what holds between settings last."""
    try:
        Settings.model_validate(dict(given))
    except ValidationError as error:
        return _problems(error)
    return []


def env_file(environ: Mapping[str, str]) -> dict[str, str]:
    """What the file that HERALD_ENV_FILE names says; empty if none is named. Raises SettingsError."""
    path = environ.get("HERALD_ENV_FILE")
    if not path:
        return {}
    try:
        values = dotenv_values(path, interpolate=False) if Path(path).is_file() else None
    except (OSError, UnicodeDecodeError):
        values = None
    if values is None:
        raise SettingsError("HERALD_ENV_FILE names a file that can't be read: correct the path or its permissions")
    return {name: text for name, text in values.items() if text}


def _problems(error: ValidationError) -> list[tuple[str, str]]:
    return [_problem(dict(one)) for one in error.errors(include_url=False, include_input=False)]


def _problem(one: Mapping[str, Any]) -> tuple[str, str]:
    if not one["loc"]:  # the model's own check, which writes the whole line
        text = str(one["ctx"]["error"])
        return text.partition(" ")[0], text
    name = str(one["loc"][0]).upper()
    verdict = "is missing" if one["type"] == "missing" else "is wrong"
    return name, f"{name} {verdict}: it must be {Settings.model_fields[name.lower()].description}"
