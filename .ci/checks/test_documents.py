"""The documents name tests, files, settings and limits that exist, and their links lead somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from api.limits.table import DEFAULT_LIMITS
from api.settings.environment import Settings

PROJECT = Path(__file__).parents[2]
POLICY = PROJECT / "SECURITY.md"
DOCS = PROJECT / "docs"
DECISIONS = DOCS / "decisions"
DOCUMENTS = sorted(
    str(document.relative_to(PROJECT))
    for document in [*PROJECT.glob("*.md"), *DOCS.rglob("*.md"), PROJECT / "examples" / "README.md"]
)
# These tell of files as they were.
HISTORY = {"CHANGELOG.md", *(document for document in DOCUMENTS if document.startswith("docs/decisions/0"))}
MAX_LINE_LENGTH = 124
MAX_README_LINES = 150

REFERENCE = re.compile(r"((?:tests|\.ci/checks)/\w+\.py)::(\w+)")
LIKE_A_REFERENCE = re.compile(r"[\w./-]*\.py::\w*")
FILE = re.compile(
    r"`([\w.-]+(?:/[\w.-]+)*\.(?:py|md|toml|lock|json|ftl|graphql|css|js)|[\w.-]+(?:/[\w.-]+)*/)(?:::\w+)?`"
)
LINK = re.compile(r"\]\(([^)\s:]+)\)|(?:src|srcset)=\"([^\":]+)\"")
CODE_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"`((?:api|models|tests|docs|examples|benchmarks|\.ci)/[\w./-]*)`")
MADE_BY_TESTS = ".ci/artefacts/"
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def text_of(document: str | Path) -> str:
    return (PROJECT / document).read_text(encoding="utf-8")


def names_of_tests_in(file: Path) -> set[str]:
    """Return the names of the tests that pytest collects from *file*, without parameters."""
    if not file.is_file():
        return set()
    functions = ast.parse(file.read_text(encoding="utf-8")).body
    defined = (each.name for each in functions if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return {name for name in defined if name.startswith("test_")}


def anchors_of(document: Path) -> set[str]:
    """Return the anchors that the host of a repository gives the headings of *document*."""
    headings = HEADING.findall(CODE_BLOCK.sub("", text_of(document)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links_of(document: str) -> list[str]:
    """Return the links within the project that *document* has outside of its examples of code."""
    return [target or image for target, image in LINK.findall(CODE_BLOCK.sub("", text_of(document)))]


def leads_somewhere(document: str, link: str) -> bool:
    """Return whether the file of *link* exists, and the heading that it names."""
    path, _, anchor = link.partition("#")
    target = (PROJECT / document).parent / path if path else PROJECT / document
    return target.exists() and (not anchor or anchor in anchors_of(target))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_that_is_named_exists(document: str) -> None:
    """A reference to a test leads to one: a test that was renamed is noticed here."""
    text = text_of(document)
    named = REFERENCE.findall(text)
    assert [(file, name) for file, name in named if name not in names_of_tests_in(PROJECT / file)] == []
    assert [f"{file}::{name}" for file, name in named] == LIKE_A_REFERENCE.findall(text)


def test_every_threat_names_its_tests() -> None:
    """Each row of the threat model names the tests that show it."""
    model = text_of(POLICY).partition("## Who attacks")[2].partition("\n## ")[0]
    sections = model.split("\n### ")[1:]
    tables = [[line for line in section.splitlines() if line.startswith("|")][2:] for section in sections]
    assert len(tables) > 8
    assert all(tables)
    rows = [row for table in tables for row in table]
    assert [row for row in rows if not REFERENCE.search(row.split(" | ")[-1])] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    """Each link within the project leads to a file, and to a heading in it if it names one."""
    assert [link for link in links_of(document) if not leads_somewhere(document, link)] == []


@pytest.mark.parametrize("document", [document for document in DOCUMENTS if document not in HISTORY])
def test_every_path_that_is_named_exists(document: str) -> None:
    """Each path of the repository that a document names leads to a file or a folder; placeholders are in `<…>`."""
    paths = [path for path in PATH.findall(text_of(document)) if not path.startswith(MADE_BY_TESTS)]
    assert [path for path in paths if not (PROJECT / path).exists()] == []


def test_links_are_found() -> None:
    """The check of links sees those of the door: pages, images, and headings on other pages."""
    links = links_of("README.md")
    assert {"docs/operating.md", "docs/images/sign-up-light.webp", "SECURITY.md#deploying-it-safely"} <= set(links)
    assert not leads_somewhere("README.md", "docs/none.md")
    assert not leads_somewhere("README.md", "SECURITY.md#none")


def test_every_page_is_in_an_index() -> None:
    """A reader of docs/README.md finds every page, and a reader of decisions/README.md every decision."""
    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    assert pages - set(links_of("docs/README.md")) == set()
    decisions = {decision.name for decision in DECISIONS.glob("*.md")} - {"README.md"}
    assert len(decisions) > 30
    assert decisions - set(links_of("docs/decisions/README.md")) == set()


def test_decisions_are_numbered_in_order_of_time() -> None:
    """Decisions have the numbers from 0001 on, each once, and no decision is older than the one before."""
    files = sorted(DECISIONS.glob("[0-9]*.md"))
    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1))
    dates = [re.findall(r"^- Date: (\d{4}-\d{2}-\d{2})$", text_of(file), re.MULTILINE) for file in files]
    assert all(len(found) == 1 for found in dates)
    assert dates == sorted(dates)


def test_readme_is_short() -> None:
    """The README is the door: what does not fit stands in docs/."""
    assert len(text_of("README.md").splitlines()) <= MAX_README_LINES


def test_every_setting_and_limit_is_described() -> None:
    """Operators find each setting in the table of settings, and each limit with its default."""
    operating = text_of("docs/operating.md")
    settings = operating.partition("\n## Settings")[2].partition("\n## ")[0]
    limits = operating.partition("\n## Limits by network")[2].partition("\n## ")[0]
    first_cells = "".join(row.split(" | ")[0] for row in settings.splitlines() if row.startswith("| "))
    assert {name for name in Settings.model_fields if f"`GUICHET_{name.upper()}`" not in first_cells} == set()
    assert dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", limits, re.MULTILINE)) == dict(DEFAULT_LIMITS)


def test_every_file_that_the_policy_names_exists() -> None:
    """Paths in the policy are those of the repository; a path of the service begins with a slash."""
    files = set(FILE.findall(text_of(POLICY)))
    assert len(files) > 10
    assert [file for file in files if not (PROJECT / file).exists()] == []


def test_lines_of_the_policy_fit() -> None:
    """Text is broken by hand; rows of tables can't be."""
    lines = text_of(POLICY).splitlines()
    assert [line for line in lines if len(line) > MAX_LINE_LENGTH and not line.startswith("|")] == []
