"""The SQLite inside the library's shared object, used to read a store that the library has open.

Python's sqlite3 is another copy of SQLite, and two copies in one process do not see each other's locks: POSIX
locks belong to the process, and closing a file drops them all (sqlite.org/howtocorrupt.html, 2.2.1). A read with
sqlite3 took a running transaction's journal for one that a crash had left, and rolled it back. One copy respects
its own locks.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from worker.engine.library import shared_object

_OK, _ROW, _DONE = 0, 100, 101
_READWRITE, _MEMORY, _FULLMUTEX = 0x2, 0x80, 0x10000
_FREE_ON_CLOSE, _RESIZEABLE = 1, 2
_TRANSIENT = ctypes.c_void_p(-1)  # SQLite copies what it is given

#: How long a query waits for a transaction of the library, milliseconds.
_BUSY_TIMEOUT = 5000

_so: Any = shared_object()
_pointer, _int, _bytes = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
for _name, _returns, _takes in (
    ("open_v2", _int, (_bytes, ctypes.POINTER(_pointer), _int, _bytes)),
    ("close_v2", _int, (_pointer,)),
    ("busy_timeout", _int, (_pointer, _int)),
    ("prepare_v2", _int, (_pointer, _bytes, _int, ctypes.POINTER(_pointer), _pointer)),
    ("bind_blob", _int, (_pointer, _int, _bytes, _int, _pointer)),
    ("bind_text", _int, (_pointer, _int, _bytes, _int, _pointer)),
    ("step", _int, (_pointer,)),
    ("finalize", _int, (_pointer,)),
    ("column_count", _int, (_pointer,)),
    ("column_text", _bytes, (_pointer, _int)),
    ("errmsg", _bytes, (_pointer,)),
    ("serialize", _pointer, (_pointer, _bytes, ctypes.POINTER(ctypes.c_int64), ctypes.c_uint)),
    ("deserialize", _int, (_pointer, _bytes, _pointer, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)),
    ("malloc64", _pointer, (ctypes.c_uint64,)),
    ("free", None, (_pointer,)),
):
    _function = getattr(_so, f"sqlite3_{_name}")
    _function.restype, _function.argtypes = _returns, _takes

Row = tuple[str | None, ...]


class SqliteError(Exception):
    """SQLite refused. The text contains no values."""


class Database:
    """An open database file."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def _check(self, code: int) -> None:
        if code != _OK:
            raise SqliteError(f"{code}: {_so.sqlite3_errmsg(self._handle).decode()}")

    def run(self, statement: str, *values: str | bytes) -> list[Row]:
        """Run one statement and return its rows, all columns as text."""
        prepared = _pointer()
        self._check(_so.sqlite3_prepare_v2(self._handle, statement.encode(), -1, ctypes.byref(prepared), None))
        try:
            for position, value in enumerate(values, 1):
                data = value if isinstance(value, bytes) else value.encode()
                bind = _so.sqlite3_bind_blob if isinstance(value, bytes) else _so.sqlite3_bind_text
                self._check(bind(prepared, position, data, len(data), _TRANSIENT))
            rows: list[Row] = []
            while (code := _so.sqlite3_step(prepared)) == _ROW:
                columns = range(_so.sqlite3_column_count(prepared))
                texts = [_so.sqlite3_column_text(prepared, column) for column in columns]
                rows.append(tuple(None if text is None else text.decode() for text in texts))
            if code != _DONE:
                self._check(code)
            return rows
        finally:
            _so.sqlite3_finalize(prepared)

    def copy(self) -> bytes:
        """Return the whole database as one consistent file, read under one lock."""
        self.run("begin")
        try:
            self.run("select count(*) from sqlite_master")  # takes the lock
            size = ctypes.c_int64()
            data = _so.sqlite3_serialize(self._handle, b"main", ctypes.byref(size), 0)
            if not data:
                raise SqliteError("the database could not be copied")
            try:
                return ctypes.string_at(data, size.value)
            finally:
                _so.sqlite3_free(data)
        finally:
            self.run("rollback")


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    """Open an existing database. Writable: what a killed engine left half-written must be rolled back."""
    handle = _pointer()
    code = _so.sqlite3_open_v2(str(path).encode(), ctypes.byref(handle), _READWRITE | _FULLMUTEX, None)
    try:
        if code != _OK:
            raise SqliteError(f"{code}: the database can't be opened")
        _so.sqlite3_busy_timeout(handle, _BUSY_TIMEOUT)
        yield Database(handle)
    finally:
        _so.sqlite3_close_v2(handle)


@contextmanager
def loaded(content: bytes) -> Iterator[Database]:
    """Open a database file's content in memory, to change and copy it. No file is touched."""
    handle = _pointer()
    code = _so.sqlite3_open_v2(b":memory:", ctypes.byref(handle), _READWRITE | _MEMORY | _FULLMUTEX, None)
    try:
        if code != _OK:
            raise SqliteError(f"{code}: no database in memory")
        data = _so.sqlite3_malloc64(len(content))
        if not data:
            raise SqliteError("no memory for a copy")
        ctypes.memmove(data, content, len(content))
        flags = _FREE_ON_CLOSE | _RESIZEABLE  # SQLite owns the data from here on, even if it refuses it
        code = _so.sqlite3_deserialize(handle, b"main", data, len(content), len(content), flags)
        if code != _OK:
            raise SqliteError(f"{code}: the copy can't be loaded")
        yield Database(handle)
    finally:
        _so.sqlite3_close_v2(handle)
