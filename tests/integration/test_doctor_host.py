"""The doctor finds what is wrong with the settings, the machine and the way to Supabase and WhatsApp."""

import asyncio
import base64
import json
import resource
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import jwt
import pytest

from localstack.client import LocalStack
from localstack.layout import REPOSITORY
from tests.kit.database import Db, Organisation, Run
from tests.kit.doctor import Project, examine, herald, herald_json, told
from tests.kit.worker_process import free_port
from worker.settings import load_settings
from worker.vault.keyring import Keyring, Place

#: Makes a mount namespace of its own, where /proc/swaps and mounts are what the test says.
APART = ("unshare", "--map-root-user", "--mount", "sh", "-c")
SECRET_ROLE = "this-is-for-tests-only-and-signs-nothing-real"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = Path(tempfile.mkdtemp(prefix="herald-doctor-", dir="/dev/shm"))
    with LocalStack.start(tmp_path_factory.mktemp("doctor") / "stack") as stack:
        yield Project(stack, folder / "state").complete()
    shutil.rmtree(folder)


@pytest.fixture
def environment(project: Project) -> Iterator[dict[str, str]]:
    """A worker's environment in which nothing is wrong yet; its state folder is there, and private."""
    project.state_dir.mkdir(mode=0o700)
    yield dict(project.environment)
    shutil.rmtree(project.state_dir)


def legacy_key(role: str, seconds: int) -> str:
    return jwt.encode({"role": role, "exp": int(time.time()) + seconds}, SECRET_ROLE, "HS256")


async def test_nothing_is_found_where_all_is_well(environment: dict[str, str]) -> None:
    code, answer = await herald_json(environment, "doctor", "--skip", "outbound")
    assert (code, answer["ok"], answer["findings"]) == (0, True, [])
    assert set(answer["looks"].values()) == {"ok"}


@pytest.mark.parametrize(
    ("name", "value", "what", "fix"),
    [
        ("SUPABASE_URL", "", "is missing", "docs/settings.md"),
        ("SUPABASE_URL", "http://clay.example", "unencrypted", "https://clay.example"),
        ("SUPABASE_SERVICE_KEY", "sb_publishable_" + "x" * 31, "publishable", "secret key"),
        ("SUPABASE_SERVICE_KEY", legacy_key("anon", 3600), "of the role anon", "secret key"),
        ("SUPABASE_SERVICE_KEY", legacy_key("service_role", -60), "has expired", "secret key"),
        ("ENCRYPTION_KEY", "bm90IGEga2V5", "is wrong", "docs/settings.md"),
        ("ENCRYPTION_KEY", base64.b64encode(b"correct horse battery staple 123").decode(), "guessed", "keys new"),
        ("ENCRYPTION_KEY", base64.b64encode(bytes(32)).decode(), "guessed", "keys new"),
        ("API_KEY", "a" * 40, "guessed", "openssl rand"),
        ("PORT", "http", "is wrong", "docs/settings.md"),
        ("STATE_DIR", "state", "is wrong", "docs/settings.md"),
        ("LEASE_SECONDS", "6", "at least three times", "docs/settings.md"),
    ],
)
async def test_a_wrong_setting_is_found(
    environment: dict[str, str], name: str, value: str, what: str, fix: str
) -> None:
    code, answer = await herald_json({**environment, name: value}, "doctor", "--only", "settings")
    [found] = [one for one in answer["findings"] if what in one["what"]]
    assert (code, found["topic"], found["severity"]) == (2, name, "error")
    assert fix in found["fix"]
    assert not value or value not in json.dumps(answer)


async def test_every_wrong_setting_is_told_at_once(environment: dict[str, str]) -> None:
    found = await examine({**environment, "SUPABASE_URL": "", "PORT": "0", "API_KEY": "short"}, only=["settings"])
    assert {one.topic for one in found} == {"SUPABASE_URL", "PORT", "API_KEY"}, told(found)


async def test_a_secret_that_serves_twice_is_found(environment: dict[str, str]) -> None:
    found = await examine({**environment, "API_KEY": environment["SUPABASE_SERVICE_KEY"]}, only=["settings"])
    assert ["another secret" in one.what for one in found] == [True], told(found)


