"""The check of the contract: nothing in it breaks unannounced."""

from __future__ import annotations

import contextlib
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "check_contract.py"

BEFORE = """
directive @shown(to: String) on FIELD_DEFINITION
interface Problem { code: Code! }
enum Code { ONE TWO }
type Refused implements Problem { code: Code! }
type Account { id: ID! phone: String }
union Result = Account | Refused
input Form { email: String! phone: String }
type Query { account(id: ID!): Result!  accounts: [Account!]! }
"""


class Repository:
    """A git repository with a contract, as a branch would change it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.git("init", "--quiet")

    def git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True)  # noqa: S603, S607

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Test")

    def check(self, base: str = "HEAD") -> tuple[int, str]:
        """Run the script. Return its exit code and its output."""
        with contextlib.chdir(self.folder):
            code = runpy.run_path(str(SCRIPT))["main"](base)
        return code, self.capsys.readouterr().out


@pytest.fixture
def empty_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Repository:
    repository = Repository(tmp_path, capsys)
    repository.commit()
    return repository


@pytest.fixture
def repository(empty_repository: Repository) -> Repository:
    empty_repository.write("schema.graphql", BEFORE)
    empty_repository.commit()
    return empty_repository


def changed(before: str, after: str) -> str:
    assert BEFORE.count(before) == 1
    return BEFORE.replace(before, after)


def test_contract_that_stays_passes(repository: Repository) -> None:
    """An unchanged contract passes without a word."""
    assert repository.check() == (0, "")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("phone: String }\nunion", "phone: String mobile: String }\nunion"),
        ("accounts:", "name: String accounts:"),
        ("type Account {", '"A person." type Account {'),
    ],
)
def test_additions_pass(repository: Repository, before: str, after: str) -> None:
    """An addition breaks nobody, and passes."""
    repository.write("schema.graphql", changed(before, after))
    assert repository.check() == (0, "")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("ONE TWO", "ONE TWO THREE", "dangerous: Enum value Code.THREE was added.\n"),
        ("Account | Refused", "Account | Refused | Query", "dangerous: Query was added to union type Result.\n"),
        ("account(id: ID!)", "account(id: ID!, full: Boolean)", "dangerous: An optional argument Query.account"),
    ],
)
def test_dangerous_changes_are_told(repository: Repository, before: str, after: str, said: str) -> None:
    """A change that may surprise a client passes with a warning."""
    repository.write("schema.graphql", changed(before, after))
    code, out = repository.check()
    assert code == 0
    assert out.startswith(said)


BREAKS = [
    ("id: ID! phone: String }", "id: ID! }", "Account.phone"),
    ("id: ID! phone: String }", "id: ID phone: String }", "Account.id"),
    ("ONE TWO", "ONE", "Code.TWO"),
    ("accounts: [Account!]!", "", "Query.accounts"),
    ("account(id: ID!)", "account(id: ID!, full: Boolean!)", "Query.account(full:)"),
    ("account(id: ID!)", "account", "Query.account(id:)"),
    ("email: String! phone: String", "email: String! phone: String!", "Form.phone"),
    ("email: String! phone: String", "email: String! phone: String name: String!", "Form.name"),
    ("Account | Refused", "Account", "Refused"),
    ("type Refused implements Problem", "type Refused", "Refused"),
    ("directive @shown(to: String) on FIELD_DEFINITION", "", "@shown"),
    ("input Form { email: String! phone: String }", "", "Form"),
]


@pytest.mark.parametrize(("before", "after", "subject"), BREAKS)
def test_break_must_be_announced(repository: Repository, before: str, after: str, subject: str) -> None:
    """A break is refused until the change log names it."""
    repository.write("schema.graphql", changed(before, after))
    code, out = repository.check()
    assert code == 1
    assert f"(name {subject} under Breaking in the Unreleased part of CHANGELOG.md)" in out
    repository.write("CHANGELOG.md", f"# Log\n\n## Unreleased\n\n### Breaking\n\n- `{subject}` has changed.\n")
    code, out = repository.check()
    assert (code, "(announced)" in out) == (0, True)


@pytest.mark.parametrize(
    "log",
    [
        "## Unreleased\n\n- Account.phone is gone.\n",
        "## Unreleased\n### Removed\n- Account.phone is gone.\n",
        "## Unreleased\n### Breaking\n- Account is different.\n",
        "## Unreleased\n### Breaking\n- Account.phones, Account.phone.number and MyAccount.phone are gone.\n",
        "## Unreleased\n### Breaking\n### Added\n- Account.phone.\n",
        "## Unreleased\n\n## 1.0.0\n### Breaking\n- Account.phone is gone.\n",
        "### Breaking\n- Account.phone is gone.\n",
        "",
    ],
)
def test_announcement_must_be_in_its_place(repository: Repository, log: str) -> None:
    """A break is announced by its own name, as a break, in the part that is not released yet."""
    repository.write("schema.graphql", changed("id: ID! phone: String }", "id: ID! }"))
    repository.write("CHANGELOG.md", log)
    assert repository.check()[0] == 1


@pytest.mark.parametrize("heading", ["## Unreleased", "## [Unreleased]", "## unreleased"])
def test_each_break_needs_its_own_announcement(repository: Repository, heading: str) -> None:
    """One announcement does not cover another break; together they pass."""
    text = changed("id: ID! phone: String }", "id: ID! }").replace("ONE TWO", "ONE")
    repository.write("schema.graphql", text)
    repository.write("CHANGELOG.md", f"{heading}\n\n### Breaking\n\n- Account.phone is gone.\n")
    code, out = repository.check()
    assert code == 1
    assert "Account.phone was removed. (announced)" in out
    assert "name Code.TWO under Breaking" in out
    repository.write("CHANGELOG.md", f"{heading}\n\n### Breaking\n\n- Account.phone is gone.\n- So is Code.TWO.\n")
    assert repository.check()[0] == 0


def test_base_without_a_contract_passes(empty_repository: Repository) -> None:
    """The commit that brings the contract has nothing to break."""
    empty_repository.write("schema.graphql", BEFORE)
    assert empty_repository.check() == (0, "HEAD has no schema.graphql: there is nothing to break\n")


def test_base_must_be_a_commit(repository: Repository) -> None:
    """A misspelt base is an error, and not a base without a contract."""
    assert repository.check("nowhere") == (2, "'nowhere' is no commit\n")
    assert repository.check("")[0] == 2


def test_base_can_be_older(repository: Repository) -> None:
    """The comparison is with the named base, and ignores later commits."""
    repository.git("tag", "v1")
    repository.write("schema.graphql", changed("ONE TWO", "ONE"))
    repository.commit()
    assert repository.check()[0] == 0
    assert repository.check("v1")[0] == 1


def test_script_is_called_with_a_base(repository: Repository) -> None:
    """The exit code tells CI the result. Without a base, the script prints its usage."""
    repository.write("schema.graphql", changed("ONE TWO", "ONE"))
    for arguments, code in ((["HEAD"], 1), ([], 1), (["nowhere"], 2)):
        command = [sys.executable, str(SCRIPT), *arguments]
        done = subprocess.run(command, cwd=repository.folder, capture_output=True, check=False)  # noqa: S603
        assert done.returncode == code
