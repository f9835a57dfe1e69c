"""The contract: the committed schema is that of the code, and describes itself."""

from __future__ import annotations

from pathlib import Path

import graphql

from api.app import sdl

PROJECT = Path(__file__).parent.parent


def test_committed_contract_is_that_of_the_code() -> None:
    """Who changes the API exports its contract: `guichet export-schema --output schema.graphql`."""
    assert (PROJECT / "schema.graphql").read_text(encoding="utf-8") == sdl()


def test_contract_is_a_valid_schema() -> None:
    """Any tool can read the contract."""
    assert graphql.validate_schema(graphql.build_schema(sdl())) == []


def test_contract_is_described() -> None:
    """Each type, and each operation, says in words what it is."""
    schema = graphql.build_schema(sdl())
    own = [type_ for name, type_ in schema.type_map.items() if not name.startswith("__")]
    described = (graphql.GraphQLObjectType, graphql.GraphQLInterfaceType, graphql.GraphQLInputObjectType)
    assert [type_.name for type_ in own if isinstance(type_, described) and not type_.description] == []
    for root in (schema.query_type, schema.mutation_type):
        assert root is not None
        assert [name for name, field in root.fields.items() if not field.description] == []


def test_every_refusal_is_a_problem() -> None:
    """What has a code, and is not about one field, can be shown as `... on Problem`."""
    schema = graphql.build_schema(sdl())
    for type_ in schema.type_map.values():
        if isinstance(type_, graphql.GraphQLObjectType) and "code" in type_.fields and "path" not in type_.fields:
            assert [interface.name for interface in type_.interfaces] == ["Problem"], type_.name
