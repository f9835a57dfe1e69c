"""The command line, as an operator has it: real processes, real databases, real mails in a folder."""

from __future__ import annotations

import asyncio
import fcntl
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from models.database.migration import migrate
from tests.support.client import (
    ACTIVATE_ACCOUNT,
    CREATE_ACCOUNT,
    PASSWORD,
    Portal,
    form,
    token_in,
)
from tests.support.databases import execute, sqlite_only
from tests.support.doubles import Clock
from tests.support.ports import free_port
from tests.support.program import CAPTCHA, END_SECONDS, PROJECT, READY_SECONDS, Guichet, subject

COMMANDS = ["serve", "migrate", "deliver-mail", "export-schema", "purge"]
WITH_DATABASE = [["migrate"], ["deliver-mail", "--once"], ["purge"]]
SECRET = "Secret-42"


@pytest.fixture
def guichet(tmp_path: Path) -> Guichet:
    """The program in an empty folder, with its default settings."""
    folder = tmp_path / "service"
    folder.mkdir()
    return Guichet(folder)


@pytest.fixture
def ready(guichet: Guichet, database_url: str) -> Guichet:
    """The program with a database that is migrated, and a captcha for developers."""
    guichet.set(DATABASE_URL=database_url, CAPTCHA=f"fixed:{CAPTCHA}", RATE_LIMITS="off")
    return guichet


# --- Usage ---


def test_every_command_explains_itself(guichet: Guichet) -> None:
    """`--help` of the program and of each command says how to use it, and does nothing else."""
    whole, *each = guichet.run_together(["--help"], *([command, "--help"] for command in COMMANDS))
    assert [command for command in COMMANDS if command not in whole.out] == []
    for done in (whole, *each):
        assert (done.code, done.err) == (0, "")
        assert "Usage:" in done.out
    assert list(guichet.folder.iterdir()) == []


def test_console_script_is_installed() -> None:
    """`guichet` is on the path of the environment, and is this program."""
    script = Path(sys.executable).with_name("guichet")
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)  # noqa: S603
    assert "deliver-mail" in done.stdout


def test_bad_usage_is_exit_code_2(guichet: Guichet) -> None:
    """What can't be understood is not done, and the exit code tells."""
    bad = [["sign-up"], ["serve", "--workers", "0"], ["export-schema", "--colour"]]
    for done, arguments in zip(guichet.run_together(*bad), bad, strict=True):
        assert (done.code, done.out) == (2, ""), arguments
        assert arguments[0] in done.err
    assert list(guichet.folder.iterdir()) == []


def test_bad_settings_are_exit_code_2(guichet: Guichet) -> None:
    """Each wrong setting is a line on standard error, no password in it, and nothing is done."""
    guichet.set(RELAY="perhaps", MAIL_URL=f"imap://guichet:{SECRET}@mail.example.org")
    for done in guichet.run_together(["serve"], ["migrate"]):
        assert (done.code, done.out) == (2, "")
        assert [line.partition(": ")[0] for line in done.err.splitlines()] == ["GUICHET_MAIL_URL", "GUICHET_RELAY"]
        assert SECRET not in done.err
    assert list(guichet.folder.iterdir()) == []


def test_production_that_lacks_settings_does_not_start(guichet: Guichet) -> None:
    """The server refuses to start unsafe."""
    guichet.set(ENVIRONMENT="production", CAPTCHA="fixed:1")
    done = guichet.run("serve", "--workers", "2")
    assert done.code == 2
    assert [line.partition(":")[0] for line in done.err.splitlines()] == [
        "GUICHET_DATABASE_URL",
        "GUICHET_SECRET_KEY",
        "GUICHET_MAIL_URL",
        "GUICHET_MAIL_FROM",
        "GUICHET_ACTIVATION_URL",
        "GUICHET_CAPTCHA",
        "GUICHET_RATE_LIMIT_URL",
    ]


def test_misspelt_setting_is_warned_of(guichet: Guichet) -> None:
    """A variable that looks like a setting and is none is told, and ignored."""
    guichet.set(DATABASE="sqlite://elsewhere.db")
    done = guichet.run("migrate")
    assert done.code == 0
    assert "GUICHET_DATABASE is no setting: it is ignored" in done.err
    assert (guichet.folder / "var" / "guichet.db").exists()


# --- The database ---


