"""The problems that the parser of identifiers can find."""

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
