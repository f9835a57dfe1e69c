"""import-sirene with unreadable files or without disk space: one line says why, and the register stays."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from api.sirene.duckdb_reading import SireneFileError
from api.sirene.importing import ImportRefusedError
from api.sirene.scratch import ScratchSpaceError
from models.sirene.tables import RegisterEdition, RegisterEntry
from tests.support.client import SIRET
from tests.support.databases import open_database, postgres_only, sqlite_only
from tests.support.large_edition import LargeEdition
from tests.support.program import CommandResult, Guichet
from tests.support.register import register
from tests.support.sirene_files import (
    ESTABLISHMENTS,
    LEGAL_UNITS,
    Format,
    Row,
    SireneFiles,
    Stock,
    csv_text,
    establishment,
    legal_unit,
    records,
    siren,
    sirene_files,
    siret,
    write_records,
    write_stock,
    zipped,
)
from tests.support.sirene_imports import each_format, load, options

STAYS = "The register stays as it was. "
READING = {"Reading StockEtablissement …", "Reading StockUniteLegale …"}
ROWS = {
    ESTABLISHMENTS: [establishment(siret(number)) for number in range(20)],
    LEGAL_UNITS: [legal_unit(siren(number), denominationUniteLegale=f"{number:040b}") for number in range(20)],
}


class Operator:
    """An operator whose register has one entry."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.guichet = Guichet(folder, DATABASE_URL=database_url, SECRET_KEY="0123456789abcdef" * 2)
        self.guichet.environment["TMPDIR"] = str(self.scratch)
        self._url = database_url
        asyncio.run(self._register())
        self._before = asyncio.run(self._known())

    def refused(self, files: SireneFiles) -> str:
        """Return the only line, which says why *files* are refused. Check that nothing is left of the import."""
        return self.reason(self.guichet.run("import-sirene", *options(files)), READING)

    def reason(self, done: CommandResult, stages: set[str]) -> str:
        *progress, line = done.err.splitlines()
        assert (done.code, done.out) == (1, ""), done.err
        assert set(progress) <= stages
        assert asyncio.run(self._known()) == self._before
        assert list(self.scratch.iterdir()) == []
        return line

    async def _register(self) -> None:
        async with open_database(self._url):
            await register(SIRET, name="BEFORE")

    async def _known(self) -> list[dict[str, Any]]:
        async with open_database(self._url):
            return [*await RegisterEntry.all().values(), *await RegisterEdition.all().values()]


@pytest.fixture
def operator(tmp_path: Path, database_url: str) -> Operator:
    folder = tmp_path / "service"
    folder.mkdir()
    return Operator(folder, database_url)


class Importing:
    """The import in this process, into a register with one entry."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch

    async def refused(self, files: SireneFiles, path: Path) -> str:
        """Return the reason for the refusal of the file at *path*. Check that nothing is left of the import."""
        reason = await self.reason(files, path)
        assert reason is not None
        assert [entry.name for entry in await RegisterEntry.all()] == ["BEFORE"]
        return reason

    async def reason(self, files: SireneFiles, path: Path) -> str | None:
        """Return the reason for the refusal of the file at *path*, or None."""
        try:
            await load(files, accept_shrinking=True)
        except SireneFileError as exc:
            name, reason = str(exc).split(": ", 1)
        else:
            return None
        assert name == str(path)
        assert reason.isprintable()
        assert not reason.endswith((" ", ":")), "the reason is told to its end"
        assert list(self._scratch.iterdir()) == []
        return reason


@pytest.fixture
async def importing(tmp_path: Path, stored: None, monkeypatch: pytest.MonkeyPatch) -> Importing:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    await register(SIRET, name="BEFORE")
    return Importing(scratch)


# --- Damaged and foreign files ---


@dataclass(frozen=True)
class Published:
    """One of INSEE's files before a test damages it."""

    stock: Stock
    zipped: bytes
    parquet: bytes

    @property
    def lines(self) -> list[str]:
        return csv_text(self.stock.columns, records(self.stock.columns, ROWS[self.stock])).splitlines()


Damage: TypeAlias = "Callable[[Published], bytes]"


