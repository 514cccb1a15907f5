"""Apply supabase/migrations with the official CLI, as the role that a hosted project uses."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

from localstack.layout import REPOSITORY, LocalStackError
from localstack.process import die_with_parent

CLI = REPOSITORY / "node_modules/@supabase/cli-linux-x64/bin/supabase"
MIGRATIONS = REPOSITORY / "supabase/migrations"
FUNCTIONS = REPOSITORY / "supabase/functions"


def migrate(database_url: str, migrations: Path = MIGRATIONS) -> int:
    """Push what isn't applied yet; the number of migration files. Raises LocalStackError with the CLI's words."""
    files = sorted(migrations.glob("*.sql"))
    if not files:
        return 0
    if not CLI.is_file():
        raise LocalStackError(f"{CLI} is missing: run scripts/setup (or npm ci) first.")
    # The CLI keeps notes beside the migrations; a throw-away project directory keeps the repository clean.
    with tempfile.TemporaryDirectory(prefix="localstack-migrate-") as project:
        (Path(project) / "supabase").mkdir()
        (Path(project) / "supabase/migrations").symlink_to(migrations.resolve())
        result = subprocess.run(
            [CLI, "db", "push", f"--remote={database_url}", "--yes", "--agent=no", "--workdir", project],
            env={
                "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                "HOME": project,
                "DO_NOT_TRACK": "1",
                "SUPABASE_TELEMETRY_DISABLED": "1",
            },
            preexec_fn=die_with_parent(os.getpid(), signal.SIGKILL),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
    if result.returncode:
        words = result.stdout.replace(database_url, "<database>").strip()
        raise LocalStackError(f"The migrations failed:\n{words}")
    return len(files)
