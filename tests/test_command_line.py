"""The command line as an operator uses it: real processes, real databases, real mails in a folder."""

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

from tests.support.client import (
    ACTIVATE_ACCOUNT,
    CREATE_ACCOUNT,
    PASSWORD,
    Portal,
    form,
    token_in,
)
from tests.support.databases import execute, migrate_database, sqlite_only
from tests.support.doubles import Clock
from tests.support.ports import free_port
from tests.support.program import CAPTCHA, END_SECONDS, PROJECT, READY_SECONDS, Guichet, subject

COMMANDS = ["serve", "migrate", "deliver-mail", "export-schema", "purge"]
WITH_DATABASE = [["migrate"], ["deliver-mail", "--once"], ["purge"]]
SECRET = "Secret-42"


@pytest.fixture
def guichet(tmp_path: Path) -> Guichet:
    """Return the program in an empty folder, with its default settings."""
    folder = tmp_path / "service"
    folder.mkdir()
    return Guichet(folder)


@pytest.fixture
def ready(guichet: Guichet, database_url: str) -> Guichet:
    """Return the program with a migrated database and a captcha for developers."""
    guichet.set(DATABASE_URL=database_url, CAPTCHA=f"fixed:{CAPTCHA}", RATE_LIMITS="off")
    return guichet


# --- Usage ---


def test_every_command_explains_itself(guichet: Guichet) -> None:
    """`--help` of the program and of each command prints its usage and does nothing else."""
    overview, *command_help = guichet.start_afresh().run_together(
        ["--help"], *([command, "--help"] for command in COMMANDS)
    )
    assert [command for command in COMMANDS if command not in overview.out] == []
    for done in (overview, *command_help):
        assert (done.code, done.err) == (0, "")
        assert "Usage:" in done.out
    assert list(guichet.folder.iterdir()) == []


def test_console_script_is_installed() -> None:
    """The environment's path has `guichet`, and it is this program."""
    script = Path(sys.executable).with_name("guichet")
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)  # noqa: S603
    assert "deliver-mail" in done.stdout


def test_bad_usage_exits_with_code_2(guichet: Guichet) -> None:
    """An unknown command or option does nothing and exits with code 2."""
    mistakes = [["sign-up"], ["serve", "--workers", "0"], ["export-schema", "--colour"]]
    for done, arguments in zip(guichet.run_together(*mistakes), mistakes, strict=True):
        assert (done.code, done.out) == (2, ""), arguments
        assert arguments[0] in done.err
    assert list(guichet.folder.iterdir()) == []


def test_bad_settings_exit_with_code_2(guichet: Guichet) -> None:
    """Each bad setting gets one line on standard error, without passwords, and nothing else happens."""
    guichet.set(RELAY="perhaps", MAIL_URL=f"imap://guichet:{SECRET}@mail.example.org")
    for done in guichet.run_together(["serve"], ["migrate"]):
        assert (done.code, done.out) == (2, "")
        assert [line.partition(": ")[0] for line in done.err.splitlines()] == ["GUICHET_MAIL_URL", "GUICHET_RELAY"]
        assert SECRET not in done.err
    assert list(guichet.folder.iterdir()) == []


def test_production_that_lacks_settings_does_not_start(guichet: Guichet) -> None:
    """The server refuses to start in production without the settings that make it safe."""
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


def test_misspelt_setting_brings_a_warning(guichet: Guichet) -> None:
    """A variable that looks like a setting but isn't one brings a warning and has no effect."""
    guichet.set(DATABASE="sqlite://elsewhere.db")
    done = guichet.run("migrate")
    assert done.code == 0
    assert "GUICHET_DATABASE is no setting: it is ignored" in done.err
    assert (guichet.folder / "var" / "guichet.db").exists()


# --- The database ---


