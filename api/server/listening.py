"""The sockets that `serve` listens on, in one process or several."""

from __future__ import annotations

import logging
import os
import socket
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from api.settings.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

BACKLOG = 2048
PROBE_SECONDS = 1
UNIX_MODE = 0o660
"""Access for owner and group only: where `unix` is a trusted proxy, a peer can speak for every client."""


class ListeningError(Exception):
    """The server can't listen. The message says where, and why."""


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A host, by name or address, and a port."""

    host: str
    port: int

    @property
    def is_local(self) -> bool:
        """True if only this machine can connect."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://[{self.host}]:{self.port}/" if ":" in self.host else f"http://{self.host}:{self.port}/"

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """The path of a Unix socket."""

    path: Path
    is_local = True

    def __str__(self) -> str:
        return f"the Unix socket {self.path}"


Address: TypeAlias = TcpAddress | UnixAddress


@contextmanager
def listening(address: Address) -> Iterator[list[socket.socket]]:
    """Listen on *address*. In the end, remove a Unix socket, unless another server has taken its path.

    :raises ListeningError: the address can't be used.
    """
    try:
        sockets = [_unix_socket(address.path)] if isinstance(address, UnixAddress) else _tcp_sockets(address)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise ListeningError(f"Can't listen on {address}: {reason[:1].lower()}{reason[1:]}") from exc
    ours = _identity(address.path) if isinstance(address, UnixAddress) else None
    logger.info("Listening on %s", address)
    try:
        yield sockets
    finally:
        for bound in sockets:
            bound.close()
        if isinstance(address, UnixAddress) and _identity(address.path) == ours:
            address.path.unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the identity of the file at *path*; None if there is no file."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _tcp_sockets(address: TcpAddress) -> list[socket.socket]:
    """Bind one socket for each address of the host, all to the same port."""
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, name in dict.fromkeys(found):
            port = sockets[0].getsockname()[1] if sockets else address.port
            # `::` includes all of IPv4, even where that is not the system's default.
            both = family == socket.AF_INET6 and name[0] == "::"
            bound = socket.create_server((name[0], port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
            sockets.append(bound)
    except OSError:
        for bound in sockets:
            bound.close()
        raise
    return sockets


def _unix_socket(path: Path) -> socket.socket:
    """Bind a socket to *path*. From its first moment, only its owner and group can connect."""
    _remove_stale(path)
    bound = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o777 & ~UNIX_MODE)
    try:
        bound.bind(str(path))
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(mask)
    return bound


def _remove_stale(path: Path) -> None:
    """Remove the socket of a server that has ended.

    :raises OSError: another server listens on it, or the file is no socket.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(f"{path} is there, and is no socket")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(PROBE_SECONDS)
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
                return
            except (TimeoutError, BlockingIOError):
                pass  # A server with a full backlog is running too.
        raise FileExistsError(f"another server listens on {path}")
