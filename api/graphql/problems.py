"""Expected refusals as members of the unions, in the caller's language: one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import strawberry

from api import refusals
from api.graphql.context import Info, language_of
from api.messages.languages import Language
from api.messages.words import translate
from api.refusals import ProblemCode
from models.field_problems import FieldProblemCode

strawberry.enum(ProblemCode, description="Every stable code of the API. Codes are never renamed.")
strawberry.enum(FieldProblemCode, description="What can be wrong with one field of an input.")


@strawberry.interface(
    description=(
        "An expected refusal. Every refusal in this API is a member of its field's result union and implements this"
        " interface, so that a client can select `... on Problem { code message }` and show `message`, in the"
        " caller's language, as it stands. Output enums and unions may gain members, which is announced in the"
        " change log: keep a default branch."
    )
)
class Problem:
    code: ProblemCode
    message: str

    @classmethod
    def of(cls, refusal: Any, info: Info) -> Self:
        """Return the member of a union that stands for *refusal*, in the language of the field."""
        return cls(code=refusal.code, message=problem_message(refusal, language_of(info)))


@strawberry.type(description="What is wrong with one field of the input.")
class FieldProblem:
    path: list[str] = strawberry.field(
        description='Path of the field in the input, as `["organisation", "identifier", "value"]`.'
    )
    code: FieldProblemCode
    message: str = strawberry.field(description="To show under the field, in the caller's language.")

    @classmethod
    def of(cls, refusal: refusals.FieldRefusal, language: Language) -> "FieldProblem":
        message_id = f"field-{refusal.code}-{refusal.reason}" if refusal.reason else f"field-{refusal.code}"
        return cls(
            path=list(refusal.path),
            code=refusal.code,
            message=translate(language, message_id, **refusal.parameters),
        )


@strawberry.type(description="Some fields of the input can't be accepted: all of them are listed at once.")
class InvalidInput(Problem):
    fields: list[FieldProblem]

    @classmethod
    def of(cls, refusal: refusals.InvalidInput, info: Info) -> Self:
        language = language_of(info)
        fields = [FieldProblem.of(field, language) for field in refusal.fields]
        return cls(code=refusal.code, message=problem_message(refusal, language), fields=fields)


@strawberry.type(
    description=(
        "The caller, or the address concerned, asked too often;"
        " or the service has as much of this work in hand as it can bear."
    )
)
class TooManyRequests(Problem):
    retry_after_seconds: int

    @classmethod
    def of(cls, refusal: refusals.TooManyRequests, info: Info) -> Self:
        info.context.turned_away = True
        return cls(
            code=refusal.code,
            message=problem_message(refusal, language_of(info)),
            retry_after_seconds=refusal.retry_after_seconds,
        )


@strawberry.type(description="The idempotency key was used with another input.")
class IdempotencyConflict(Problem):
    pass


@strawberry.type(description="No such registration, or it has expired: start again.")
class RegistrationNotFound(Problem):
    pass


@strawberry.type(
    description=(
        "ACTIVATION_LINK_UNKNOWN, _EXPIRED, _USED (the account is active: the message says where to sign in),"
        " _SUPERSEDED. The link is judged before the password; a refused password leaves the link usable."
    )
)
class ActivationLinkRefused(Problem):
    @classmethod
    def of(cls, refusal: refusals.ActivationLinkRefused, info: Info) -> Self:
        message = link_message(refusal.code, language_of(info), info.context.services.sign_in_url)
        return cls(code=refusal.code, message=message)


def problem_message(refusal: refusals.Refusal, language: Language) -> str:
    """Return the words of a refusal."""
    return translate(language, f"problem-{refusal.code}", **refusal.parameters)


def link_message(code: ProblemCode, language: Language, sign_in_url: str | None) -> str:
    """Return the words for a link that is not usable. For a used one they say where to sign in, if that is set."""
    if code is ProblemCode.ACTIVATION_LINK_USED and sign_in_url is not None:
        return translate(language, f"problem-{code}-with-url", url=sign_in_url)
    return translate(language, f"problem-{code}")


@dataclass(frozen=True)
class RefusalHandler:
    """A handler of Strawberry's: makes each refusal of one class the union member that stands for it."""

    exception_type: type[refusals.Refusal]
    error_type: type[Problem]

    def handle(self, exception: refusals.Refusal, *, field: object, info: Info) -> Problem:
        return self.error_type.of(exception, info)


Members: TypeAlias = Mapping[type[refusals.Refusal], type[Problem]]

MEMBERS: Members = {
    refusals.InvalidInput: InvalidInput,
    refusals.TooManyRequests: TooManyRequests,
    refusals.IdempotencyConflict: IdempotencyConflict,
    refusals.RegistrationNotFound: RegistrationNotFound,
    refusals.ActivationLinkRefused: ActivationLinkRefused,
}
"""The member of a union that stands for each refusal. Subjects add those that only they have."""


def refusal_handlers(*tables: Members) -> list[RefusalHandler]:
    """Return Strawberry's handlers for the *tables*."""
    return [RefusalHandler(refusal, member) for table in tables for refusal, member in table.items()]
