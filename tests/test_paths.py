"""The paths of the service are defined in one module."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

from api.http import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

API = Path(__file__).parent.parent / "api"
PATHS = sorted({value for name, value in vars(paths).items() if name.isupper() and value != paths.SIGN_UP})
# With its slash, or as the end of an address that a format puts before it. A folder's name has other letters before it.
PATH = re.compile("|".join(rf"(?<!\w){re.escape(path)}\b|%s{re.escape(path[1:])}\b" for path in PATHS))


def texts_of(file: Path) -> Iterator[str]:
    """Yield the texts of a module, without its docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def test_each_path_is_written_in_one_module() -> None:
    """No path of the service is written in Python outside its own module."""
    assert {paths.GRAPHQL, paths.CONTRACT} <= set(PATHS)
    assert PATH.search("Send queries to %sgraphql")
    modules = [file for file in sorted(API.rglob("*.py")) if file != Path(paths.__file__)]
    found = [(str(file.relative_to(API)), text) for file in modules for text in texts_of(file) if PATH.search(text)]
    assert found == []
