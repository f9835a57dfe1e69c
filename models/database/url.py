"""Database URLs: scheme, hosts, credentials and options, turned into Tortoise's configuration."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tortoise.backends.base.config_generator import expand_db_url
from tortoise.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL_MODULES = (
    "models.registration",
    "models.activation",
    "models.account",
    "models.organisation",
    "models.sirene.tables",
    "models.outbox",
)
UNREADABLE = "can't be read as a database URL"
# As in libpq, commas separate hosts, each with its port. Tortoise's own parser knows one host only.
POSTGRES_URL = re.compile(
    r"(?:postgres|postgresql|asyncpg)://"
    r"(?:(?P<credentials>[^/?#]*)@)?(?P<hosts>[^@/?#]*)(?:/(?P<database>[^@?#]*))?(?:\?(?P<options>[^#]*))?"
)
DEFAULT_PORT = 5432
# Nothing waits for a silent server without end. `minsize` is 0 because asyncpg would open that many connections again
# and again while the server is down, and log the trace of each failure.
POSTGRES_DEFAULTS: dict[str, Any] = {"minsize": 0, "maxsize": 20, "timeout": 10.0, "command_timeout": 30.0}
SESSION_ATTRIBUTES = frozenset({"any", "primary", "read-write"})
SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
SQLITE_BUSY_TIMEOUT_MS = 10_000


class DatabaseUrlError(ValueError):
    """The URL names no database that the service can use."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """The URL of a database that the service can use."""

    text: str = field(repr=False)
    config: dict[str, Any] = field(repr=False, compare=False)
    """Tortoise's configuration."""

    @property
    def file(self) -> str | None:
        """The path of an SQLite file, `:memory:` for none; None for PostgreSQL."""
        return self._credentials.get("file_path")

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of PostgreSQL's hosts, folders of sockets among them."""
        return tuple(host for host, _ in self._credentials.get("hosts", ()) if host is not None)

    @property
    def ssl_mode(self) -> str | None:
        """None if the URL says nothing of encryption."""
        return self._credentials.get("ssl")

    @property
    def _credentials(self) -> dict[str, Any]:
        (connection,) = self.config["connections"].values()
        credentials: dict[str, Any] = connection["credentials"]
        return credentials


def one_of(allowed: frozenset[str]) -> Callable[[str], str]:
    """Return a reader that accepts the *allowed* words."""

    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError
        return value

    return read


def certificates_file(value: str) -> str:
    """Return *value* if it is a file of certificates that this process can read."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=value)
    except OSError:
        raise ValueError from None
    return value


# Options of asyncpg, of its pool and of libpq, each with its reader and a name for the expected value.
POSTGRES_OPTIONS: dict[str, tuple[Callable[[str], Any], str]] = {
    "host": (str, "a folder"),
    "port": (int, "a number"),
    "sslmode": (one_of(SSL_MODES), f"one of {', '.join(sorted(SSL_MODES))}"),
    "sslrootcert": (certificates_file, "a readable file of certificates"),
    "target_session_attrs": (one_of(SESSION_ATTRIBUTES), f"one of {', '.join(sorted(SESSION_ATTRIBUTES))}"),
    "minsize": (int, "a number"),
    "maxsize": (int, "a number"),
    "timeout": (float, "a number"),
    "command_timeout": (float, "a number"),
    "statement_cache_size": (int, "a number"),
    "max_inactive_connection_lifetime": (float, "a number"),
    "application_name": (str, "a name"),
    "schema": (str, "a name"),
}


def parse_database_url(url: str) -> DatabaseUrl:
    """Parse *url*: `sqlite://var/guichet.db` or `postgres://user:password@host/name`.

    Query parameters go to the engine: SQLite's pragmas, or options of asyncpg such as `maxsize`.

    :raises DatabaseUrlError: the URL has another scheme, or names no database. The message quotes no part of it.
    """
    scheme = url.partition("://")[0]
    if scheme == "sqlite":
        name, connection = "sqlite", _sqlite_connection(url)
    elif scheme in {"postgres", "postgresql", "asyncpg"}:
        name, connection = "postgres", {"engine": "models.database.postgres", "credentials": _postgres_credentials(url)}
    else:
        raise DatabaseUrlError("must begin with sqlite:// or postgres://")
    app = {"models": list(MODEL_MODULES), "migrations": "models.migrations", "default_connection": name}
    config = {
        "connections": {name: connection},  # Named for its kind, because Tortoise caches statements by this name.
        "apps": {"models": app},
        "use_tz": True,
        "timezone": "UTC",
    }
    return DatabaseUrl(url, config)


def _sqlite_connection(url: str) -> dict[str, Any]:
    try:
        connection = expand_db_url(url)
    except (ConfigurationError, ValueError):
        raise DatabaseUrlError(UNREADABLE) from None
    connection["engine"] = "models.database.sqlite"
    connection["credentials"].setdefault("busy_timeout", SQLITE_BUSY_TIMEOUT_MS)
    return connection


def _postgres_credentials(url: str) -> dict[str, Any]:
    try:
        urlsplit(url.replace(",", ""))  # Refuses characters that normalise to / or @.
    except ValueError:
        raise DatabaseUrlError(UNREADABLE) from None
    parts = POSTGRES_URL.fullmatch(url)
    if parts is None:  # A slash in the password, for example, which has to be %2F, ends the host too early.
        raise DatabaseUrlError(UNREADABLE)
    options = _options(parts["options"] or "")
    port = options.pop("port", DEFAULT_PORT)
    try:
        hosts = [_host(text, port) for text in (options.pop("host", None) or parts["hosts"]).split(",") if text]
        user, password = (_decoded(text) for text in (parts["credentials"] or "").partition(":")[::2])
        database = _decoded(parts["database"] or "")
    except ValueError:
        raise DatabaseUrlError(UNREADABLE) from None
    hosts = hosts or [(None, port)]
    return {
        "user": user,
        "password": password,
        "database": database,
        "host": hosts[0][0],
        "port": hosts[0][1],
        "hosts": hosts,
        **POSTGRES_DEFAULTS,
        **options,
    }


def _host(text: str, port: int) -> tuple[str | None, int]:
    """Return the name and the port of one host, which may be a folder of Unix sockets: `%2Frun%2Fpostgresql`."""
    if text.startswith("/"):
        return text, port
    parts = urlsplit(f"//{text}")
    return _decoded(parts.hostname or ""), parts.port or port


def _decoded(text: str) -> str | None:
    return unquote(text, errors="strict") or None


def _options(query: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in parse_qsl(query):
        if name not in POSTGRES_OPTIONS:
            raise DatabaseUrlError(f"has another option than {', '.join(POSTGRES_OPTIONS)}")
        read, expected = POSTGRES_OPTIONS[name]
        try:
            options["ssl" if name == "sslmode" else name] = read(value)
        except ValueError:
            raise DatabaseUrlError(f"needs {expected} as {name}") from None
    return options
