"""Expected refusals as members of the unions, in the caller's language."""

from enum import Enum

import strawberry

from api import refusals
from api.graphql.context import Info, language_of
from api.messages.languages import Language
from api.messages.words import translate


@strawberry.enum(description="Every stable code of the API. Codes are never renamed.")
class ProblemCode(Enum):
    INVALID_INPUT = "INVALID_INPUT"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    REGISTRATION_NOT_FOUND = "REGISTRATION_NOT_FOUND"
    CAPTCHA_REJECTED = "CAPTCHA_REJECTED"
    CAPTCHA_EXPIRED = "CAPTCHA_EXPIRED"
    CAPTCHA_ATTEMPTS_EXHAUSTED = "CAPTCHA_ATTEMPTS_EXHAUSTED"
    ACTIVATION_LINK_UNKNOWN = "ACTIVATION_LINK_UNKNOWN"
    ACTIVATION_LINK_EXPIRED = "ACTIVATION_LINK_EXPIRED"
    ACTIVATION_LINK_USED = "ACTIVATION_LINK_USED"
    ACTIVATION_LINK_SUPERSEDED = "ACTIVATION_LINK_SUPERSEDED"
    IDENTIFIER_INVALID = "IDENTIFIER_INVALID"
    ORGANISATION_NOT_FOUND = "ORGANISATION_NOT_FOUND"


@strawberry.enum(description="What can be wrong with one field of an input.")
class FieldProblemCode(Enum):
    REQUIRED = "REQUIRED"
    TOO_LONG = "TOO_LONG"
    TOO_MANY_ITEMS = "TOO_MANY_ITEMS"
    INVALID_CHARACTERS = "INVALID_CHARACTERS"
    INVALID_FORMAT = "INVALID_FORMAT"
    EMAIL_INVALID = "EMAIL_INVALID"
    EMAIL_MISMATCH = "EMAIL_MISMATCH"
    PHONE_INVALID = "PHONE_INVALID"
    TERMS_NOT_ACCEPTED = "TERMS_NOT_ACCEPTED"
    TERMS_OUTDATED = "TERMS_OUTDATED"
    IDENTIFIER_INVALID_LENGTH = "IDENTIFIER_INVALID_LENGTH"
    IDENTIFIER_INVALID_FORMAT = "IDENTIFIER_INVALID_FORMAT"
    IDENTIFIER_INVALID_CHECKSUM = "IDENTIFIER_INVALID_CHECKSUM"
    IDENTIFIER_INVALID_COUNTRY = "IDENTIFIER_INVALID_COUNTRY"
    ORGANISATION_CLOSED = "ORGANISATION_CLOSED"
    PASSWORD_TOO_SHORT = "PASSWORD_TOO_SHORT"
    PASSWORD_TOO_LONG = "PASSWORD_TOO_LONG"
    PASSWORD_TOO_FEW_CHARACTER_TYPES = "PASSWORD_TOO_FEW_CHARACTER_TYPES"
    PASSWORD_TOO_GUESSABLE = "PASSWORD_TOO_GUESSABLE"
    PASSWORD_CONTAINS_PERSONAL_DATA = "PASSWORD_CONTAINS_PERSONAL_DATA"
    PASSWORD_MISMATCH = "PASSWORD_MISMATCH"


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
            code=FieldProblemCode(refusal.code),
            message=translate(language, message_id, **refusal.parameters),
        )


@strawberry.type(description="Some fields of the input can't be accepted: all of them are listed at once.")
class InvalidInput(Problem):
    fields: list[FieldProblem]


@strawberry.type(
    description=(
        "The caller, or the address concerned, asked too often;"
        " or the service has as much of this work in hand as it can bear."
    )
)
class TooManyRequests(Problem):
    retry_after_seconds: int


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
    pass


def problem_message(code: ProblemCode, language: Language, **parameters: str | int) -> str:
    """The words of a problem."""
    return translate(language, f"problem-{code.value}", **parameters)


def link_message(code: ProblemCode, language: Language, sign_in_url: str | None) -> str:
    """The words for a link that is not usable; for a used one they say where to sign in, if that is set."""
    if code is ProblemCode.ACTIVATION_LINK_USED and sign_in_url is not None:
        return translate(language, f"problem-{code.value}-with-url", url=sign_in_url)
    return problem_message(code, language)


def too_many_requests(refusal: refusals.TooManyRequests, language: Language) -> TooManyRequests:
    code = ProblemCode.TOO_MANY_REQUESTS
    seconds = refusal.retry_after_seconds
    return TooManyRequests(
        code=code, message=problem_message(code, language, seconds=seconds), retry_after_seconds=seconds
    )


class InvalidInputHandler(strawberry.ExceptionHandler[refusals.InvalidInput, InvalidInput]):
    def handle(self, exception: refusals.InvalidInput, *, field: object, info: Info) -> InvalidInput:
        language = language_of(info)
        return InvalidInput(
            code=ProblemCode.INVALID_INPUT,
            message=problem_message(ProblemCode.INVALID_INPUT, language),
            fields=[FieldProblem.of(refusal, language) for refusal in exception.fields],
        )


class TooManyRequestsHandler(strawberry.ExceptionHandler[refusals.TooManyRequests, TooManyRequests]):
    def handle(self, exception: refusals.TooManyRequests, *, field: object, info: Info) -> TooManyRequests:
        info.context.turned_away = True
        return too_many_requests(exception, language_of(info))


class IdempotencyConflictHandler(strawberry.ExceptionHandler[refusals.IdempotencyConflict, IdempotencyConflict]):
    def handle(self, exception: refusals.IdempotencyConflict, *, field: object, info: Info) -> IdempotencyConflict:
        code = ProblemCode.IDEMPOTENCY_CONFLICT
        return IdempotencyConflict(code=code, message=problem_message(code, language_of(info)))


class RegistrationNotFoundHandler(strawberry.ExceptionHandler[refusals.RegistrationNotFound, RegistrationNotFound]):
    def handle(self, exception: refusals.RegistrationNotFound, *, field: object, info: Info) -> RegistrationNotFound:
        code = ProblemCode.REGISTRATION_NOT_FOUND
        return RegistrationNotFound(code=code, message=problem_message(code, language_of(info)))


class ActivationLinkRefusedHandler(strawberry.ExceptionHandler[refusals.ActivationLinkRefused, ActivationLinkRefused]):
    def handle(self, exception: refusals.ActivationLinkRefused, *, field: object, info: Info) -> ActivationLinkRefused:
        code = ProblemCode(f"ACTIVATION_LINK_{exception.state}")
        message = link_message(code, language_of(info), info.context.services.sign_in_url)
        return ActivationLinkRefused(code=code, message=message)


PROBLEM_HANDLERS = (
    InvalidInputHandler(),
    TooManyRequestsHandler(),
    IdempotencyConflictHandler(),
    RegistrationNotFoundHandler(),
    ActivationLinkRefusedHandler(),
)
