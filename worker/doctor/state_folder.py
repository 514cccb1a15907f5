"""STATE_DIR contains plaintext, so it must be the worker's alone, in memory, not swapped, and large enough."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from worker.doctor.finding import Case, Finding, error
from worker.settings import Settings

#: File systems in memory: nothing written there reaches a disk, unless it is swapped out.
_IN_MEMORY = {"tmpfs", "ramfs"}

#: A live store with its write-ahead log, bytes.
STORE_BYTES = 2 * 1024 * 1024


def look(case: Case) -> Iterator[Finding]:
    """Check its owner, who can read it, its file system and its free space."""
    folder = case.set.state_dir
    there = folder
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        yield error("STATE_DIR", f"{there} is not a folder.", "Name a folder under /dev/shm in STATE_DIR.")
        return
    facts = there.stat()
    if there == folder and facts.st_uid != os.geteuid():
        yield error("STATE_DIR", f"{folder} belongs to another user.", f"sudo chown $(id -un) {folder}")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield error("STATE_DIR", f"The worker can't write to {there}.", f"sudo chown $(id -un) {there}")
    if there == folder and facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield error("STATE_DIR", f"Other users of this machine can read {folder}.", f"chmod 700 {folder}")
    _, kind, options = _mount(there)
    if kind not in _IN_MEMORY:
        yield error(
            "STATE_DIR",
            f"{folder} is on a disk ({kind}): the accounts' keys would be written there in the clear.",
            "STATE_DIR=/dev/shm/herald",
        )
    elif kind == "tmpfs" and "noswap" not in options and (areas := _plain_swap()):
        yield error(
            "STATE_DIR",
            f"Swap is on ({', '.join(areas)}): the accounts' keys can be written to that disk in the clear.",
            f"sudo swapoff {' '.join(areas)}  # and remove it from /etc/fstab; or mount a tmpfs with noswap there",
        )
    yield from _room(case.set, there)


def _room(settings: Settings, there: Path) -> Iterator[Finding]:
    sizes = os.statvfs(there)
    own = sum(file.stat().st_size for file in settings.state_dir.rglob("*") if file.is_file())
    room, needed = sizes.f_bavail * sizes.f_frsize + own, settings.worker_max_sessions * STORE_BYTES
    if room < needed:
        fit = max(room // STORE_BYTES, 1)
        yield error(
            "STATE_DIR",
            f"{room // 2**20} MiB are free, {settings.worker_max_sessions} accounts need {needed // 2**20}.",
            f"WORKER_MAX_SESSIONS={fit}  # or: sudo mount -o remount,size={needed // 2**20}m {_mount(there)[0]};"
            " Docker: --shm-size",
        )


def _mounts() -> Iterator[tuple[Path, str, set[str]]]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, _, options) = before.split(" "), after.split(" ")[:3]
        point = fields[4].encode().decode("unicode_escape").encode("latin-1").decode()
        yield Path(point), kind, {*fields[5].split(","), *options.split(",")}


def _mount(path: Path) -> tuple[Path, str, set[str]]:
    path = path.resolve()
    under = [mount for mount in _mounts() if path.is_relative_to(mount[0])]
    return max(
        reversed(under), key=lambda mount: len(mount[0].parts)
    )  # of mounts on one point, the last is visible


def _plain_swap() -> list[str]:
    """Swap areas on a disk that this process can be swapped to and that are not encrypted."""
    lines = Path("/proc/swaps").read_text().splitlines()[1:]
    areas = [line.split()[0] for line in lines if line.strip()]
    if areas and _swap_forbidden():
        return []
    return [area for area in areas if not _encrypted(Path(area)) and not area.startswith("/dev/zram")]


def _swap_forbidden() -> bool:
    """Whether this process's control group forbids swapping."""
    try:
        group = Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2].lstrip("/")
        return any(
            (folder / "memory.swap.max").read_text().strip() == "0"
            for folder in [Path("/sys/fs/cgroup") / group, *(Path("/sys/fs/cgroup") / group).parents]
            if (folder / "memory.swap.max").exists()
        )
    except OSError:
        return False


def _encrypted(area: Path) -> bool:
    kind = Path("/sys/class/block") / area.resolve().name / "dm/uuid"
    return kind.exists() and kind.read_text().startswith("CRYPT-")
