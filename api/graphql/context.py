"""What a resolver gets besides its arguments."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import strawberry
from graphql import get_argument_values

from api.captcha.challenge import CaptchaProvider
from api.graphql.engine.strawberry_internals import core_info
from api.limits.rate_limits import RateLimits
from api.messages.languages import Language
from api.use_cases.activation import Activation
from api.use_cases.registration import SignUp
from api.use_cases.registration_form import Terms
from models.identifiers import Identifier
from models.organisation import KnownOrganisation

strawberry.enum(
    Language,
    description=(
        "Languages of messages and e-mails. An argument decides, else the Accept-Language header, else French."
    ),
)


@dataclass(frozen=True)
class Services:
    """What belongs to the process and serves all callers."""

    sign_up: SignUp
    activation: Activation
    captcha: CaptchaProvider
    limits: RateLimits
    terms: Terms
    sign_in_url: str | None
    find_organisation: Callable[[Identifier], Awaitable[KnownOrganisation | None]]
    clock: Callable[[], datetime]


@dataclass(slots=True)
class Context:
    """One request: the services, the caller's network (see `api.limits.networks`), the header's language, its time.

    *turned_away* says whether a `TooManyRequests` is part of the answer.
    """

    services: Services
    network: str
    language: Language
    now: datetime
    turned_away: bool = False


Info: TypeAlias = strawberry.Info[Context, None]


def without_values(self: object) -> str:
    """The `__repr__` of what may hold a secret."""
    return f"<{type(self).__name__}>"


def given(value: Any) -> Any:
    """The value of an optional input; None where it was left out."""
    return None if value is strawberry.UNSET else value


def language_of(info: Info) -> Language:
    """The language that a field answers in: its argument decides, or its input's, else the request's header."""
    raw = core_info(info)
    arguments: Mapping[str, Any] = get_argument_values(
        raw.parent_type.fields[raw.field_name], raw.field_nodes[0], raw.variable_values
    )
    named = arguments.get("language") or (arguments.get("input") or {}).get("language")
    return named if isinstance(named, Language) else info.context.language
