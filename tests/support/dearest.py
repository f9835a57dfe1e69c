"""The most expensive documents within the limits: one of each kind made by hand, and generated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphql
from hypothesis import strategies as st

from api.graphql.engine.limits import MAX_ALIASES, MAX_EQUAL_LEAVES, MAX_EQUAL_OBJECTS, MAX_TOKENS
from api.graphql.schema import graphql_schema
from tests.support.client import SIRET

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[st.SearchStrategy[Any]], Any]

SCHEMA = graphql_schema
IDENTIFIERS = [{"type": "SIRET", "value": SIRET}] * 100
IDENTIFIER_TYPE = (
    "type label fieldLabel formatHint ignoredCharacters pattern minLength maxLength example inputMode hasChecksum"
)
ITEMS = "... on OrganisationList { items { __typename ... on OrganisationNotFound { code message } } }"


def times(count: int, text: str) -> str:
    """Repeat *text*, replacing each % by the number of the repetition."""
    return " ".join(text.replace("%", str(number)) for number in range(count))


def fragments(count: int, type_: str, selection: str) -> str:
    return times(count, f"fragment F% on {type_} {{ {selection} }}")


def lists(count: int, selection: str) -> str:
    fields = times(count, f"a%: organisations(identifiers: $identifiers) {{ {selection} }}")
    return f"query ($identifiers: [OrganisationIdentifierInput!]!) {{ {fields} }}"


def twice(introspection: str) -> str:
    """Return *introspection* under two aliases."""
    start, end = introspection.index("__schema {") + len("__schema {"), introspection.index("fragment ")
    whole = introspection[start:end].rstrip().removesuffix("}")
    return (
        f"{{ a: __schema {{ ...S }} b: __schema {{ ...S }} }} fragment S on __Schema {{ {whole} {introspection[end:]}"
    )


BY_HAND: dict[str, str] = {
    "introspection": graphql.get_introspection_query(
        specified_by_url=True, input_value_deprecation=True, schema_description=True, one_of=True
    ),
    "introspection twice": twice(graphql.get_introspection_query()),
    "types twice": "{ __schema { types { ...T a: fields { ...F } b: fields { ...F } } } }"
    " fragment F on __Field { name description args { name type { kind name } } type { kind name ofType { name } } }"
    " fragment T on __Type { kind name description enumValues { name description } }",
    "equal leaves": "{ " + "__typename " * MAX_EQUAL_LEAVES + "}",
    "leaves of several names": "{ terms { " + "version url surveyConsentVersion " * 72 + "} }",
    "equal objects": "{ " + "terms { version url surveyConsentVersion surveyConsentText } " * MAX_EQUAL_OBJECTS + "}",
    "equal objects of several names": "{ " + "terms { url } passwordPolicy { minLength } " * MAX_EQUAL_OBJECTS + "}",
    "objects in equal objects": "{ " + "__schema { queryType { name } mutationType { name } } " * 15 + "}",
    "fragments of one selection": "{ terms { " + times(48, "...F%") + " } }" + fragments(48, "Terms", "url"),
    "fragments in equal objects": "{ " + f"terms {{ {times(8, '...F%')} }} " * 15 + "}" + fragments(8, "Terms", "url"),
    "fragments in fragments": "{ ...F0 } "
    + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} __typename }}" for n in range(40))
    + " fragment F40 on Query { __typename }",
    "fragments in all later fragments": "{ ...F0 } "
    + " ".join(
        f"fragment F{n} on Query {{ __typename {' '.join(f'...F{later}' for later in range(n + 1, 17))} }}"
        for n in range(17)
    ),
    "operations": times(60, "query Q% { ...F }") + " fragment F on Query { terms { url } }",
    "operations that share a chain": times(40, "query Q% { ...F0 }")
    + " ".join(f" fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(22))
    + " fragment F22 on Query { __typename }",
    "unused variables": f"query ({times(118, '$v%: Int')}) {{ __typename }}",
    "variables": f"query ({times(40, '$v%: Int')}) {{ __typename {times(24, '@skip(if: $v%)')} }}",
    "directives": f"{{ __typename {'@skip(if: true) ' * 60}}}",
    "arguments": f"{{ terms({times(150, 'a%: 1')}) {{ url }} }}",
    "fields of an input": f"{{ organisation(identifier: {{{times(150, 'a%: 1')}}}) {{ __typename }} }}",
    "written list": "{ organisations(identifiers: [" + '{type: SIRET value: ""} ' * 56 + f"]) {{ {ITEMS} }} }}",
    "lists by aliases": "{ " + times(20, f"a%: identifierTypes {{ {IDENTIFIER_TYPE} }}") + " }",
    "look-ups": lists(5, ITEMS),
    "bare look-ups": lists(7, "... on OrganisationList { items { __typename } }"),
    "unknown fields": "{ " + times(200, "wrong%") + " }",
}


def tokens(text: str) -> int:
    """Count the tokens of *text*."""
    lexer = graphql.Lexer(graphql.Source(text))
    count = 0
    while lexer.advance().kind is not graphql.TokenKind.EOF:
        count += 1
    return count


@st.composite
def documents(draw: Draw) -> str:
    """Generate a query that fits the schema: blocks of fields, repeated, under aliases or in fragments."""
    blocks, spread = [], []
    for number in range(draw(st.integers(1, 4))):
        block = draw(selections(SCHEMA.query_type, draw(st.integers(1, 6))))
        if draw(st.booleans()):
            spread.append(f"fragment B{number} on Query {{ {block} }}")
            block = f"...B{number}"
        blocks.append(block)
    text = " ".join(blocks)
    again = draw(st.integers(1, MAX_EQUAL_OBJECTS))
    ends = " ".join(spread)
    while again > 1 and tokens(f"{{ {text} {' '.join([text] * (again - 1))} }} {ends}") > MAX_TOKENS:
        again -= 1
    aliased, left = [], MAX_ALIASES
    for part in [text] * again:
        if left and part[0].isalpha() and draw(st.booleans()):
            left -= 1
            aliased.append(f"a{left}: {part}")
        else:
            aliased.append(part)
    return f"{{ {' '.join(aliased)} }} {ends}"


@st.composite
def selections(draw: Draw, type_: Any, depth: int) -> str:
    """Generate a selection of *type_*: some of its fields, with selections of their own."""
    if isinstance(type_, graphql.GraphQLUnionType):
        member = draw(st.sampled_from(SCHEMA.get_possible_types(type_)))
        return f"__typename ... on {member.name} {{ {draw(selections(member, depth))} }}"
    fields = {name: field for name, field in type_.fields.items() if name not in {"organisation", "organisations"}}
    if type_ is SCHEMA.query_type:
        fields |= {"__schema": graphql.SchemaMetaFieldDef}
    parts = ["__typename"]
    for name in draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=6, unique=True)):
        named = graphql.get_named_type(fields[name].type)
        if graphql.is_leaf_type(named):
            parts.append(name)
        elif depth:
            parts.append(f"{name} {{ {draw(selections(named, depth - 1))} }}")
    return " ".join(parts[draw(st.integers(0, 1)) if len(parts) > 1 else 0 :])
