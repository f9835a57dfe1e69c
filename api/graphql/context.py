"""The context of a resolver: the services, and the caller."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import strawberry
from graphql import get_argument_values

from api.caller import Caller
from api.captcha.challenge import CaptchaProvider
from api.graphql.engine.strawberry_internals import get_core_info
from api.limits.rate_limits import RateLimits
from api.messages.languages import Language
from api.use_cases.activation import Activation
from api.use_cases.organisations import LookUps
from api.use_cases.passwords import PasswordChecker
from api.use_cases.registration import SignUp
from api.use_cases.registration_form import Terms

T = TypeVar("T")

strawberry.enum(
    Language,
    description=(
        "Languages of messages and e-mails. An argument decides, else the Accept-Language header, else French."
    ),
)


@dataclass(frozen=True)
class Services:
    """The services of the process, which all callers share."""

    sign_up: SignUp
    activation: Activation
    password_checker: PasswordChecker
    look_ups: LookUps
    captcha: CaptchaProvider
    limits: RateLimits
    terms: Terms
    sign_in_url: str | None


@dataclass(slots=True)
class Context:
    """One request: the services, and the caller, whose language is that of the header.

    *turned_away* is true once a `TooManyRequests` is part of the answer.
    """

    services: Services
    caller: Caller
    turned_away: bool = False

    @property
    def language(self) -> Language:
        return self.caller.language


Info: TypeAlias = strawberry.Info[Context, None]


def without_values(self: object) -> str:
    """Represent an input that may hold a secret: an `__repr__` without its values."""
    return f"<{type(self).__name__}>"


def unless_unset(value: T | None) -> T | None:
    """Return the value of an optional input; None where it was left out."""
    return None if value is strawberry.UNSET else value


def choose_language(info: Info, argument: Language | None) -> Language:
    """Return the language that *argument* names; the request's, if it was left out."""
    return unless_unset(argument) or info.context.language


def language_of(info: Info) -> Language:
    """Return the language that a field answers in: its argument decides, or its input's, else the request's header."""
    raw = get_core_info(info)
    arguments: Mapping[str, Any] = get_argument_values(
        raw.parent_type.fields[raw.field_name], raw.field_nodes[0], raw.variable_values
    )
    named = arguments.get("language") or (arguments.get("input") or {}).get("language")
    return named if isinstance(named, Language) else info.context.language
