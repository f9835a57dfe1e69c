"""passwordPolicy, checkPassword."""

from enum import Enum
from typing import Annotated, TypeAlias

import strawberry

from api.graphql.context import Info, choose_language, unless_unset, without_values
from api.graphql.problems import FieldProblem, InvalidInput, TooManyRequests
from api.messages.languages import Language
from api.messages.words import has_message, translate
from api.passwords.policy import MAX_LENGTH, MIN_CHARACTER_TYPES, MIN_LENGTH, Assessment, CharacterType
from api.passwords.strength import STRONG_SCORE

strawberry.enum(
    CharacterType,
    name="PasswordCharacterType",
    description="By Unicode category: Lu, Ll, Nd; SPECIAL is everything else, the space included.",
)


@strawberry.enum(description="How hard a password is to guess.")
class PasswordStrength(Enum):
    VERY_WEAK = 0
    WEAK = 1
    FAIR = 2
    STRONG = 3
    VERY_STRONG = 4


@strawberry.type(description="What a password must be.")
class PasswordPolicy:
    min_length: int = strawberry.field(description="In code points, after Unicode normalisation (NFKC).")
    max_length: int
    min_character_types: int = strawberry.field(description="How many of the character types a password must mix.")
    character_types: list[CharacterType]
    description: str = strawberry.field(description="The rules in words.")


@strawberry.input(description="A password to hold to the rules.")
class CheckPasswordInput:
    password: str
    activation_token: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The activation link's token, where there is one: the person's own data is then known, as it will be on"
            " activation."
        ),
    )
    personal_data: list[str] = strawberry.field(
        default_factory=list,
        description="Otherwise, words that the password should not be built on. At most 20, of 100 characters.",
    )

    __repr__ = without_values


@strawberry.type(description="What is to be said of a password.")
class PasswordCheck:
    acceptable: bool
    strength: PasswordStrength
    strength_label: str
    score: int = strawberry.field(description="From 0 to 4, for a meter.")
    character_types: list[CharacterType]
    problems: list[FieldProblem]
    suggestions: list[str] = strawberry.field(description="How to make it stronger.")

    @classmethod
    def of(cls, assessment: Assessment, language: Language) -> "PasswordCheck":
        return cls(
            acceptable=not assessment.problems,
            strength=PasswordStrength(assessment.score),
            strength_label=translate(language, f"password-strength-{assessment.score}"),
            score=assessment.score,
            character_types=list(assessment.character_types),
            problems=[FieldProblem.of(problem, language) for problem in assessment.problems],
            suggestions=_suggestions(assessment, language),
        )


CheckPasswordResult: TypeAlias = Annotated[
    PasswordCheck | InvalidInput | TooManyRequests, strawberry.union("CheckPasswordResult")
]


async def password_policy(info: Info, language: Language | None = strawberry.UNSET) -> PasswordPolicy:
    return PasswordPolicy(
        min_length=MIN_LENGTH,
        max_length=MAX_LENGTH,
        min_character_types=MIN_CHARACTER_TYPES,
        character_types=list(CharacterType),
        description=translate(
            choose_language(info, language),
            "password-policy",
            min=MIN_LENGTH,
            types=MIN_CHARACTER_TYPES,
        ),
    )


async def check_password(info: Info, input: CheckPasswordInput) -> CheckPasswordResult:  # noqa: A002
    context = info.context
    assessment = await context.services.password_checker.check_password(
        input.password, input.personal_data, unless_unset(input.activation_token), context.caller
    )
    return PasswordCheck.of(assessment, context.language)


def _suggestions(assessment: Assessment, language: Language) -> list[str]:
    """Return a suggestion for each weakness of a password that is not strong yet, and always that of more words."""
    if assessment.score >= STRONG_SCORE:
        return []
    ids = [f"password-suggestion-{weakness}" for weakness in (*assessment.weaknesses, "words")]
    return [translate(language, id_) for id_ in ids if has_message(language, id_)]
