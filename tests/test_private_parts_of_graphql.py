"""The private parts of Strawberry and graphql-core do what the engine expects of them, in the installed versions."""

from __future__ import annotations

import gc
import inspect
from functools import partial
from importlib.metadata import version
from typing import Any, cast

import graphql
import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter

from api.graphql.engine import graphql_core_internals, strawberry_internals
from api.graphql.engine.graphql_core_internals import AttributeExecutor, FieldCollector
from api.graphql.engine.strawberry_internals import (
    CachedNames,
    get_attribute,
    get_core_info,
    get_core_schema,
    get_metadata,
)
from api.graphql.schema import graphql_schema
from tests.support.work import calls_of

IS_ONE_OF = graphql.parse('{ __type(name: "Query") { fields { type { isOneOf } } } }')


@strawberry.type
class Leaves:
    first_leaf: str = strawberry.field(default="first", metadata={"weight": 7})
    second_leaf: int = 2
    third_leaf: str | None = None

    @strawberry.field
    def resolved(self, info: strawberry.Info[Any, Any]) -> str:
        return get_core_info(info).field_name


@strawberry.type
class Query:
    @strawberry.field
    def leaves(self) -> list[Leaves]:
        return [Leaves() for _ in range(20)]

    @strawberry.field
    def echo(self, some_text: int) -> int:
        return some_text


@pytest.fixture
def core() -> graphql.GraphQLSchema:
    return get_core_schema(strawberry.Schema(Query))


def execute(schema: graphql.GraphQLSchema, query: str, executor: type[graphql.Executor[Any]]) -> Any:
    result = graphql.execute_sync(schema, graphql.parse(query), executor_class=executor)
    assert result.errors is None
    return result.data


@pytest.mark.parametrize(
    ("library", "tried_on"),
    [("strawberry-graphql", strawberry_internals.TRIED_ON), ("graphql-core", graphql_core_internals.TRIED_ON)],
)
def test_installed_versions_are_those_that_were_tried(library: str, tried_on: str) -> None:
    """A new version fails here until somebody has tried the private parts on it."""
    assert version(library) == tried_on


# --- Strawberry ---


def test_core_schema_executes_what_strawberry_defines(core: graphql.GraphQLSchema) -> None:
    """The schema that graphql-core executes is Strawberry's."""
    data = execute(core, "{ leaves { firstLeaf } }", graphql.Executor)
    assert data == {"leaves": [{"firstLeaf": "first"}] * 20}


def test_resolvers_reach_the_info_of_graphql_core(core: graphql.GraphQLSchema) -> None:
    """Strawberry's info holds that of graphql-core."""
    assert execute(core, "{ leaves { resolved } }", AttributeExecutor)["leaves"][0] == {"resolved": "resolved"}


def test_fields_of_graphql_core_lead_to_their_definitions(core: graphql.GraphQLSchema) -> None:
    """A field of graphql-core tells its metadata, and the attribute that it reads."""
    type_ = core.type_map["Leaves"]
    assert isinstance(type_, graphql.GraphQLObjectType)
    assert get_metadata(type_.fields["firstLeaf"], "weight", 1) == 7
    assert get_metadata(type_.fields["secondLeaf"], "weight", 1) == 1
    attributes = {name: get_attribute(field) for name, field in type_.fields.items()}
    assert attributes == {
        "firstLeaf": "first_leaf",
        "secondLeaf": "second_leaf",
        "thirdLeaf": "third_leaf",
        "resolved": None,
    }
    assert get_attribute(graphql.SchemaMetaFieldDef) is None
    assert get_metadata(graphql.SchemaMetaFieldDef, "weight", 1) == 1


def test_strawberry_asks_for_the_name_of_an_argument_at_each_call() -> None:
    """Strawberry names an argument at each call, by the method that is overridden: the cache spares the work."""
    asked: list[str] = []

    class Names(CachedNames):
        def apply_naming_config(self, name: str) -> str:
            asked.append(name)
            return super().apply_naming_config(name)

    core = get_core_schema(strawberry.Schema(Query, config=StrawberryConfig(name_converter=Names())))
    assert graphql.print_schema(core) == graphql.print_schema(get_core_schema(strawberry.Schema(Query)))
    asked.clear()
    assert execute(core, "{ echo(someText: 1) }", AttributeExecutor) == {"echo": 1}
    assert asked == ["some_text"]
    cached, own = CachedNames(), NameConverter()
    assert cached.apply_naming_config("some_text") == own.apply_naming_config("some_text") == "someText"
    assert calls_of(partial(cached.apply_naming_config, "some_text")) < calls_of(
        partial(own.apply_naming_config, "some_text")
    )