def cut(whole: bytes, share: float) -> bytes:
    return whole[: int(len(whole) * share)]


def flipped(whole: bytes, share: float) -> bytes:
    place = int(len(whole) * share)
    return whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]


def with_header_byte(archive: bytes, place: int, value: int) -> bytes:
    """Return the archive with *value* at *place* of its file's header and of its directory."""
    altered = bytearray(archive)
    altered[archive.index(b"PK\3\4") + place] = value
    altered[archive.rindex(b"PK\1\2") + place + 2] = value
    return bytes(altered)


def text(lines: list[str], encoding: str = "utf-8") -> bytes:
    return zipped(("\n".join(lines) + "\n").encode(encoding))


def lines_with(published: Published, line: int, before: str, after: str) -> list[str]:
    """Return the lines of the CSV file, with *before* replaced by *after* in one."""
    lines = published.lines
    assert before in lines[line]
    lines[line] = lines[line].replace(before, after, 1)
    return lines


def on_two_lines(lines: list[str]) -> list[str]:
    """Return the lines with each record on two lines."""
    return [line.replace(",A,", ',"A\n",', 1) for line in lines]


ANY = ""  # Any reason will do.
NEITHER = "is neither a zip archive nor Parquet"
CUT_ZIP = "is damaged or cut off, or no zip archive after all: "
TWICE = "has two columns of one name, or one without"
CUT_PARQUET = "is damaged or cut off, or no Parquet after all: "

# For the command line, where an unforeseen damage would cause a traceback or an endless wait.
ON_COMMAND_LINE: dict[str, tuple[Damage, str]] = {
    "nothing": (lambda _: b"", NEITHER),
    "half an archive": (lambda it: cut(it.zipped, 0.5), CUT_ZIP),
    "one byte changed late": (lambda it: flipped(it.zipped, 0.7), CUT_ZIP),
    "not LZMA as is said": (lambda it: with_header_byte(it.zipped, 8, 14), ANY),
    "directory elsewhere": (lambda it: it.zipped[:-6] + b"\xff\xff\xff\x7f\0\0", CUT_ZIP),
    "Latin-1 far behind": (
        lambda it: text(it.lines + it.lines[1:] * 2_000 + lines_with(it, 1, ",A,", ",É,"), "latin-1"),
        "is not in UTF-8, soon after byte ",
    ),
    "column twice": (lambda it: text(lines_with(it, 0, "dateDebut", "siren")[:2]), TWICE),
    "column without a name": (lambda it: text(lines_with(it, 0, "dateDebut", "")[:2]), TWICE),
    "field too few": (
        lambda it: text(lines_with(it, 3, ",A,", ",")),
        "line 4 can't be read as CSV: Expected Number of",
    ),
    "quote left open for megabytes": (
        lambda it: text(lines_with(it, 2, ",A,", ',"A,') + it.lines[1:] * 2_000),
        "line 3 can't be read as CSV: its record is longer than",
    ),
    "wrong at the start of very much": (
        lambda it: text(lines_with(it, 1, ",A,", ",") + it.lines[1:] * 15_000),
        "line 2 can't be read as CSV",
    ),
    "wrong behind very much": (
        lambda it: text(it.lines + on_two_lines(it.lines[1:]) * 15_000 + lines_with(it, 1, ",A,", ",")[1:]),
        "line 600022 can't be read as CSV: Expected Number",
    ),
    "half a Parquet": (lambda it: cut(it.parquet, 0.5), CUT_PARQUET),
    "Parquet, pages emptied": (lambda it: b"PAR1" + bytes(1_000) + it.parquet[1_004:], CUT_PARQUET),
    "Parquet, name of a column in Latin-1": (lambda it: it.parquet.replace(b"dateDebut", b"dateD\xe9but"), CUT_PARQUET),
}

