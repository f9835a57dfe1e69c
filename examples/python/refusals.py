"""Expected refusals: the members of result unions that implement `Problem`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guichet_client import ProblemCode
    from pydantic import ValidationError


class Problem(Protocol):
    """The fields that every refusal has."""

    @property
    def code(self) -> ProblemCode: ...
    @property
    def message(self) -> str: ...


class Refused(Exception):
    """A refusal that ends a program. A form shows its message, and each field's message below the field."""

    def __init__(self, problem: Problem) -> None:
        super().__init__("\n".join([f"{problem.code.value}: {problem.message}", *_details(problem)]))


def _details(problem: Problem) -> Iterator[str]:
    """Return the lines that some refusals add."""
    for field in getattr(problem, "fields", []):
        yield f"  {'.'.join(field.path)}: {field.message}"
    if seconds := getattr(problem, "retry_after_seconds", None):
        yield f"  Again in {seconds} seconds."


def words_of_unforeseen(error: ValidationError) -> str:
    """Describe a member that a union has gained since the client was generated: it has no model yet."""
    answer = error.errors()[0]["input"]
    match answer:
        case {"code": code, "message": message}:
            return f"{code}: {message}"
    return f"An answer that is newer than this client: {answer}"
