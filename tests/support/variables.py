"""Variables in the place of literals of a generated document, and values for them that fit, or don't."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import (
    GraphQLNonNull,
    ListValueNode,
    NameNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    get_nullable_type,
    parse_type,
    print_ast,
    value_from_ast_untyped,
    visit,
)
from hypothesis import strategies as st

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLSchema

    from tests.support.variations import Draw

Place: TypeAlias = tuple[str, str]
MISSING: Any = object()

WRONG = st.sampled_from(
    [True, 0, 1, -1, 2**31, 2**70, 1.0, 1.5, "", "text", "RED", "FR", [], [None], [[1]], {}, {"x": 1}, {"y": None}]
)
AS_GENERATED = "as generated"
KINDS = ("missing", "null", "wrong", "surplus field", "single", "inside")
VARIABLES = ("leaf variable", "list variable", "object variable", "default", "no default")


@dataclass
class Variables:
    """The variables of a document: a definition and a value for each."""

    definitions: list[VariableDefinitionNode] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)


def set_variables(draw: Draw, schema: GraphQLSchema, document: DocumentNode) -> tuple[DocumentNode, Variables]:
    """Put variables in the place of some literals: whole arguments, or parts of them."""
    placer = _Placer(draw, TypeInfo(schema))
    varied = visit(document, TypeInfoVisitor(placer.types, placer))
    first, *others = varied.definitions
    assert isinstance(first, OperationDefinitionNode)
    declaring = replace(first, variable_definitions=tuple(placer.variables.definitions))
    return replace(varied, definitions=(declaring, *others)), placer.variables


class _Placer(Visitor):
    """Puts the same variable in each place that has the same literal of one type, so that fields still merge."""

    def __init__(self, draw: Draw, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.variables = Variables()
        self._draw = draw
        self._placed: dict[Place, VariableNode | None] = {}

    def enter(self, node: Any, *_: Any) -> VariableNode | None:
        is_list = isinstance(node, ListValueNode)  # Within which the type is that of an item.
        type_ = self.types.get_parent_input_type() if is_list else self.types.get_input_type()
        if not isinstance(node, ValueNode) or isinstance(node, VariableNode) or type_ is None:
            return None
        place = (print_ast(node), str(type_))
        if place not in self._placed:
            self._placed[place] = self._declare(node, type_) if self._draw(st.booleans()) else None
        return self._placed[place]

    def _declare(self, node: ValueNode, type_: Any) -> VariableNode:
        """Declare a variable for *node*, and draw its type, its default and its value."""
        variable = VariableNode(name=NameNode(value=f"v{len(self.variables.definitions)}"))
        default = node if self._draw(st.booleans()) else None
        can_default = default is not None and not isinstance(default, NullValueNode)
        declared = type_
        if self._draw(st.booleans()):
            if not isinstance(type_, GraphQLNonNull):
                declared = GraphQLNonNull(type_)
                default = default if can_default else None
            elif can_default:
                declared = get_nullable_type(type_)
        self.variables.definitions.append(
            VariableDefinitionNode(variable=variable, type=parse_type(str(declared)), default_value=default)  # type: ignore[arg-type]  # Nothing is a variable yet.
        )
        self._set(variable.name.value, value_from_ast_untyped(node))
        self.variables.kinds |= {_describe(node), "default" if default else "no default"}
        return variable

    def _set(self, name: str, value: Any) -> None:
        kind, varied = vary_value(self._draw, value)
        self.variables.kinds.add(kind)
        if varied is not MISSING:
            self.variables.values[name] = varied


def _describe(node: ValueNode) -> str:
    return {ListValueNode: "list variable", ObjectValueNode: "object variable"}.get(type(node), "leaf variable")


def vary_value(draw: Draw, value: Any) -> tuple[str, Any]:
    """Return a value for a variable that could have *value*, and its kind."""
    kind = draw(st.sampled_from([*[AS_GENERATED] * 5, *KINDS]))
    if kind == "surplus field" and isinstance(value, dict):
        return kind, value | {"surplus": 1}
    if kind == "single" and isinstance(value, list) and value:
        return kind, value[0]
    if kind == "inside" and isinstance(value, list | dict) and value:
        return kind, _vary_inside(draw, value)
    simple = {"missing": st.just(MISSING), "null": st.none(), "wrong": WRONG}
    return (kind, draw(simple[kind])) if kind in simple else (AS_GENERATED, value)


def _vary_inside(draw: Draw, value: Any) -> Any:
    """Vary one item of a list, or one field of an object."""
    keys = [*value] if isinstance(value, dict) else [*range(len(value))]
    key, varied = draw(st.sampled_from(keys)), value.copy()
    _, inner = vary_value(draw, value[key])
    if inner is MISSING:
        del varied[key]
    else:
        varied[key] = inner
    return varied
