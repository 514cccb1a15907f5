"""Folders of migrations other than the repository's: an adapter that was edited, a project of before."""

import hashlib
from pathlib import Path

from localstack.layout import REPOSITORY
from localstack.migrations import MIGRATIONS

HERE = Path(__file__).parent
ADAPTER = "20261121000200_crm_adapter.sql"
KEPT = "-- == not to be edited"  #: from here on, an integrator leaves the adapter as it is

#: The first version as projects have it, by the beginning of each file's SHA-256. What is applied is never edited:
#: a change comes as a new migration. The second file is the exception; it lies here as it was.
FIRST_VERSION = {
    "20261120000100_crm_baseline.sql": "dc9b3a3fbb10c043",
    "20261120000200_crm_adapter.sql": "00ec40e39585dfc2",
    "20261120000300_sessions.sql": "1ba5e8b1a6bbbba3",
    "20261120000400_queue.sql": "c56cc77f8cb1ddb3",
    "20261120000500_commands.sql": "ea193921f3e51b09",
    "20261120000600_worker_sessions.sql": "93adf109f56ad304",
    "20261120000700_worker_receipts.sql": "962cbdb54853c860",
    "20261120000800_worker_queue.sql": "f50c928340f0919c",
    "20261120000900_worker_recovery.sql": "b1ffac00b3375c68",
}


def first_version(folder: Path) -> Path:
    """The migrations that the first version consisted of."""
    folder.mkdir()
    for name, digest in FIRST_VERSION.items():
        kept = HERE / name
        source = kept if kept.exists() else MIGRATIONS / name
        found = hashlib.sha256(source.read_bytes()).hexdigest()
        if not found.startswith(digest):
            raise AssertionError(f"{source} was edited after projects have applied it; add a migration instead.")
        (folder / name).symlink_to(source)
    return folder


def with_adapter(folder: Path, bodies: str) -> Path:
    """The repository's migrations, the adapter edited as the docs say."""
    folder.mkdir()
    for source in MIGRATIONS.glob("*.sql"):
        (folder / source.name).symlink_to(source)
    shipped = (MIGRATIONS / ADAPTER).read_text()
    (folder / ADAPTER).unlink()
    (folder / ADAPTER).write_text(bodies + shipped[shipped.index(KEPT) :])
    return folder


def documented_adapter() -> str:
    """The example of docs/connect-a-crm.md, so that what the docs say is what is tested."""
    page = (REPOSITORY / "docs/connect-a-crm.md").read_text()
    return page.split("```sql\n")[1].split("```")[0]


def documented_trigger() -> str:
    """The page's other example: dates that stand in another table."""
    page = (REPOSITORY / "docs/connect-a-crm.md").read_text()
    return page.split("```sql\n")[2].split("```")[0]
