"""The sign-up form: what was typed becomes what is stored, or all that is wrong with it at once."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from api.refusals import FieldRefusal, InvalidInput
from models.identifiers import Identifier, IdentifierError, IdentifierType, parse_identifier
from models.organisation import KnownOrganisation, OrganisationStatus, find_organisation
from models.personal_data import (
    MAX_ORGANISATION_NAME_LENGTH,
    EmailAddress,
    InputError,
    clean,
    parse_email_address,
    parse_name,
    parse_phone,
)
from models.visible_text import is_blank, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.messages.languages import Language

T = TypeVar("T")

EMAIL = ("email",)
EMAIL_CONFIRMATION = ("emailConfirmation",)
IDENTIFIER = ("organisation", "identifier", "value")
ORGANISATION_NAME = ("organisation", "name")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a person agrees to, in the versions that are current."""

    version: str
    url: str
    survey_consent_version: str


@dataclass(frozen=True, slots=True)
class TypedForm:
    """The form as it came; *language* is of the e-mails."""

    email: str
    email_confirmation: str
    first_name: str
    last_name: str
    phone: str | None
    contact_email: str | None
    accept_terms: bool
    terms_version: str | None
    survey_consent: bool
    identifier_type: IdentifierType
    identifier_value: str
    organisation_name: str | None
    language: Language
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class Form:
    """The form in its stored form, and what is known of the organisation that it names."""

    email: EmailAddress
    first_name: str
    last_name: str
    phone: str | None
    contact_email: str | None
    survey_consent: bool
    identifier: Identifier
    organisation_name: str | None
    organisation: KnownOrganisation | None

    def canonical(self) -> str:
        """The same for the same entries, however they were typed and whatever is known of the organisation now."""
        entries = asdict(self)
        del entries["organisation"], entries["organisation_name"]
        return json.dumps(entries, sort_keys=True)


class _Problems:
    """Gathers what is wrong, field by field."""

    def __init__(self) -> None:
        self.found: list[FieldRefusal] = []

    def add(self, path: tuple[str, ...], code: str) -> None:
        self.found.append(FieldRefusal(path, code))

    def take(self, path: tuple[str, ...], parse: Callable[[str], T], typed: str) -> T | None:
        """What *parse* makes of *typed*; None, and a problem at *path*, where it refuses it."""
        try:
            return parse(typed)
        except InputError as exc:
            self.found.append(_refusal(path, exc))
        except IdentifierError as exc:
            self.add(path, exc.problem)
        return None

    def take_optional(self, path: tuple[str, ...], parse: Callable[[str], T], typed: str | None) -> T | None:
        """The same, where nothing and blanks are fine."""
        return self.take(path, parse, typed) if typed and not is_blank(typed) else None


async def read_form(typed: TypedForm, terms: Terms) -> Form:
    """The form in its stored form.

    :raises InvalidInput: with every problem of every field, in the order of the fields.
    """
    problems = _Problems()
    email = problems.take(EMAIL, parse_email_address, typed.email)
    _check_confirmation(typed, email, problems)
    first_name = problems.take(("firstName",), parse_name, typed.first_name)
    last_name = problems.take(("lastName",), parse_name, typed.last_name)
    phone = problems.take_optional(("phone",), parse_phone, typed.phone)
    contact = problems.take_optional(("contactEmail",), parse_email_address, typed.contact_email)
    _check_terms(typed, terms, problems)
    identifier = problems.take(IDENTIFIER, partial(parse_identifier, typed.identifier_type), typed.identifier_value)
    organisation = None if identifier is None else await find_organisation(identifier)
    name = _organisation_name(typed, identifier, organisation, problems)
    _check_idempotency_key(typed, problems)
    if problems.found or email is None or first_name is None or last_name is None or identifier is None:
        raise InvalidInput(problems.found)
    return Form(
        email=email,
        first_name=first_name,
        last_name=last_name,
        phone=phone,
        contact_email=None if contact is None else contact.address,
        survey_consent=typed.survey_consent,
        identifier=identifier,
        organisation_name=name,
        organisation=organisation,
    )


def read_email(typed: str) -> EmailAddress:
    """An address that stands alone in an input.

    :raises InvalidInput: with the problem at `email`.
    """
    problems = _Problems()
    email = problems.take(EMAIL, parse_email_address, typed)
    if email is None:
        raise InvalidInput(problems.found)
    return email


def _refusal(path: tuple[str, ...], exc: InputError) -> FieldRefusal:
    if exc.reason:
        return FieldRefusal(path, exc.code, {"quoted": exc.quoted}, exc.reason)
    return FieldRefusal(path, exc.code, {} if exc.limit is None else {"max": exc.limit})


def _check_confirmation(typed: TypedForm, email: EmailAddress | None, problems: _Problems) -> None:
    """Letter case makes no other address; an address that is wrong itself is compared as it was typed."""
    if is_blank(typed.email_confirmation):
        problems.add(EMAIL_CONFIRMATION, "REQUIRED")
        return
    try:
        confirmed = parse_email_address(typed.email_confirmation).canonical
    except InputError:
        confirmed = visible(typed.email_confirmation)
    if confirmed != (visible(typed.email) if email is None else email.canonical):
        problems.add(EMAIL_CONFIRMATION, "EMAIL_MISMATCH")


def _check_terms(typed: TypedForm, terms: Terms, problems: _Problems) -> None:
    if not typed.accept_terms:
        problems.add(("acceptTerms",), "TERMS_NOT_ACCEPTED")
    if typed.terms_version and visible(typed.terms_version) not in {"", terms.version}:
        problems.add(("termsVersion",), "TERMS_OUTDATED")


def _organisation_name(
    typed: TypedForm,
    identifier: Identifier | None,
    organisation: KnownOrganisation | None,
    problems: _Problems,
) -> str | None:
    """The name that stands: the known one, else the declared one, which a new organisation must have.

    A natural person has none.
    """
    if identifier is not None and identifier.type is IdentifierType.PARTICULIER:
        return None
    if organisation is not None and organisation.status is OrganisationStatus.CLOSED:
        problems.add(IDENTIFIER, "ORGANISATION_CLOSED")
    if organisation is not None and organisation.name is not None:
        return organisation.name
    parse = partial(parse_name, max_length=MAX_ORGANISATION_NAME_LENGTH)
    if organisation is not None or identifier is None:
        return problems.take_optional(ORGANISATION_NAME, parse, typed.organisation_name)
    return problems.take(ORGANISATION_NAME, parse, typed.organisation_name or "")


def _check_idempotency_key(typed: TypedForm, problems: _Problems) -> None:
    if typed.idempotency_key and not is_blank(typed.idempotency_key):
        try:
            uuid.UUID(clean(typed.idempotency_key))
        except ValueError:
            problems.add(("idempotencyKey",), "INVALID_FORMAT")
