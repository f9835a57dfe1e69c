"""The application under uvicorn, in one process or several.

Two private methods of uvicorn are overridden. Tried on uvicorn 0.54.0; `tests/test_private_parts.py` fails when a
release changes them.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from api.app import build_app
from api.http.connections import BoundedProtocol
from api.http.paths import GRAPHQL, MAILBOX
from api.logs import configure_logging
from api.server.listening import ListeningError, UnixAddress, listening
from api.server.relay_process import RelayProcess
from api.settings.environment import load_settings
from api.settings.mail_destination import Maildir
from api.settings.problems import PREFIX
from api.settings.trusted_proxies import UNIX_PEER
from api.shutdown import SHUTDOWN_SECONDS

if TYPE_CHECKING:
    from socket import socket
    from types import FrameType

    from starlette.applications import Starlette

    from api.server.listening import Address
    from api.settings.environment import Settings

WORKER_SILENCE_SECONDS = 30
"""Silence after which a worker is replaced. Uvicorn's five seconds would kill workers that start on a busy machine."""
UVICORN: Mapping[str, Any] = {
    "http": BoundedProtocol,
    "ws": "none",
    "access_log": False,
    "log_config": None,
    "proxy_headers": False,  # Trusted proxies are a setting of the application.
    "server_header": False,
    "timeout_graceful_shutdown": SHUTDOWN_SECONDS,
    "timeout_worker_healthcheck": WORKER_SILENCE_SECONDS,
}
"""The options of uvicorn, for all kinds of addresses."""
COLLECTOR_THRESHOLDS = (5_000, 20, 50)
"""Thresholds of the garbage collector: answers leave no cycles, validation does. A collection takes 2 ms."""
MAX_OPEN_FILES = 4_096

logger = logging.getLogger(__name__)


def run(settings: Settings, *, address: Address, workers: int) -> None:
    """Serve at *address* until SIGINT or SIGTERM, then finish the requests and mails in hand.

    :raises SystemExit: with 1, if the server can't start.
    """
    settings = _with_activation_url(settings, address)
    if not settings.in_production:
        _log_development_pages(settings, address)
    elif "terms_url" not in settings.model_fields_set:
        logger.warning("%sTERMS_URL is not set: people accept conditions that are a placeholder", PREFIX)
    if isinstance(address, UnixAddress) and UNIX_PEER not in settings.trusted_proxies:
        logger.warning("%sTRUSTED_PROXIES does not name unix: all callers are counted as one network", PREFIX)
    # Uvicorn raises the signal again after it has shut down: that is a success.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _allow_open_files()
    try:
        with (
            listening(address) as sockets,
            RelayProcess(settings).running(on=settings.relay == "on") as relay,
            suppress(KeyboardInterrupt),
        ):
            _serve(settings, sockets, relay, workers)
    except ListeningError as exc:
        logger.error("%s", exc)
        raise SystemExit(1) from None
    except SystemExit as exc:
        raise SystemExit(1 if exc.code else 0) from None


def _serve(settings: Settings, sockets: list[socket], relay: RelayProcess, workers: int) -> None:
    """Answer requests to *sockets*, in this process or in *workers* others.

    :raises SystemExit: the application can't start.
    """
    if workers == 1:
        server = _Server(uvicorn.Config(_tune_garbage_collector(build_app(settings)), **UVICORN), relay)
        server.run(sockets)
        if not server.started:
            raise SystemExit(STARTUP_FAILURE)
        return
    os.environ[f"{PREFIX}ACTIVATION_URL"] = settings.activation_url
    config = uvicorn.Config("api.server.processes:build_worker_app", factory=True, workers=workers, **UVICORN)
    _Workers(config, sockets, relay).run()


class _Server(uvicorn.Server):
    """A server of one process, which stops the relay as soon as it is told to end."""

    def __init__(self, config: uvicorn.Config, relay: RelayProcess) -> None:
        super().__init__(config)
        self._relay = relay

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._relay.stop()
        super().handle_exit(sig, frame)


class _Workers(Multiprocess):
    """A supervisor of several processes, which stops the relay together with them."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket], relay: RelayProcess) -> None:
        super().__init__(config, sockets)
        self._relay = relay

    def terminate_all(self) -> None:
        self._relay.stop()
        super().terminate_all()


def build_worker_app() -> Starlette:
    """Return the application for one of several processes."""
    configure_logging()
    _allow_open_files()
    _end_with_supervisor()
    return _tune_garbage_collector(build_app(load_settings()))


def _end_with_supervisor() -> None:
    """Shut this worker down, as by SIGTERM, when its supervisor dies: else it would hold the port for ever."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        threading.Thread(target=_end_when_ready, args=(supervisor.sentinel,), name="supervisor", daemon=True).start()


def _end_when_ready(sentinel: int) -> None:
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _tune_garbage_collector(app: Starlette) -> Starlette:
    """Hide all objects that exist after start-up from the collector, and run it less often. Return *app*.

    These objects live as long as the process, and walking them took a fifth of the time of a look-up.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    return app


def _allow_open_files() -> None:
    """Let this process open as many files as its connections may need, as far as the system allows."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if most == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _with_activation_url(settings: Settings, address: Address) -> Settings:
    """Return *settings* whose activation links lead to this server's page, in development, if no page is set."""
    if settings.in_production or "activation_url" in settings.model_fields_set or isinstance(address, UnixAddress):
        return settings
    return settings.model_copy(update={"activation_url": address.url})


def _log_development_pages(settings: Settings, address: Address) -> None:
    """Log the pages that a developer can open."""
    if isinstance(address, UnixAddress):
        return  # A browser can't open it.
    here = address.url.rstrip("/")
    logger.info("Sign up at %s/, or send queries from %s", here, f"{here}{GRAPHQL}")
    if isinstance(settings.mail_url, Maildir):
        logger.info("The mails come to %s", f"{here}{MAILBOX}/")