def test_strawberry_still_needs_our_resolver_of_is_one_of(core: graphql.GraphQLSchema) -> None:
    """Strawberry's own resolver fails for wrapping types. Once it works, ours can go."""
    try:
        other = strawberry.Schema(Query)  # The types of introspection are the same objects in every schema.
        errors = graphql.execute_sync(core, IS_ONE_OF).errors
        assert errors is not None
        assert isinstance(errors[0].original_error, AttributeError)
        get_core_schema(other)
        assert graphql.execute_sync(core, IS_ONE_OF).errors is None
    finally:
        get_core_schema(other)
    assert graphql.execute_sync(graphql_schema, IS_ONE_OF).errors is None


# --- graphql-core ---


@pytest.mark.parametrize("name", ["build_response", "execute_field"])
def test_overridden_methods_take_the_arguments_of_the_original(name: str) -> None:
    """graphql-core calls the methods that are overridden with the arguments that these take."""
    original = inspect.signature(getattr(graphql.Executor, name))
    assert list(inspect.signature(getattr(AttributeExecutor, name)).parameters) == list(original.parameters)


def test_short_way_to_attributes_gives_the_same_in_less_work(core: graphql.GraphQLSchema) -> None:
    """Our override gives the same fields as graphql-core in less work."""
    query = "{ leaves { __typename firstLeaf secondLeaf thirdLeaf } }"
    assert execute(core, query, AttributeExecutor) == execute(core, query, graphql.Executor)
    short, long = (
        calls_of(partial(execute, core, query, executor)) for executor in (AttributeExecutor, graphql.Executor)
    )
    assert short < 0.6 * long


@pytest.mark.parametrize(("executor", "left"), [(graphql.Executor, 1), (AttributeExecutor, 0)])
def test_executor_ends_without_a_reference_cycle(
    core: graphql.GraphQLSchema, executor: type[graphql.Executor[Any]], left: int
) -> None:
    """graphql-core's executor refers to itself by its helpers. Ours no longer does when it is done."""
    document = graphql.parse("{ leaves { firstLeaf } }")
    gc.collect()
    gc.disable()
    try:
        graphql.execute_sync(core, document, executor_class=executor)
        assert sum(isinstance(thing, graphql.Executor) for thing in gc.get_objects()) == left
    finally:
        gc.enable()
        gc.collect()


SWITCHED = """
query ($on: Boolean!, $off: Boolean!, $number: Int = 7) {
  ...F @include(if: $on)
  echo(someText: $number) @skip(if: $off)
  again: echo(someText: 1) @include(if: $off)
}
fragment F on Query { leaves { secondLeaf ...L } leaves { firstLeaf } }
fragment L on Leaves { thirdLeaf @skip(if: $on) firstLeaf }
"""


def test_fields_are_collected_in_the_order_of_the_answer(core: graphql.GraphQLSchema) -> None:
    """Fields are collected by key, merged and switched, as graphql-core executes them."""
    document, variables = graphql.parse(SWITCHED), {"on": True, "off": False}
    operation = graphql.get_operation_ast(document)
    assert operation is not None
    assert core.query_type is not None
    collector = FieldCollector(core, document, operation, variables)
    fields = collector.collect_fields(core.query_type)
    leaves = cast("graphql.GraphQLObjectType", core.type_map["Leaves"])
    data = graphql.execute_sync(core, document, variable_values=variables).data
    assert data is not None
    assert [*fields] == [*data]
    assert [*collector.collect_subfields(leaves, fields["leaves"])] == [*data["leaves"][0]]


def test_info_is_what_graphql_core_tells_a_resolver(core: graphql.GraphQLSchema) -> None:
    """The info for a root field has all that graphql-core's has, and variables that are coerced when asked for."""
    document, variables = graphql.parse(SWITCHED), {"on": True, "off": False}
    operation = graphql.get_operation_ast(document)
    assert operation is not None
    assert core.query_type is not None
    told: list[graphql.GraphQLResolveInfo[Any]] = []
    field = core.query_type.fields["echo"]
    resolve, field.resolve = field.resolve, lambda _, info, **__: told.append(info)
    graphql.execute_sync(core, document, variable_values=variables, context_value="context")
    field.resolve = resolve
    collector = FieldCollector(core, document, operation, variables)
    build = collector.compile_info(core.query_type, field, "echo", collector.collect_fields(core.query_type)["echo"])
    built = build(variables, "context")
    assert built[:9] == told[0][:9]
    assert built.context == "context"
    assert built.variable_values.coerced == told[0].variable_values.coerced == variables | {"number": 7}
    sources = [
        {name: (str(source.signature.type), source.value) for name, source in info.variable_values.sources.items()}
        for info in (built, told[0])
    ]
    assert sources[0] == sources[1]
    values = [
        graphql.get_argument_values(field, info.field_nodes[0], info.variable_values) for info in (built, told[0])
    ]
    assert values == [{"someText": 7}] * 2
