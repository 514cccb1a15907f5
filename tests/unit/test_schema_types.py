"""The generated types as a developer meets them."""

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
