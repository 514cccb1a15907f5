import base64
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from worker.errors import SettingsError
from worker.settings import Settings, load_settings

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(32)).decode()
API_KEY = "0123456789abcdef0123456789abcdef"
ENVIRON = {
    "SUPABASE_URL": "https://abc.supabase.co/",
    "SUPABASE_SERVICE_KEY": "sb_secret_very",
    "ENCRYPTION_KEY": KEY,
}


def test_three_settings_are_enough() -> None:
    settings = load_settings(ENVIRON)
    assert settings.supabase_url == "https://abc.supabase.co"
    assert settings.supabase_service_key.get_secret_value() == "sb_secret_very"
    assert settings.sealing_keys() == {"default": bytes(range(32))}
    assert settings.engine_command == (sys.executable, "-m", "worker.engine")
    assert (settings.host, settings.port, settings.log_level) == ("127.0.0.1", 3000, "INFO")
    assert (settings.worker_max_sessions, settings.engine_shard_size) == (100, 25)
    assert (settings.poll_interval, settings.qr_window) == (5.0, 600.0)
    assert settings.state_dir.parent == Path("/dev/shm")  # noqa: S108
    assert settings.worker_id


def test_every_setting_is_read_from_its_name() -> None:
    settings = load_settings(
        ENVIRON
        | {
            "WORKER_ID": "vps-2",
            "WORKER_MAX_SESSIONS": "7",
            "STATE_DIR": "/run/herald",
            "ENGINE_COMMAND": "deno run 'my engine.ts'",
            "ENGINE_SHARD_SIZE": "3",
            "ENGINE_MEMORY_LIMIT_MB": "300",
            "LEASE_SECONDS": "12",
            "HEARTBEAT_SECONDS": "2.5",
            "PORT": "8080",
            "HOST": "::1",
            "LOG_LEVEL": "debug",
            "LOG_FILE": "/var/log/herald/herald.log",
            "LOG_FILE_MB": "5",
            "LOG_FILES": "3",
            "POLL_INTERVAL": "0.5",
            "QR_WINDOW": "60",
            "ALLOWED_ORIGINS": "https://crm.example.com, http://localhost:5173",
            "ALLOWED_IPS": "203.0.113.7,2001:db8::/32",
            "TRUSTED_PROXIES": "127.0.0.1",
            "REUSE_PORT": "true",
            "API_REQUESTS_PER_MINUTE": "1200",
            "API_SENDS_PER_MINUTE": "20",
        }
    )
    assert settings.model_dump(exclude={"supabase_url", "supabase_service_key", "encryption_key"}) == {
        "encryption_keys": None,
        "worker_id": "vps-2",
        "worker_max_sessions": 7,
        "state_dir": Path("/run/herald"),
        "engine_command": ("deno", "run", "my engine.ts"),
        "engine_shard_size": 3,
        "engine_memory_limit_mb": 300.0,
        "lease_seconds": 12.0,
        "heartbeat_seconds": 2.5,
        "port": 8080,
        "host": "::1",
        "log_level": "DEBUG",
        "log_file": Path("/var/log/herald/herald.log"),
        "log_file_mb": 5.0,
        "log_files": 3,
        "poll_interval": 0.5,
        "qr_window": 60.0,
        "api_key": None,
        "metrics_key": None,
        "allowed_origins": ("https://crm.example.com", "http://localhost:5173"),
        "allowed_ips": (ip_network("203.0.113.7/32"), ip_network("2001:db8::/32")),
        "trusted_proxies": (ip_network("127.0.0.1/32"),),
        "reuse_port": True,
        "api_requests_per_minute": 1200,
        "api_sends_per_minute": 20,
    }


def test_the_name_that_supabase_uses_for_the_secret_key_is_taken() -> None:
    environ = {name: text for name, text in ENVIRON.items() if name != "SUPABASE_SERVICE_KEY"}
    settings = load_settings(environ | {"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_other"})
    assert settings.supabase_service_key.get_secret_value() == "sb_secret_other"


def test_the_secret_key_may_be_given_under_both_names_if_it_is_the_same() -> None:
    settings = load_settings(ENVIRON | {"SUPABASE_SERVICE_ROLE_KEY": ENVIRON["SUPABASE_SERVICE_KEY"]})
    assert settings.supabase_service_key.get_secret_value() == ENVIRON["SUPABASE_SERVICE_KEY"]


@pytest.mark.parametrize(("given", "level"), [("warn", "WARNING"), ("Warning", "WARNING"), ("fatal", "CRITICAL")])
def test_a_log_level_may_have_the_name_that_other_loggers_use(given: str, level: str) -> None:
    assert load_settings(ENVIRON | {"LOG_LEVEL": given}).log_level == level


