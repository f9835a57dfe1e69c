"""What can be expected to go wrong: members of the results' unions that implement `Problem`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guichet_client import ProblemCode
    from pydantic import ValidationError


class Problem(Protocol):
    """What every refusal has."""

    @property
    def code(self) -> ProblemCode: ...
    @property
    def message(self) -> str: ...


class Refused(Exception):
    """A refusal that ends a program. A form shows its message, and that of each field below the field."""

    def __init__(self, problem: Problem) -> None:
        super().__init__("\n".join([f"{problem.code.value}: {problem.message}", *_details(problem)]))


def _details(problem: Problem) -> Iterator[str]:
    """What some refusals add."""
    for field in getattr(problem, "fields", []):
        yield f"  {'.'.join(field.path)}: {field.message}"
    if seconds := getattr(problem, "retry_after_seconds", None):
        yield f"  Again in {seconds} seconds."


def words_of_unforeseen(error: ValidationError) -> str:
    """What to say of a member that a union has gained since the client was generated: its model is not there yet."""
    answer = error.errors()[0]["input"]
    match answer:
        case {"code": code, "message": message}:
            return f"{code}: {message}"
    return f"An answer that is newer than this client: {answer}"
