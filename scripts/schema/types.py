"""TypeScript types of the public schema: the Supabase CLI generates them, and this module makes them diffable."""

import os
import re
import subprocess

from localstack.layout import LocalStackError
from localstack.migrations import CLI

_MADE = "Generated from supabase/migrations by scripts/types (supabase gen types); don't edit."


def supabase(*arguments: str, database_url: str) -> str:
    """What the CLI prints about this database. Raises LocalStackError with its words."""
    result = subprocess.run(
        [CLI, *arguments, f"--remote={database_url}", "--yes", "--agent=no"],
        # Without PGSSLMODE the CLI prints a warning about the local database into its own output.
        env={**os.environ, "PGSSLMODE": "disable", "DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if result.returncode:
        words = (result.stdout + result.stderr).replace(database_url, "<database>").strip()
        raise LocalStackError(f"supabase {' '.join(arguments)} failed:\n{words}")
    return result.stdout


def typescript(database_url: str) -> str:
    """The types that supabase-js takes: ``createClient<Database>(…)``."""
    generated = supabase("gen", "types", "typescript", "--schema", "public", database_url=database_url)
    return f"// {_MADE}\n// deno-fmt-ignore-file\n{tidy_typescript(generated)}"


def tidy_typescript(generated: str) -> str:
    """One column, argument list or relation's field a line, indented by depth: a diff shows what changed."""
    text = re.sub(r'":\n\s*\{', '": {', generated)
    lines: list[str] = []
    depth = 0
    for line in _one_column_a_line(text):
        opening = sum(line.count(bracket) for bracket in "{[(<")
        closing = sum(line.count(bracket) for bracket in "}])>") - line.count("=>")
        before = depth - (len(line) - len(line.lstrip("}])>")))
        lines.append("  " * before + line)
        depth += opening - closing
    return "\n".join(lines) + "\n"


def _one_column_a_line(text: str) -> list[str]:
    lines: list[str] = []
    for line in text.splitlines():
        whole = line.strip()
        if not whole:
            continue
        if whole.startswith('"') and ": {" not in whole:
            lines += [part.strip() for part in re.sub(r',(?=")', ",\n", whole).splitlines()]
        else:
            lines += [part.strip() for part in re.sub(r'^},(?=["{])', "},\n", whole).splitlines()]
    return [re.sub(r',(?=")', ", ", line) for line in lines]
