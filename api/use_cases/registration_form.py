"""The sign-up form: from the entries of a person to the values that are stored, or to all their problems at once."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from api.refusals import FieldRefusal, InvalidInput
from models.field_problems import FieldProblemCode
from models.identifiers import Identifier, IdentifierError, IdentifierType, parse_identifier
from models.organisation import KnownOrganisation, OrganisationStatus, find_organisation
from models.personal_data import (
    MAX_ORGANISATION_NAME_LENGTH,
    EmailAddress,
    InputError,
    Person,
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
    """The conditions that a person agrees to, in the versions that are current."""

    version: str
    url: str
    survey_consent_version: str


@dataclass(frozen=True, slots=True)
class FormEntries:
    """The form as a person filled it in. *language* is the language of the e-mails."""

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
    """The form with each entry checked and in its stored form, and the organisation that it names, where known."""

    person: Person
    survey_consent: bool
    identifier: Identifier
    organisation_name: str | None
    organisation: KnownOrganisation | None

    def canonical(self) -> str:
        """Return a text that is the same for the same entries in any spelling.

        What is known of the organisation at the moment is no part of it.
        """
        entries = asdict(self.person) | {
            "identifier": self.identifier._asdict(),
            "survey_consent": self.survey_consent,
        }
        return json.dumps(entries, sort_keys=True)


class _Problems:
    """Gathers what is wrong, field by field."""

    def __init__(self) -> None:
        self.found: list[FieldRefusal] = []

    def add(self, path: tuple[str, ...], code: FieldProblemCode) -> None:
        self.found.append(FieldRefusal(path, code))

    def parse(self, path: tuple[str, ...], parser: Callable[[str], T], entry: str) -> T | None:
        """Return what *parser* makes of *entry*. If it refuses, note the problem at *path* and return None."""
        try:
            return parser(entry)
        except InputError as exc:
            self.found.append(_refusal(path, exc))
        except IdentifierError as exc:
            self.add(path, exc.code)
        return None

    def parse_optional(self, path: tuple[str, ...], parser: Callable[[str], T], entry: str | None) -> T | None:
        """Do as `parse` does, and accept an entry that is missing or blank."""
        return self.parse(path, parser, entry) if entry and not is_blank(entry) else None


async def read_form(entries: FormEntries, terms: Terms) -> Form:
    """Return the form in its stored form.

    :raises InvalidInput: with every problem of every field, in the order of the fields.
    """
    problems = _Problems()
    person = _read_person(entries, problems)
    _check_terms(entries, terms, problems)
    identifier = problems.parse(
        IDENTIFIER, partial(parse_identifier, entries.identifier_type), entries.identifier_value
    )
    organisation = None if identifier is None else await find_organisation(identifier)
    name = _read_organisation_name(entries, identifier, organisation, problems)
    _check_idempotency_key(entries, problems)
    if problems.found or person is None or identifier is None:
        raise InvalidInput(problems.found)
    return Form(
        person=person,
        survey_consent=entries.survey_consent,
        identifier=identifier,
        organisation_name=name,
        organisation=organisation,
    )


def read_email(entry: str) -> EmailAddress:
    """Return the address in an input that has nothing else.

    :raises InvalidInput: with the problem at `email`.
    """
    problems = _Problems()
    email = problems.parse(EMAIL, parse_email_address, entry)
    if email is None:
        raise InvalidInput(problems.found)
    return email


def _read_person(entries: FormEntries, problems: _Problems) -> Person | None:
    email = problems.parse(EMAIL, parse_email_address, entries.email)
    _check_confirmation(entries, email, problems)
    first_name = problems.parse(("firstName",), parse_name, entries.first_name)
    last_name = problems.parse(("lastName",), parse_name, entries.last_name)
    phone = problems.parse_optional(("phone",), parse_phone, entries.phone)
    contact = problems.parse_optional(("contactEmail",), parse_email_address, entries.contact_email)
    if email is None or first_name is None or last_name is None:
        return None
    return Person(email, first_name, last_name, phone, None if contact is None else contact.address)


def _refusal(path: tuple[str, ...], exc: InputError) -> FieldRefusal:
    if exc.reason:
        return FieldRefusal(path, exc.code, {"quoted": exc.quoted}, exc.reason)
    return FieldRefusal(path, exc.code, {} if exc.limit is None else {"max": exc.limit})


def _check_confirmation(entries: FormEntries, email: EmailAddress | None, problems: _Problems) -> None:
    """Compare both addresses; letter case makes no other address. An invalid address is compared as it was entered."""
    if is_blank(entries.email_confirmation):
        problems.add(EMAIL_CONFIRMATION, FieldProblemCode.REQUIRED)
        return
    if entries.email_confirmation == entries.email:
        return
    try:
        confirmed = parse_email_address(entries.email_confirmation).canonical
    except InputError:
        confirmed = visible(entries.email_confirmation)
    if confirmed != (visible(entries.email) if email is None else email.canonical):
        problems.add(EMAIL_CONFIRMATION, FieldProblemCode.EMAIL_MISMATCH)


def _check_terms(entries: FormEntries, terms: Terms, problems: _Problems) -> None:
    if not entries.accept_terms:
        problems.add(("acceptTerms",), FieldProblemCode.TERMS_NOT_ACCEPTED)
    if entries.terms_version and visible(entries.terms_version) not in {"", terms.version}:
        problems.add(("termsVersion",), FieldProblemCode.TERMS_OUTDATED)


def _read_organisation_name(
    entries: FormEntries,
    identifier: Identifier | None,
    organisation: KnownOrganisation | None,
    problems: _Problems,
) -> str | None:
    """Return the known name, else the declared one, which a new organisation must have. A natural person has none."""
    if identifier is not None and identifier.type is IdentifierType.PARTICULIER:
        return None
    if organisation is not None and organisation.status is OrganisationStatus.CLOSED:
        problems.add(IDENTIFIER, FieldProblemCode.ORGANISATION_CLOSED)
    if organisation is not None and organisation.name is not None:
        return organisation.name
    parser = partial(parse_name, max_length=MAX_ORGANISATION_NAME_LENGTH)
    if organisation is not None or identifier is None:
        return problems.parse_optional(ORGANISATION_NAME, parser, entries.organisation_name)
    return problems.parse(ORGANISATION_NAME, parser, entries.organisation_name or "")


def _check_idempotency_key(entries: FormEntries, problems: _Problems) -> None:
    if entries.idempotency_key and not is_blank(entries.idempotency_key):
        try:
            uuid.UUID(clean(entries.idempotency_key))
        except ValueError:
            problems.add(("idempotencyKey",), FieldProblemCode.INVALID_FORMAT)
