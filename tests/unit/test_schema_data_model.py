"""The data model's page from a catalog of two tables."""

import pytest

from scripts.schema import data_model as page
from scripts.schema.access import access, in_words
from scripts.schema.catalog import VERBS, Catalog, Column, Constraint, Function, Policy, Table

MEMBERS = "(organization_id IN ( SELECT herald.my_organizations() AS my_organizations))"
ADMINS = "(organization_id IN ( SELECT herald.my_admin_organizations() AS my_admin_organizations))"
HIDDEN = "( SELECT herald.my_hidden_sessions() AS my_hidden_sessions)"
SUPER = "( SELECT herald.is_super_admin() AS is_super_admin)"


def column(name: str, kind: str = "uuid", *, required: bool = True, comment: str | None = None) -> Column:
    return Column(name=name, type=kind, required=required, default=None, generated=False, comment=comment)


def key(kind: str, *columns: str, target: str | None = None, definition: str = "") -> Constraint:
    return Constraint(kind=kind, columns=columns, definition=definition, target=target)


KILNS = Table(
    schema="public",
    name="kilns",
    is_view=False,
    published=True,
    comment="An oven for pots.",
    columns=(column("id"), column("organization_id"), column("fuel", "text", comment="What it burns")),
    constraints=(
        key("p", "id"),
        key("f", "organization_id", target="public.organizations"),
        key("c", "fuel", definition="CHECK ((fuel = ANY (ARRAY['gas'::text, 'wood'::text])))"),
    ),
    policies=(
        Policy(verbs=("select",), condition=f"({MEMBERS} OR {SUPER})", after=None),
        Policy(verbs=("update",), condition=ADMINS, after="(fuel <> 'coal'::text)"),
    ),
    privileges={
        ("authenticated", "select"): ("id", "organization_id", "fuel"),
        ("authenticated", "update"): ("fuel",),
        ("authenticated", "delete"): ("id", "organization_id", "fuel"),
        **{("service_role", verb): ("id", "organization_id", "fuel") for verb in VERBS},
    },
)
POTS = Table(
    schema="public",
    name="pots",
    is_view=False,
    published=False,
    comment="What is | fired.",
    columns=(column("id"), column("organization_id"), column("kiln_id", required=False)),
    constraints=(key("p", "id"), key("f", "organization_id", "kiln_id", target="public.kilns")),
    policies=(),
    privileges={},
)
FIRE = Function(
    schema="public",
    name="fire",
    arguments="p_kiln uuid, p_at timestamp with time zone DEFAULT now()",
    signature="p_kiln uuid, p_at timestamp with time zone",
    result="void",
    comment="Lights it.",
    callers=("service_role",),
)


@pytest.fixture
def text(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(page, "TOPICS", {"Pottery": ("kilns", "pots")})
    return page.data_model(Catalog(tables=(KILNS, POTS), functions=(FIRE,)))


def test_a_reference_is_a_line_of_the_diagram_and_an_arrow_in_the_table(text: str) -> None:
    assert '  kilns |o--o{ pots : "kiln_id"' in text
    assert "| `kiln_id` | uuid | null | → `kilns`. |" in text


def test_the_organisation_is_in_the_table_and_not_in_the_diagram(text: str) -> None:
    diagram = text.split("```")[1]
    assert "organization" not in diagram
    assert "| `organization_id` | uuid |  | → `organizations`. |" in text


def test_a_column_tells_its_comment_and_its_legal_values(text: str) -> None:
    assert "| `fuel` | text |  | What it burns. One of `gas`, `wood`. |" in text


def test_a_bar_in_a_comment_breaks_no_table(text: str) -> None:
    assert "What is \\| fired." in text


def test_a_function_tells_its_arguments_and_who_may_call_it(text: str) -> None:
    assert "| `fire(p_kiln uuid, p_at timestamptz?)` | void | service role | Lights it. |" in text


def test_rights_come_from_both_grants_and_policies() -> None:
    assert access(KILNS) == [
        "- Read: members or super admins",
        "- Update: admins, and then `fuel <> 'coal'`: `fuel`",
        "- Delete: nobody (granted, but no policy lets a row through)",
        "- Service role: select, insert, update, delete",
        "- Realtime: tells of changes to those who may read the row",
    ]


def test_a_table_without_grants_is_nobodys() -> None:
    assert access(POTS) == ["- People: nothing", "- Service role: nothing directly, only through functions"]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (f"({ADMINS} OR {SUPER})", "admins or super admins"),
        (
            f"(({MEMBERS} AND (NOT (session_id IN {HIDDEN}))) OR {SUPER})",
            "members who see the account or super admins",
        ),
        (f"((id = ( SELECT auth.uid() AS uid)) OR {MEMBERS})", "`(id = auth.uid()) OR members`"),
        (f"({ADMINS} AND (fuel = ANY (ARRAY['gas'::text])))", "`admins AND (fuel in ('gas'))`"),
        ("(a OR b) AND (c OR d)", "`(a OR b) AND (c OR d)`"),
    ],
)
def test_a_condition_is_told_in_words_as_far_as_it_is_about_roles(condition: str, words: str) -> None:
    assert in_words(condition) == words
