"""Variations of a generated document. Each is one small class; what it gives has still to be validated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInt,
    InlineFragmentNode,
    IntValueNode,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    is_required_argument,
    parse,
    visit,
)
from hypothesis import strategies as st

if TYPE_CHECKING:
    from graphql import GraphQLSchema

Draw: TypeAlias = Callable[[st.SearchStrategy[Any]], Any]
Vary: TypeAlias = Callable[[Draw, "GraphQLSchema", DocumentNode], DocumentNode]

SOMETIMES = st.sampled_from([False, False, True])
OTHER = "query Other { __typename }"


@dataclass
class _Variation(Visitor):
    """A variation that walks through a document, and knows the types of what it meets."""

    draw: Draw
    types: TypeInfo

    def __post_init__(self) -> None:
        super().__init__()
        self.added: list[FragmentDefinitionNode] = []

    def __hash__(self) -> int:
        return id(self)

    def sometimes(self) -> bool:
        return bool(self.draw(SOMETIMES))


def _walk(variation: type[_Variation]) -> Vary:
    def vary(draw: Draw, schema: GraphQLSchema, document: DocumentNode) -> DocumentNode:
        visitor = variation(draw, TypeInfo(schema))
        varied: DocumentNode = visit(document, TypeInfoVisitor(visitor.types, visitor))
        return replace(varied, definitions=(*varied.definitions, *visitor.added))

    return vary


class _LeaveArgumentsOut(_Variation):
    """Leave out arguments that need not be given."""

    def leave_field(self, node: FieldNode, *_: Any) -> FieldNode:
        field = self.types.get_field_def()
        assert field is not None
        kept = (
            argument
            for argument in node.arguments or ()
            if is_required_argument(field.args[argument.name.value]) or not self.sometimes()
        )
        return replace(node, arguments=tuple(kept))


class _SharpenNumbers(_Variation):
    """Write numbers in unusual ways."""

    def leave_int_value(self, node: IntValueNode, *_: Any) -> IntValueNode:
        is_int = get_named_type(self.types.get_input_type()) is GraphQLInt
        largest = "2147483647" if is_int else "12345678901234567890"
        return replace(node, value=self.draw(st.sampled_from(["-0", "0", "-1", largest])))

    def leave_float_value(self, node: FloatValueNode, *_: Any) -> FloatValueNode:
        return replace(node, value=self.draw(st.sampled_from(["-0.0", "1e3", "0.1", "1.7976931348623157e308"])))


class _RepeatFields(_Variation):
    """Ask for a field twice, in part: both are merged."""

    def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> SelectionSetNode:
        fields = [field for field in node.selections if isinstance(field, FieldNode)]
        if not fields or not self.sometimes():
            return node
        field = self.draw(st.sampled_from(fields))
        if field.selection_set is not None:
            selections = field.selection_set.selections
            first = self.draw(st.integers(0, len(selections) - 1))
            field = replace(field, selection_set=SelectionSetNode(selections=selections[first:]))
        return replace(node, selections=(*node.selections, field))


class _RenameFields(_Variation):
    """Give fields aliases."""

    def leave_field(self, node: FieldNode, *_: Any) -> FieldNode:
        if not self.sometimes():
            return node
        return replace(node, alias=NameNode(value=self.draw(st.sampled_from(["a", "b", f"{node.name.value}2"]))))


class _AskForTypeNames(_Variation):
    """Ask for the name of the type; seldom at the top, which no plan covers."""

    def leave_selection_set(self, node: SelectionSetNode, _: Any, parent: Any, *__: Any) -> SelectionSetNode:
        is_asked = self.sometimes() and (not isinstance(parent, OperationDefinitionNode) or self.sometimes())
        field = FieldNode(name=NameNode(value="__typename"))
        return replace(node, selections=(*node.selections, field)) if is_asked else node


class _AddSwitches(_Variation):
    """Put `@skip` and `@include` on selections."""

    def leave_field(self, node: FieldNode, *_: Any) -> SelectionNode:
        return self._switch(node)

    def leave_inline_fragment(self, node: InlineFragmentNode, *_: Any) -> SelectionNode:
        return self._switch(node)

    def _switch(self, node: FieldNode | InlineFragmentNode) -> SelectionNode:
        return replace(node, directives=_draw_switches(self)) if self.sometimes() else node


def _draw_switches(variation: _Variation) -> tuple[DirectiveNode, ...]:
    names = variation.draw(st.sampled_from([["skip"], ["include"], ["skip", "include"]]))
    return tuple(
        DirectiveNode(
            name=NameNode(value=name),
            arguments=(
                ArgumentNode(
                    name=NameNode(value="if"),
                    value=BooleanValueNode(value=variation.draw(st.sampled_from([name == "include"] * 3 + [False]))),
                ),
            ),
        )
        for name in names
    )


class _FormFragments(_Variation):
    """Put selections into fragments, with names or without. Some are spread twice."""

    def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> SelectionSetNode:
        type_ = self.types.get_parent_type()
        if type_ is None or not self.sometimes():
            return node
        condition = NamedTypeNode(name=NameNode(value=type_.name))
        if self.draw(st.booleans()):
            inline = InlineFragmentNode(
                type_condition=condition if self.draw(st.booleans()) else None, selection_set=node
            )
            return SelectionSetNode(selections=(inline,))
        name = NameNode(value=f"F{len(self.added)}")
        self.added.append(FragmentDefinitionNode(name=name, type_condition=condition, selection_set=node))
        switches = _draw_switches(self) if self.sometimes() else ()
        spreads = (FragmentSpreadNode(name=name, directives=switches), FragmentSpreadNode(name=name))
        return SelectionSetNode(selections=spreads[: self.draw(st.integers(1, 2))])


def add_operations(_: Draw, __: GraphQLSchema, document: DocumentNode) -> DocumentNode:
    """Name the operation, and put another beside it."""
    first, *others = document.definitions
    assert isinstance(first, OperationDefinitionNode)
    named = replace(first, name=NameNode(value="Main"))
    return replace(document, definitions=(named, *parse(OTHER).definitions, *others))


VARIATIONS: dict[str, Vary] = {
    "arguments left out": _walk(_LeaveArgumentsOut),
    "unusual numbers": _walk(_SharpenNumbers),
    "repeated fields": _walk(_RepeatFields),
    "aliases": _walk(_RenameFields),
    "type names": _walk(_AskForTypeNames),
    "switches": _walk(_AddSwitches),
    "fragments": _walk(_FormFragments),
    "several operations": add_operations,
}
"""All variations, in the order in which they are applied. Variables follow (`tests/support/variables.py`)."""