def test_verify_full_without_root_certificate_is_refused(guichet: Guichet) -> None:
    """Without a root certificate, `sslmode=verify-full` gives exit code 1 and one line that names the file."""
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
def test_unusable_database_is_reported_in_one_line(guichet: Guichet, url: str, commands: list[list[str]]) -> None:
    """An unreachable or unmigrated database gives one line on standard error and exit code 1, no traceback."""
    guichet.set(DATABASE_URL=url)
    for done in guichet.run_together(*commands):
        assert (done.code, done.out) == (1, "")
        (line,) = done.err.splitlines()
        assert line.startswith("The database can't be used: ")
        assert SECRET not in line


@pytest.mark.parametrize("role_or_name", ["nobody@/postgres", "postgres@/nothing"])
def test_unknown_role_or_database_is_named_in_one_line(guichet: Guichet, postgres: str, role_or_name: str) -> None:
    """If PostgreSQL doesn't know a role or a database, one line names it."""
    guichet.set(DATABASE_URL=f"postgres://{role_or_name}?{urlsplit(postgres).query}")
    for done in guichet.run_together(*WITH_DATABASE[:2]):
        assert done.code == 1
        (line,) = done.err.splitlines()
        assert re.search("nobody|nothing", line)


@pytest.fixture(params=["sqlite", "postgres"])
def new_database_url(request: pytest.FixtureRequest, guichet: Guichet) -> Iterator[str]:
    """Yield the URL of a database of each kind without tables. For SQLite, not even the folder exists."""
    if request.param == "sqlite":
        yield "sqlite://data/guichet.db"
        return
    url: str = request.getfixturevalue("postgres")
    execute(url, "CREATE DATABASE fresh")
    yield urlsplit(url)._replace(path="/fresh").geturl()
    execute(url, "DROP DATABASE fresh WITH (FORCE)")


def test_simultaneous_migrations_run_once(guichet: Guichet, new_database_url: str) -> None:
    """If replicas start together, one of them migrates the database and all succeed. Later runs change nothing."""
    guichet.set(DATABASE_URL=new_database_url)
    for together in (2, 1):
        for done in guichet.run_together(*[["migrate"]] * together):
            assert (done.code, done.out) == (0, "The database has the newest schema.\n"), done.err
    assert guichet.run("purge").out == "0 registrations, 0 links, 0 messages deleted\n"


