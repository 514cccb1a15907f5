"""Bytes on disk, each content once, under its SHA-256: no name that a client chose becomes a path."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from localstack.gateway.storage.problems import too_large


@dataclass(frozen=True, slots=True)
class Draft:
    """An upload's bytes before anybody allowed it."""

    path: Path
    sha256: str
    size: int


class Blobs:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        #: Keeps a removal from taking the bytes of an upload whose row isn't committed yet.
        self._changing = asyncio.Lock()

    def path(self, sha256: str) -> Path:
        return self._folder / sha256

    @asynccontextmanager
    async def draft(self, pieces: AsyncIterable[bytes], limit: int) -> AsyncIterator[Draft]:
        """Receive an upload. What `keep` doesn't take is gone afterwards. Raises when it is too large."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=".draft-")
        try:
            digest, size = hashlib.sha256(), 0
            with os.fdopen(descriptor, "wb") as file:
                async for piece in pieces:
                    size += len(piece)
                    if size > limit:
                        raise too_large()
                    digest.update(piece)
                    await asyncio.to_thread(file.write, piece)
            yield Draft(Path(name), digest.hexdigest(), size)
        finally:
            _remove(Path(name))

    @asynccontextmanager
    async def keep(self, draft: Draft) -> AsyncIterator[None]:
        """Around the transaction that writes the row: the bytes are there before anybody can see it."""
        async with self._changing:
            known = self.path(draft.sha256).exists()
            draft.path.replace(self.path(draft.sha256))
            try:
                yield
            except BaseException:
                if not known:
                    _remove(self.path(draft.sha256))
                raise

    async def forget(self, unused: Callable[[], Awaitable[list[str]]]) -> None:
        """Remove the bytes of contents that no row has any more, as `unused` finds them."""
        async with self._changing:
            for sha256 in await unused():
                _remove(self.path(sha256))


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