def test_server_that_can_not_be_verified_is_refused(guichet: Guichet) -> None:
    """Without a root certificate, `sslmode=verify-full` can't work: one line that names the file, exit code 1."""
    guichet.environment["HOME"] = str(guichet.folder)
    guichet.set(DATABASE_URL=f"postgres://guichet:{SECRET}@127.0.0.1:1/guichet?sslmode=verify-full", RELAY="off")
    for done in guichet.run_together(["migrate"], ["serve", "--port", str(free_port())]):
        (line,) = done.err.splitlines()
        assert (done.code, done.out) == (1, "")
        assert f"{guichet.folder}/.postgresql/root.crt" in line
        assert SECRET not in line


@pytest.mark.parametrize(
    ("url", "commands"),
    [
        (f"postgres://guichet:{SECRET}@127.0.0.1:1/guichet", WITH_DATABASE),
        ("sqlite:///proc/version/guichet.db", WITH_DATABASE[:2]),
        ("sqlite://without-migrations.db", WITH_DATABASE[1:2]),
    ],
)
def test_unusable_database_is_one_line(guichet: Guichet, url: str, commands: list[list[str]]) -> None:
    """A database that is away or not migrated is one line on standard error and exit code 1, not a traceback."""
    guichet.set(DATABASE_URL=url)
    for done in guichet.run_together(*commands):
        assert (done.code, done.out) == (1, "")
        (line,) = done.err.splitlines()
        assert line.startswith("The database can't be used: ")
        assert SECRET not in line


@pytest.mark.parametrize("role_or_name", ["nobody@/postgres", "postgres@/nothing"])
def test_postgres_that_refuses_is_one_line(guichet: Guichet, postgres: str, role_or_name: str) -> None:
    """A role or a database that PostgreSQL doesn't know is told as such."""
    guichet.set(DATABASE_URL=f"postgres://{role_or_name}?{urlsplit(postgres).query}")
    for done in guichet.run_together(*WITH_DATABASE[:2]):
        assert done.code == 1
        (line,) = done.err.splitlines()
        assert re.search("nobody|nothing", line)


@pytest.fixture(params=["sqlite", "postgres"])
def new_database_url(request: pytest.FixtureRequest, guichet: Guichet) -> Iterator[str]:
    """A database of each kind without any table; of SQLite, not even its folder is there."""
    if request.param == "sqlite":
        yield "sqlite://data/guichet.db"
        return
    url: str = request.getfixturevalue("postgres")
    execute(url, "CREATE DATABASE fresh")
    yield urlsplit(url)._replace(path="/fresh").geturl()
    execute(url, "DROP DATABASE fresh WITH (FORCE)")


def test_migrations_are_made_once(guichet: Guichet, new_database_url: str) -> None:
    """Of replicas that start together one migrates the database, all succeed, and then there is nothing to do."""
    guichet.set(DATABASE_URL=new_database_url)
    for together in (2, 1):
        for done in guichet.run_together(*[["migrate"]] * together):
            assert (done.code, done.out) == (0, "The database has the newest schema.\n"), done.err
    assert guichet.run("purge").out == "0 registrations, 0 links, 0 messages deleted\n"


