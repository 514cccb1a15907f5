"""What ``herald doctor`` asks the database."""

from typing import Any

from worker.supabase.client import Database


class Diagnosis:
    """Raises StoreError when Supabase is away, SettingsError when the key or the migrations are wrong."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def findings(self, expected: list[list[str]], old_seconds: float) -> dict[str, Any]:
        """Compare with the expected facts ([kind, name, value] each); findings, live workers and the database's time.

        old_seconds: how long a transaction may be open.
        """
        asked = {"p_expected": expected, "p_old_seconds": old_seconds}
        return dict(await self._database.call("whatsapp_doctor", asked, attempts=2))

    async def change_canary(self) -> bool:
        """Change a row that Realtime must tell of; False: there is none yet, for no worker has ever started."""
        return bool(await self._database.call("whatsapp_doctor_canary", {}))
