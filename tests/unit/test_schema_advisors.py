"""The list of remarks: what is new, what is gone, what is no remark at all."""

from pathlib import Path

import pytest

from scripts.schema.advisors import complaints, read_reasons


def finding(lint: str, table: str, index: str = "", level: str = "INFO") -> dict[str, object]:
    return {
        "name": lint,
        "level": level,
        "detail": f"Something about {table}",
        "remediation": "https://example.org/lint",
        "metadata": {"schema": "public", "name": table},
        "cacheKey": f"{lint}_public_{table}" + (f"_{index}" if index else ""),
    }


UNUSED = finding("unused_index", "pots", "pots_colour_idx")
KNOWN = {("unused_index", "public.pots pots_colour_idx"): "the list by colour"}


def test_a_remark_with_its_reason_is_no_complaint() -> None:
    assert complaints([UNUSED], KNOWN, ["public.pots pots_colour_idx"]) == []


def test_a_new_remark_comes_with_the_line_to_add() -> None:
    (words,) = complaints([UNUSED], {}, [])
    assert "unused_index | public.pots pots_colour_idx | <why it may stay>" in words


def test_a_remark_about_another_index_of_the_table_is_new() -> None:
    other = finding("unused_index", "pots", "pots_size_idx")
    assert len(complaints([UNUSED, other], KNOWN, ["public.pots pots_colour_idx"])) == 1


def test_a_reason_whose_remark_is_gone_is_stale() -> None:
    (words,) = complaints([], {("no_primary_key", "public.pots"): "why not"}, [])
    assert words.endswith("take it off the list: no_primary_key | public.pots")


def test_an_indexs_reason_lives_as_long_as_the_index() -> None:
    assert complaints([], KNOWN, ["public.pots pots_colour_idx"]) == []
    assert len(complaints([], KNOWN, ["public.pots pots_size_idx"])) == 1
    other_remark = {("duplicate_index", "public.pots pots_colour_idx"): "why not"}
    assert len(complaints([], other_remark, ["public.pots pots_colour_idx"])) == 1


@pytest.mark.parametrize("level", ["WARN", "ERROR"])
def test_no_reason_excuses_a_warning(level: str) -> None:
    warning = finding("rls_disabled_in_public", "pots", level=level)
    (words,) = complaints([warning], {("rls_disabled_in_public", "public.pots"): "we like it so"}, [])
    assert words.startswith(f"{level} rls_disabled_in_public: Something about pots")


@pytest.mark.parametrize(
    "line",
    ["unused_index | public.pots pots_colour_idx", "unused_index | public.pots pots_colour_idx | ", "words"],
)
def test_a_line_without_a_reason_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "advisors.txt"
    file.write_text(f"# a comment\n\n{line}\n")
    with pytest.raises(ValueError, match=r"advisors\.txt:3"):
        read_reasons(file)


def test_a_line_that_comes_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "advisors.txt"
    file.write_text("no_primary_key | public.pots | one\nno_primary_key | public.pots | two\n")
    with pytest.raises(ValueError, match="a second time"):
        read_reasons(file)
