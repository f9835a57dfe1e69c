"""Debian's reverse proxies, each in front of a server that a test has started."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

READY_SECONDS = 60
# With the lines for WebSocket from nginx's documentation, and with kept connections to the server.
NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/bodies;
  proxy_temp_path {folder}/answers;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream guichet {{ server {upstream}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://guichet;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option forwardfor
  http-reuse always
listen guichet
  bind 127.0.0.1:{port}
  server guichet {upstream}
"""
CADDY = """
{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  reverse_proxy {upstream}
}}
"""
CONFIGURATIONS: Mapping[str, str] = {"nginx": NGINX, "haproxy": HAPROXY, "caddy": CADDY}
COMMANDS: Mapping[str, list[str]] = {
    "nginx": ["-p", "{folder}", "-c", "{file}"],
    "haproxy": ["-db", "-f", "{file}"],
    "caddy": ["run", "--adapter", "caddyfile", "--config", "{file}"],
}
UNIX_UPSTREAMS: Mapping[str, str] = {"nginx": "unix:{path}", "haproxy": "{path}", "caddy": "unix/{path}"}


@contextmanager
def proxied(program: str, folder: Path, upstream: int | Path) -> Iterator[int]:
    """Run *program* in front of the server at a port or a Unix socket, and yield the program's own port."""
    command = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if command is None:
        pytest.skip(f"{program} is not installed")
    port, file = free_port(), folder / f"{program}.conf"
    address = f"127.0.0.1:{upstream}" if isinstance(upstream, int) else UNIX_UPSTREAMS[program].format(path=upstream)
    file.write_text(CONFIGURATIONS[program].format(folder=folder, port=port, upstream=address))
    arguments = [argument.format(folder=folder, file=file) for argument in COMMANDS[program]]
    environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / f"{program}.out").open("w") as log:
        process = subprocess.Popen(  # noqa: S603  # The system's own program.
            [command, *arguments], stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        _wait_until_open(port, process)
        yield port
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("the proxy is not ready")
