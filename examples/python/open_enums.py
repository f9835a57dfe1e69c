"""Enums of answers may gain members: a generated enum accepts an unknown one as it stands."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ariadne_codegen.plugins.base import Plugin

if TYPE_CHECKING:
    from graphql import GraphQLEnumType

# Python asks `_missing_` for a value without a member: https://docs.python.org/3/library/enum.html
MISSING = """
class {name}:
    @classmethod
    def _missing_(cls, value: object) -> "{name}":
        member = str.__new__(cls, value)
        member._name_ = member._value_ = str(value)
        return member
"""


class OpenEnums(Plugin):
    """A plugin of the generator, named in pyproject.toml."""

    def generate_enum(self, class_def: ast.ClassDef, enum_type: GraphQLEnumType) -> ast.ClassDef:
        (holder,) = ast.parse(MISSING.format(name=class_def.name)).body
        assert isinstance(holder, ast.ClassDef)  # noqa: S101  # For the type checker.
        class_def.body += holder.body
        return class_def
