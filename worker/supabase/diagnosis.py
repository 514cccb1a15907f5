"""What ``herald doctor`` asks the database."""

from typing import Any

from worker.supabase.client import Database


class Diagnosis:
    """Raises StoreError when Supabase is away, SettingsError when the key or the migrations are wrong."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def answer(self, old_seconds: float) -> dict[str, Any]:
        """Look at the database; its findings, facts, migrations, live workers and time.

        old_seconds: how long a transaction may be open.
        """
        return dict(await self._database.call("whatsapp_doctor", {"p_old_seconds": old_seconds}, attempts=2))

    async def change_canary(self) -> bool:
        """Change a row that Realtime must tell of; False: there is none yet, for no worker has ever started."""
        return bool(await self._database.call("whatsapp_doctor_canary", {}))
