"""A plan gives what graphql-core gives, byte for byte: generated operations are executed in both ways."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import pytest
from graphql import GraphQLSchema
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from api.graphql.engine.documents import Documents
from api.graphql.engine.errors import DocumentRefused
from api.graphql.schema import graphql_schema
from tests.support import faked_services, shapes
from tests.support.both_ways import is_planned, see_both
from tests.support.operations import Generated, operations
from tests.support.variables import KINDS, VARIABLES
from tests.support.variations import VARIATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.graphql.engine.operation import Operation

EVERY_SHAPE = """query ($seed: Int!) { thing(seed: $seed, language: EN) { ...P __typename ...S ...R ...B } }
fragment P on Plant { id latinName ... on Leaf { colour size area } ... on Needle { isSharp } }
fragment S on Scalars {
  text someText count someCount ratio someFlag itsId: id someTime time uuid uuids texts ids anything shouts
}
fragment R on Refused { language message }
fragment B on Branch {
  grid leaves { ...P } plants { ...P } thing { ...P ...S ...R } things { ...P ...S } branch { ...C }
}
fragment C on Branch { grid leaves { ...P } things { ... on Branch { plants { ...P } } } branch { branch { id } } }
"""

generated = settings(
    max_examples=120,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


class Comparison:
    """Executes operations of *schema* in both ways, in each context, fails at any difference, and counts them."""

    def __init__(self, schema: GraphQLSchema, contexts: Sequence[Callable[[], object]]) -> None:
        self._schema = schema
        self._contexts = contexts
        self.tried: Counter[str] = Counter()

    def compare(self, drawn: Generated) -> None:
        """Compare one operation. One that the endpoint refuses is counted, and not executed."""
        operation = self._find_operation(drawn)
        self.tried["executed" if operation else "refused"] += 1
        if operation is None:
            return
        for build_context in self._contexts:
            by_plan, by_core = asyncio.run(see_both(self._schema, operation, drawn.variables, build_context))
            assert by_plan == by_core
        self.tried["planned"] += is_planned(operation, drawn.variables)
        self.tried["wrong variables"] += by_core.refused
        self.tried.update(drawn.kinds)

    def _find_operation(self, drawn: Generated) -> Operation | None:
        try:
            return Documents(self._schema, introspection=True).get(drawn.text).get_operation(drawn.name)
        except DocumentRefused:
            return None


@pytest.mark.parametrize("mutate", [False, True], ids=["queries", "mutations"])
def test_operations_of_any_shape_have_the_same_answers_calls_and_log(mutate: bool) -> None:
    """Any query or mutation of a schema with every shape is executed as by graphql-core, and most have a plan."""
    comparison = Comparison(shapes.schema, [partial(shapes.Context, salt) for salt in range(5)])

    @generated
    @given(operations(shapes.schema, mutate=mutate))
    def compare(drawn: Generated) -> None:
        comparison.compare(drawn)

    compare()
    tried = comparison.tried
    assert tried["executed"] > 0.5 * (tried["executed"] + tried["refused"])
    assert tried["planned"] > 0.2 * tried["executed"]
    assert tried["wrong variables"] > 0.02 * tried["executed"]


def test_operations_are_varied_in_each_way() -> None:
    """Each kind of variation occurs among the operations that are compared."""
    seen: set[str] = set()

    @seed(1)
    @settings(generated, max_examples=500, phases=[Phase.generate], database=None)
    @given(operations(shapes.schema, mutate=False))
    def look(drawn: Generated) -> None:
        seen.update(drawn.kinds)

    look()
    assert seen >= {*VARIATIONS, *KINDS, *VARIABLES}


def test_values_that_fit_or_do_not_are_completed_alike_at_every_depth() -> None:
    """A thousand values, of any type and wrong in any way at any depth, are completed as by graphql-core."""
    operation = Documents(shapes.schema, introspection=True).get(EVERY_SHAPE).get_operation(None)
    assert operation is not None
    depths: set[int] = set()
    for number in range(1_000):
        by_plan, by_core = asyncio.run(see_both(shapes.schema, operation, {"seed": number}, shapes.Context))
        assert by_plan == by_core
        depths |= {len(error["path"]) for error in json.loads(by_core.errors) if "path" in error}
    assert {1, 2, 3, 4, 5} <= depths


@pytest.mark.parametrize("mutate", [False, True], ids=["queries", "mutations"])
def test_operations_of_the_service_have_the_same_answers_and_log(mutate: bool) -> None:
    """Any query or mutation of this service is executed as by graphql-core; nearly all have a plan."""
    comparison = Comparison(graphql_schema, [faked_services.build_context])

    @generated
    @given(operations(graphql_schema, mutate=mutate, texts=st.sampled_from(faked_services.TEXTS)))
    def compare(drawn: Generated) -> None:
        comparison.compare(drawn)

    compare()
    assert comparison.tried["planned"] > 0.4 * comparison.tried["executed"]