async def test_a_settings_file_that_others_read_and_a_slip_in_it_are_found(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "herald.env"
    file.write_text("WORKER_MAX_SESSION=5\nVPS_URL=https://clay.example\n")
    found = await examine({**environment, "HERALD_ENV_FILE": str(file)}, only=["settings"])
    assert [one.fix for one in found] == [f"chmod 600 {file}", "Did you mean WORKER_MAX_SESSIONS?"], told(found)
    file.chmod(0o600)
    file.write_text("")
    assert await examine({**environment, "HERALD_ENV_FILE": str(file)}, only=["settings"]) == []


async def test_a_state_folder_on_a_disk_is_found(environment: dict[str, str]) -> None:
    found = await examine({**environment, "STATE_DIR": str(REPOSITORY / "state")}, only=["state-folder"])
    assert ["is on a disk" in one.what for one in found] == [True], told(found)
    assert found[0].fix.startswith("STATE_DIR=/dev/shm/")


async def test_a_state_folder_that_others_may_look_into_is_found(environment: dict[str, str]) -> None:
    Path(environment["STATE_DIR"]).chmod(0o755)
    [found] = await examine(environment, only=["state-folder"])
    assert found.fix == f"chmod 700 {environment['STATE_DIR']}"
    await asyncio.to_thread(subprocess.run, found.fix.split(), check=True)
    assert await examine(environment, only=["state-folder"]) == []


async def test_swap_under_the_state_folder_is_found(environment: dict[str, str], tmp_path: Path) -> None:
    swaps = tmp_path / "swaps"
    swaps.write_text("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/vda2  partition\t2097148\t0\t-2\n")
    planted = (*APART, f'mount --bind {swaps} /proc/swaps && exec "$@"', "sh")
    code, answer = await herald_json(environment, "doctor", "--only", "state-folder", before=planted)
    [found] = answer["findings"]
    assert (code, found["topic"]) == (1, "STATE_DIR")
    assert "Swap is on (/dev/vda2)" in found["what"]
    assert found["fix"].startswith("sudo swapoff /dev/vda2")
    swaps.write_text(swaps.read_text().splitlines()[0])
    assert (await herald_json(environment, "doctor", "--only", "state-folder", before=planted))[0] == 0


async def test_a_state_folder_without_room_is_found(environment: dict[str, str]) -> None:
    folder = environment["STATE_DIR"]
    planted = (*APART, f'mount -t tmpfs -o size=64m,mode=700 tmpfs {folder} && exec "$@"', "sh")
    _, answer = await herald_json(environment, "doctor", "--only", "state-folder", before=planted)
    [found] = answer["findings"]
    assert found["what"] == "64 MiB are free, 100 accounts need 200."
    assert found["fix"].startswith(f"WORKER_MAX_SESSIONS=32  # or: sudo mount -o remount,size=200m {folder}")
    enough = {**environment, "WORKER_MAX_SESSIONS": "32"}
    assert (await herald_json(enough, "doctor", "--only", "state-folder", before=planted))[0] == 0


async def test_a_low_limit_of_open_files_is_found(environment: dict[str, str]) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    planted = ("sh", "-c", 'ulimit -Sn 512 && exec "$@"', "sh")
    _, answer = await herald_json(environment, "doctor", "--only", "open-files", before=planted)
    [found] = answer["findings"]
    assert "512 files" in found["what"]
    assert found["fix"].startswith("ulimit -n 1018" if hard >= 1018 else "LimitNOFILE")


async def test_a_port_in_use_is_found(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(environment["PORT"]))):
        [found] = await examine(environment, only=["port"])
    assert found.topic == "PORT"
    assert environment["PORT"] in found.fix
    assert await examine(environment, only=["port"]) == []


@pytest.mark.parametrize("command", ["/no/such/engine", f"{sys.executable} -c pass"])
async def test_an_engine_that_does_not_start_is_found(environment: dict[str, str], command: str) -> None:
    [found] = await examine({**environment, "ENGINE_COMMAND": command}, only=["engine"])
    assert (found.topic, found.fix.startswith(command)) == ("ENGINE_COMMAND", True)


async def test_a_worker_of_the_same_name_elsewhere_is_found(project: Project, environment: dict[str, str]) -> None:
    with Db.connect(project.stack.database_url, autocommit=True) as db:
        Run(db, environment["WORKER_ID"])
        [found] = await examine(environment, only=["worker-id"])
        db.run("delete from herald.workers")
    assert (found.topic, found.fix.split()[0]) == ("WORKER_ID", "WORKER_ID=clay-1-2")


