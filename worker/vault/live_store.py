"""The live store of a session: plaintext on tmpfs only, sealed snapshots in the database.

An incarnation is one life of a live store, a uuid in the file ``incarnation`` beside it. Snapshots name the one
that they were taken from, so that a later holder knows whether the files that it finds are the newest there are.
"""

import hashlib
import shutil
import time
from pathlib import Path
from uuid import UUID, uuid4

import structlog

from worker.errors import CredentialsError
from worker.ports import Credentials, Sealed
from worker.providers.web.ports import Copies
from worker.session import Held
from worker.vault.keyring import Keyring, Place

log = structlog.get_logger()

#: How old the newest snapshot of an account at work may become while only such things change as it learns anew by
#: itself, seconds: names, numbers, secrets of its messages.
LONGEST_UNSEALED = 3600.0


class LiveStore:
    """Prepares, snapshots and removes one session's store. ``folder`` is STATE_DIR/SESSION, mode 0700."""

    def __init__(
        self, held: Held, folder: Path, credentials: Credentials, copies: Copies, keyring: Keyring
    ) -> None:
        self.held = held
        self.folder = folder
        self._credentials = credentials
        self._copies = copies
        self._keyring = keyring
        self._secret = b""
        self._generation = 0
        self._fingerprint = ""
        self._digest = b""
        self._sealed_at = 0.0  #: monotonic
        self.incarnation = UUID(int=0)

    @property
    def linked(self) -> bool:
        """Whether it holds a device that was linked: only then is it worth a snapshot."""
        return self._generation > 0

    @property
    def path(self) -> Path:
        """The SQLite database that the engine works on."""
        return self.folder / "store.db"

    async def prepare(self) -> None:
        """Put the newest store in place and name its incarnation.

        A live store that the newest snapshot was taken from is newer than the snapshot and is kept. Otherwise the
        snapshot is restored; unless it was taken at a graceful stop and is still the newest, its ratchets are
        stale and are forgotten. Raises CredentialsError if the snapshot does not open, also where it is not
        needed: nothing else proves the incarnation beside it.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._secret = await self._organization_secret()
        sealed = await self._credentials.read(self.held)
        plaintext = self._open(sealed) if sealed else None
        self._generation = sealed.generation if sealed else 0
        ours = self._incarnation_on_disk()
        kept = ours is not None and self.path.exists() and (sealed is None or sealed.incarnation == ours)
        if kept and ours:
            self.incarnation = ours
        else:
            await self._restore(sealed, plaintext)
        if sealed and (sealed.clean or not kept):
            # From now on a snapshot is only good for the incarnation that is about to change it.
            await self.snapshot(clean=False, force=True)
        await self._credentials.attach(self.held, self.incarnation)

    async def _organization_secret(self) -> bytes:
        secret = await self._credentials.organization_secret(self.held)
        if secret is None:
            raise CredentialsError(
                "The database's Vault has lost the secret that this organisation's credentials are sealed with: "
                "restore it with the database, or unlink all of the organisation's phones and scan again."
            )
        return secret

    def _open(self, sealed: Sealed) -> bytes:
        place = self._place(sealed.generation, sealed.incarnation, clean=sealed.clean)
        return self._keyring.open(sealed.record, place, self._secret)

    def _place(self, generation: int, incarnation: UUID, *, clean: bool) -> Place:
        return Place(
            organization=self.held.organization_id,
            session=self.held.session_id,
            generation=generation,
            incarnation=incarnation,
            clean=clean,
        )

    async def _restore(self, sealed: Sealed | None, plaintext: bytes | None) -> None:
        for leftover in [*self.folder.glob("store.db*"), self.folder / "incarnation"]:  # the journal stays
            leftover.unlink(missing_ok=True)
        self.incarnation = uuid4()
        if sealed and plaintext is not None:
            self.path.touch(mode=0o600)
            self.path.write_bytes(plaintext)
            if not sealed.fresh:
                await self._copies.forget_ratchets(self.held.session_id)
            log.info(
                "store_restored", session_id=str(self.held.session_id), kind="fresh" if sealed.fresh else "stale"
            )
        (self.folder / "incarnation").write_text(str(self.incarnation))

    async def snapshot(self, *, clean: bool, force: bool = False) -> bool:
        """Seal the store and write its next generation if that is worth it; whether it was written.

        clean: nothing is sent any more; only then do ratchets go with it.
        """
        fingerprint = await self._copies.fingerprint(self.held.session_id)
        changed = fingerprint != self._fingerprint or clean or force
        if not changed and time.monotonic() - self._sealed_at < LONGEST_UNSEALED:
            return False
        plaintext = await self._copies.snapshot(self.held.session_id, ratchets=clean)
        digest = hashlib.sha256(plaintext).digest()
        written = changed or digest != self._digest
        if written:
            await self._write(plaintext, clean=clean)
        self._fingerprint, self._digest, self._sealed_at = fingerprint, digest, time.monotonic()
        return written

    async def _write(self, plaintext: bytes, *, clean: bool) -> None:
        generation = self._generation + 1
        place = self._place(generation, self.incarnation, clean=clean)
        record = self._keyring.seal(plaintext, place, self._secret)
        await self._credentials.write(
            self.held,
            Sealed(
                generation=generation,
                record=record,
                key_id=self._keyring.active,
                incarnation=self.incarnation,
                clean=clean,
            ),
        )
        self._generation = generation

    async def forget(self) -> None:
        """The device is unlinked: remove its state here and in the database."""
        self.wipe()
        await self._credentials.forget(self.held)

    def wipe(self) -> None:
        """Remove the files; the provider must have closed the session."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _incarnation_on_disk(self) -> UUID | None:
        try:
            return UUID((self.folder / "incarnation").read_text())
        except (OSError, ValueError):
            return None
