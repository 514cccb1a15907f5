"""The documents hold together: links lead somewhere, scripts and settings are there, README names each page."""

import json
import re
from pathlib import Path

import pytest

from localstack.layout import REPOSITORY
from worker.settings import Settings

DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md"))]


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