def test_unmigrated_database_is_reported_with_the_command_to_run(guichet: Guichet, new_database_url: str) -> None:
    """The error for a database without tables names the command that creates them."""
    guichet.start_afresh()
    (guichet.folder / "data").mkdir()  # SQLite opens a file only in an existing folder.
    guichet.set(DATABASE_URL=new_database_url)
    for done in guichet.run_together(["purge"], ["deliver-mail", "--once"], ["register", "status"]):
        (line,) = done.err.splitlines()
        assert done.code == 1
        assert line.endswith(". `guichet migrate` gives it the newest schema")


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["guichet.db", "link.db"])
async def test_sqlite_migration_waits_for_one_in_another_process(tmp_path: Path, name: str) -> None:
    """A migration waits while another process migrates the same SQLite file, even under another name."""
    (tmp_path / "link.db").symlink_to(tmp_path / "guichet.db")
    with (tmp_path / "guichet.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        migrating = asyncio.create_task(migrate_database(f"sqlite://{tmp_path / name}"))
        await asyncio.sleep(1)
        assert not migrating.done()
    async with asyncio.timeout(READY_SECONDS):
        await migrating


@pytest.mark.parametrize("name", ["var/guichet.db", "data/deep/other.db"])
def test_written_files_are_private_to_their_owner(guichet: Guichet, name: str) -> None:
    """Other users of the machine can't read the database, the key, the mails or their folders."""
    guichet.set(DATABASE_URL=f"sqlite://{name}", CAPTCHA=f"fixed:{CAPTCHA}")
    guichet.environment.pop("GUICHET_SECRET_KEY", None)
    guichet.start_afresh()
    assert guichet.run("migrate").code == 0
    with guichet.serving() as server:
        server.sign_up()
        guichet.wait_for_mails(2)
        written = [path for path in guichet.folder.rglob("*") if path.suffix != ".log"]
    assert guichet.folder / name in written
    assert [path for path in written if path.stat(follow_symlinks=False).st_mode & 0o077] == []


def test_unwritable_folder_is_reported_in_one_line(guichet: Guichet) -> None:
    """If `var` can't be used, each command prints one line and no traceback."""
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
    """`export-schema` gives the repository's `schema.graphql` and needs no settings."""
    guichet.set(RELAY="perhaps")
    printed, written, failed = guichet.start_afresh().run_together(
        ["export-schema"],
        ["export-schema", "--output", "contract.graphql"],
        ["export-schema", "--output", "no/such/folder/contract.graphql"],
    )
    contract = (PROJECT / "schema.graphql").read_text(encoding="utf-8")
    assert printed == (contract, "", 0)
    assert written == ("", "", 0)
    assert (guichet.folder / "contract.graphql").read_text(encoding="utf-8") == contract
    assert failed == ("", "no/such/folder/contract.graphql can't be written: No such file or directory\n", 1)


# --- Mails and the purge ---


@pytest.fixture
def present(clock: Clock) -> Clock:
    """Return this process's clock, set to the real time, which the other processes use."""
    clock.now = datetime.now(UTC)
    return clock


@pytest.mark.anyio
async def test_deliver_mail_once_sends_each_due_mail_once(ready: Guichet, present: Clock, portal: Portal) -> None:
    """`deliver-mail --once` sends all due mails and prints how many. A second run has nothing to send."""
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
async def test_failed_mails_give_exit_code_1_and_stay_queued(ready: Guichet, present: Clock, portal: Portal) -> None:
    """If the mail server is unreachable, `deliver-mail` exits with code 1, and the mails stay queued."""
    ready.set(MAIL_URL=f"smtp://guichet:{SECRET}@127.0.0.1:1?starttls=off")
    await portal.sign_up()
    done = await asyncio.to_thread(ready.run, "deliver-mail", "--once")
    assert (done.code, done.out) == (1, "2 failed\n")
    assert SECRET not in done.err
    present.advance(hours=2)
    assert len(await portal.deliver()) == 2


@pytest.mark.anyio
async def test_purge_deletes_expired_rows_only(ready: Guichet, present: Clock, portal: Portal) -> None:
    """`purge` deletes registrations, links and messages past their time, and keeps today's."""
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
async def test_relay_runs_until_sigint(ready: Guichet, present: Clock, portal: Portal) -> None:
    """`deliver-mail` sends mails as they become due, until SIGINT ends it without an error."""
    process = ready.start_afresh().start("deliver-mail")
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
    """A person goes from the form to the account over real sockets, and the server then ends at SIGTERM."""
    with ready.start_afresh().serving() as server:
        server.sign_up()
        activation, _ = ready.wait_for_mails(2)
        link = re.search(r"http://127\.0\.0\.1:\d+/#token=\S+", str(activation.get_body(("plain",))))
        assert link is not None
        assert link[0].startswith(f"{server.url}/#token=")
        entered = {"token": token_in(activation), "password": PASSWORD, "passwordConfirmation": PASSWORD}
        assert server.call(ACTIVATE_ACCOUNT, {"input": entered})["__typename"] == "AccountActivated"
        assert server.end() == 0
    assert "POST '/graphql' 200" in server.log
    assert "Traceback" not in server.log
    for secret in (token_in(activation), PASSWORD, "camille", CAPTCHA):
        assert secret not in server.log


@sqlite_only
@pytest.mark.parametrize(
    ("settings", "expected"), [({}, "TooManyRequests"), ({"TRUSTED_PROXIES": "127.0.0.1"}, "OrganisationNotFound")]
)
def test_only_trusted_proxies_may_name_the_caller(ready: Guichet, settings: dict[str, str], expected: str) -> None:
    """Not even loopback may forward a caller's address unless it is a trusted proxy, despite uvicorn's variable."""
    ready.set(RATE_LIMITS="organisation=1/hour", RELAY="off", **settings)
    ready.environment["FORWARDED_ALLOW_IPS"] = "*"
    query = '{ organisation(identifier: {type: AUTRE, value: "X"}) { __typename } }'
    with ready.serving() as server:
        for address in ("198.51.100.1", "198.51.100.2"):
            answer = server.ask(query, headers={"X-Forwarded-For": address})
        assert answer["data"]["organisation"]["__typename"] == expected


@sqlite_only
def test_host_that_is_none_exits_with_code_1(ready: Guichet) -> None:
    """A host that can't be listened on is one line and exit code 1, in development too."""
    done = ready.run("serve", "--expose-development", "--host", "[::1]", "--port", "0")
    assert done.code == 1
    assert [line for line in done.err.splitlines() if "Can't listen on" in line]
    assert "Traceback" not in done.err


@sqlite_only
def test_port_in_use_exits_with_code_1(ready: Guichet) -> None:
    """A server that can't listen says so and exits with code 1."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = ready.run("serve", "--port", str(other.getsockname()[1]))
    assert done.code == 1
    assert "address already in use" in done.err
    assert "Traceback" not in done.err


def test_development_serves_loopback_only(guichet: Guichet) -> None:
    """In development, where anybody may read all mails, serving other addresses requires an explicit flag."""
    hosts = ["0.0.0.0", "::"]  # noqa: S104  # The server refuses both.
    for done, host in zip(guichet.run_together(*(["serve", "--host", host] for host in hosts)), hosts, strict=True):
        assert (done.code, done.out) == (2, "")
        (line,) = done.err.splitlines()
        assert line == f"--host {host}: development serves loopback only, unless --expose-development is given"


@sqlite_only
def test_flag_lets_development_serve_any_address(ready: Guichet) -> None:
    """With the flag, development listens on the given address."""
    ready.set(RELAY="off")
    with ready.serving("--host", "0.0.0.0", "--expose-development") as server:  # noqa: S104
        assert server.end() == 0


async def sign_up_at_once(url: str, count: int) -> list[str]:
    """Send *count* forms at once and return the type of each answer."""
    async with httpx.AsyncClient(timeout=READY_SECONDS) as client:

        async def send(number: int) -> str:
            variables = {"input": form(email=f"camille{number}@exemple.fr")}
            answer = await client.post(f"{url}/graphql", json={"query": CREATE_ACCOUNT, "variables": variables})
            return str(answer.json()["data"]["createAccount"]["__typename"])

        return await asyncio.gather(*(send(number) for number in range(count)))


def test_workers_share_the_database_without_failures(ready: Guichet) -> None:
    """Two workers accept forty forms at once; no form fails because of the other worker's locks."""
    with ready.start_afresh().serving("--workers", "2") as server:
        assert asyncio.run(sign_up_at_once(server.url, 40)) == ["PendingRegistration"] * 40
        server.sign_up()
        assert len(ready.wait_for_mails(2)) == 2
        assert server.end() == 0
    assert "Traceback" not in server.log


def test_answered_sign_up_survives_a_killed_server(ready: Guichet) -> None:
    """The mails of an answered sign-up leave even if the server is killed right after its answer."""
    ready.set(RELAY="off")
    with ready.serving() as server:
        server.sign_up()
        server.process.kill()
        server.process.wait(END_SECONDS)
    done = ready.run("deliver-mail", "--once")
    assert (done.code, done.out) == (0, "2 sent\n"), done.err
    assert [subject(mail) for mail in ready.mails] == ["Activez votre compte", "Récapitulatif de votre inscription"]
