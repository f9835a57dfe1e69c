"""What the documents say of tests and files is there: SECURITY.md rests on them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
POLICY = PROJECT / "SECURITY.md"
DOCUMENTS = ["SECURITY.md", "README.md"]
LONGEST_LINE = 124

REFERENCE = re.compile(r"\b(tests/\w+\.py)::(\w+)")
LIKE_A_REFERENCE = re.compile(r"[\w./-]*\.py::\w*")
FILE = re.compile(
    r"`([\w.-]+(?:/[\w.-]+)*\.(?:py|md|toml|lock|json|ftl|graphql|css|js)|[\w.-]+(?:/[\w.-]+)*/)(?:::\w+)?`"
)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def defined_in(file: Path) -> set[str]:
    """The names of the tests that pytest collects from *file*, without parameters."""
    if not file.is_file():
        return set()
    functions = ast.parse(file.read_text(encoding="utf-8")).body
    defined = (each.name for each in functions if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return {name for name in defined if name.startswith("test_")}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_that_is_named_exists(document: str) -> None:
    """Who follows a reference finds a test: one that was renamed is missed here."""
    text = (PROJECT / document).read_text(encoding="utf-8")
    named = REFERENCE.findall(text)
    assert [(file, name) for file, name in named if name not in defined_in(PROJECT / file)] == []
    assert [f"{file}::{name}" for file, name in named] == LIKE_A_REFERENCE.findall(text)


def test_every_threat_names_its_tests() -> None:
    """Each row of the threat model says what shows it."""
    model = POLICY.read_text(encoding="utf-8").partition("## Who attacks")[2].partition("\n## ")[0]
    sections = model.split("\n### ")[1:]
    tables = [[line for line in section.splitlines() if line.startswith("|")][2:] for section in sections]
    assert len(tables) > 8
    assert all(tables)
    rows = [row for table in tables for row in table]
    assert [row for row in rows if not REFERENCE.search(row.split(" | ")[-1])] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_to_a_file(document: str) -> None:
    """Who follows a link within the project finds a file."""
    links = LINK.findall((PROJECT / document).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (PROJECT / link).exists()] == []


def test_every_file_that_the_policy_names_exists() -> None:
    """Paths of the policy are those of the repository; what a path of the service is begins with a slash."""
    files = set(FILE.findall(POLICY.read_text(encoding="utf-8")))
    assert len(files) > 10
    assert [file for file in files if not (PROJECT / file).exists()] == []


def test_lines_of_the_policy_fit() -> None:
    """Text is broken by hand; rows of tables can't be."""
    lines = POLICY.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > LONGEST_LINE and not line.startswith("|")] == []