async def test_a_key_of_another_project_and_the_wrong_kind_of_key_are_found(
    project: Project, environment: dict[str, str]
) -> None:
    for key, words in (
        ("sb_secret_" + secrets.token_hex(16), "efused by Supabase"),
        (project.stack.publishable_key, "ot a secret key"),
    ):
        found = (await examine({**environment, "SUPABASE_SERVICE_KEY": key}, only=["database"]))[-1]
        assert (found.topic, words in found.what) == ("SUPABASE_SERVICE_KEY", True), told([found])
        assert "API keys" in found.fix


async def test_a_supabase_that_is_away_is_found_and_the_rest_is_looked_at(environment: dict[str, str]) -> None:
    away = {**environment, "SUPABASE_URL": f"http://127.0.0.1:{free_port()}"}
    code, answer = await herald_json(away, "doctor", "--skip", "outbound")
    assert (code, answer["looks"]["database"], answer["looks"]["records"]) == (1, "error", "skipped")
    assert {one["topic"] for one in answer["findings"]} == {"SUPABASE_URL", "auth", "storage", "functions"}


async def test_a_wrong_clock_is_found(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import time\nreal = time.time\ntime.time = lambda: real() + 90\n")
    off = {**environment, "PYTHONPATH": f"{tmp_path}:{REPOSITORY}"}
    _, answer = await herald_json(off, "doctor", "--only", "database", before=("env",))  # not a fork of ours
    [found] = answer["findings"]
    assert found["what"].startswith("This machine's clock is 90 s ahead of the database's")
    assert "timedatectl" in found["fix"]


async def test_a_realtime_that_takes_no_subscription_is_found(
    project: Project, environment: dict[str, str]
) -> None:
    async with httpx.AsyncClient(base_url=project.stack.url, headers={"apikey": project.stack.secret_key}) as http:
        await http.post("/localstack/realtime", json={"mode": "cut"})
        found = await examine(environment, only=["realtime"])
        await http.post("/localstack/realtime", json={"mode": "on"})
    assert [(one.topic, "enable it" in one.fix) for one in found] == [("realtime", True)]
    assert await examine(environment, only=["realtime"]) == []


async def test_a_realtime_that_tells_of_nothing_is_found(project: Project, environment: dict[str, str]) -> None:
    with Db.connect(project.stack.database_url, autocommit=True) as db:
        run = Run(db, "clay-2")
        db.call("whatsapp_realtime_canary", p_run=run.id)
        assert await examine(environment, only=["realtime"]) == []
        db.run("revoke select on herald.realtime_canaries from service_role")
        found = await examine(environment, only=["realtime"])
        db.run("grant select on herald.realtime_canaries to service_role")
        db.run("delete from herald.workers")
    assert "reports no change" in told([one for one in found if one.topic == "realtime"])


async def test_a_function_without_its_secret_is_found(project: Project, environment: dict[str, str]) -> None:
    assert await examine(environment, only=["functions"]) == []
    project.stack.set_function_secrets(VPS_URL="https://clay.example")
    found = await examine(environment, only=["functions"])
    project.complete_functions()
    assert {one.what for one in found} == {
        "process-whatsapp-queue: CRON_SECRET is not set.",
        "session-cleanup: CRON_SECRET is not set.",
    }, told(found)
    assert all(" CRON_SECRET=…" in one.fix for one in found)


async def test_a_function_that_is_not_deployed_is_found(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "supabase/functions", tmp_path / "functions")
    shutil.rmtree(tmp_path / "functions/queue-whatsapp")
    with LocalStack.start(tmp_path / "stack", functions=tmp_path / "functions") as stack:
        partial = Project(stack, tmp_path).complete()
        found = await partial.ills("functions")
    assert [(one.severity, one.what) for one in found] == [("warning", "queue-whatsapp is not deployed.")]
    assert found[0].fix.startswith("supabase functions deploy queue-whatsapp")


async def test_functions_of_which_none_is_deployed_are_optional(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "supabase/functions", tmp_path / "functions")
    for folder in (tmp_path / "functions").iterdir():
        if (folder / "index.ts").exists():
            shutil.rmtree(folder)
    with LocalStack.start(tmp_path / "stack", functions=tmp_path / "functions") as stack:
        found = await Project(stack, tmp_path).ills("functions")
    assert [one.severity for one in found] == ["optional", "optional"], told(found)
    assert found[1].fix == "docs/functions.md says how to deploy them."


@pytest.fixture
def sealed(project: Project, environment: dict[str, str]) -> Iterator[str]:
    """An account whose state is sealed with the environment's key; its id."""
    with Db.connect(project.stack.database_url, autocommit=True) as db:
        org = Organisation(db)
        run = Run(db, environment["WORKER_ID"]).connect(org.session)
        place = Place(organization=org.id, session=org.session, generation=1, incarnation=org.group, clean=True)
        secret = base64.b64decode(db.call("whatsapp_credentials_secret", **run.fence(org.session)))
        record = Keyring.from_settings(load_settings(environment)).seal(b"state", place, secret)
        facts = {"p_generation": 1, "p_sealed": base64.b64encode(record).decode(), "p_key_id": "default"}
        facts |= {"p_incarnation": place.incarnation, "p_clean": True}
        db.call("whatsapp_credentials_write", **run.fence(org.session), **facts)
        yield str(org.session)
        db.run("delete from public.organizations")
        db.run("delete from herald.workers")


async def test_a_key_that_opens_nothing_is_found(environment: dict[str, str], sealed: str) -> None:
    assert await examine(environment, only=["records"]) == []
    other = base64.b64encode(secrets.token_bytes(32)).decode()
    [found] = await examine({**environment, "ENCRYPTION_KEY": other}, only=["records"])
    assert (found.topic, sealed in found.what) == ("ENCRYPTION_KEY", True)
    assert found.fix.startswith("herald keys status --check")


async def test_a_key_that_is_missing_is_named(environment: dict[str, str], sealed: str) -> None:  # noqa: ARG001
    keys = f"2027:{base64.b64encode(secrets.token_bytes(32)).decode()}"
    [found] = await examine({**environment, "ENCRYPTION_KEY": "", "ENCRYPTION_KEYS": keys}, only=["records"])
    assert (found.topic, found.fix) == ("ENCRYPTION_KEYS", "Put it back into ENCRYPTION_KEYS: default:…")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Of localhost, signed by nobody; the certificate and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost")
    made = ("openssl", "req", *kind, "-keyout", str(key), "-out", str(cert))
    subprocess.run(made, check=True, capture_output=True)
    return cert, key


@pytest.fixture
async def eavesdropper(certificate: tuple[Path, Path]) -> AsyncIterator[str]:
    """A TLS server that is not whom it is taken for; host:port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"localhost:{server.sockets[0].getsockname()[1]}"


async def test_hosts_that_are_away_or_another_are_found(environment: dict[str, str], eavesdropper: str) -> None:
    closed = f"127.0.0.1:{free_port()}"
    away, other = await examine(environment, only=["outbound"], hosts=[closed, eavesdropper])
    assert (closed in away.what, "firewall" in away.fix) == (True, True)
    assert ("somebody reads the traffic" in other.what, eavesdropper in other.fix) == (True, True)


async def test_the_output_is_for_people_and_holds_no_secret(environment: dict[str, str]) -> None:
    code, output = await herald(
        {**environment, "API_KEY": "e" * 33, "STATE_DIR": str(REPOSITORY / "state"), "ENCRYPTION_KEYS": ""},
        *("doctor", "--skip", "outbound"),
    )
    assert code == 2
    assert "API_KEY: Key 1 is a pattern, not random" in output
    assert "→ STATE_DIR=/dev/shm/herald" in output
    assert "2 errors. Fix them, then run herald doctor again." in output
    secrets_of = ("SUPABASE_SERVICE_KEY", "ENCRYPTION_KEY")
    assert not [name for name in secrets_of if environment[name] in output]
    assert "e" * 33 not in output


async def test_a_look_that_does_not_exist_is_refused(environment: dict[str, str]) -> None:
    code, output = await herald(environment, "doctor", "--only", "stars")
    assert (code, output.startswith("herald: doctor has no look called 'stars': settings, state-folder")) == (
        2,
        True,
    )
