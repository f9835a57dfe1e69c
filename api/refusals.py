"""Expected refusals, as exceptions: a code and its parameters, no words and no HTTP status.

`api.messages` has the words. `api.graphql.problems` makes each refusal a member of its field's union.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, TypeVar

from models.field_problems import FieldProblemCode

Pending = TypeVar("Pending")

NO_PARAMETERS: Mapping[str, str | int] = MappingProxyType({})


class ProblemCode(StrEnum):
    """Every stable code of the API. Codes are never renamed."""

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


@dataclass(frozen=True, slots=True)
class FieldRefusal:
    """A problem with one field: its path in the input, a code, parameters of the message.

    One code may have several messages: the *reason*, if any, chooses among them.
    """

    path: tuple[str, ...]
    code: FieldProblemCode
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    reason: str = ""


class Refusal(Exception):
    """Something that the caller asked for is refused, as the contract foresees: a *code*, and its *parameters*."""

    code: ProblemCode
    parameters: Mapping[str, str | int] = NO_PARAMETERS


class InvalidInput(Refusal):
    """Some fields can't be accepted; *fields* lists all of them."""

    code = ProblemCode.INVALID_INPUT

    def __init__(self, fields: Sequence[FieldRefusal]) -> None:
        super().__init__(", ".join(f"{'.'.join(refused.path)}: {refused.code}" for refused in fields))
        self.fields = tuple(fields)


class TooManyRequests(Refusal):
    """Asked too often, or more work in hand than can be borne; worth another try after *retry_after_seconds*."""

    code = ProblemCode.TOO_MANY_REQUESTS

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"retry after {retry_after_seconds} s")
        self.retry_after_seconds = max(1, retry_after_seconds)
        self.parameters = {"seconds": self.retry_after_seconds}


class IdempotencyConflict(Refusal):
    """The idempotency key came before, with another input."""

    code = ProblemCode.IDEMPOTENCY_CONFLICT


class RegistrationNotFound(Refusal):
    """No such registration, or it has expired."""

    code = ProblemCode.REGISTRATION_NOT_FOUND


class CaptchaRejected(Refusal, Generic[Pending]):
    """The answer was wrong, too late, or one too many: *pending* is the registration as it stands now."""

    def __init__(self, code: ProblemCode, pending: Pending, *, attempts_left: int) -> None:
        super().__init__(code)
        self.code = code
        self.pending = pending
        if code is ProblemCode.CAPTCHA_REJECTED:
            self.parameters = {"attemptsLeft": attempts_left}


class ActivationLinkRefused(Refusal):
    """The link can't activate anything; *code* is one of ACTIVATION_LINK_…"""

    def __init__(self, code: ProblemCode) -> None:
        super().__init__(code)
        self.code = code
