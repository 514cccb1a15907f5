"""The generated types as a developer meets them."""

import subprocess
import sys
from pathlib import Path

import pytest

from localstack.layout import REPOSITORY
from scripts.schema.types import tidy_typescript

GENERATED = """

export type Database = {

  "public": {
          Tables: {
            "pots": {
                  Row: {
                    "id": string,"colour": string | null
                  }
                  Relationships: [
                    {
      columns: ["kiln_id","id"]
isOneToOne: false
    },{
      columns: ["id"]
    }
                  ]
                },"kilns": {
                }
          }
          Functions: {
            "fire":
{ Args: { "p_at"?: string,"p_kiln": string }; Returns: undefined
                           }
          }
        }
}
"""
TIDY = """\
export type Database = {
  "public": {
    Tables: {
      "pots": {
        Row: {
          "id": string,
          "colour": string | null
        }
        Relationships: [
          {
            columns: ["kiln_id", "id"]
            isOneToOne: false
          },
          {
            columns: ["id"]
          }
        ]
      },
      "kilns": {
      }
    }
    Functions: {
      "fire": { Args: { "p_at"?: string, "p_kiln": string }; Returns: undefined
      }
    }
  }
}
"""


def test_typescript_is_laid_out_one_column_a_line() -> None:
    assert tidy_typescript(GENERATED) == TIDY


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ('"recipient_phone": "+491701234567"', None),
        ('"recipient_fone": "+491701234567"', 'Extra key "recipient_fone"'),
        ('"recipient_phone": 491701234567', "Incompatible types"),
    ],
)
def test_a_wrong_column_is_an_error_to_the_type_checker(
    tmp_path: Path, columns: str, complaint: str | None
) -> None:
    types = REPOSITORY / "supabase/types/database.py"
    file = tmp_path / "schedule.py"
    file.write_text(
        "from uuid import uuid4\n"
        "from database import PublicScheduledWhatsappMessagesInsert as Message\n"
        f'row: Message = {{"organization_id": uuid4(), "session_id": uuid4(), {columns}}}\n'
    )
    # Only these two files: what a typed dictionary holds does not hang on pydantic, whose analysis takes seconds.
    options = [
        "--strict",
        "--config-file=",
        "--follow-imports=skip",
        "--allow-subclassing-any",
        "--cache-dir=/dev/null",
    ]
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *options, file, types],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
    )
    if complaint is None:
        assert checked.returncode == 0, checked.stdout
    else:
        assert f"schedule.py:3: error: {complaint}" in checked.stdout