def test_database_that_is_not_migrated_is_told_as_such(guichet: Guichet, new_database_url: str) -> None:
    """A database without tables says which command makes them; an SQLite file needs its folder to be asked."""
    (guichet.folder / "data").mkdir()
    guichet.set(DATABASE_URL=new_database_url)
    for done in guichet.run_together(["purge"], ["deliver-mail", "--once"], ["register", "status"]):
        (line,) = done.err.splitlines()
        assert done.code == 1
        assert line.endswith(". `guichet migrate` gives it the newest schema")


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["guichet.db", "link.db"])
async def test_migration_waits_for_the_one_under_way(tmp_path: Path, name: str) -> None:
    """An SQLite file that another process is migrating is left alone until that is done, by all its names."""
    (tmp_path / "link.db").symlink_to(tmp_path / "guichet.db")
    with (tmp_path / "guichet.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        migrating = asyncio.create_task(migrate(f"sqlite://{tmp_path / name}"))
        await asyncio.sleep(1)
        assert not migrating.done()
    async with asyncio.timeout(READY_SECONDS):
        await migrating


@pytest.mark.parametrize("name", ["var/guichet.db", "data/deep/other.db"])
def test_what_is_written_is_its_owners_alone(guichet: Guichet, name: str) -> None:
    """Database, key and folders are closed to other users of the machine, wherever they lie."""
    guichet.set(DATABASE_URL=f"sqlite://{name}", CAPTCHA=f"fixed:{CAPTCHA}")
    guichet.environment.pop("GUICHET_SECRET_KEY", None)
    assert guichet.run("migrate").code == 0
    with guichet.serving() as server:
        server.sign_up()
        guichet.wait_for_mails(2)
        written = [path for path in guichet.folder.rglob("*") if path.suffix != ".log"]
    assert guichet.folder / name in written
    assert [path for path in written if path.stat(follow_symlinks=False).st_mode & 0o077] == []


def test_folder_that_can_not_be_written_is_one_line(guichet: Guichet) -> None:
    """A `var` that can't be used is one line of each command, and no traceback."""
    (guichet.folder / "var").write_text("no folder")
    guichet.environment.pop("GUICHET_SECRET_KEY", None)
    for done in guichet.run_together(["serve"], ["migrate"], ["deliver-mail", "--once"]):
        assert (done.code, done.out) == (2, "")
        (line,) = done.err.splitlines()
        assert line.startswith("GUICHET_SECRET_KEY: var/secret-key can't be used (")
    guichet.set(SECRET_KEY="0123456789abcdef0123456789abcdef")
    done = guichet.run("migrate")
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert line.startswith("The database can't be used: ")


# --- The contract ---


def test_contract_is_printed_or_written(guichet: Guichet) -> None:
    """`export-schema` gives the file that is in the repository, and needs no settings."""
    guichet.set(RELAY="perhaps")
    printed, written, failed = guichet.run_together(
        ["export-schema"],
        ["export-schema", "--output", "contract.graphql"],
        ["export-schema", "--output", "no/such/folder/contract.graphql"],
    )
    contract = (PROJECT / "schema.graphql").read_text(encoding="utf-8")
    assert printed == (contract, "", 0)
    assert written == ("", "", 0)
    assert (guichet.folder / "contract.graphql").read_text(encoding="utf-8") == contract
    assert failed == ("", "no/such/folder/contract.graphql can't be written: No such file or directory\n", 1)


# --- Mails, and what has outlived its purpose ---


@pytest.fixture
def present(clock: Clock) -> Clock:
    """The clock of the application in this process, set to the time of the processes beside it."""
    clock.now = datetime.now(UTC)
    return clock


@pytest.mark.anyio
async def test_mails_are_delivered_once(ready: Guichet, present: Clock, portal: Portal) -> None:
    """`deliver-mail --once` sends what is due, says how much that was, and leaves nothing to do."""
    await portal.sign_up()
    done = await asyncio.to_thread(ready.run, "deliver-mail", "--once")
    assert (done.code, done.out) == (0, "2 sent\n"), done.err
    activation, summary = ready.mails
    assert (subject(activation), subject(summary)) == ("Activez votre compte", "Récapitulatif de votre inscription")
    assert (await portal.inspect_activation_link(token_in(activation)))["state"] == "USABLE"
    done = await asyncio.to_thread(ready.run, "deliver-mail", "--once")
    assert (done.code, done.out) == (0, "nothing is due\n")
    assert len(ready.mails) == 2


@sqlite_only
@pytest.mark.anyio
async def test_mails_that_can_not_leave_are_told(ready: Guichet, present: Clock, portal: Portal) -> None:
    """Where the mail server is away, the exit code tells, and the mails stay in the queue."""
    ready.set(MAIL_URL=f"smtp://guichet:{SECRET}@127.0.0.1:1?starttls=off")
    await portal.sign_up()
    done = await asyncio.to_thread(ready.run, "deliver-mail", "--once")
    assert (done.code, done.out) == (1, "2 failed\n")
    assert SECRET not in done.err
    present.advance(hours=2)
    assert len(await portal.deliver()) == 2


@pytest.mark.anyio
async def test_purge_deletes_what_has_outlived_its_purpose(ready: Guichet, present: Clock, portal: Portal) -> None:
    """`purge` deletes registrations, links and messages past their time, and spares those of today."""
    present.now -= timedelta(days=40)
    await portal.activation_token()
    await portal.create_account(email="dominique@exemple.fr")
    present.now += timedelta(days=40)
    token = await portal.activation_token()
    for expected in ("2 registrations, 1 links, 2 messages", "0 registrations, 0 links, 0 messages"):
        done = await asyncio.to_thread(ready.run, "purge")
        assert (done.code, done.out) == (0, f"{expected} deleted\n"), done.err
    assert (await portal.activate_account(token))["__typename"] == "AccountActivated"


@sqlite_only
@pytest.mark.anyio
async def test_relay_runs_until_it_is_ended(ready: Guichet, present: Clock, portal: Portal) -> None:
    """`deliver-mail` alone sends what becomes due, and goes on until SIGINT ends it in peace."""
    process = ready.start("deliver-mail")
    try:
        await portal.sign_up()
        assert len(await asyncio.to_thread(ready.wait_for_mails, 2)) == 2
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.to_thread(process.communicate, timeout=END_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in err


# --- The server ---


@sqlite_only
def test_server_serves_a_whole_sign_up(ready: Guichet) -> None:
    """From the form to the account over real sockets, mails in the folder, and an end in time at SIGTERM."""
    with ready.serving() as server:
        server.sign_up()
        activation, _ = ready.wait_for_mails(2)
        link = re.search(r"http://127\.0\.0\.1:\d+/#token=\S+", str(activation.get_body(("plain",))))
        assert link is not None
        assert link[0].startswith(f"{server.url}/#token=")
        typed = {"token": token_in(activation), "password": PASSWORD, "passwordConfirmation": PASSWORD}
        assert server.call(ACTIVATE_ACCOUNT, {"input": typed})["__typename"] == "AccountActivated"
        assert server.end() == 0
    assert "POST '/graphql' 200" in server.log
    assert "Traceback" not in server.log
    for secret in (token_in(activation), PASSWORD, "camille", CAPTCHA):
        assert secret not in server.log


@sqlite_only
@pytest.mark.parametrize(
    ("settings", "named"), [({}, "TooManyRequests"), ({"TRUSTED_PROXIES": "127.0.0.1"}, "OrganisationNotFound")]
)
def test_server_believes_trusted_proxies_only(ready: Guichet, settings: dict[str, str], named: str) -> None:
    """Not even loopback may name the caller, as uvicorn would have it, unless it is a trusted proxy."""
    ready.set(RATE_LIMITS="organisation=1/hour", **settings)
    ready.environment["FORWARDED_ALLOW_IPS"] = "*"
    query = '{ organisation(identifier: {type: AUTRE, value: "X"}) { __typename } }'
    with ready.serving() as server:
        for address in ("198.51.100.1", "198.51.100.2"):
            answer = server.ask(query, headers={"X-Forwarded-For": address})
        assert answer["data"]["organisation"]["__typename"] == named


@sqlite_only
def test_port_in_use_is_exit_code_1(ready: Guichet) -> None:
    """A server that can't listen says so, and ends."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = ready.run("serve", "--port", str(other.getsockname()[1]))
    assert done.code == 1
    assert "address already in use" in done.err
    assert "Traceback" not in done.err


def test_development_serves_this_machine_only(guichet: Guichet) -> None:
    """In development, where anybody may read all mails, other addresses take a flag that says so."""
    hosts = ["0.0.0.0", "::"]  # noqa: S104  # To be refused.
    for done, host in zip(guichet.run_together(*(["serve", "--host", host] for host in hosts)), hosts, strict=True):
        assert (done.code, done.out) == (2, "")
        (line,) = done.err.splitlines()
        assert line == f"--host {host}: development serves loopback only, unless --expose-development is given"


@sqlite_only
def test_flag_exposes_development(ready: Guichet) -> None:
    """With the flag, development listens where it is told."""
    with ready.serving("--host", "0.0.0.0", "--expose-development") as server:  # noqa: S104
        assert server.end() == 0


async def sign_up_at_once(url: str, count: int) -> list[str]:
    """Names of the answers to *count* forms, sent together."""
    async with httpx.AsyncClient(timeout=READY_SECONDS) as client:

        async def send(number: int) -> str:
            variables = {"input": form(email=f"camille{number}@exemple.fr")}
            answer = await client.post(f"{url}/graphql", json={"query": CREATE_ACCOUNT, "variables": variables})
            return str(answer.json()["data"]["createAccount"]["__typename"])

        return await asyncio.gather(*(send(number) for number in range(count)))


def test_workers_share_the_database(ready: Guichet) -> None:
    """Two processes take forty forms at the same moment, and lose none to the other's locks."""
    with ready.serving("--workers", "2") as server:
        assert asyncio.run(sign_up_at_once(server.url, 40)) == ["PendingRegistration"] * 40
        server.sign_up()
        assert len(ready.wait_for_mails(2)) == 2
        assert server.end() == 0
    assert "Traceback" not in server.log


def test_nothing_is_lost_with_the_server(ready: Guichet) -> None:
    """What a caller was told has happened is committed: the mails leave though the server was killed at once."""
    ready.set(RELAY="off")
    with ready.serving() as server:
        server.sign_up()
        server.process.kill()
        server.process.wait(END_SECONDS)
    done = ready.run("deliver-mail", "--once")
    assert (done.code, done.out) == (0, "2 sent\n"), done.err
    assert [subject(mail) for mail in ready.mails] == ["Activez votre compte", "Récapitulatif de votre inscription"]
