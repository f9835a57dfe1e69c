"""The replacement of the register, with readers, writers, signals, kills and other imports at any moment."""

from __future__ import annotations

import asyncio
import gc
import signal
import sqlite3
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg
import duckdb
import httpx
import pytest
from stdnum import luhn

import models.database.sqlite
from api.sirene.importing import IMPORT_FAILURES, ImportRefusedError, import_sirene
from api.sirene.progress import Terminal
from api.sirene.stocks import ESTABLISHMENT, LEGAL_UNIT, Stock
from models.identifiers import Identifier, IdentifierType
from models.organisation import OrganisationSource, find_organisations
from models.sirene import on_postgres, on_sqlite
from models.sirene.replacement import Replacement, replacement
from models.sirene.rows import RegisterFixedError, RegisterInUseError, ReplacementUnderWayError, Rows
from models.sirene.tables import RegisterEdition, RegisterEntry
from tests.support.client import FIND_ORGANISATIONS, Portal
from tests.support.databases import execute, migrate_database, open_database, postgres_only, sqlite_only
from tests.support.doubles import Clock
from tests.support.program import PROJECT, CommandResult, Guichet, Process

pytestmark = pytest.mark.anyio

PATIENCE = 60.0
COUNT = 2_000
TABLES_AT_REST = ["register_edition", "register_entry"]


def siret(number: int) -> str:
    """Return a valid SIRET. That of the next number is higher, and belongs to another step of the import."""
    siren = f"{10_000_000 + 1_000 * number}"
    siren += luhn.calc_check_digit(siren)
    return f"{siren}0001{luhn.calc_check_digit(f'{siren}0001')}"


