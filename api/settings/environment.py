"""Settings, and the only place that reads the environment."""

from __future__ import annotations

import errno
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.limits.rate_limits import parse_limits
from api.limits.storage import MEMORY_URL, open_storage
from api.settings.production import PREFIX, SHORTEST_SECRET_KEY, insecure_settings, is_loopback, line
from api.settings.sender import parse_helo_name, parse_sender
from api.settings.trusted_proxies import UNIX_PEER, parse_network
from models.database.url import credentials_of, tortoise_config

SECRET_KEY_FILE = Path("var/secret-key")
PLACEHOLDER_TERMS_URL = "https://www.example.org/conditions"
LONGEST_VERSION = 50
LONGEST_ANSWER = 50
DEFAULT_PORTS = {"smtp": 587, "smtps": 465}
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
SERVICE_LINK = re.compile(
    r"GUICHET_(?:[A-Z0-9_]+_)?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class SettingsError(Exception):
    """Settings that are missing, wrong or insecure: *lines* say which, and what to do, one line each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Maildir:
    """A local mailbox folder."""

    path: Path


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server, and how to speak to it."""

    host: str
    port: int
    encryption: Literal["tls", "starttls", "none"]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    helo_name: str | None = None
    """What we call ourselves in EHLO; None for the domain of the sender."""

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


class Settings(BaseSettings):
    """What an operator decides, from environment variables `GUICHET_…`; the README's table describes each."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True, env_ignore_empty=True
    )

    environment: Environment = Environment.DEVELOPMENT
    database_url: SecretStr = SecretStr("sqlite://var/guichet.db")
    mail_url: SecretStr = SecretStr("maildir:var/mailbox")
    mail_from: str = "Guichet <no-reply@guichet.example>"
    mail_helo_name: str | None = None
    relay: Literal["on", "off"] = "on"
    activation_url: str = "http://127.0.0.1:8000/"
    sign_in_url: str | None = None
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    secret_key: SecretStr = SecretStr("")
    rate_limit_url: SecretStr = SecretStr(MEMORY_URL)
    rate_limits: str = "on"
    captcha: str = "picture"
    introspection: Literal["on", "off"] = "on"
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    terms_url: str = PLACEHOLDER_TERMS_URL
    terms_version: str = "1"
    survey_consent_version: str = "1"

    @property
    def in_production(self) -> bool:
        return self.environment is Environment.PRODUCTION

    @property
    def key(self) -> bytes:
        """What the digests of captcha answers and of idempotency keys are keyed with."""
        return self.secret_key.get_secret_value().encode()

    @property
    def mail_destination(self) -> Maildir | SmtpServer:
        destination = _parse_mail_url(self.mail_url.get_secret_value())
        return (
            replace(destination, helo_name=self.mail_helo_name) if isinstance(destination, SmtpServer) else destination
        )

    @property
    def sends_in_clear(self) -> bool:
        """Whether mails go over a network without encryption."""
        server = self.mail_destination
        return isinstance(server, SmtpServer) and server.encryption == "none" and not server.is_loopback

    @property
    def fixed_captcha(self) -> str | None:
        """The answer that every captcha has, for client developers; None for real ones."""
        return self.captcha.partition(":")[2] or None

    @field_validator("trusted_proxies", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: SecretStr) -> SecretStr:
        tortoise_config(value.get_secret_value())
        return value

    @field_validator("mail_url")
    @classmethod
    def _check_mail_url(cls, value: SecretStr) -> SecretStr:
        _parse_mail_url(value.get_secret_value())
        return value

    @field_validator("mail_from")
    @classmethod
    def _check_mail_from(cls, value: str) -> str:
        try:
            parse_sender(value)
        except ValueError:
            wrong = (
                "must be one address with an ASCII local part, as no-reply@example.org or Name <no-reply@example.org>"
            )
            raise ValueError(wrong) from None
        return value

    @field_validator("mail_helo_name")
    @classmethod
    def _check_mail_helo_name(cls, value: str | None) -> str | None:
        return None if value is None else parse_helo_name(value)

    @field_validator("activation_url", "sign_in_url", "terms_url")
    @classmethod
    def _check_page(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError("must be an absolute URL, as https://portal.example.org/activate")
            if parts.fragment:
                raise ValueError("must have no fragment (#…)")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            if network != UNIX_PEER:
                parse_network(network)  # Its ValueError names the network.
        return value

    @field_validator("rate_limit_url")
    @classmethod
    def _check_rate_limit_url(cls, value: SecretStr) -> SecretStr:
        open_storage(value.get_secret_value())
        return value

    @field_validator("rate_limits")
    @classmethod
    def _check_rate_limits(cls, value: str) -> str:
        parse_limits(value)
        return value

    @field_validator("captcha")
    @classmethod
    def _check_captcha(cls, value: str) -> str:
        kind, _, answer = value.partition(":")
        known = kind == "fixed" and answer.isascii() and answer.isalnum() and len(answer) <= LONGEST_ANSWER
        if value != "picture" and not known:
            raise ValueError(f"must be picture, or fixed:ANSWER with at most {LONGEST_ANSWER} letters and digits")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not _is_origin(origin):
                raise ValueError(f"{origin!r} is not an origin, as https://portal.example.org")
        return value

    @field_validator("terms_version", "survey_consent_version")
    @classmethod
    def _check_version(cls, value: str) -> str:
        if len(value) > LONGEST_VERSION:
            raise ValueError(f"must have at most {LONGEST_VERSION} characters")
        return value


def load_settings(*, workers: int = 1) -> Settings:
    """The settings of this process, complete and safe to run with.

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
        key = _development_key()
    except OSError as exc:
        problem = f"{SECRET_KEY_FILE} can't be used ({exc.strerror})"
        raise SettingsError([line("secret_key", f"{problem}: let this user read and write it, or set a key")]) from None
    return settings.model_copy(update={"secret_key": SecretStr(key)})


def unknown_settings() -> list[str]:
    """Environment variables that look like settings and are none: misspelt, most likely.

    What Kubernetes tells each container of a service named `guichet…` is not meant.
    """
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    return sorted(
        name
        for name, value in os.environ.items()
        if name.upper().startswith(PREFIX) and name.upper() not in known and not _is_service_link(name, value)
    )


def open_files(settings: Settings) -> list[str]:
    """What was written before with rights for others, each with its remedy; new files are their owner's alone."""
    database = credentials_of(settings.database_url.get_secret_value()).get("file_path")
    destination = settings.mail_destination
    files = [
        Path(database) if database else None,
        destination.path if isinstance(destination, Maildir) else None,
        None if settings.in_production else SECRET_KEY_FILE,
    ]
    return [
        f"{file} is open to other users of this machine: chmod go= {file}"
        for file in files
        if file and file.exists() and file.stat().st_mode & 0o077
    ]


def _is_service_link(name: str, value: str) -> bool:
    is_url = name.endswith("_PORT") and value.startswith(("tcp://", "udp://", "sctp://"))
    return is_url or SERVICE_LINK.fullmatch(name) is not None


def _is_origin(text: str) -> bool:
    """Whether *text* is what a browser sends as Origin: a scheme, a host, perhaps a port."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # Reading it checks it.
    except ValueError:
        return False
    return bool(parts.hostname) and parts.username is None and text == f"{parts.scheme}://{parts.netloc}"


def _parse_mail_url(url: str) -> Maildir | SmtpServer:
    """:raises ValueError: the URL names no place for mails. Its message quotes no part of the URL."""
    wrong = ValueError(
        "must be maildir:FOLDER, smtp://USER:PASSWORD@HOST:PORT or smtps://…, with ?starttls=required or off"
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme == "maildir" and parts.path:
        return Maildir(Path(parts.path))
    starttls = parse_qs(parts.query).get("starttls", ["required"])[-1]
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or starttls not in {"required", "off"}:
        raise wrong
    if parts.path.strip("/"):  # A slash in the password, which belongs there as %2F, has ended the host too early.
        raise wrong
    if parts.scheme == "smtps":
        encryption: Literal["tls", "starttls", "none"] = "tls"
    else:
        encryption = "none" if starttls == "off" else "starttls"
    return SmtpServer(
        host=parts.hostname,
        port=port or DEFAULT_PORTS[parts.scheme],
        encryption=encryption,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _development_key() -> str:
    """The key in `var/secret-key`, made by whichever process comes first.

    :raises OSError: there is none that this process can read, and none can be made.
    """
    if not SECRET_KEY_FILE.exists():
        SECRET_KEY_FILE.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = SECRET_KEY_FILE.with_name(f".{SECRET_KEY_FILE.name}-{os.getpid()}")
        try:
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(SHORTEST_SECRET_KEY))
            with suppress(FileExistsError):
                SECRET_KEY_FILE.hardlink_to(draft)
        finally:
            draft.unlink(missing_ok=True)
    if key := SECRET_KEY_FILE.read_text():
        return key
    raise OSError(errno.ENODATA, "it is empty")
