"""``python -m tests.kit.fork_server FD``: import the worker once, then fork a process for each request.

Importing the worker costs 0.8 s of processor time, and the tests start it and its commands about two hundred times.
The fork then runs the module as ``python -m`` does: with its own environment, folder, files and exit code.
Requests come over the Unix socket FD, one answer each, in JSON (see tests/kit/forked.py).
"""

import array
import json
import os
import runpy
import signal
import socket
import sys
from typing import Any

import worker.cli
import worker.daemon  # noqa: F401 - this and the line above are what the forks need not import again
from simulator.process import die_with_parent

#: A request is shorter, bytes: an environment and some arguments.
MAX_REQUEST = 1 << 20


def receive(requests: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next request and its file descriptors; None once the tests have ended."""
    fds = array.array("i")
    data, found, _, _ = requests.recvmsg(MAX_REQUEST, socket.CMSG_SPACE(3 * fds.itemsize))
    for _, _, payload in found:
        fds.frombytes(payload)
    return (json.loads(data), list(fds)) if data else None


def become(request: dict[str, Any], fds: list[int]) -> None:
    """Turn this fork into the process that was asked for."""
    for target, fd in enumerate(fds):
        os.dup2(fd, target)
        os.close(fd)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[1:] = request["arguments"]


def serve(requests: socket.socket) -> dict[str, Any] | None:
    """Answer requests. Returns in each fork, with its request; in the server None, at the end."""
    while received := receive(requests):
        request, fds = received
        if "exited" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["exited"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                requests.close()
                die_with_parent()
                become(request, fds)
                return request
            for fd in fds:
                os.close(fd)
        requests.send(json.dumps(answer).encode())
    return None


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then close the socket
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