SIRETS = [siret(number) for number in range(COUNT)]
ASKED = SIRETS[:: COUNT // 100]


def rows(edition: int, sirets: list[str] = SIRETS) -> Rows:
    return Rows("\n".join(f"{siret}\tEDITION {edition}\tACTIVE\t44000\tNANTES" for siret in sirets))


async def finish(new: Replacement, edition: int, count: int = COUNT) -> None:
    """Make what was added the register, as edition number *edition*."""
    await new.complete()
    await publish(new, edition, count)
    await new.clear()


async def publish(new: Replacement, edition: int, count: int = COUNT) -> None:
    day, of = date(2026, edition, 1), {"source": OrganisationSource.SIRENE, "imported_at": Clock().now}
    await new.publish(RegisterEdition(**of, edition=day, legal_units=count, entries=count, closed=0, withheld=0))


async def replace_register(edition: int, sirets: list[str] = SIRETS) -> None:
    async with replacement() as new:
        for first in range(0, len(sirets), len(sirets) // 2):
            await new.add(rows(edition, sirets[first : first + len(sirets) // 2]))
        await finish(new, edition, len(sirets))


async def fail(*steps: Callable[[Replacement], Awaitable[None]]) -> None:
    """Run a replacement that fails after *steps*."""
    async with replacement() as new:
        for step in steps:
            await step(new)
        raise ZeroDivisionError


async def looked_up(sirets: list[str] = ASKED) -> list[str]:
    """Look up *sirets* in one query. Return the distinct names and days of the answers."""
    asked = [Identifier(IdentifierType.SIRET, siret) for siret in sirets]
    found = await find_organisations(asked)
    return sorted({f"{one.name} of {one.as_of:%Y-%m-%d}" if one else "nothing" for one in map(found.get, asked)})


def answers_of(edition: int) -> list[str]:
    """Return what `looked_up` returns if every answer is from that edition."""
    return [f"EDITION {edition} of 2026-{edition:02}-01"]


async def tables() -> list[str]:
    """Return the names of the register's tables and of those that a replacement creates."""
    query = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'register%' ORDER BY name",
        "postgres": "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relname LIKE 'register%' ORDER BY 1",
    }
    connection = RegisterEntry._meta.db
    return [row["name"] for row in await connection.execute_query_dict(query[connection.connection_name])]


async def assert_register(edition: int) -> None:
    """Check that the register is exactly that edition."""
    assert await looked_up(SIRETS) == answers_of(edition)
    assert await RegisterEntry.all().count() == COUNT
    current = await RegisterEdition.current()
    assert current is not None
    assert (current.edition, current.entries) == (date(2026, edition, 1), COUNT)


# --- Imports of files, and their ends ---


class Import:
    """INSEE's files of an edition, and their import."""

    def __init__(self, folder: Path, edition: int, sirets: list[str] = SIRETS) -> None:
        self._folder, self._sirets, self._day = folder, sirets, f"2026-{edition:02}-01"
        establishments = self._written(ESTABLISHMENT, "Etablissement", etatAdministratif="A")
        legal_units = self._written(LEGAL_UNIT, "UniteLegale", denomination=f"EDITION {edition}")
        self.files = (establishments, legal_units)
        self.command = ["import-sirene", f"--establishments={establishments}", f"--legal-units={legal_units}"]

    def _written(self, stock: Stock, of: str, **known: str) -> Path:
        """Write a file with the needed columns of *stock*, empty except the *known* ones."""
        known |= {"statutDiffusion": "O", "dateDernierTraitement": self._day}
        columns = dict.fromkeys(stock.columns, "NULL::VARCHAR") | {"siren": "left(number, 9)", "siret": "number"}
        columns |= {f"{name}{of}": f"'{value}'" for name, value in known.items()}
        listed = ", ".join(f"{value} AS {name}" for name, value in columns.items())
        file = self._folder / f"{of}-{self._day}.parquet"
        with duckdb.connect() as writer:
            copied = f"COPY (SELECT {listed} FROM (SELECT unnest($sirets) AS number)) TO '{file}'"  # noqa: S608
            writer.execute(copied, {"sirets": self._sirets})
        return file

    async def run(self) -> None:
        """Import the files in this process, once the server has noticed the end of the previous import."""
        with Terminal().showing() as progress:
            of = {"edition": None, "accept_shrinking": False, "progress": progress, "now": Clock().now}
            async with asyncio.timeout(PATIENCE):
                while True:
                    with suppress(ReplacementUnderWayError):
                        await import_sirene(*self.files, **of)  # type: ignore[arg-type]  # The values fit the names.
                        return
                    await asyncio.sleep(0.1)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The scratch folder of imports, in this and in other processes."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def guichet(scratch: Path, database_url: str) -> Guichet:
    return Guichet(scratch.parent, DATABASE_URL=database_url)


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@contextmanager
def faulty(guichet: Guichet, fault: str, command: list[str]) -> Iterator[Process]:
    """Run the command in a process with a fault of `faulty_import`."""
    process = guichet.start(fault, *command, module="tests.support.programs.faulty_import")
    try:
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE)


class Fault(NamedTuple):
    """An event in an import: its moment, the databases, its name in `faulty_import`, and the edition that is *left*."""

    when: str
    kinds: str
    name: str
    left: int = 1
    signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)


def parametrized(faults: list[Fault]) -> pytest.MarkDecorator:
    cases = [pytest.param(kind, fault, id=f"{fault.when}-{kind}") for fault in faults for kind in fault.kinds.split()]
    return pytest.mark.parametrize(("database_url", "fault"), cases, indirect=["database_url"])


KILLS = [
    Fault("before the lock", "sqlite postgres", "kill before the lock"),
    Fault("reading", "sqlite postgres", "kill when reading"),
    Fault("loading", "sqlite postgres", "kill when loading"),
    Fault("in a transaction", "sqlite", "kill in a transaction"),
    Fault("in a copy", "postgres", "kill in a copy"),
    Fault("before the swap", "sqlite postgres", "kill before the swap"),
    Fault("in the swap", "sqlite", "kill in the swap on SQLite"),
    Fault("in the swap", "postgres", "kill in the swap on PostgreSQL"),
    Fault("after the swap", "sqlite", "kill after the swap", 2),
    Fault("after the swap", "postgres", "kill after the swap", 2),
    Fault("removing", "sqlite", "kill when removing", 2),
    Fault("dropping", "sqlite", "kill when dropping", 2),
]
INTERRUPTS = [
    Fault("reading", "sqlite postgres", "linger when reading", signals=(signal.SIGINT,)),
    Fault("loading", "sqlite postgres", "linger when loading"),
    Fault("loading, twice", "sqlite", "linger in a slice", signals=(signal.SIGINT, signal.SIGINT)),
    Fault("in a copy", "postgres", "linger in a copy", signals=(signal.SIGINT,)),
    Fault("indexing", "postgres", "linger when indexing"),
    Fault("in the swap", "sqlite", "linger in the swap on SQLite"),
    Fault("in the swap", "postgres", "linger in the swap on PostgreSQL"),
]


@parametrized(KILLS)
async def test_killed_import_leaves_a_whole_register(
    stored: None, guichet: Guichet, scratch: Path, fault: Fault
) -> None:
    """An import killed at any step leaves one complete edition, and the next import removes the rest."""
    await replace_register(1)
    with faulty(guichet, fault.name, Import(scratch.parent, 2).command) as killed:
        _, err = await asyncio.to_thread(killed.communicate, timeout=PATIENCE)
    assert killed.returncode == -signal.SIGKILL, err
    await assert_register(fault.left)
    await Import(scratch.parent, 3).run()
    await assert_register(3)
    assert (await tables(), left_in(scratch)) == (TABLES_AT_REST, [])


@parametrized(INTERRUPTS)
async def test_interrupted_import_says_so_and_keeps_the_register(
    stored: None, guichet: Guichet, scratch: Path, fault: Fault
) -> None:
    """An import interrupted at any step says so in one line, and the register stays."""
    await replace_register(1)
    with faulty(guichet, fault.name, Import(scratch.parent, 2).command) as process:
        assert process.stderr is not None
        while await asyncio.to_thread(process.stderr.readline) not in {"HERE\n", ""}:
            pass
        for number in fault.signals:
            await asyncio.sleep(0.2)
            process.send_signal(number)
        out, err = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    printed = [line for line in err.splitlines() if not line.endswith(" …") and line != "HERE"]
    assert (process.returncode, out, printed) == (1, "", ["Interrupted"])
    await assert_register(1)
    assert left_in(scratch) == []
    if RegisterEntry._meta.db.connection_name == "postgres":  # On SQLite, the next import removes the tables.
        assert await tables() == TABLES_AT_REST
    await Import(scratch.parent, 3).run()
    await assert_register(3)
    assert await tables() == TABLES_AT_REST


async def test_failed_replacement_leaves_no_table_and_no_lock(stored: None) -> None:
    """A failure before publication leaves the old register, no other table and no lock."""
    await replace_register(1)
    steps = (lambda new: new.add(rows(2)), lambda new: new.add(Rows("")), lambda new: new.complete())
    for count in range(4):
        with pytest.raises(ZeroDivisionError):
            await fail(*steps[:count])
        assert await tables() == TABLES_AT_REST
        await assert_register(1)
    await replace_register(2)
    await assert_register(2)


async def test_refused_import_leaves_no_table_and_no_file(stored: None, scratch: Path) -> None:
    """An import refused after its beginning leaves no table and no file, and the next one succeeds."""
    await replace_register(1)
    with pytest.raises(ImportRefusedError):
        await Import(scratch.parent, 2, SIRETS[: COUNT // 2]).run()
    assert (await tables(), left_in(scratch)) == (TABLES_AT_REST, [])
    await assert_register(1)
    await Import(scratch.parent, 3).run()
    await assert_register(3)


async def test_second_import_is_refused_during_another(stored: None, guichet: Guichet, scratch: Path) -> None:
    """A second import is refused in one line during another, and does not disturb it."""
    await replace_register(1)
    async with replacement() as new:
        await new.add(rows(2, SIRETS[:1000]))
        done = await asyncio.to_thread(guichet.run, *Import(scratch.parent, 3).command)
        assert done == CommandResult("", "The register stays as it was. Another import is under way\n", 1)
        await new.add(rows(2, SIRETS[1000:]))
        await finish(new, 2)
    await assert_register(2)
    await replace_register(3)


# --- Readers ---


@asynccontextmanager
async def reading(url: str, begin: str, until: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a process that repeats a look-up until edition *until*, and prints each new answer on a line."""
    command = (sys.executable, "-m", "tests.support.programs.register_reader", url, begin, *answers_of(until), *ASKED)
    process = await asyncio.create_subprocess_exec(*command, cwd=PROJECT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert (await process.stdout.readline()).decode().splitlines() == answers_of(1)
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_each_query_reads_one_edition(stored: None, database_url: str) -> None:
    """Each query of another process is answered from one edition, the old or the new one."""
    await replace_register(1)
    begin = "begin" if database_url.startswith("postgres") else ""  # On SQLite, BEGIN takes the write lock.
    async with asyncio.timeout(PATIENCE), reading(database_url, "", 6) as one, reading(database_url, begin, 6) as other:
        for edition in range(2, 7):
            await replace_register(edition)
        for reader in (one, other):
            lines = (await reader.communicate())[0].decode().splitlines()
            assert (reader.returncode, lines[-1:]) == (0, answers_of(6))
            assert [line for line in lines if [line] not in [answers_of(edition) for edition in range(2, 7)]] == []
            assert lines == sorted(lines)


async def test_each_answer_of_the_api_is_from_one_edition(portal: Portal, guichet: Guichet, scratch: Path) -> None:
    """During an import by another process the service is ready, and each list comes from one edition."""
    await replace_register(1)
    inputs = [{"type": "SIRET", "value": siret} for siret in ASKED]
    answers: list[set[tuple[str, str]]] = []
    command = Import(scratch.parent, 2).command
    importing = asyncio.create_task(asyncio.to_thread(guichet.run, *command))
    while not importing.done() or len(answers) < 2:
        listed = await portal.call(FIND_ORGANISATIONS, {"identifiers": inputs})
        answers.append({(item["name"], item["asOf"]) for item in listed["items"]})
        assert (await portal.http.get("/health/ready")).status_code == 200
    assert importing.result().code == 0, importing.result().err
    old, new = ({(f"EDITION {edition}", f"2026-0{edition}-01T00:00:00Z")} for edition in (1, 2))
    assert answers[0] == old
    assert [answer for answer in answers if answer not in (old, new)] == []
    await assert_register(2)


# --- Writers, on SQLite ---


NO_TIME = 1e-6  # The duration of a transaction without rows, which creates or drops a table.


class Machine:
    """A clock that replaces the real one. Each row takes as long as a test sets.

    Between two transactions another connection writes without waiting.
    """

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds_a_row = 0.0
        self.rows: list[int] = []
        self.held: list[float] = []
        self.pauses: list[float] = []
        self._began: int | None = None
        self._other = sqlite3.connect(url.removeprefix("sqlite://"), isolation_level=None, timeout=0)
        monkeypatch.setattr(models.database.sqlite, "time", SimpleNamespace(perf_counter=self.perf_counter))
        monkeypatch.setattr(on_sqlite, "asyncio", SimpleNamespace(sleep=self.sleep, to_thread=asyncio.to_thread))

    def perf_counter(self) -> float:
        """Return the time. It is called at the beginning and at the end of a transaction, whose rows take time."""
        changes: int = RegisterEntry._meta.db._connection.total_changes
        if self._began is None:
            self._began = changes
            return 0.0
        self.rows.append(changes - self._began)
        self.held.append(self.rows[-1] * self.seconds_a_row + NO_TIME)
        self._began = None
        return self.held[-1]

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._other.execute("UPDATE register_edition SET reminded_at = NULL")

    def close(self) -> None:
        self._other.close()


@pytest.fixture
def machine(stored: None, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    with closing(Machine(database_url, monkeypatch)) as machine:
        yield machine


@sqlite_only
async def test_write_lock_is_held_briefly_and_released_as_long(machine: Machine) -> None:
    """The write lock is held for at most 0.1 seconds and then free for as long, with slow rows too."""
    for edition, machine.seconds_a_row in enumerate((1e-3, 1e-4, 2e-4), start=1):
        await replace_register(edition)
    async with replacement() as new:
        for step, machine.seconds_a_row in enumerate((0.0, 1e-6, 2e-6, 4e-6, 8e-6)):  # The machine becomes slower.
            await new.add(rows(4, [f"{step}{number:013}" for number in range(100_000)]))
    assert max(machine.held) <= 0.1
    assert max(machine.rows) == on_sqlite.MAX_ROWS
    assert [pause for pause in machine.pauses if pause > NO_TIME] == [held for held in machine.held if held > NO_TIME]


@sqlite_only
async def test_small_parts_are_followed_by_no_long_transaction(machine: Machine) -> None:
    """Quick small parts do not lead to a long transaction for a large one."""
    machine.seconds_a_row = 1e-4
    async with replacement() as new:
        for first in range(0, 100, 10):
            await new.add(rows(1, SIRETS[first : first + 10]))
        await new.add(rows(1, SIRETS[100:]))
    assert max(machine.held) <= 0.1


@sqlite_only
async def test_only_empty_tables_are_dropped(stored: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old or failed copy is emptied row by row before it is dropped, because freeing many pages takes long."""
    drop, left = on_sqlite._drop, []

    def watched(connection: sqlite3.Connection, table: str) -> None:
        left.append(connection.execute(f"SELECT siret FROM {table}").fetchall())  # noqa: S608
        drop(connection, table)

    monkeypatch.setattr(on_sqlite, "_drop", watched)
    await replace_register(1)
    with pytest.raises(ZeroDivisionError):
        await fail(lambda new: new.add(rows(2)))
    await replace_register(3)
    assert left == [[]] * 3


@sqlite_only
async def test_repeated_imports_do_not_grow_the_file(stored: None) -> None:
    """An import reuses the pages that the previous one freed, and the file stays sound."""
    connection = RegisterEntry._meta.db
    columns = "SELECT name, type, \"notnull\", pk FROM pragma_table_info('register_entry')"
    migrated = await connection.execute_query_dict(columns)
    sizes: list[int] = []
    for edition in range(1, 7):
        await replace_register(edition)
        sizes += (await connection.execute_query_dict("PRAGMA page_count"))[0].values()
    assert max(sizes[2:]) <= sizes[1]
    assert await connection.execute_query_dict("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert await connection.execute_query_dict(columns) == migrated


# --- PostgreSQL ---

KEEPER, ANALYST = "register_keeper", "register_analyst"
DEFINITION = """
SELECT format('%s %s %s %s %s', attname, format_type(atttypid, atttypmod), attnotnull, attstorage, attstattarget),
       col_description(attrelid, attnum)
FROM pg_attribute WHERE attrelid = 'register_entry'::regclass AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'register_entry'::regclass
UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'register_entry'
UNION ALL SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT typname, typtype::text FROM pg_type WHERE typnamespace = 'public'::regnamespace
UNION ALL SELECT 'the table', obj_description('register_entry'::regclass)
ORDER BY 1, 2
"""
RIGHTS = """
SELECT relowner::regrole::text, '', grantee::regrole::text, privilege_type, is_grantable
FROM pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner))) WHERE oid = 'register_entry'::regclass
UNION ALL
SELECT '', attname, grantee::regrole::text, privilege_type, is_grantable
FROM pg_attribute, aclexplode(attacl) WHERE attrelid = 'register_entry'::regclass
ORDER BY 1, 2, 3, 4, 5
"""


def url_of_own_database(url: str, role: str = KEEPER, **options: object) -> str:
    """Return the URL of the separate database, for *role*."""
    parts = urlsplit(url)
    query = "&".join([parts.query, *(f"{name}={value}" for name, value in options.items())])
    return parts._replace(netloc=f"{role}@", path="/register", query=query).geturl()


@pytest.fixture
def own_url(postgres: str) -> Iterator[str]:
    """A separate migrated database, whose owner is no superuser."""
    for statement in (f"ROLE {KEEPER} LOGIN", f"ROLE {ANALYST} LOGIN", f"DATABASE register OWNER {KEEPER}"):
        execute(postgres, f"CREATE {statement}")
    asyncio.run(migrate_database(url_of_own_database(postgres)))
    yield url_of_own_database(postgres)
    for statement in ("DATABASE register WITH (FORCE)", f"ROLE {KEEPER}", f"ROLE {ANALYST}"):
        execute(postgres, f"DROP {statement}")


@asynccontextmanager
async def transaction(url: str) -> AsyncIterator[Any]:
    """Open another connection, in a transaction."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


async def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    async with transaction(url) as connection:
        return [tuple(row) for row in await connection.fetch(statement)]


async def test_replaced_table_equals_a_migrated_one(own_url: str) -> None:
    """Columns, constraints, index, types, comments and names equal a new database's, and statistics exist."""
    migrated = await ask(own_url, DEFINITION)
    async with open_database(own_url):
        for edition, count in ((1, COUNT), (2, COUNT // 2)):
            await replace_register(edition, SIRETS[:count])
            assert await ask(own_url, DEFINITION) == migrated
            assert await ask(own_url, "SELECT reltuples FROM pg_class WHERE relname = 'register_entry'") == [(count,)]
            known = await ask(own_url, "SELECT attname FROM pg_stats WHERE tablename = 'register_entry'")
            assert {name for (name,) in known} == RegisterEntry._meta.fields


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (KEEPER, f"GRANT SELECT ON register_entry TO PUBLIC, {ANALYST}"),
        ("postgres", f"GRANT SELECT ON register_entry TO PUBLIC, {ANALYST}"),
        (KEEPER, f"GRANT SELECT ON register_entry TO {ANALYST} WITH GRANT OPTION"),
        (KEEPER, f"GRANT SELECT (siret, status) ON register_entry TO {ANALYST}"),
        (KEEPER, "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC"),
    ],
    ids=["granted", "imported by another", "grant option", "columns", "default privileges"],
)
async def test_owner_and_rights_of_the_table_stay(own_url: str, role: str, statement: str) -> None:
    """The table keeps its owner and its rights when another role imports."""
    await ask(own_url, statement)
    before = await ask(own_url, RIGHTS)
    async with open_database(url_of_own_database(own_url, role)):
        await replace_register(1)
        await replace_register(2)
    assert await ask(own_url, RIGHTS) == before


async def test_indexes_of_the_operator_are_kept(own_url: str) -> None:
    """Indexes that an operator has created exist on each new table, under their names."""
    await ask(own_url, "CREATE INDEX by_city ON register_entry (city)")
    await ask(
        own_url, 'CREATE UNIQUE INDEX "Odd ""name""" ON register_entry (siret, lower(name)) WHERE city IS NOT NULL'
    )
    before = await ask(own_url, DEFINITION)
    async with open_database(own_url):
        await replace_register(1)
        await replace_register(2)
    assert await ask(own_url, DEFINITION) == before


async def test_table_stays_in_its_schema(own_url: str) -> None:
    """The new table is in the old one's schema, even if the role has its own schema, which is searched first."""
    await ask(own_url, f"CREATE SCHEMA {KEEPER}")
    async with open_database(own_url):
        await replace_register(1)
    place = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'register_entry'"
    assert await ask(own_url, place) == [("public",)]


@pytest.mark.parametrize(
    ("role", "statement", "obstacle"),
    [
        (KEEPER, "CREATE VIEW open_ones AS SELECT siret FROM register_entry", "it is part of open_ones"),
        (ANALYST, f"GRANT ALL ON register_entry, register_edition TO {ANALYST}", f"its owner is {KEEPER}"),
    ],
    ids=["view", "not the owner"],
)
async def test_obstacle_to_the_replacement_is_reported_before_loading(
    own_url: str, role: str, statement: str, obstacle: str
) -> None:
    """An obstacle to replacing the table is reported before anything is loaded."""
    await ask(own_url, statement)
    async with open_database(url_of_own_database(own_url, role)):
        with pytest.raises(RegisterFixedError, match=f"^The table register_entry can't be replaced: {obstacle}$"):
            await replace_register(1)
    assert RegisterFixedError in IMPORT_FAILURES


@pytest.mark.parametrize(
    "limit", ["statement", "idle_in_transaction_session", "idle_session", "transaction", "command"]
)
async def test_time_limits_of_queries_do_not_end_an_import(own_url: str, limit: str) -> None:
    """Time limits of the role or of the service for short queries do not apply to an import."""
    await ask(own_url, "ALTER TABLE register_entry ADD CONSTRAINT slow CHECK (pg_sleep(0.1) IS NOT NULL)")
    limited = url_of_own_database(own_url, command_timeout=0.5) if limit == "command" else own_url
    if limit != "command":
        await ask(own_url, f"ALTER ROLE {KEEPER} SET {limit}_timeout = '500ms'")
    async with open_database(limited), replacement() as new:
        for idle, part in ((0.7, SIRETS[:7]), (1.4, SIRETS[7:14])):  # A part takes half of the second pause.
            await asyncio.sleep(idle)
            await new.add(rows(2, part))
        await finish(new, 2)
    async with open_database(url_of_own_database(own_url, "postgres")):  # This role has no limits.
        assert await looked_up(SIRETS[:14]) == answers_of(2)


async def test_import_needs_one_connection(own_url: str, scratch: Path) -> None:
    """An import works in a pool of one connection."""
    async with asyncio.timeout(PATIENCE), open_database(url_of_own_database(own_url, maxsize=1)):
        for edition in (1, 2):
            await Import(scratch.parent, edition).run()
        await assert_register(2)


@asynccontextmanager
async def somebody_reading(url: str, monkeypatch: pytest.MonkeyPatch, *, swap_waits: float) -> AsyncIterator[None]:
    """Keep a transaction open that has read the register. A swap waits for it for *swap_waits* seconds."""
    monkeypatch.setattr(on_postgres, "LOCK_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(on_postgres, "LOCK_FOR_SECONDS", swap_waits)
    async with transaction(url) as reader:
        await reader.fetch("SELECT siret FROM register_entry LIMIT 1")
        yield


@postgres_only
async def test_import_frees_each_part_without_garbage_collection(stored: None) -> None:
    """Memory does not grow with the register, even without garbage collection."""
    gc.disable()
    tracemalloc.start()
    try:
        async with replacement() as new:
            for step in range(8):
                await new.add(rows(2, [f"{step}{number:013}" for number in range(20_000)]))
            kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert kept < 3 * len(rows(2, SIRETS).text) * 20_000 / COUNT


@postgres_only
async def test_swap_waits_for_a_reader_without_blocking_others(
    stored: None, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long reader delays the swap until it ends. Other look-ups are answered meanwhile."""
    await replace_register(1)
    async with somebody_reading(database_url, monkeypatch, swap_waits=PATIENCE):
        replacing = asyncio.create_task(replace_register(2))
        async with asyncio.timeout(PATIENCE):
            while "register_entry_incoming" not in await tables():  # noqa: ASYNC110  # A database sets no event.
                await asyncio.sleep(0.05)
            for _ in range(40):
                assert await looked_up() == answers_of(1)
                await asyncio.sleep(0.05)
        assert not replacing.done()
    async with asyncio.timeout(PATIENCE):
        await replacing
    await assert_register(2)
    assert await tables() == TABLES_AT_REST


@postgres_only
async def test_import_gives_up_on_an_endless_reader(
    stored: None, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import gives up on an endless reader and leaves the old register and nothing else."""
    await replace_register(1)
    async with somebody_reading(database_url, monkeypatch, swap_waits=0.5):
        with pytest.raises(RegisterInUseError):
            await replace_register(2)
        await assert_register(1)
        assert await tables() == TABLES_AT_REST
    await replace_register(3)
    await assert_register(3)


async def test_backup_does_not_block_an_import_that_gives_up(own_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup that reads the new table too does not block the end of an import that gives up."""
    monkeypatch.setattr(on_postgres, "LOCK_FOR_SECONDS", 0.5)

    async def give_up() -> None:
        async with replacement() as new:
            await new.add(rows(2))
            await new.complete()
            await backup.execute("LOCK TABLE register_entry, register_entry_incoming IN ACCESS SHARE MODE")
            await publish(new, 2)

    async with (
        open_database(url_of_own_database(own_url, command_timeout=3.0)),
        asyncio.timeout(PATIENCE),
        transaction(own_url) as backup,
    ):
        with pytest.raises(RegisterInUseError):
            await give_up()
    async with open_database(own_url):
        await replace_register(3)
        await assert_register(3)
        assert await tables() == TABLES_AT_REST


@postgres_only
async def test_service_is_ready_during_a_swap(http: httpx.AsyncClient, database_url: str) -> None:
    """The service is ready without a register and during its replacement."""
    async with transaction(database_url) as other:
        await other.execute("LOCK TABLE register_entry IN ACCESS EXCLUSIVE MODE")
        assert (await http.get("/health/ready")).status_code == 200


# --- The reminder ---

DAY_60 = datetime(2026, 1, 1, 9, 30, tzinfo=UTC) + timedelta(days=60)
DAY_61 = DAY_60 + timedelta(days=1)


async def test_one_process_a_day_warns_of_an_old_edition(stored: None) -> None:
    """One of many processes warns once a day that the edition is older than sixty days."""
    await replace_register(1)

    async def count_reminders(now: datetime) -> int:
        claims = await asyncio.gather(*(RegisterEdition.claim_reminder(now=now) for _ in range(20)))
        return sum(claim is not None for claim in claims)

    assert await count_reminders(DAY_60) == 0
    assert await count_reminders(DAY_61) == 1
    assert await count_reminders(DAY_61 + timedelta(hours=23, minutes=59)) == 0
    assert await count_reminders(DAY_61 + timedelta(days=1)) == 1
    await replace_register(2)
    assert await count_reminders(DAY_61 + timedelta(days=2)) == 0
    assert await count_reminders(DAY_61 + timedelta(days=31)) == 1
