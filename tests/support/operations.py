"""Generated operations of a schema: valid by hypothesis-graphql, then varied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hypothesis_graphql
from graphql import parse, print_ast
from hypothesis import strategies as st
from hypothesis_graphql import nodes

from tests.support.variables import set_variables
from tests.support.variations import VARIATIONS

if TYPE_CHECKING:
    from graphql import GraphQLSchema
    from hypothesis.strategies import DrawFn

SCALARS = {
    "Int": st.integers(-1, 5_000).map(nodes.Int),
    "DateTime": st.sampled_from(["2026-11-27T12:00:00Z", "2026-11-27T12:00:00+02:00", "2026-11-27"]).map(nodes.String),
    "JSON": st.sampled_from([nodes.String("text"), nodes.Int(1), nodes.Float(1.5), nodes.Null]),
    "Shout": st.sampled_from(["hey", "ho"]).map(nodes.String),
}


@dataclass(frozen=True)
class Generated:
    """The text of a document, the operation to execute, its variables, and how it was varied."""

    text: str
    name: str | None
    variables: dict[str, Any]
    kinds: frozenset[str]


@st.composite
def operations(
    draw: DrawFn, schema: GraphQLSchema, *, mutate: bool, texts: st.SearchStrategy[str] | None = None
) -> Generated:
    """Draw an operation of *schema*, a query or a mutation. Its literals are any text, or one of *texts*."""
    scalars = SCALARS if texts is None else SCALARS | {"String": texts.map(nodes.String)}
    generate = hypothesis_graphql.mutations if mutate else hypothesis_graphql.queries
    fields = [*(schema.mutation_type if mutate else schema.query_type).fields]  # type: ignore[union-attr]  # Both are.
    chosen = draw(st.lists(st.sampled_from(fields), min_size=1, max_size=1 if mutate else 3, unique=True))
    document = parse(draw(generate(schema, fields=chosen, custom_scalars=scalars)))
    kinds = draw(st.sets(st.sampled_from([*VARIATIONS])))
    for kind, vary in VARIATIONS.items():
        if kind in kinds:
            document = vary(draw, schema, document)
    document, variables = set_variables(draw, schema, document)
    name = "Main" if "several operations" in kinds else None
    return Generated(print_ast(document), name, variables.values, frozenset(kinds | variables.kinds))
