"""The problems that the identifier parser can report."""

from models.field_problems import FieldProblemCode

IDENTIFIER_PROBLEMS = frozenset(
    {
        FieldProblemCode.INVALID_CHARACTERS,
        FieldProblemCode.REQUIRED,
        FieldProblemCode.IDENTIFIER_INVALID_LENGTH,
        FieldProblemCode.IDENTIFIER_INVALID_FORMAT,
        FieldProblemCode.IDENTIFIER_INVALID_CHECKSUM,
        FieldProblemCode.IDENTIFIER_INVALID_COUNTRY,
    }
)
