"""The protocol stands once: the page, ``protocol``, ``shapes`` and the engine name the same words."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from worker.engine import protocol, shapes
from worker.engine.calls import HANDLERS
from worker.engine.protocol import Call, Change, Code, EventName, InboundKind, ReceiptType, SendKind, Setting
from worker.groups import GroupSetting, MemberChange
from worker.providers.web.outcomes import TABLE
from worker.session import Ending

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "engine-protocol.md").read_text()


def section(title: str) -> str:
    """The page's text under a heading."""
    return re.split(r"^## ", PAGE.partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.M)[0]


def quoted(text: str) -> list[str]:
    """The words in backticks."""
    return re.findall(r"`([^`]+)`", text)


def rows(text: str) -> list[list[str]]:
    """The cells of a table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if "---" not in line][
        1:
    ]


def fields(shape: Any) -> list[str]:
    """The names of a shape's fields, in their order."""
    return list(shape.__annotations__)


CALL_ROWS = {quoted(name)[0]: (arguments, answer) for name, arguments, answer in rows(section("Calls"))}
EVENT_ROWS = {quoted(name)[0]: (name, body) for name, body in rows(section("Events").partition("\n\n`")[0])}


def test_the_page_names_every_call_and_no_other() -> None:
    assert list(CALL_ROWS) == [call.value for call in Call]
    assert set(Call) == set(shapes.CALLS) == set(HANDLERS)


@pytest.mark.parametrize("call", Call)
def test_the_page_gives_the_fields_of_a_call(call: Call) -> None:
    arguments, answer = CALL_ROWS[call]
    shape = shapes.CALLS[call]
    asked = re.sub(r"\([^()]*\)", "", arguments)  # what an argument may be is no argument
    required, optional = re.findall(r"`(\w+)`(?!\?)", asked), re.findall(r"`(\w+)`\?", asked)
    assert (tuple(required), tuple(optional)) == (shape.arguments, shape.optional)
    body = re.match(r"`\{(.*?)\}`(?:,|;|:| |$)", answer)
    assert body is not None, "the answer begins with its body"
    told = re.findall(r'"(\w+)"', re.sub(r"\[.*\]|: \{.*\}", "", body[1]))
    assert told == fields(shape.answer)


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (Call.GROUPS, shapes.Group),
        (Call.GROUP_INFO, shapes.Member),
        (Call.GROUP_INFO, shapes.GroupDetail),
    ],
)
def test_the_page_gives_the_fields_of_a_group(call: Call, shape: Any) -> None:
    inherited = fields(shapes.Group) if shape is shapes.GroupDetail else []
    told = re.findall(r'"(\w+)"', CALL_ROWS[call][1])
    assert set(fields(shape)) - set(inherited) <= set(told)


def test_the_page_names_every_event_with_its_fields_and_no_other() -> None:
    assert list(EVENT_ROWS) == [event.value for event in EventName]
    for event in EventName:
        name, body = EVENT_ROWS[event]
        assert re.findall(r"`(\w+)`", re.sub(r"\([^()]*\)", "", body)) == fields(shapes.EVENTS[event]), event
        assert ("*" in name) == (event in protocol.JOURNALLED), event


def test_the_page_names_every_code_and_no_other() -> None:
    told = [code for cell, *_ in rows(section("Errors")) for code in quoted(cell)]
    assert told == [code.value for code in Code]


def test_the_page_names_every_ending_of_an_engine_and_no_other() -> None:
    told = {word for word in quoted(section("Events")) if word.startswith("wa-")}
    assert told == {ending.value for ending in protocol.ENDINGS}
    assert {Ending.LOST, Ending.BANNED} < protocol.ENDINGS


@pytest.mark.parametrize("words", [SendKind, ReceiptType, InboundKind, Change, Setting])
def test_the_page_names_every_word_of_a_list(words: type[StrEnum]) -> None:
    assert {word.value for word in words} <= set(quoted(PAGE))


def test_the_page_tells_the_version_and_the_exit_code() -> None:
    assert f'"protocol": {protocol.VERSION},' in PAGE
    assert f"(code {protocol.OVERSLEPT})" in PAGE


def test_both_ends_have_the_same_words_for_groups() -> None:
    assert [one.value for one in MemberChange] == [one.value for one in Change]
    assert [one.value for one in GroupSetting] == [one.value for one in Setting]


def test_the_outcome_of_a_send_is_told_by_words_of_the_protocol() -> None:
    details = {detail.value for detail in protocol.Detail} | {ending.value for ending in protocol.ENDINGS}
    for code, detail in TABLE:
        assert code in set(Code)
        assert not detail or detail.isdigit() or detail in details
