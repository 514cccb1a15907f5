"""The documents hold together: links lead somewhere, scripts and settings are there, README names each page."""

import json
import os
import re
from pathlib import Path

import pytest
import typer

from localstack.layout import REPOSITORY
from worker.api.http.codes import CODES
from worker.cli import app as herald
from worker.session import REMEDY, Ending
from worker.settings import Settings

DOCS = REPOSITORY / "docs"
PAGES = [*sorted(REPOSITORY.glob("*.md")), *sorted(DOCS.glob("*.md"))]


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)


def anchors(page: Path) -> set[str]:
    """Its headings, as GitHub makes links of them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_page_and_a_heading_that_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        to = (page.parent / file).resolve() if file else page
        assert to.exists(), target
        assert not anchor or anchor in anchors(to), target


def test_the_readme_names_every_page() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    assert [page.name for page in DOCS.glob("*.md") if f"docs/{page.name}" not in readme] == []


def test_every_setting_has_its_row() -> None:
    named = set(re.findall(r"`([A-Z_]+)`", (DOCS / "settings.md").read_text()))
    assert sorted({name.upper() for name in Settings.model_fields} - named) == []


def test_ci_runs_what_contributors_run_and_pins_each_action_by_its_commit() -> None:
    workflow = (REPOSITORY / ".github/workflows/ci.yml").read_text()
    assert re.findall(r"run: (.+)", workflow) == [".ci/run"]
    assert os.access(REPOSITORY / ".ci/run", os.X_OK)
    used = re.findall(r"uses: (\S+)", workflow)
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_programs_of_ours_that_a_page_runs_are_there(page: Path) -> None:
    text = page.read_text()
    for script in re.findall(r"(?<![\w/.-])(scripts/[a-z0-9-]+)(?![\w/.-])", text):
        assert (REPOSITORY / script).exists(), script
    for module in re.findall(r"python -m ((?:worker|localstack|simulator)(?:\.\w+)*)", text):
        path = REPOSITORY / Path(*module.split("."))
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    for config in re.findall(r"deno task --config (\S+)", text):
        assert json.loads((REPOSITORY / config).read_text())["tasks"]


#: Folders at the top of the repository: what begins with one of them is a path.
TOP = sorted(entry.name for entry in REPOSITORY.iterdir() if entry.is_dir() and not entry.name.startswith("."))

#: Made by a program, so not in the repository.
MADE = {"proxy/dist/server.mjs"}


def paths(text: str) -> set[str]:
    """What a page names by its path, in backticks or on a command line, such as `worker/logs.py` or `docs/`."""
    folders = "|".join(map(re.escape, TOP))
    found = re.findall(rf"(?<![\w./:@-])((?:{folders})/[\w./*-]*\w[*/]?)", text)
    return {path for path in found if not path.startswith("node_modules/")} - MADE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    assert sorted(path for path in paths(page.read_text()) if not any(REPOSITORY.glob(path.rstrip("/")))) == []


def commands(app: typer.Typer) -> set[str]:
    """Every command and group of the herald command, as it is typed: "queue", "queue list"."""
    groups = {str(group.name): group.typer_instance for group in app.registered_groups}
    own = {command.name or str(getattr(command.callback, "__name__", "")) for command in app.registered_commands}
    return (
        own | set(groups) | {f"{name} {one}" for name, group in groups.items() if group for one in commands(group)}
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_herald_command_that_a_page_names_is_there(page: Path) -> None:
    known = commands(herald)
    groups = {command.split()[0] for command in known if " " in command}
    program = r"(?:^|`)(?:[A-Z_]+=\S+ )*(?:(?:\S*/)?herald|\S*python -m worker\.cli)"
    for command, sub in re.findall(rf"{program} ([a-z]+)(?: ([a-z]+)\b)?", page.read_text(), flags=re.M):
        assert command in known, command
        assert command not in groups or not sub or f"{command} {sub}" in known, f"{command} {sub}"


def test_what_the_page_on_engine_upgrades_looks_for_is_what_outdated_accounts_say() -> None:
    [pattern] = re.findall(r"last_error like '([^']+)%'", (DOCS / "engine-upgrades.md").read_text())
    assert REMEDY[Ending.OUTDATED].startswith(pattern)


def test_every_code_of_the_api_is_on_its_pages() -> None:
    pages = (DOCS / "api.md").read_text() + (DOCS / "events.md").read_text()
    assert [code for code in CODES if f"`{code}`" not in pages] == []
