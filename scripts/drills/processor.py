"""What a call costs: processor time of each program that takes part, whatever else the machine does."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from localstack.client import Stack

_TICKS = os.sysconf("SC_CLK_TCK")

#: Where utime, stime, cutime and cstime begin behind the name of the program in /proc/PID/stat.
_TIMES = 11


def processor_times(stack: Stack, worker: int) -> Mapping[str, float]:
    """Milliseconds that each program has had since its start; what makes the calls is this process.

    worker: its process id; its engines are not counted.
    """
    children = stack.state.children
    postmaster = children["postgres"].pid
    return {
        "worker": process_time(worker),
        "gateway": process_time(children["gateway"].pid),
        "PostgREST": process_time(children["postgrest"].pid),
        "Postgres": sum(map(process_time, _children(postmaster)), _ended(postmaster)),
        "what makes the calls": process_time(os.getpid()),
    }


def process_time(pid: int) -> float:
    """Milliseconds of processor time that a process has had since its start; 0 if it has ended."""
    utime, stime, *_ = _times(pid)
    return utime + stime


def _ended(pid: int) -> float:
    *_, cutime, cstime = _times(pid)
    return cutime + cstime


def _times(pid: int) -> list[float]:
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return [int(ticks) * 1000 / _TICKS for ticks in fields[_TIMES : _TIMES + 4]]
    return [0.0] * 4


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
