"""Services whose outcomes depend on their arguments alone: what they find, what they refuse, and where they fail."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from api import refusals
from api.caller import Caller
from api.graphql.context import Context, Services
from api.messages.languages import Language
from api.passwords.policy import Assessment, CharacterType
from api.refusals import FieldRefusal, ProblemCode
from api.use_cases.activation import InspectedLink
from api.use_cases.organisations import LookUps
from api.use_cases.registration import Pending
from api.use_cases.registration_form import Terms
from models.activation import LinkState
from models.field_problems import FieldProblemCode
from models.identifiers import Identifier, IdentifierType, parse_identifier
from models.organisation import KnownOrganisation, OrganisationSource, OrganisationStatus
from models.personal_data import parse_email_address
from models.registration import RegistrationState as StoredState

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
ID = uuid.UUID(int=7)
TEXTS = ("732 829 320 00074", "73282932000074", "DE129273398", "1234567", "text", "", "é" * 60)


@dataclass(frozen=True)
class _Registration:
    """The part of a registration that answers show."""

    identifier: Identifier
    id: uuid.UUID
    email: str = "ada@example.org"
    attempts_left: int = 2
    captcha_deadline: datetime = NOON
    state: StoredState = StoredState.AWAITING_CAPTCHA


def build_context() -> Context:
    """Return the context of a request at noon."""
    services = Services(
        sign_up=_SignUp(),  # type: ignore[arg-type]  # It has the methods, and so have the others.
        activation=_Activation(),  # type: ignore[arg-type]
        password_checker=_PasswordChecker(),  # type: ignore[arg-type]
        look_ups=LookUps(_find, limits=_Limits()),  # type: ignore[arg-type]
        captcha=None,  # type: ignore[arg-type]  # No challenge is shown.
        limits=_Limits(),  # type: ignore[arg-type]
        terms=Terms(version="1", url="https://portal.example/terms", survey_consent_version="2"),
        sign_in_url="https://portal.example/sign-in",
    )
    return Context(services, Caller("network", Language.EN, NOON))


def _choose(*arguments: object) -> int:
    """Return a number below 8 that depends on *arguments* alone."""
    return crc32(repr(arguments).encode()) % 8


def _refuse(*arguments: object) -> None:
    """Refuse or fail, for half of all arguments."""
    match _choose(*arguments):
        case 0:
            path = ("organisation", "identifier", "value")
            raise refusals.InvalidInput([FieldRefusal(path, FieldProblemCode.REQUIRED)])
        case 1:
            raise refusals.TooManyRequests(7)
        case 2:
            raise refusals.RegistrationNotFound
        case 3:
            raise ConnectionError


class _Limits:
    async def enforce(self, _: str, *__: str, cost: int = 1) -> None:
        if cost > 2:
            raise refusals.TooManyRequests(5)
        if cost == 2:
            raise ConnectionError


async def _find(identifiers: Sequence[Identifier]) -> dict[Identifier, KnownOrganisation]:
    found = {identifier: _find_one(identifier) for identifier in identifiers}
    return {identifier: known for identifier, known in found.items() if known is not None}


def _find_one(identifier: Identifier) -> KnownOrganisation | None:
    choice = _choose(identifier)
    if choice < 4:
        return None
    return KnownOrganisation(
        identifier=identifier,
        name=None if choice == 5 else "Ville de Paris",
        status=OrganisationStatus.CLOSED if choice == 6 else OrganisationStatus.ACTIVE,
        on_portal=choice == 7,
        postal_code=None,
        city="Paris",
        source=OrganisationSource.SIRENE,
        recorded="2026-11-01",
        stored_id=uuid.uuid5(ID, identifier.value),
    )


class _SignUp:
    async def create_account(self, entries: Any, _: Caller) -> Pending:
        _refuse(entries)
        identifier = parse_identifier(IdentifierType.SIRET, "73282932000074")
        registration: Any = _Registration(identifier, ID)
        return Pending(registration, KnownOrganisation.declared(identifier, NOON, ID), None)

    async def renew_captcha(self, id_: str, caller: Caller) -> Pending:
        return await self.create_account(id_, caller)

    async def verify_captcha(self, id_: str, answer: str, caller: Caller) -> Any:
        pending = await self.create_account((id_, answer), caller)
        if _choose(answer, id_) < 3:
            raise refusals.CaptchaRejected(ProblemCode.CAPTCHA_REJECTED, pending, attempts_left=2)
        return pending.registration

    async def resend_activation_mail(self, email: str, _: Caller) -> Any:
        _refuse(email)
        return parse_email_address("ada@example.org")


class _Activation:
    async def inspect_link(self, token: str, _: Caller) -> InspectedLink:
        _refuse(token)
        return InspectedLink(LinkState.UNKNOWN, None, None)

    async def activate_account(self, *arguments: object) -> Any:
        _refuse(*arguments)
        raise refusals.ActivationLinkRefused(ProblemCode.ACTIVATION_LINK_USED)


class _PasswordChecker:
    async def check_password(self, *arguments: object) -> Assessment:
        _refuse(*arguments[:3])
        problem = FieldRefusal(("password",), FieldProblemCode.PASSWORD_TOO_SHORT, {"min": 12})
        return Assessment(1, tuple(CharacterType), (problem,), ("dictionary",))
