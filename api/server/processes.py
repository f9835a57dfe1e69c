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
"""After which a worker is replaced. Uvicorn's five would kill one that only starts, or works, on a busy machine."""
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
"""How uvicorn is run, wherever it listens."""
COLLECT_EVERY = (5_000, 20, 50)
"""Answers leave no cycles, the validation of a new document does. To collect them keeps callers waiting for 2 ms."""
OPEN_FILES = 4_096

logger = logging.getLogger(__name__)


def run(settings: Settings, *, address: Address, workers: int) -> None:
    """Serve at *address* until SIGINT or SIGTERM; requests and mails that are in hand are finished first.

    :raises SystemExit: with 1, the server can't start.
    """
    settings = _lead_to_this_server(settings, address)
    if not settings.in_production:
        _show_around(settings, address)
    elif "terms_url" not in settings.model_fields_set:
        logger.warning("%sTERMS_URL is not set: people accept conditions that are a placeholder", PREFIX)
    if isinstance(address, UnixAddress) and UNIX_PEER not in settings.trusted_proxies:
        logger.warning("%sTRUSTED_PROXIES does not name unix: all callers are counted as one network", PREFIX)
    # Uvicorn raises the signal again once it has shut down: that end is as planned.
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
    """Answer what comes to *sockets*, in this process or in *workers* others.

    :raises SystemExit: the application can't start.
    """
    if workers == 1:
        server = _Server(uvicorn.Config(_settled(build_app(settings)), **UVICORN), relay)
        server.run(sockets)
        if not server.started:
            raise SystemExit(STARTUP_FAILURE)
        return
    os.environ[f"{PREFIX}ACTIVATION_URL"] = settings.activation_url
    config = uvicorn.Config("api.server.processes:build_worker_app", factory=True, workers=workers, **UVICORN)
    _Workers(config, sockets, relay).run()


class _Server(uvicorn.Server):
    """Has the relay end at the moment at which it is told to end itself."""

    def __init__(self, config: uvicorn.Config, relay: RelayProcess) -> None:
        super().__init__(config)
        self._relay = relay

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._relay.stop()
        super().handle_exit(sig, frame)


class _Workers(Multiprocess):
    """The same of several processes, which end together."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket], relay: RelayProcess) -> None:
        super().__init__(config, sockets)
        self._relay = relay

    def terminate_all(self) -> None:
        self._relay.stop()
        super().terminate_all()


def build_worker_app() -> Starlette:
    """The application of one of several processes."""
    configure_logging()
    _allow_open_files()
    _end_with_supervisor()
    return _settled(build_app(load_settings()))


def _end_with_supervisor() -> None:
    """Have this worker shut down, as by SIGTERM, once its supervisor has died: it would hold the port for ever."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        threading.Thread(target=_end_after, args=(supervisor.sentinel,), name="supervisor", daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _settled(app: Starlette) -> Starlette:
    """*app*, with all that start-up made out of the garbage collector's sight, and a collector that runs less often.

    Nothing of it ever dies, and walking it again and again cost a fifth of the time of a look-up.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_EVERY)
    return app


def _allow_open_files() -> None:
    """Let this process open as many files as its connections may need, where the system lets it."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _lead_to_this_server(settings: Settings, address: Address) -> Settings:
    """In development, where no page is set, activation links lead to the reference page of this server."""
    if settings.in_production or "activation_url" in settings.model_fields_set or isinstance(address, UnixAddress):
        return settings
    return settings.replace(activation_url=address.url)


def _show_around(settings: Settings, address: Address) -> None:
    """Tell a developer what there is to open."""
    if isinstance(address, UnixAddress):
        return  # A browser can't come here.
    here = address.url
    logger.info("Sign up at %s, or send queries from %sgraphql", here, here)
    if isinstance(settings.mail_url, Maildir):
        logger.info("The mails come to %smailbox/", here)
