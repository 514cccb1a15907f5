"""Write what is generated from the migrations and from the worker's routes, or report that it is stale.

scripts/types                 write supabase/types/, docs/data-model.md, worker/doctor/schema.txt, the proxy's
                              allow-list and the route lists of docs/api.md and docs/functions.md
scripts/types --routes        write only what is generated from the routes: needs no database, takes a second
scripts/types --check         write nothing; fail with a diff if one of them is stale
scripts/types --check --advisors      also hear the advisors (what scripts/check runs)
"""

import argparse
import difflib
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from localstack.client import LocalStack
from localstack.layout import REPOSITORY, LocalStackError
from scripts.schema import types
from scripts.schema.advisors import advise, read_reasons
from scripts.schema.catalog import read_catalog
from scripts.schema.data_model import data_model
from scripts.schema.facts import schema_facts
from scripts.schema.routes import made_from_routes

REASONS = REPOSITORY / "supabase/advisors.txt"
SHOWN_LINES = 60  #: of a diff; the rest is counted


def made_from(database_url: str) -> dict[Path, str]:
    """Each file that is generated from the migrations, and its right content."""
    return {
        REPOSITORY / "supabase/types/database.ts": types.typescript(database_url),
        REPOSITORY / "docs/data-model.md": data_model(read_catalog(database_url)),
        REPOSITORY / "worker/doctor/schema.txt": schema_facts(database_url),
    }


def stale(files: Mapping[Path, str]) -> list[str]:
    """A diff for each file that is not as it should be."""
    diffs = []
    for file, wanted in files.items():
        present = file.read_text() if file.exists() else ""
        if present != wanted:
            lines = [
                *difflib.unified_diff(
                    present.splitlines(),
                    wanted.splitlines(),
                    f"{file.name}, committed",
                    "generated now",
                    "",
                    "",
                    1,
                    "",
                )
            ]
            more = [f"… and {len(lines) - SHOWN_LINES} lines more"] if len(lines) > SHOWN_LINES else []
            diffs.append("\n".join([*lines[:SHOWN_LINES], *more]))
    return diffs


def _made_on_a_stack(complaints: list[str] | None) -> dict[Path, str]:
    """Start a fresh stack and generate from it. complaints: takes what the advisors object to; None skips them."""
    with (
        tempfile.TemporaryDirectory(prefix="herald-types-") as folder,
        LocalStack.start(folder) as stack,
    ):
        if complaints is not None:
            complaints += advise(stack.database_url, read_reasons(REASONS))
        return made_from(stack.database_url)


def main() -> int:
    """0: all is written, or as it should be. 1: something is stale or the advisors object."""
    parser = argparse.ArgumentParser(
        "scripts/types", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail with a diff if something is stale"
    )
    parser.add_argument(
        "--advisors", action="store_true", help=f"also compare with {REASONS.relative_to(REPOSITORY)}"
    )
    parser.add_argument("--routes", action="store_true", help="only what is generated from the worker's routes")
    options = parser.parse_args()
    wrong: list[str] = []
    try:
        files = made_from_routes()
        if not options.routes:
            files |= _made_on_a_stack(wrong if options.advisors else None)
    except (LocalStackError, ValueError) as error:
        print(f"types: {error}", file=sys.stderr)
        return 1
    diffs = stale(files)
    if options.check:
        wrong += [f"stale, run scripts/types and commit what it writes:\n{diff}" for diff in diffs]
    else:
        for file, wanted in files.items():
            file.parent.mkdir(exist_ok=True)
            file.write_text(wanted)
        print(f"types: {len(diffs)} of {len(files)} files changed", file=sys.stderr)
    for words in wrong:
        print(f"types: {words}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