# For the import in this process.
DAMAGED: dict[str, tuple[Damage, str]] = {
    "garbage": (lambda _: bytes(range(256)) * 20, NEITHER),
    "CSV as it is": (lambda it: "\n".join(it.lines).encode(), NEITHER),
    "gzip": (lambda it: gzip.compress("\n".join(it.lines).encode()), NEITHER),
    "archive without a file": (lambda _: zipped(), NEITHER),
    "archive without CSV": (lambda _: zipped(b"siren", suffix=".txt"), "has 0 CSV files, and should have one"),
    "archive with two": (lambda _: zipped(b"siren", b"siren"), "has 2 CSV files, and should have one"),
    "three bytes of an archive": (lambda it: it.zipped[:3], NEITHER),
    "four bytes of an archive": (lambda it: it.zipped[:4], CUT_ZIP),
    "archive without its directory": (lambda it: it.zipped[: it.zipped.rindex(b"PK\1\2")], CUT_ZIP),
    "archive without its last byte": (lambda it: it.zipped[:-1], CUT_ZIP),
    "archive without its first half": (lambda it: b"PK\3\4" + it.zipped[len(it.zipped) // 2 :], CUT_ZIP),
    "one byte changed among the names": (lambda it: flipped(it.zipped, 0.3), ANY),
    "another check sum": (lambda it: with_header_byte(it.zipped, 14, 0), f"{CUT_ZIP}Bad CRC-32"),
    "encrypted": (lambda it: with_header_byte(it.zipped, 6, 1), "encrypted"),
    "Deflate64": (lambda it: with_header_byte(it.zipped, 8, 9), ANY),
    "not bzip2 as is said": (lambda it: with_header_byte(it.zipped, 8, 12), ANY),
    "empty CSV": (lambda _: zipped(b""), "it has no column "),
    "Latin-1": (lambda it: text(lines_with(it, 1, ",A,", ",É,"), "latin-1"), "is not in UTF-8"),
    "UTF-16": (lambda it: text(it.lines, "utf-16"), "is not in UTF-8"),
    "UTF-16 without a mark": (lambda it: text(it.lines, "utf-16-be"), "it has no column "),
    "half a letter at the end": (lambda it: zipped("\n".join([*it.lines, "É"]).encode()[:-1]), "is not in UTF-8"),
    "semicolons": (lambda it: text([line.replace(",", ";") for line in it.lines]), "it has no column "),
    "column twice, in capitals": (lambda it: text(lines_with(it, 0, "dateDebut", "SIREN")), TWICE),
    "field too many": (
        lambda it: text(lines_with(it, 1, ",A,", ",A,A,")),
        "line 2 can't be read as CSV: Expected Number",
    ),
    "last row broken off": (lambda it: text([*it.lines[:-1], it.lines[-1][:40]]), "line 21 can't be read as CSV"),
    "quote left open": (lambda it: text(lines_with(it, 2, ",A,", ',"A,')), "line 3 can't be read as CSV"),
    "quote left open at the end": (lambda it: text(lines_with(it, 20, ",A,", ',"A,')), "line 21 can't be read as CSV"),
    "no line end for megabytes": (
        lambda it: text([*it.lines, "x" * 20_000_000]),
        "line 22 can't be read as CSV: its record is longer than",
    ),
    "a row that names another file": (
        lambda it: text([*it.lines, '123456789,"abc', "  file = /etc/passwd", '",b']),
        "line 22 can't be read as CSV: Expected Number",
    ),
    "four bytes of Parquet": (lambda it: it.parquet[:4], CUT_PARQUET),
    "Parquet without its last byte": (lambda it: it.parquet[:-1], CUT_PARQUET),
    "Parquet without a piece": (lambda it: it.parquet[:50] + it.parquet[1050:], CUT_PARQUET),
    "Parquet, a page's head overwritten": (lambda it: it.parquet[:30] + b"\xff" * 30 + it.parquet[60:], CUT_PARQUET),
    "Parquet, the end overwritten": (lambda it: it.parquet[:-400] + b"\xff" * 390 + it.parquet[-10:], CUT_PARQUET),
    "Parquet, footer of another length": (lambda it: it.parquet[:-8] + b"\xff\xff\xff\x7fPAR1", CUT_PARQUET),
}


def damaged_files(folder: Path, stock: Stock, damage: Damage) -> tuple[SireneFiles, Path]:
    """Return both files, one of them damaged, and the path of that one."""
    archive, parquet = (write_stock(folder, stock, ROWS[stock], format_=format_).read_bytes() for format_ in Format)
    path = folder / "données d'INSEE"
    path.write_bytes(damage(Published(stock, archive, parquet)))
    return with_one(folder, stock, path), path


def with_one(folder: Path, stock: Stock, path: Path) -> SireneFiles:
    """Return both files, one of which is at *path*."""
    good = sirene_files(folder, ROWS[ESTABLISHMENTS], ROWS[LEGAL_UNITS])
    return SireneFiles(path, good.legal_units) if stock is ESTABLISHMENTS else SireneFiles(good.establishments, path)


@sqlite_only
@pytest.mark.parametrize("case", ON_COMMAND_LINE)
def test_damaged_file_ends_the_command_with_one_line(tmp_path: Path, operator: Operator, case: str) -> None:
    """A damaged or foreign file ends the command at once, with one line that names it and the reason."""
    damage, words = ON_COMMAND_LINE[case]
    files, path = damaged_files(tmp_path, ESTABLISHMENTS, damage)
    line = operator.refused(files)
    assert line.startswith(f"{STAYS}{path}: ")
    assert words in line


@pytest.mark.anyio
@sqlite_only
@pytest.mark.parametrize("case", DAMAGED)
@pytest.mark.parametrize("stock", [LEGAL_UNITS, ESTABLISHMENTS], ids=lambda stock: stock.name)
async def test_damaged_file_is_refused_with_its_name_and_reason(
    tmp_path: Path, importing: Importing, stock: Stock, case: str
) -> None:
    """The refusal names the damaged file and the reason."""
    damage, words = DAMAGED[case]
    assert words in await importing.refused(*damaged_files(tmp_path, stock, damage))


@pytest.mark.anyio
@sqlite_only
async def test_parquet_damaged_at_any_byte_is_refused_or_read(tmp_path: Path, importing: Importing) -> None:
    """A damaged byte at any place of a Parquet file causes no other failure: it may have no checksums."""
    stock, path = ESTABLISHMENTS, tmp_path / "damaged"
    parquet = write_stock(tmp_path, stock, ROWS[stock], format_=Format.PARQUET).read_bytes()
    files = with_one(tmp_path, stock, path)
    for place in range(4, len(parquet), len(parquet) // 40):
        path.write_bytes(flipped(parquet, place / len(parquet)))
        with suppress(ImportRefusedError):  # The damage may change a date or a state that can still be read.
            await importing.reason(files, path)


@postgres_only
@pytest.mark.parametrize("case", ["one byte changed late", "field too few"])
def test_damaged_file_changes_nothing_on_postgres(tmp_path: Path, operator: Operator, case: str) -> None:
    """On PostgreSQL too, a damaged file changes nothing, and the next import succeeds."""
    files, path = damaged_files(tmp_path, ESTABLISHMENTS, ON_COMMAND_LINE[case][0])
    assert str(path) in operator.refused(files)
    good = SireneFiles(tmp_path / "StockEtablissement_utf8.zip", files.legal_units)
    done = operator.guichet.run("import-sirene", *options(good))
    assert (done.code, done.out.count("\n")) == (0, 9), done.err


@sqlite_only
@pytest.mark.parametrize(
    ("stock", "name", "reason"),
    [
        (ESTABLISHMENTS, "nothing.zip", "No such file or directory"),
        (LEGAL_UNITS, "service", "Is a directory"),
        (LEGAL_UNITS, "pipe", "it is no file"),
    ],
)
def test_path_that_is_no_regular_file_is_refused_in_one_line(
    tmp_path: Path, operator: Operator, stock: Stock, name: str, reason: str
) -> None:
    """A missing file, a folder or a pipe is refused in one line."""
    os.mkfifo(tmp_path / "pipe")
    files = with_one(tmp_path, stock, tmp_path / name)
    assert operator.refused(files) == f"{STAYS}{tmp_path / name}: can't be read: {reason}"


@sqlite_only
@each_format
def test_swapped_files_are_refused(tmp_path: Path, operator: Operator, format_: Format) -> None:
    """Each file is recognised by its columns, and the refusal names the missing ones."""
    files = sirene_files(tmp_path, format_=format_)
    line = operator.refused(SireneFiles(files.legal_units, files.establishments))
    assert re.fullmatch(rf"{STAYS}{tmp_path}/Stock\w+\.{format_}: is no Stock\w+: it has no column \w+(, \w+)+", line)


@pytest.mark.anyio
@sqlite_only
@each_format
@pytest.mark.parametrize(
    ("stock", "column"),
    [(ESTABLISHMENTS, "etatAdministratifEtablissement"), (ESTABLISHMENTS, "siren"), (LEGAL_UNITS, "nomUniteLegale")],
)
async def test_file_without_a_needed_column_is_refused(
    tmp_path: Path, importing: Importing, *, stock: Stock, column: str, format_: Format
) -> None:
    """A file that lacks a needed column is refused, and the column is named."""
    columns = [name for name in stock.columns if name != column]
    path = tmp_path / "lacking"
    write_records(tmp_path, stock, columns, records(columns, ROWS[stock]), format_).rename(path)
    assert await importing.refused(with_one(tmp_path, stock, path), path) == (
        f"is no {stock.name}: it has no column {column}"
    )


class Watched:
    """Progress that records how much of each stage was done."""

    def __init__(self) -> None:
        self.shares: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: str = "rows") -> Iterator[Callable[[int], None]]:
        yield lambda done: self.shares.update({name: done / (total or 1)})


@pytest.mark.anyio
@sqlite_only
async def test_failure_of_one_file_stops_the_reading_of_the_other(tmp_path: Path, importing: Importing) -> None:
    """When one file is wrong, the other is not read to its end."""
    path, watched = tmp_path / "empty", Watched()
    path.write_bytes(zipped(b""))
    files = SireneFiles(LargeEdition(400_000).write(tmp_path).establishments, path)
    with pytest.raises(SireneFileError, match=f"^{path}: is no StockUniteLegale"):
        await load(files, progress=watched)
    assert watched.shares.get("Reading StockEtablissement", 0) < 0.7


class Interrupting(Watched):
    """Progress that cancels the import after a part of a file is read."""

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: str = "rows") -> Iterator[Callable[[int], None]]:
        reading = asyncio.current_task()
        assert reading is not None

        def show(done: int) -> None:
            if done:
                reading.cancel()

        yield show


@pytest.mark.anyio
@sqlite_only
async def test_cancelled_import_leaves_no_file_and_no_thread(tmp_path: Path, importing: Importing) -> None:
    """A cancelled import leaves the register unchanged, and neither scratch files nor threads."""
    files = LargeEdition(200_000).write(tmp_path)
    before = {thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")}
    with pytest.raises(asyncio.CancelledError):
        await load(files, progress=Interrupting())
    assert {thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")} <= before
    assert list((tmp_path / "scratch").iterdir()) == []
    assert [entry.name for entry in await RegisterEntry.all()] == ["BEFORE"]


# --- Numbers ---

MALFORMED: list[tuple[Stock, Row, str]] = [
    (ESTABLISHMENTS, establishment("7328293200007X"), "7328293200007X"),
    (ESTABLISHMENTS, establishment("7328293200007"), "7328293200007"),
    (ESTABLISHMENTS, establishment("732829320000740"), "732829320000740"),
    (ESTABLISHMENTS, establishment("７３２８２９３２００００７４"), "７３２８２９３２００００７４"),
    (ESTABLISHMENTS, establishment("٧٣٢٨٢٩٣٢٠٠٠٠٧٤"), "٧٣٢٨٢٩٣٢٠٠٠٠٧٤"),
    (ESTABLISHMENTS, establishment("732 829 320 00074"), "732 829 320 00074"),
    (ESTABLISHMENTS, establishment("+7328293200007"), "+7328293200007"),
    (ESTABLISHMENTS, establishment("73282932000\0\n"), r"73282932000\x00\n"),
    (ESTABLISHMENTS, establishment(""), ""),
    (ESTABLISHMENTS, establishment(siren="356000000"), SIRET),
    (ESTABLISHMENTS, establishment(siren=""), SIRET),
    (LEGAL_UNITS, legal_unit("73282932X"), "73282932X"),
    (LEGAL_UNITS, legal_unit("73282932"), "73282932"),
    (LEGAL_UNITS, legal_unit("7328293200"), "7328293200"),
    (LEGAL_UNITS, legal_unit("７３２８２９３２０"), "７３２８２９３２０"),
    (LEGAL_UNITS, legal_unit("7.3282e8"), "7.3282e8"),
    (LEGAL_UNITS, legal_unit(""), ""),
]


@pytest.mark.anyio
@sqlite_only
@each_format
@pytest.mark.parametrize(("stock", "row", "quoted"), MALFORMED)
async def test_malformed_number_refuses_the_file(
    tmp_path: Path, importing: Importing, *, stock: Stock, row: Row, quoted: str, format_: Format
) -> None:
    """One malformed SIRET or SIREN refuses the file, because all columns may have shifted."""
    path = tmp_path / "malformed"
    write_stock(tmp_path, stock, [*ROWS[stock], row, *ROWS[stock][:5]], format_=format_).rename(path)
    number = "SIRET of 14 digits that begins with its SIREN" if stock is ESTABLISHMENTS else "SIREN of 9 digits"
    reason = await importing.refused(with_one(tmp_path, stock, path), path)
    assert re.fullmatch(rf"has a row without a {number}, as '{re.escape(quoted)}'", reason)


@sqlite_only
def test_malformed_numbers_are_reported_in_one_line(tmp_path: Path, operator: Operator) -> None:
    """The command reports all malformed numbers in one line."""
    files = sirene_files(
        tmp_path, [establishment("７３２８２９３２００００７４"), *ROWS[ESTABLISHMENTS], establishment("")]
    )
    line = operator.refused(files)
    assert line.startswith(
        f"{STAYS}{files.establishments}: has 2 rows without a SIRET of 14 digits that begins with its"
    )


# --- Without disk space ---


@postgres_only
@pytest.mark.parametrize(
    ("most", "format_"), [(0, Format.ZIP), (1_000, Format.ZIP), (100_000, Format.ZIP), (100_000, Format.PARQUET)]
)
def test_full_scratch_folder_is_reported_with_its_setting(
    tmp_path: Path, operator: Operator, most: int, format_: Format
) -> None:
    """A scratch folder without space is reported in one line that names TMPDIR."""
    command = ["-m", "api", "import-sirene", *options(LargeEdition(20_000).write(tmp_path, format_))]
    process = subprocess.run(  # noqa: S603  # Our own program.
        [sys.executable, "-m", "tests.support.programs.limited", str(most), *command],
        cwd=operator.guichet.folder,
        env=operator.guichet.environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    line = operator.reason(CommandResult(process.stdout, process.stderr, process.returncode), READING)
    assert line.startswith(STAYS)
    assert "TMPDIR" in line


@pytest.mark.anyio
@sqlite_only
@pytest.mark.parametrize(("name", "usable"), [("l'été 26", True), ("[x]*", True), ("a?b", False), ("a\\b", False)])
async def test_scratch_folder_may_have_any_name(
    tmp_path: Path, stored: None, monkeypatch: pytest.MonkeyPatch, *, name: str, usable: bool
) -> None:
    """A scratch folder may have blanks, quotes and patterns in its name. DuckDB's limits are reported."""
    scratch = tmp_path / name
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with nullcontext() if usable else suppress(ScratchSpaceError):
        assert (await load(sirene_files(tmp_path))).loaded == 1
    assert list(scratch.iterdir()) == []


@sqlite_only
@each_format
def test_full_database_keeps_the_register(
    tmp_path: Path, operator: Operator, database_url: str, format_: Format
) -> None:
    """A full database keeps the old register, and takes the new one once it has space."""
    import_ = ["import-sirene", *options(LargeEdition(20_000).write(tmp_path, format_))]
    operator.guichet.set(DATABASE_URL=f"{database_url}?max_page_count=1")  # SQLite raises this to the current size.
    line = operator.reason(operator.guichet.run(*import_), READING | {"Loading …"})
    assert line.startswith("The database can't be used: OperationalError: database or disk is full")
    operator.guichet.set(DATABASE_URL=database_url)
    assert operator.guichet.run(*import_).code == 0
