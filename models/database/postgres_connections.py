"""Connections to PostgreSQL: the right host of several, with or without a pooler, with deadlines.

Left alone, asyncpg spends its whole timeout on a silent host and then tries no other; it believes a pooler's memory of
the server behind it; and it names its statements, which a pooler of transactions mixes up.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Sequence

ENCODING = "UTF8"
READ_COMMITTED = "read committed"
HOST_SECONDS = 2.0
CLOSE_SECONDS = 1.0
# A connection to a dead peer fails within about ten seconds instead of a quarter of an hour.
SOCKET_OPTIONS = {"TCP_USER_TIMEOUT": 5_000, "TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 2}
# Other hosts would refuse the role or the database as well.
PERMANENT_FAILURES = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
POSTGRES_FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
SERVER_QUERY = """
SELECT pg_backend_pid(), NOT pg_is_in_recovery(),
       current_setting('default_transaction_read_only'), current_setting('default_transaction_isolation')
"""


class DatabaseEncodingError(Exception):
    """The database can't store all text that people enter."""

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"its encoding is {encoding}, which can't store all names:"
            " make a new one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


@dataclass(frozen=True, slots=True)
class Server:
    """The server behind a connection, as a query finds it: a pooler answers all else from its memory."""

    is_pooled: bool
    is_primary: bool
    is_read_only: bool
    isolation: str

    def fits(self, target_session_attrs: str) -> bool:
        if target_session_attrs == "primary":
            return self.is_primary
        return target_session_attrs == "any" or (self.is_primary and not self.is_read_only)


class PostgresConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg is untyped.
    """A connection that notices a dead peer, and returns to its pool without a query to reset the session.

    The service changes no session's state, but for the import, which restores it.
    """

    __slots__ = ("is_pooled", "needs_isolation")

    def __init__(self, protocol: Any, transport: Any, *arguments: Any) -> None:
        super().__init__(protocol, transport, *arguments)
        self.is_pooled = False
        self.needs_isolation = False
        _set_deadlines(transport.get_extra_info("socket"))

    def get_reset_query(self) -> str:
        return ""


async def connect(
    dsn: None = None,  # noqa: ARG001  # asyncpg's pool passes it.
    *,
    hosts: Sequence[tuple[str | None, int]],
    timeout: float,  # noqa: ASYNC109  # asyncpg's name.
    target_session_attrs: str | None = None,
    **options: Any,
) -> PostgresConnection:
    """Open a connection to the first of *hosts* that answers and meets *target_session_attrs*.

    By default, that is the primary of several hosts, because this service writes.

    :raises DatabaseEncodingError: the database is not in UTF-8.
    """
    wanted = target_session_attrs or ("any" if len(hosts) == 1 else "primary")
    seconds = timeout if len(hosts) == 1 else min(timeout, HOST_SECONDS)
    failure: Exception = asyncpg.TargetServerAttributeNotMatched(f"no host is {wanted}")
    for host, port in hosts:
        try:
            connection, server = await _open({**options, "host": host, "port": port, "timeout": seconds})
        except PERMANENT_FAILURES:
            raise
        except POSTGRES_FAILURES as exc:
            failure = exc
            continue
        if server.fits(wanted):
            return connection
        await _close(connection)
    raise failure


async def _open(options: dict[str, Any]) -> tuple[PostgresConnection, Server]:
    """Open a connection to one host; through a pooler, without named statements, unless the URL asks for them."""
    connection, server = await _open_once(options)
    if server.is_pooled and "statement_cache_size" not in options:
        await _close(connection)
        connection, server = await _open_once({**options, "statement_cache_size": 0})
    return connection, server


async def _open_once(options: dict[str, Any]) -> tuple[PostgresConnection, Server]:
    options = {**options, "connection_class": PostgresConnection}
    if root_certificate := options.pop("sslrootcert", None):  # asyncpg reads it from a DSN only.
        options["dsn"] = f"postgresql://?{urlencode({'sslrootcert': root_certificate})}"
    connection: PostgresConnection = await asyncpg.connect(**options)
    try:
        encoding = connection.get_settings().server_encoding
        if encoding != ENCODING:
            raise DatabaseEncodingError(encoding)
        return connection, await _look(connection, options["timeout"])
    except BaseException:
        connection.terminate()
        raise


async def _look(connection: PostgresConnection, seconds: float) -> Server:
    """Return the server behind *connection*, and set the isolation that this service is written for.

    The statement has no name, and its transaction keeps a pooler from sending it to two servers.
    """
    async with connection.transaction(isolation="read_committed"):
        statement = await connection.prepare(SERVER_QUERY, name="", timeout=seconds)
        pid, is_primary, read_only, isolation = await statement.fetchrow(timeout=seconds)
    server = Server(pid != connection.get_server_pid(), is_primary, read_only == "on", isolation)
    connection.is_pooled = server.is_pooled
    if isolation != READ_COMMITTED:
        if server.is_pooled:  # A pooler keeps no setting of a session: each statement brings its own.
            connection.needs_isolation = True
        else:
            await connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED")
    return server


async def _close(connection: PostgresConnection) -> None:
    try:
        await connection.close(timeout=CLOSE_SECONDS)
    except POSTGRES_FAILURES:
        connection.terminate()


def _set_deadlines(connected: socket.socket) -> None:
    if connected.family == socket.AF_UNIX:
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in SOCKET_OPTIONS.items():
        if hasattr(socket, name):  # Linux has all of them.
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
