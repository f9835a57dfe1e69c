"""The example clients: generated from the contract, held to their types, run against the real server."""

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
LONGEST_SECONDS = 600
ANOTHER_CAPTCHA = "XYZ789"

Program = Callable[[str], CommandResult]


def run(folder: Path, *command: str | Path) -> CommandResult:
    """A command, to its end; what it has started ends with it."""
    with subprocess.Popen(  # noqa: S603  # Our own programs.
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            return CommandResult(*process.communicate(timeout=LONGEST_SECONDS), process.returncode)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def run_well(folder: Path, *command: str | Path) -> None:
    done = run(folder, *command)
    assert done.code == 0, done.out + done.err


def copied(folder: Path) -> Path:
    """The sources of the examples beside the contract, for tests that run at once and each generate their code."""
    made_here = shutil.ignore_patterns(".venv", ".mypy_cache", "node_modules", "build", "generated", "guichet_client")
    shutil.copy(SCHEMA, folder)
    return Path(shutil.copytree(EXAMPLES, folder / EXAMPLES.name, ignore=made_here))


def typescript(folder: Path) -> Program:
    """Generated and compiled under the strictest types; takes the URL of the service."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node or npm is not installed")
    installed = TYPESCRIPT / "node_modules"
    if not installed.is_dir():
        pytest.skip("node_modules is missing: run make examples")
    sources = copied(folder) / TYPESCRIPT.name
    (sources / "node_modules").symlink_to(installed)
    run_well(sources, npm, "run", "build")
    return lambda url: run(sources, node, "build/journey.js", url)


def python(folder: Path) -> Program:
    """Generated and checked by mypy --strict; takes the URL of the service."""
    interpreter = PYTHON / ".venv" / "bin" / "python"
    if not interpreter.exists():
        pytest.skip("examples/python/.venv is missing: run make examples")
    sources = copied(folder) / PYTHON.name
    run_well(sources, interpreter, "-m", "ariadne_codegen")
    run_well(sources, interpreter, "-m", "mypy")
    return lambda url: run(sources, interpreter, "journey.py", url)


@pytest.fixture(scope="module", params=[typescript, python], ids=lambda build: str(build.__name__))
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Each of the programs, made from the contract as it is now."""
    build: Callable[[Path], Program] = request.param
    return build(tmp_path_factory.mktemp(build.__name__))


@contextmanager
def serving(folder: Path, captcha: str) -> Iterator[str]:
    """The URL of a service in development, whose captcha has this answer."""
    guichet = Guichet(folder, CAPTCHA=f"fixed:{captcha}")
    assert guichet.run("migrate").code == 0
    with guichet.serving() as server:
        yield server.url


@contextmanager
def always_answering(answer: object) -> Iterator[str]:
    """The URL of a service that has the same answer to whatever is posted."""

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
    """From the list of identifier types to the active account, against the real server and its mailbox."""
    with serving(tmp_path, CAPTCHA) as url:
        done = program(url)
    assert (done.code, done.err) == (0, ""), done
    assert done.out.endswith("@exemple.fr: Your account is active. You can sign in.\n")


def test_example_tells_a_refusal(program: Program, tmp_path: Path) -> None:
    """What is refused ends the program with exit code 1 and one line, its code and its message, without a trace."""
    with serving(tmp_path, ANOTHER_CAPTCHA) as url:
        done = program(url)
    assert done.code == 1
    assert done.err.startswith("CAPTCHA_REJECTED: ")
    assert len(done.err.splitlines()) == 1


def test_example_tells_a_refusal_that_it_does_not_know(program: Program) -> None:
    """A member that a union has gained since the client was generated is told by its code and message too."""
    closed = {"__typename": "PortalClosed", "code": "PORTAL_CLOSED", "message": "Open again at nine."}
    with always_answering({"data": {"identifierTypes": [], "organisation": closed}}) as url:
        done = program(url)
    assert (done.code, done.err) == (1, "PORTAL_CLOSED: Open again at nine.\n")


def test_example_knows_that_codes_are_added(program: Program) -> None:
    """A code that an enum has gained since the client was generated is taken as it stands."""
    refusal = {"__typename": "InvalidIdentifier", "code": "IDENTIFIER_WITHDRAWN", "message": "Ask for another."}
    with always_answering({"data": {"identifierTypes": [], "organisation": refusal}}) as url:
        done = program(url)
    assert (done.code, done.err) == (1, "IDENTIFIER_WITHDRAWN: Ask for another.\n")


def test_example_tells_what_nobody_can_mend(program: Program) -> None:
    """Top-level errors are told, whatever data came beside them, with their code and the log's reference."""
    error = {"message": "Internal error", "extensions": {"code": "INTERNAL_SERVER_ERROR", "reference": "5f3a"}}
    with always_answering({"data": {"identifierTypes": []}, "errors": [error]}) as url:
        done = program(url)
    assert (done.code, done.err) == (1, "INTERNAL_SERVER_ERROR 5f3a Internal error\n")


def test_example_tells_that_nobody_answers(program: Program) -> None:
    """A service that is away is one line, not a trace."""
    done = program("http://127.0.0.1:1")
    assert (done.code, done.err) == (1, "No answer in JSON from http://127.0.0.1:1/graphql\n")


def test_locks_name_no_registry() -> None:
    """Whoever installs the examples does so from the registry that they have set up."""
    packages = json.loads((TYPESCRIPT / "package-lock.json").read_text())["packages"]
    assert len(packages) > 1
    assert [name for name, package in packages.items() if "resolved" in package] == []
    lock = (PYTHON / "requirements.lock").read_text()
    assert "--hash=sha256:" in lock
    assert "://" not in lock
    assert "--index-url" not in lock
