"""organisation, organisations, identifierTypes."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from operator import attrgetter
from typing import Annotated, TypeAlias

import strawberry

from api.graphql.context import Info, choose_language
from api.graphql.engine.cost import ARGUMENT_LENGTH, SIZE
from api.graphql.problems import InvalidInput, Problem, TooManyRequests
from api.messages.languages import Language
from api.messages.words import translate
from api.refusals import ProblemCode
from models.field_problems import FieldProblemCode
from models.identifiers import (
    IDENTIFIER_FORMATS,
    Identifier,
    IdentifierError,
    IdentifierFormat,
    IdentifierType,
    parse_identifier,
)
from models.organisation import KnownOrganisation, OrganisationSource, OrganisationStatus

MAX_ECHO_LENGTH = 50

strawberry.enum(
    IdentifierType,
    description=(
        "The kinds of identifier under which an organisation can be known. The codes are those of Chorus Pro's own API."
    ),
)
strawberry.enum(
    OrganisationStatus,
    description="UNKNOWN: declared by somebody who signed up, confirmed by no register.",
)
strawberry.enum(OrganisationSource, description="Where a fact about an organisation comes from.")


@strawberry.enum(description="Values of HTML's inputmode, in capitals.")
class InputMode(Enum):
    NUMERIC = "NUMERIC"
    TEXT = "TEXT"


@strawberry.type(description="What a form needs to guide a person who types an identifier of this type.")
class IdentifierTypeInfo:
    type: IdentifierType
    label: str = strawberry.field(description="For the drop-down list: 'SIRET', 'European Union, outside France', ...")
    field_label: str = strawberry.field(description="The field's own label, once this type is chosen: 'SIRET number'.")
    format_hint: str = strawberry.field(description="The expected format in words, to show under the field.")
    ignored_characters: str = strawberry.field(
        description=(
            "Characters that are dropped before anything is checked: ' .-' for SIRET. Letter case never matters."
        )
    )
    pattern: str = strawberry.field(
        description=(
            "What is left must match this: a regular expression, anchored, without flags or look-behind, in the"
            " common part of ECMAScript (with u or v), ICU and Python. Matching it says that the form is right,"
            " not the check digit."
        )
    )
    min_length: int = strawberry.field(description="Lengths of what is left.")
    max_length: int
    example: str = strawberry.field(description="A valid value, as a person would type it.")
    input_mode: InputMode
    has_checksum: bool = strawberry.field(
        description="Whether the value carries a check digit that the server verifies."
    )
    has_lookup: bool = strawberry.field(
        description=(
            "Whether values can be looked up: if not, `organisation` never finds one, and signing up always founds"
            " a new organisation."
        )
    )

    @classmethod
    def of(cls, format_: IdentifierFormat, language: Language) -> "IdentifierTypeInfo":
        return cls(
            type=format_.type,
            label=translate(language, f"identifier-label-{format_.type}"),
            field_label=translate(language, f"identifier-field-{format_.type}"),
            format_hint=translate(language, f"identifier-hint-{format_.type}"),
            ignored_characters=format_.ignored_characters,
            pattern=format_.pattern,
            min_length=format_.min_length,
            max_length=format_.max_length,
            example=format_.example,
            input_mode=InputMode.NUMERIC if format_.numeric else InputMode.TEXT,
            has_checksum=format_.has_checksum,
            has_lookup=format_.has_lookup,
        )


@strawberry.input(description="What identifies an organisation.")
class OrganisationIdentifierInput:
    type: IdentifierType
    value: str = strawberry.field(description="As typed.")


@strawberry.type(description="What identifies an organisation.")
class OrganisationIdentifier:
    type: IdentifierType
    value: str = strawberry.field(description="Canonical form.")
    formatted: str = strawberry.field(description="As people write it: '732 829 320 00074'.")

    @classmethod
    def of(cls, identifier: Identifier) -> "OrganisationIdentifier":
        return cls(type=identifier.type, value=identifier.value, formatted=identifier.formatted)


class KnownFields:
    """The fields of an organisation, which are read of what is known when they are selected."""

    _known: KnownOrganisation
    _language: Language
    _message_id: str | None

    name = property(attrgetter("_known.name"))
    status = property(attrgetter("_known.status"))
    on_portal = property(attrgetter("_known.on_portal"))
    postal_code = property(attrgetter("_known.postal_code"))
    city = property(attrgetter("_known.city"))
    source = property(attrgetter("_known.source"))
    as_of = property(attrgetter("_known.as_of"))

    @property
    def id(self) -> strawberry.ID:
        return strawberry.ID(str(self._known.id))

    @property
    def identifier(self) -> OrganisationIdentifier:
        return OrganisationIdentifier.of(self._known.identifier)

    @property
    def message(self) -> str:
        return translate(self._language, self._message_id or _message_of(self._known))


@strawberry.type(description="An organisation that the register or the portal knows.")
class Organisation(KnownFields):
    # A field without a default leaves no attribute in its class, so that those of `KnownFields` are read.
    id: strawberry.ID = strawberry.field(
        description="Opaque; the same before and after the organisation joins the portal."
    )
    identifier: OrganisationIdentifier = strawberry.field()
    name: str | None = strawberry.field(
        description="Null where its holder has opted out of publication, and for a natural person."
    )
    status: OrganisationStatus
    on_portal: bool = strawberry.field(
        description="Whether it is on the portal already: then a newcomer asks to join it, and its manager decides."
    )
    postal_code: str | None
    city: str | None
    source: OrganisationSource
    as_of: datetime = strawberry.field(description="The register's edition, or when it was declared.")
    message: str = strawberry.field(
        description="To show under the field: whether it is on the portal, is closed, or can be joined."
    )

    def __init__(self, known: KnownOrganisation, language: Language, message_id: str | None = None) -> None:
        """*message_id* names another message than the one for newcomers."""
        self._known = known
        self._language = language
        self._message_id = message_id


def _message_of(known: KnownOrganisation) -> str:
    if known.status is OrganisationStatus.CLOSED:
        return "organisation-closed"
    return "organisation-on-portal" if known.on_portal else "organisation-can-be-founded"


@strawberry.type(description="The organisation that a registration names.")
class DeclaredOrganisation:
    identifier: OrganisationIdentifier
    organisation: Organisation | None = strawberry.field(description="What is known of it; null for one that is new.")
    message: str = strawberry.field(description="What signing up will mean: found it, ask to join it.")

    @classmethod
    def of(cls, identifier: Identifier, known: KnownOrganisation | None, language: Language) -> "DeclaredOrganisation":
        joined = known is not None and known.on_portal
        return cls(
            identifier=OrganisationIdentifier.of(identifier),
            organisation=None if known is None else Organisation(known, language),
            message=translate(language, f"declared-organisation-{'joined' if joined else 'founded'}"),
        )


@strawberry.type(description="A well-formed identifier that neither the register nor the portal knows.")
class OrganisationNotFound(Problem):
    identifier: OrganisationIdentifier


@strawberry.type(description="A value that can't be an identifier of its type.")
class InvalidIdentifier(Problem):
    reason: FieldProblemCode
    type: IdentifierType
    value: str = strawberry.field(description=f"As it came, cut at {MAX_ECHO_LENGTH} characters.")


@strawberry.type(description="One answer for each identifier, in the order asked, duplicates kept.")
class OrganisationList:
    items: list["OrganisationLookup"] = strawberry.field(metadata={SIZE: ARGUMENT_LENGTH})


OrganisationLookup: TypeAlias = Annotated[
    Organisation | OrganisationNotFound | InvalidIdentifier, strawberry.union("OrganisationLookup")
]
OrganisationResult: TypeAlias = Annotated[
    Organisation | OrganisationNotFound | InvalidIdentifier | TooManyRequests,
    strawberry.union("OrganisationResult"),
]
OrganisationsResult: TypeAlias = Annotated[
    OrganisationList | InvalidInput | TooManyRequests, strawberry.union("OrganisationsResult")
]


async def identifier_types(info: Info, language: Language | None = strawberry.UNSET) -> list[IdentifierTypeInfo]:
    spoken = choose_language(info, language)
    return [IdentifierTypeInfo.of(format_, spoken) for format_ in IDENTIFIER_FORMATS.values()]


async def organisation(
    info: Info, identifier: OrganisationIdentifierInput, language: Language | None = strawberry.UNSET
) -> OrganisationResult:
    await info.context.services.look_ups.admit(1, info.context.caller)
    (answer,) = await _look_up(info, [identifier], choose_language(info, language))
    return answer


async def organisations(
    info: Info, identifiers: list[OrganisationIdentifierInput], language: Language | None = strawberry.UNSET
) -> OrganisationsResult:
    await info.context.services.look_ups.admit(len(identifiers), info.context.caller)
    return OrganisationList(items=await _look_up(info, identifiers, choose_language(info, language)))


async def _look_up(
    info: Info, entered: Sequence[OrganisationIdentifierInput], language: Language
) -> list["OrganisationLookup"]:
    """Return the answer to each identifier of *entered*, in their order."""
    parsed = [_parse(one, language) for one in entered]
    known = await info.context.services.look_ups.find([one for one in parsed if isinstance(one, Identifier)])
    return [_answer(one, known.get(one), language) if isinstance(one, Identifier) else one for one in parsed]


def _parse(entered: OrganisationIdentifierInput, language: Language) -> Identifier | InvalidIdentifier:
    try:
        return parse_identifier(entered.type, entered.value)
    except IdentifierError as exc:
        return _invalid(entered, exc.code, language)


def _answer(
    identifier: Identifier, known: KnownOrganisation | None, language: Language
) -> Organisation | OrganisationNotFound:
    if known is not None:
        return Organisation(known, language)
    return OrganisationNotFound(
        code=ProblemCode.ORGANISATION_NOT_FOUND,
        message=translate(language, f"problem-{ProblemCode.ORGANISATION_NOT_FOUND}"),
        identifier=OrganisationIdentifier.of(identifier),
    )


def _invalid(entered: OrganisationIdentifierInput, reason: FieldProblemCode, language: Language) -> InvalidIdentifier:
    return InvalidIdentifier(
        code=ProblemCode.IDENTIFIER_INVALID,
        reason=reason,
        message=translate(language, f"field-{reason}"),
        type=entered.type,
        value=entered.value[:MAX_ECHO_LENGTH].encode("utf-8", "replace").decode(),  # A lone surrogate has no UTF-8.
    )
