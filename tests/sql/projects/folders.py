"""Folders of migrations other than the repository's: an adapter that was edited, a project that is behind."""

from pathlib import Path

from localstack.layout import REPOSITORY
from localstack.migrations import MIGRATIONS

ADAPTER = "20261201000200_crm_adapter.sql"
KEPT = "-- == not to be edited"  #: from here on, an integrator leaves the adapter as it is


def up_to(folder: Path, last: str) -> Path:
    """The migrations up to the one of this name: what a project that is behind has applied."""
    files = sorted(MIGRATIONS.glob("*.sql"))
    (end,) = [number for number, file in enumerate(files, 1) if file.stem.partition("_")[2] == last]
    folder.mkdir()
    for file in files[:end]:
        (folder / file.name).symlink_to(file)
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
