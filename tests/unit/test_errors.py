"""The tree of errors in the docstring is the tree of the classes."""

import importlib
import pkgutil
import re

import worker
from worker import errors
from worker.errors import HeraldError

#: Not imported: they run.
PROGRAMS = {"worker.__main__", "worker.cli.__main__", "worker.engine.__main__"}


def drawn() -> set[tuple[str, str]]:
    """(parent, child) of each branch in the docstring."""
    found, above = set(), ["HeraldError"]
    for line in (errors.__doc__ or "").splitlines():
        if branch := re.match(r"^((?:│   |    )*)[├└]── (\w+)", line):
            depth = len(branch[1]) // 4 + 1
            above[depth:] = [branch[2]]
            found.add((above[depth - 1], branch[2]))
    return found


def raised() -> set[tuple[str, str]]:
    """(parent, child) of each class, wherever in the worker it stands."""
    for module in pkgutil.walk_packages(worker.__path__, "worker."):
        if module.name not in PROGRAMS and not module.name.startswith("worker.engine."):
            importlib.import_module(module.name)
    found, left = set(), [HeraldError]
    while left:
        parent = left.pop()
        children = [one for one in parent.__subclasses__() if one.__module__.startswith("worker.")]
        found |= {(parent.__name__, child.__name__) for child in children}
        left += children
    return found


def test_every_error_is_drawn_where_it_belongs() -> None:
    assert len(drawn()) > 10
    assert drawn() == raised()