def test_the_first_of_several_keys_is_the_active_one() -> None:
    environ = ENVIRON | {"ENCRYPTION_KEY": "", "ENCRYPTION_KEYS": f"b:{OTHER_KEY}, a:{KEY}"}
    assert list(load_settings(environ).sealing_keys().items()) == [("b", bytes(32)), ("a", bytes(range(32)))]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"SUPABASE_URL": ""}, "SUPABASE_URL is missing: it must be the project's URL"),
        ({"SUPABASE_URL": "abc-private.supabase.co"}, "SUPABASE_URL is wrong"),
        ({"SUPABASE_URL": "https://u:hunter2@abc.supabase.co"}, "SUPABASE_URL is wrong"),
        ({"SUPABASE_URL": "https://abc.supabase.co/rest/v1"}, "SUPABASE_URL is wrong"),
        ({"SUPABASE_URL": "https://abc.supabase.co:port-private"}, "SUPABASE_URL is wrong"),
        ({"SUPABASE_SERVICE_KEY": ""}, "SUPABASE_SERVICE_KEY is missing"),
        (
            {"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_other"},
            "SUPABASE_SERVICE_KEY and SUPABASE_SERVICE_ROLE_KEY are both set, and differ: remove one",
        ),
        ({"ENCRYPTION_KEY": ""}, "ENCRYPTION_KEY is missing: it must be 32 random bytes"),
        (
            {"ENCRYPTION_KEY": base64.b64encode(bytes(31)).decode()},
            "ENCRYPTION_KEY is wrong: it must be 32 random",
        ),
        ({"ENCRYPTION_KEY": "not base64 at all"}, "ENCRYPTION_KEY is wrong"),
        ({"ENCRYPTION_KEYS": f"a:{KEY}"}, "ENCRYPTION_KEY and ENCRYPTION_KEYS are both set"),
        ({"ENCRYPTION_KEY": "", "ENCRYPTION_KEYS": f"a:{KEY},a:{OTHER_KEY}"}, "ENCRYPTION_KEYS is wrong"),
        ({"ENCRYPTION_KEY": "", "ENCRYPTION_KEYS": KEY}, "ENCRYPTION_KEYS is wrong: it must be id:key"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL is wrong: it must be one of DEBUG"),
        ({"PORT": "70000"}, "PORT is wrong: it must be a port from 1 to 65535"),
        ({"PORT": "many"}, "PORT is wrong"),
        ({"WORKER_ID": "two words"}, "WORKER_ID is wrong"),
        ({"WORKER_MAX_SESSIONS": "0"}, "WORKER_MAX_SESSIONS is wrong"),
        ({"STATE_DIR": "here"}, "STATE_DIR is wrong: it must be an absolute path"),
        ({"ENGINE_COMMAND": "python 'unclosed"}, "ENGINE_COMMAND is wrong"),
        ({"ENGINE_COMMAND": "  "}, "ENGINE_COMMAND is wrong"),
        ({"LEASE_SECONDS": "2"}, "LEASE_SECONDS is wrong: it must be seconds from 3 to 60"),
        (
            {"HEARTBEAT_SECONDS": "7"},
            "LEASE_SECONDS is too short: it must be at least three times HEARTBEAT_SECONDS",
        ),
        ({"ENGINE_MEMORY_LIMIT_MB": "10"}, "ENGINE_MEMORY_LIMIT_MB is wrong"),
        ({"POLL_INTERVAL": "nan"}, "POLL_INTERVAL is wrong"),
        ({"QR_WINDOW": "-1"}, "QR_WINDOW is wrong"),
        ({"METRICS_KEY": "short"}, "METRICS_KEY is wrong: it must be a key of at least 32 characters"),
        ({"API_KEY": "short"}, "API_KEY is wrong: it must be keys of at least 32 characters"),
        ({"API_KEY": f"{API_KEY},{API_KEY}"}, "API_KEY is wrong"),
        ({"API_KEY": f"not-a-uuid:{API_KEY}"}, "API_KEY is wrong"),
        ({"ALLOWED_ORIGINS": "*"}, "ALLOWED_ORIGINS is wrong"),
        ({"ALLOWED_ORIGINS": "https://crm.example.com/"}, "ALLOWED_ORIGINS is wrong"),
        ({"ALLOWED_IPS": "203.0.113.7/24"}, "ALLOWED_IPS is wrong"),
        ({"TRUSTED_PROXIES": "the-proxy"}, "TRUSTED_PROXIES is wrong"),
        ({"REUSE_PORT": "perhaps"}, "REUSE_PORT is wrong"),
        ({"API_SENDS_PER_MINUTE": "-3"}, "API_SENDS_PER_MINUTE is wrong"),
        ({"HERALD_ENV_FILE": "/no/such/file"}, "HERALD_ENV_FILE names a file that can't be read"),
    ],
)
def test_a_wrong_setting_is_one_line_with_its_name_and_remedy_and_never_its_value(
    change: dict[str, str], line: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(ENVIRON | change)
    text = str(caught.value)
    assert text.startswith(line)
    assert "\n" not in text
    assert caught.value.__context__ is None
    assert not any(value and value in text for value in [*change.values(), *ENVIRON.values()])


def test_an_api_key_may_be_bound_to_an_organisation() -> None:
    organization = "7b0f3d1e-5f6c-4a52-9a0f-6f8f5f4f3e21"
    proxy, server = load_settings(ENVIRON | {"API_KEY": f"{API_KEY}, {organization}:other-{API_KEY}"}).api_keys()
    assert (proxy.organization, proxy.secret) == (None, API_KEY)
    assert (str(server.organization), server.secret) == (organization, f"other-{API_KEY}")
    assert API_KEY not in repr((proxy, server))


def test_no_secret_shows_in_a_repr() -> None:
    shown = repr(load_settings(ENVIRON)) + str(load_settings(ENVIRON).model_dump())
    assert "very" not in shown
    assert KEY not in shown


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load_settings(ENVIRON).port = 1  # type: ignore[misc]


def test_only_the_env_file_that_is_named_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("PORT=4000\nHOST=::1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "5000")
    assert load_settings(ENVIRON).port == 3000
    named = load_settings(ENVIRON | {"HERALD_ENV_FILE": str(tmp_path / ".env"), "PORT": "4001"})
    assert (named.port, named.host) == (4001, "::1")


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    assert load_settings().supabase_url == "https://abc.supabase.co"
