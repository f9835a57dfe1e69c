"""Expected refusals, as exceptions: a code and its parameters, no words and no HTTP status.

`api.messages.words` has the words, `api.graphql.problems` the place of each in the unions of the schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.identifiers import Identifier, IdentifierType


@dataclass(frozen=True, slots=True)
class FieldRefusal:
    """What is wrong with one field: its path in the input, a `FieldProblemCode`, parameters of the message.

    The *reason*, if any, is of the message alone: one code may have several.
    """

    path: tuple[str, ...]
    code: str
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    reason: str = ""


class Refusal(Exception):
    """Something that the caller asked for is refused, as the contract foresees."""


class InvalidInput(Refusal):
    """Some fields can't be accepted; *fields* lists all of them."""

    def __init__(self, fields: Sequence[FieldRefusal]) -> None:
        super().__init__(", ".join(f"{'.'.join(refused.path)}: {refused.code}" for refused in fields))
        self.fields = tuple(fields)


class TooManyRequests(Refusal):
    """Asked too often, or more work in hand than can be borne; worth another try after *retry_after_seconds*."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"retry after {retry_after_seconds} s")
        self.retry_after_seconds = max(1, retry_after_seconds)


class IdempotencyConflict(Refusal):
    """The idempotency key came before, with another input."""


class RegistrationNotFound(Refusal):
    """No such registration, or it has expired."""


class ActivationLinkRefused(Refusal):
    """The link can't activate anything: *state* is expired, used, superseded or unknown."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class OrganisationNotFound(Refusal):
    """A well-formed identifier that neither the register nor the portal knows."""

    def __init__(self, identifier: Identifier) -> None:
        super().__init__(identifier.type)
        self.identifier = identifier


class InvalidIdentifier(Refusal):
    """A value that can't be an identifier of its type; *reason* is a `FieldProblemCode`."""

    def __init__(self, type_: IdentifierType, value: str, reason: str) -> None:
        super().__init__(f"{type_}: {reason}")
        self.type = type_
        self.value = value
        self.reason = reason
