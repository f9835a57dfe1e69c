"""The example clients: generated from the contract, type-checked, and run against the real server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.program import CAPTCHA, PROJECT, CommandResult, Guichet

SCHEMA = PROJECT / "schema.graphql"
EXAMPLES = PROJECT / "examples"
TYPESCRIPT = EXAMPLES / "typescript"
PYTHON = EXAMPLES / "python"
TIMEOUT_SECONDS = 600
ANOTHER_CAPTCHA = "XYZ789"

Program = Callable[[str], CommandResult]


def run(folder: Path, *command: str | Path) -> CommandResult:
    """Run a command to its end, and end the processes that it started."""
    with subprocess.Popen(  # noqa: S603  # Our own programs.
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            return CommandResult(*process.communicate(timeout=TIMEOUT_SECONDS), process.returncode)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def run_well(folder: Path, *command: str | Path) -> None:
    done = run(folder, *command)
    assert done.code == 0, done.out + done.err


def copy_examples(folder: Path) -> Path:
    """Copy the sources of the examples and the contract, for tests that run and generate code at once."""
    made_here = shutil.ignore_patterns(".venv", ".mypy_cache", "node_modules", "build", "generated", "guichet_client")
    shutil.copy(SCHEMA, folder)
    return Path(shutil.copytree(EXAMPLES, folder / EXAMPLES.name, ignore=made_here))


def typescript(folder: Path) -> Program:
    """Generate and compile the TypeScript example under the strictest types. Return it as a program."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node or npm is not installed")
    installed = TYPESCRIPT / "node_modules"
    if not installed.is_dir():
        pytest.skip("node_modules is missing: run make examples")
    sources = copy_examples(folder) / TYPESCRIPT.name
    (sources / "node_modules").symlink_to(installed)
    run_well(sources, npm, "run", "build")
    return lambda url: run(sources, node, "build/journey.js", url)


def python(folder: Path) -> Program:
    """Generate the Python example and check it with mypy --strict. Return it as a program."""
    interpreter = PYTHON / ".venv" / "bin" / "python"
    if not interpreter.exists():
        pytest.skip("examples/python/.venv is missing: run make examples")
    sources = copy_examples(folder) / PYTHON.name
    run_well(sources, interpreter, "-m", "ariadne_codegen")
    run_well(sources, interpreter, "-m", "mypy")
    return lambda url: run(sources, interpreter, "journey.py", url)


@pytest.fixture(scope="module", params=[typescript, python], ids=lambda build: str(build.__name__))
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Each example program, generated from the current contract. It takes the URL of the service."""
    build: Callable[[Path], Program] = request.param
    return build(tmp_path_factory.mktemp(build.__name__))


@contextmanager
def serving(folder: Path, captcha: str, relay: str) -> Iterator[str]:
    """Run a service in development, whose captcha has this answer. Yield its URL."""
    guichet = Guichet(folder, CAPTCHA=f"fixed:{captcha}", RELAY=relay)
    assert guichet.run("migrate").code == 0
    with guichet.serving() as server:
        yield server.url


@contextmanager
def always_answering(answer: object) -> Iterator[str]:
    """Run a service that gives the same answer to every request. Yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/graphql-response+json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # The library's name.
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_example_signs_a_person_up(program: Program, tmp_path: Path) -> None:
    """The example signs up and activates an account, with the real server and its mailbox."""
    with serving(tmp_path, CAPTCHA, relay="on") as url:
        done = program(url)
    assert (done.code, done.err) == (0, ""), done
    assert done.out.endswith("@exemple.fr: Your account is active. You can sign in.\n")


def test_example_reports_a_refusal_in_one_line(program: Program, tmp_path: Path) -> None:
    """A refusal ends the program with exit code 1 and one line with its code and message."""
    with serving(tmp_path, ANOTHER_CAPTCHA, relay="off") as url:
        done = program(url)
    assert done.code == 1
    assert done.err.startswith("CAPTCHA_REJECTED: ")
    assert len(done.err.splitlines()) == 1


def test_example_reports_an_unknown_refusal(program: Program) -> None:
    """A refusal that was added to a union after the client was generated is reported in the same way."""
    closed = {"__typename": "PortalClosed", "code": "PORTAL_CLOSED", "message": "Open again at nine."}
    with always_answering({"data": {"identifierTypes": [], "organisation": closed}}) as url:
        done = program(url)
    assert (done.code, done.err) == (1, "PORTAL_CLOSED: Open again at nine.\n")


def test_example_accepts_an_unknown_code(program: Program) -> None:
    """A code that was added to an enum after the client was generated is reported unchanged."""
    refusal = {"__typename": "InvalidIdentifier", "code": "IDENTIFIER_WITHDRAWN", "message": "Ask for another."}
    with always_answering({"data": {"identifierTypes": [], "organisation": refusal}}) as url:
        done = program(url)
    assert (done.code, done.err) == (1, "IDENTIFIER_WITHDRAWN: Ask for another.\n")


def test_example_reports_top_level_errors(program: Program) -> None:
    """Top-level errors are reported with code and reference, even if the answer has data too."""
    error = {"message": "Internal error", "extensions": {"code": "INTERNAL_SERVER_ERROR", "reference": "5f3a"}}
    with always_answering({"data": {"identifierTypes": []}, "errors": [error]}) as url:
        done = program(url)
    assert (done.code, done.err) == (1, "INTERNAL_SERVER_ERROR 5f3a Internal error\n")


def test_example_reports_an_absent_service_in_one_line(program: Program) -> None:
    """A service that can't be reached is reported in one line, without a traceback."""
    done = program("http://127.0.0.1:1")
    assert (done.code, done.err) == (1, "No answer in JSON from http://127.0.0.1:1/graphql\n")


def test_lock_files_of_the_examples_name_no_registry() -> None:
    """The lock files name no registry, so that the examples install from any."""
    packages = json.loads((TYPESCRIPT / "package-lock.json").read_text())["packages"]
    assert len(packages) > 1
    assert [name for name, package in packages.items() if "resolved" in package] == []
    lock = (PYTHON / "requirements.lock").read_text()
    assert "--hash=sha256:" in lock
    assert "://" not in lock
    assert "--index-url" not in lock
