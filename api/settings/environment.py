"""Settings, from the environment, which nothing else reads. Each is parsed once, into the value that it means."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_core import core_schema
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.captcha.challenge import MAX_ANSWER_LENGTH
from api.limits.storage import MEMORY_URL, StorageUrl, parse_storage_url
from api.limits.table import LimitTable, parse_limits
from api.settings.files import SECRET_KEY_FILE, development_key
from api.settings.mail_destination import MailDestination, parse_mail_url
from api.settings.problems import PREFIX, SettingsError, line
from api.settings.production import insecure_settings
from api.settings.sender import Sender, parse_helo_name, parse_sender
from api.settings.trusted_proxies import TrustedProxies
from models.database.url import DatabaseUrl, parse_database_url

if TYPE_CHECKING:
    from collections.abc import Callable

PLACEHOLDER_TERMS_URL = "https://www.example.org/conditions"
MAX_VERSION_LENGTH = 50
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
SERVICE_LINK = re.compile(
    r"GUICHET_(?:[A-Z0-9_]+_)?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class FixedAnswer:
    """One answer for every captcha, which helps developers of clients."""

    text: str


class ParsedBy:
    """Marks a setting as text that *parse* turns into a value. A dump shows the value's `repr`, without secrets."""

    def __init__(self, parse: Callable[[str], object]) -> None:
        self._parse = parse

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> core_schema.CoreSchema:
        shown = core_schema.plain_serializer_function_ser_schema(repr)
        return core_schema.no_info_plain_validator_function(self._validate, serialization=shown)

    def _validate(self, value: object) -> object:
        return self._parse(value) if isinstance(value, str) else value


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _parse_origins(text: str) -> tuple[str, ...]:
    origins = _split(text)
    for origin in origins:
        if origin != "*" and not _is_origin(origin):
            raise ValueError(f"{origin!r} is not an origin, as https://portal.example.org")
    return origins


def _is_origin(text: str) -> bool:
    """Return whether *text* is what a browser sends as Origin: a scheme, a host, perhaps a port."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # Reading it checks it.
    except ValueError:
        return False
    return bool(parts.hostname) and parts.username is None and text == f"{parts.scheme}://{parts.netloc}"


def _parse_proxies(text: str) -> TrustedProxies:
    return TrustedProxies.parse(_split(text))


def _parse_captcha(text: str) -> FixedAnswer | None:
    """Return the answer of `fixed:ANSWER`; None for real captchas."""
    if text == "picture":
        return None
    kind, _, answer = text.partition(":")
    if kind != "fixed" or not answer.isascii() or not answer.isalnum() or len(answer) > MAX_ANSWER_LENGTH:
        raise ValueError(f"must be picture, or fixed:ANSWER with at most {MAX_ANSWER_LENGTH} letters and digits")
    return FixedAnswer(answer)


def _check_page(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an absolute URL, as https://portal.example.org/activate")
    if parts.fragment:
        raise ValueError("must have no fragment (#…)")
    return url


def _check_version(text: str) -> str:
    if len(text) > MAX_VERSION_LENGTH:
        raise ValueError(f"must have at most {MAX_VERSION_LENGTH} characters")
    return text


Page: TypeAlias = Annotated[str, AfterValidator(_check_page)]
Version: TypeAlias = Annotated[str, AfterValidator(_check_version)]


class Settings(BaseSettings):
    """The settings that an operator chooses, from environment variables `GUICHET_…`: see docs/operating.md."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True, env_ignore_empty=True
    )

    environment: Environment = Environment.DEVELOPMENT
    database_url: Annotated[DatabaseUrl, NoDecode, ParsedBy(parse_database_url)] = parse_database_url(
        "sqlite://var/guichet.db"
    )
    mail_url: Annotated[MailDestination, NoDecode, ParsedBy(parse_mail_url)] = parse_mail_url("maildir:var/mailbox")
    mail_from: Annotated[Sender, NoDecode, ParsedBy(parse_sender)] = parse_sender("Guichet <no-reply@guichet.example>")
    mail_helo_name: Annotated[str, AfterValidator(parse_helo_name)] | None = None
    """Our name in EHLO; None for the domain of the sender."""
    relay: Literal["on", "off"] = "on"
    activation_url: Page = "http://127.0.0.1:8000/"
    sign_in_url: Page | None = None
    trusted_proxies: Annotated[TrustedProxies, NoDecode, ParsedBy(_parse_proxies)] = TrustedProxies()
    secret_key: SecretStr = SecretStr("")
    rate_limit_url: Annotated[StorageUrl, NoDecode, ParsedBy(parse_storage_url)] = StorageUrl(MEMORY_URL)
    rate_limits: Annotated[LimitTable | None, NoDecode, ParsedBy(parse_limits)] = Field(
        default=parse_limits("on"), repr=False
    )
    captcha: Annotated[FixedAnswer | None, NoDecode, ParsedBy(_parse_captcha)] = None
    introspection: Literal["on", "off"] = "on"
    cors_origins: Annotated[tuple[str, ...], NoDecode, ParsedBy(_parse_origins)] = ()
    terms_url: Page = PLACEHOLDER_TERMS_URL
    terms_version: Version = "1"
    survey_consent_version: Version = "1"

    def replace(self, **changes: Any) -> Settings:
        """Return these settings with *changes*, each a value, or text as an operator writes it."""
        chosen = {name: getattr(self, name) for name in self.model_fields_set}
        return Settings(**(chosen | changes))

    @property
    def in_production(self) -> bool:
        return self.environment is Environment.PRODUCTION

    @property
    def key(self) -> bytes:
        """The key of the digests of captcha answers and of idempotency keys."""
        return self.secret_key.get_secret_value().encode()


def load_settings(*, workers: int = 1) -> Settings:
    """Return the settings of this process, complete and safe to run with.

    Development makes itself a secret key, once, in `var/secret-key`.

    :raises SettingsError: some are missing, wrong, or insecure in production.
    """
    try:
        settings = Settings()
    except ValidationError as exc:
        raise SettingsError([line(str(error["loc"][0]), error["msg"]) for error in exc.errors()]) from None
    if settings.in_production:
        if refusals := list(insecure_settings(settings, workers)):
            raise SettingsError(refusals)
        return settings
    if settings.secret_key.get_secret_value():
        return settings
    try:
        key = development_key()
    except OSError as exc:
        problem = f"{SECRET_KEY_FILE} can't be used ({exc.strerror})"
        raise SettingsError([line("secret_key", f"{problem}: let this user read and write it, or set a key")]) from None
    return settings.replace(secret_key=SecretStr(key))


def unknown_settings() -> list[str]:
    """Return environment variables that look like settings and are none: misspelt, most likely.

    Kubernetes' variables about a service named `guichet…` are not among them.
    """
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    return sorted(
        name
        for name, value in os.environ.items()
        if name.upper().startswith(PREFIX) and name.upper() not in known and not _is_service_link(name, value)
    )


def _is_service_link(name: str, value: str) -> bool:
    is_url = name.endswith("_PORT") and value.startswith(("tcp://", "udp://", "sctp://"))
    return is_url or SERVICE_LINK.fullmatch(name) is not None
