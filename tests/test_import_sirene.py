"""import-sirene and register status: how INSEE's files become the register."""

from __future__ import annotations

import itertools
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from api.sirene import staging, zipped_csv
from api.sirene.importing import ImportRefusedError, Summary
from models.organisation import OrganisationStatus
from models.sirene.tables import RegisterEdition, RegisterEntry
from tests.support.client import OTHER_SIRET, SIRET, Portal
from tests.support.databases import execute, postgres_only, sqlite_only
from tests.support.large_edition import LargeEdition
from tests.support.program import Guichet
from tests.support.sirene_files import (
    ESTABLISHMENTS,
    LEGAL_UNITS,
    PERSON,
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
    zipped,
)
from tests.support.sirene_imports import NOW, each_format, load, options

pytestmark = pytest.mark.anyio

TODAY = NOW.date()
GIBIBYTE = 1024**3
MILLION = 1_000_000


async def names() -> dict[str, str | None]:
    """Return the name of each entry of the register, by SIRET."""
    return {entry.siret: entry.name for entry in await RegisterEntry.all()}


async def load_cases(
    folder: Path, cases: Iterable[tuple[Row, Row]], format_: Format
) -> tuple[Summary, list[RegisterEntry | None]]:
    """Import a company for each case, with changes to its two rows. Return the entry of each in the register."""
    changes = list(enumerate(cases))
    establishments = [establishment(siret(number), **of_establishment) for number, (of_establishment, _) in changes]
    units = [legal_unit(siren(number), **of_unit) for number, (_, of_unit) in changes]
    summary = await load(sirene_files(folder, establishments, units, format_=format_))
    found = {entry.siret: entry for entry in await RegisterEntry.all()}
    return summary, [found.get(siret(number)) for number, _ in changes]


def companies(count: int, *, first: int = 0) -> tuple[list[Row], list[Row]]:
    """Return *count* establishments, each of its own legal unit, and these units."""
    numbers = range(first, first + count)
    return [establishment(siret(number)) for number in numbers], [legal_unit(siren(number)) for number in numbers]


# --- Files ---


@each_format
@pytest.mark.parametrize("older", [True, False], ids=["older columns", "newer columns"])
async def test_every_published_format_gives_the_same_register(
    tmp_path: Path, portal: Portal, *, older: bool, format_: Format
) -> None:
    """Zipped CSV and Parquet, with older or newer columns, give the same answers to callers."""
    summary = await load(sirene_files(tmp_path, older=older, format_=format_))
    assert (summary.establishments, summary.legal_units, summary.loaded) == (1, 1, 1)
    found = await portal.find_organisation(SIRET, language="EN")
    assert found.pop("id")
    assert found == {
        "__typename": "Organisation",
        "identifier": {"type": "SIRET", "value": SIRET, "formatted": "732 829 320 00074"},
        "name": "EXEMPLE SA",
        "status": "ACTIVE",
        "onPortal": False,
        "postalCode": "44000",
        "city": "NANTES",
        "source": "SIRENE",
        "asOf": "2026-10-20T00:00:00Z",
        "message": "This organisation is not on the portal yet: you will be its manager.",
    }


@sqlite_only
@each_format
async def test_columns_are_found_by_name_in_any_order(tmp_path: Path, stored: None, format_: Format) -> None:
    """The order of columns and unknown columns change nothing."""

    def shuffled(stock: Stock, row: Row) -> Path:
        columns = ["nouvelleVariable", *reversed(stock.columns), "AUTRE variable é"]
        rows = records(columns, [row | {"nouvelleVariable": "F"}])
        return write_records(tmp_path, stock, columns, rows, format_)

    await load(SireneFiles(shuffled(ESTABLISHMENTS, establishment()), shuffled(LEGAL_UNITS, legal_unit())))
    entry = await RegisterEntry.get()
    assert (entry.siret, entry.name, entry.city) == (SIRET, "EXEMPLE SA", "NANTES")


@sqlite_only
@pytest.mark.parametrize(
    ("line_end", "encoding", "ended"),
    [("\r\n", "utf-8", True), ("\n", "utf-8-sig", True), ("\n", "utf-8", False), ("\r\n", "utf-8-sig", False)],
)
async def test_other_line_ends_and_byte_order_marks_are_accepted(
    tmp_path: Path, stored: None, *, line_end: str, encoding: str, ended: bool
) -> None:
    """CRLF, a byte order mark and a last line without an end change nothing."""
    paths = []
    for stock, row in ((ESTABLISHMENTS, establishment(**{SIGN: "L'EXEMPLE"})), (LEGAL_UNITS, legal_unit())):
        columns = sorted(stock.columns, key=SIGN.__eq__)  # The last value must not contain the end of the line.
        text = csv_text(columns, records(columns, [row]), line_end=line_end)
        text = text if ended else text.removesuffix(line_end)
        paths.append(tmp_path / stock.name)
        paths[-1].write_bytes(zipped(text.encode(encoding)))
    await load(SireneFiles(*paths))
    assert await names() == {SIRET: "L'EXEMPLE"}


@sqlite_only
@pytest.mark.parametrize("bytes_at_once", [1, 100, 5_000])
async def test_chunks_of_a_file_may_end_anywhere_in_a_record(
    tmp_path: Path, stored: None, monkeypatch: pytest.MonkeyPatch, bytes_at_once: int
) -> None:
    """A chunk may end within a letter, at a line feed between quotes, or between two quotes."""
    monkeypatch.setattr(zipped_csv, "CHUNK_BYTES", bytes_at_once)
    signs = ["É" * 9, '"', '""', "\n", '\n"\n', 'A\r\n"B", C', "A,\n\n,", "\n" * 9]
    establishments, units = companies(400)
    for row, name in zip(establishments, itertools.cycle(signs), strict=False):
        row[SIGN] = f"<{name}>"
    await load(sirene_files(tmp_path, establishments, units))
    assert await names() == {row["siret"]: " ".join(row[SIGN].split()) for row in establishments}


@sqlite_only
@pytest.mark.parametrize(
    ("line_end", "within"),
    [("\n", "A\nB"), ("\n", "A\r\nB"), ("\n", "\nA"), ("\r\n", "A\nB"), ("\r\n", "A\r\nB"), ("\r\n", "A\rB")],
)
async def test_line_ends_within_a_value_do_not_change_those_of_the_file(
    tmp_path: Path, stored: None, line_end: str, within: str
) -> None:
    """The header's line end is that of the file, with any line end between the first quotes."""
    columns, rows = LEGAL_UNITS.columns, [legal_unit(siren(number), **{DENOMINATION: within}) for number in range(3)]
    made = sirene_files(tmp_path, companies(3)[0])
    made.legal_units.write_bytes(zipped(csv_text(columns, records(columns, rows), line_end=line_end).encode()))
    await load(made)
    assert set((await names()).values()) == {" ".join(within.split())}


@sqlite_only
async def test_undoubled_quote_inside_a_value_spoils_no_record(
    tmp_path: Path, stored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quote inside a plain value is part of it, and the records after it are read correctly."""
    establishments, units = companies(3_000)
    for row in establishments[::3]:
        row[SIGN] = "DU PORT\nBATIMENT B"
    columns = ESTABLISHMENTS.columns
    text = csv_text(columns, records(columns, establishments)).replace("DE L'EXEMPLE", '12" PAN COUPE', 1)
    made = sirene_files(tmp_path, establishments[:1], units)
    made.establishments.write_bytes(zipped(text.encode()))
    monkeypatch.setattr(zipped_csv, "CHUNK_BYTES", 1_000)
    await load(made)
    assert Counter((await names()).values()) == {"DU PORT BATIMENT B": 1_000, "EXEMPLE SA": 2_000}


@sqlite_only
@each_format
@pytest.mark.parametrize(
    "name",
    ["E.csv", "E.zip", "E.parquet", "mes données", 'l\'été "26"', "[2026]", "[!0-9]*?", "a?b", "{x,y}", "100%", "~"],
)
async def test_files_and_folders_may_have_any_name(tmp_path: Path, stored: None, name: str, format_: Format) -> None:
    """A file is recognised by its content, with any name, and its name is never read as a pattern."""
    made = sirene_files(tmp_path, format_=format_)
    folder = tmp_path / name
    folder.mkdir()
    files = SireneFiles(made.establishments.rename(folder / name), made.legal_units.rename(folder / f"{name} (2)"))
    await load(files)
    assert await names() == {SIRET: "EXEMPLE SA"}


@sqlite_only
async def test_files_are_read_at_once_in_any_order(tmp_path: Path, stored: None) -> None:
    """The import succeeds if either file is read first or both at once, in equal or different formats."""
    archive, parquet = (sirene_files(tmp_path, format_=format_) for format_ in Format)
    mixed = SireneFiles(archive.establishments, parquet.legal_units)
    for files in (archive, parquet, mixed) * 5:
        assert (await load(files)).loaded == 1


# --- Names ---

SIGN, USUAL = "enseigne1Etablissement", "denominationUsuelleEtablissement"
DENOMINATION, ACRONYM = "denominationUniteLegale", "sigleUniteLegale"
USUAL_OF_UNIT = "denominationUsuelle1UniteLegale"
OF_ESTABLISHMENT, OF_UNIT = "statutDiffusionEtablissement", "statutDiffusionUniteLegale"
ALL_SIGNS = {SIGN: "CHEZ CAMILLE", USUAL: "CAMILLE DURAND CONSEIL"}

# The changes to the rows of an establishment and its unit, and the name that is loaded.
NAME_SOURCES: dict[str, tuple[Row, Row, str | None]] = {
    "sign first": ({SIGN: "L'EXEMPLE", USUAL: "USUEL"}, {ACRONYM: "EX", USUAL_OF_UNIT: "UNITÉ"}, "L'EXEMPLE"),
    "then the usual name": ({USUAL: "USUEL"}, {ACRONYM: "EX", USUAL_OF_UNIT: "UNITÉ"}, "USUEL"),
    "then the denomination": ({}, {USUAL_OF_UNIT: "UNITÉ"}, "EXEMPLE SA"),
    "with its acronym": ({}, {ACRONYM: "EXSA", USUAL_OF_UNIT: "UNITÉ"}, "EXEMPLE SA (EXSA)"),
    "acronym is the denomination": ({}, {ACRONYM: "EXEMPLE SA"}, "EXEMPLE SA"),
    "acronym is its first word": ({}, {ACRONYM: "EXEMPLE"}, "EXEMPLE SA"),
    "acronym is its last word": ({}, {ACRONYM: "SA"}, "EXEMPLE SA"),
    "acronym is a part of a word": ({}, {ACRONYM: "EX"}, "EXEMPLE SA (EX)"),
    "acronym has a sign of patterns": ({}, {ACRONYM: "E%_.*"}, "EXEMPLE SA (E%_.*)"),
    "acronym alone": ({}, {DENOMINATION: "", ACRONYM: "EX"}, None),
    "then the unit's usual name": ({}, {DENOMINATION: "", ACRONYM: "EX", USUAL_OF_UNIT: "UNITÉ"}, "UNITÉ"),
    "not from the second sign": ({"enseigne2Etablissement": "DEUX"}, {}, "EXEMPLE SA"),
    "nothing at all": ({}, {DENOMINATION: ""}, None),
    "not said": ({SIGN: "[ND]", USUAL: "[ND]"}, {DENOMINATION: "[ND]", USUAL_OF_UNIT: "UNITÉ"}, "UNITÉ"),
    "not said, but for the denomination": ({SIGN: " [ND] "}, {ACRONYM: "[ND]"}, "EXEMPLE SA"),
    "blanks are nothing": ({SIGN: "   ", USUAL: "\t\u00a0"}, {ACRONYM: " "}, "EXEMPLE SA"),
    "long denomination": ({}, {DENOMINATION: "A" * 160, ACRONYM: "B" * 50}, f"{'A' * 150} ({'B' * 40})"),
    "blanks where both are cut": (
        {},
        {DENOMINATION: "A" * 149 + " A", ACRONYM: "B" * 39 + " B"},
        f"{'A' * 149} ({'B' * 39})",
    ),
    "public body": ({}, {"categorieJuridiqueUniteLegale": "7210"}, "EXEMPLE SA"),
    "category that begins as a person's": ({}, {"categorieJuridiqueUniteLegale": "9210"}, "EXEMPLE SA"),
    "category is missing": ({}, {"categorieJuridiqueUniteLegale": ""}, "EXEMPLE SA"),
    "person": ({}, PERSON, None),
    "person with a sign": (ALL_SIGNS, PERSON, None),
    "person with a denomination": (ALL_SIGNS, PERSON | {DENOMINATION: "DURAND", USUAL_OF_UNIT: "UNITÉ"}, None),
    "person without a family name": (ALL_SIGNS, PERSON | {"nomUniteLegale": ""}, None),
    "family name in a company": (ALL_SIGNS, {"nomUniteLegale": "DURAND"}, None),
    "older category of persons": (ALL_SIGNS, {"categorieJuridiqueUniteLegale": "1500"}, None),
    "neither category nor denomination": (ALL_SIGNS, {"categorieJuridiqueUniteLegale": "", DENOMINATION: ""}, None),
    **{
        f"{status or 'no status'} of {of}": (
            ALL_SIGNS | ({OF_ESTABLISHMENT: status} if of == "establishment" else {}),
            {OF_UNIT: status} if of == "unit" else {},
            None,
        )
        for status in ("P", "N", "")
        for of in ("establishment", "unit")
    },
}

# The name in the file, and the name that is loaded.
NAME_SPELLINGS: dict[str, tuple[str, str | None]] = {
    "quotes and commas": ("\"A\", B; 'C'", "\"A\", B; 'C'"),
    "letters of France": ("ÇA & LÀ, ŒUVRE N° 5 €", "ÇA & LÀ, ŒUVRE N° 5 €"),
    "other letters": ("ΑΘΗΝΑ 東京 😀", "ΑΘΗΝΑ 東京 😀"),
    "decomposed accents": ("E\u0301COLE", "ÉCOLE"),
    "backslash": (r"A\B\\C", r"A\B\\C"),
    "backslash and letters": (r"\n\t\N", r"\n\t\N"),
    "backslash at the end": ("A\\", "A\\"),
    "backslash and N alone": (r"\N", r"\N"),
    "two backslashes and N": (r"\\N", r"\\N"),
    "end of copied data": (r"\.", r"\."),
    "word for nothing": ("NULL", "NULL"),
    "number": ("007", "007"),
    "formula": ("=1+1", "=1+1"),
    "blanks around and between": ("  A   B ", "A B"),
    "tab and line feed": ("A\tB\nC\r\nD", "A B C D"),
    "NUL": ("A\0B", "A B"),
    "NUL alone": ("\0", "EXEMPLE SA"),
    "control characters": ("\x01A\x1b[1mB\x7f\x85C", "A [1mB C"),
    "separators of Unicode": ("A\u2028B\u2029C\u00a0D\u3000E", "A B C D E"),
    "invisible characters": ("\ufeffA\u200bB\u202eC", "A B C"),
    "200 characters": ("A" * 200, "A" * 200),
    "201 characters": ("A" * 201, "A" * 200),
    "200 characters of two bytes and more": ("É" * 250, "É" * 200),
    "200 characters of four bytes": ("😀" * 250, "😀" * 200),
    "201 with accents that are decomposed": ("E\u0301" * 201, "É" * 200),
    "blank where it is cut": ("A" * 199 + " B", "A" * 199),
    "blank where it is cut, with accents": ("É" * 199 + " B", "É" * 199),
}


@each_format
async def test_name_is_chosen_by_precedence_and_hidden_for_persons(
    tmp_path: Path, stored: None, format_: Format
) -> None:
    """Sign, usual name, denomination: the first counts. Persons and those who opted out have no name."""
    _, found = await load_cases(
        tmp_path, ((of_place, of_unit) for of_place, of_unit, _ in NAME_SOURCES.values()), format_
    )
    loaded = {case: entry and entry.name for case, entry in zip(NAME_SOURCES, found, strict=True)}
    assert loaded == {case: name for case, (_, _, name) in NAME_SOURCES.items()}


@each_format
async def test_names_keep_their_characters(tmp_path: Path, stored: None, format_: Format) -> None:
    """A name keeps its first 200 characters, except those that don't belong in a line of text."""
    _, found = await load_cases(tmp_path, (({SIGN: written}, {}) for written, _ in NAME_SPELLINGS.values()), format_)
    loaded = {case: entry and entry.name for case, entry in zip(NAME_SPELLINGS, found, strict=True)}
    assert loaded == {case: name for case, (_, name) in NAME_SPELLINGS.items()}


# --- Place and status ---

CODE, CITY = "codePostalEtablissement", "libelleCommuneEtablissement"
STATE, UNIT_STATE = "etatAdministratifEtablissement", "etatAdministratifUniteLegale"
# The changes to an establishment's row, and the place that is loaded.
PLACES: list[tuple[Row, tuple[str | None, str | None]]] = [
    ({CODE: "01000", CITY: "BOURG-EN-BRESSE"}, ("01000", "BOURG-EN-BRESSE")),
    ({CODE: "2A004", CITY: "L'HAŸ-LES-ROSES"}, ("2A004", "L'HAŸ-LES-ROSES")),
    ({CODE: "[ND]", CITY: "[ND]"}, (None, None)),
    ({CODE: "", CITY: ""}, (None, None)),
    ({CODE: "[ND]", OF_ESTABLISHMENT: "P"}, (None, "NANTES")),
    ({OF_ESTABLISHMENT: "N"}, (None, None)),
    ({OF_ESTABLISHMENT: ""}, (None, None)),
    ({CODE: "1" * 20, CITY: "A" * 99 + " B"}, ("1" * 10, "A" * 99)),
]

# The states of an establishment and of its unit, and the status that is loaded.
STATES: list[tuple[str, str, OrganisationStatus | None]] = [
    ("A", "A", OrganisationStatus.ACTIVE),
    ("F", "A", OrganisationStatus.CLOSED),
    ("A", "C", OrganisationStatus.CLOSED),
    ("F", "C", OrganisationStatus.CLOSED),
    ("A", "", OrganisationStatus.ACTIVE),
    ("", "A", None),
    ("[ND]", "C", None),
]


@each_format
async def test_place_is_loaded_as_far_as_it_is_public(tmp_path: Path, stored: None, format_: Format) -> None:
    """Postal code and town are the establishment's, and are empty if it is not published."""
    _, found = await load_cases(tmp_path, ((changes, {}) for changes, _ in PLACES), format_)
    assert [entry and (entry.postal_code, entry.city) for entry in found] == [place for _, place in PLACES]


@each_format
async def test_status_is_closed_if_the_establishment_or_its_unit_is(
    tmp_path: Path, stored: None, format_: Format
) -> None:
    """An entry is closed if the establishment or its unit is. An establishment without a state is skipped."""
    changes = (({STATE: state}, {UNIT_STATE: of_unit}) for state, of_unit, _ in STATES)
    summary, found = await load_cases(tmp_path, changes, format_)
    assert [entry and entry.status for entry in found] == [status for _, _, status in STATES]
    assert (summary.stateless, summary.repeated, summary.loaded, summary.closed) == (2, 0, 5, 3)


# --- Repeated rows, rows in any order, rows without their unit ---

MORNING, AFTERNOON = "2026-10-20T08:15:30", "2026-10-20T17:00:00"
TREATED, UNIT_TREATED = "dateDernierTraitementEtablissement", "dateDernierTraitementUniteLegale"


@each_format
@pytest.mark.parametrize("order", [1, -1], ids=["last is newer", "first is newer"])
@pytest.mark.parametrize(
    ("older_day", "newer_day"),
    [("2026-01-31T23:59:59", "2026-02-01T00:00:00"), ("", "1999-12-31T00:00:00"), (MORNING, AFTERNOON)],
    ids=["days", "none and one", "hours"],
)
async def test_row_with_the_latest_treatment_counts(
    tmp_path: Path, stored: None, *, older_day: str, newer_day: str, order: int, format_: Format
) -> None:
    """Of several rows for one SIRET or SIREN, the one treated last is loaded. The others are counted."""
    days = [older_day, newer_day][::order]
    rows = [establishment(**{CITY: day or "NONE", TREATED: day}) for day in days]
    units = [legal_unit(**{DENOMINATION: day or "NONE", UNIT_TREATED: day}) for day in days]
    summary = await load(sirene_files(tmp_path, rows, units, format_=format_))
    entry = await RegisterEntry.get()
    assert (entry.city, entry.name) == (newer_day, newer_day)
    assert (summary.establishments, summary.legal_units, summary.loaded, summary.repeated) == (2, 2, 1, 1)


@each_format
@pytest.mark.parametrize("order", [1, -1])
async def test_most_private_of_simultaneous_rows_counts(
    tmp_path: Path, stored: None, *, order: int, format_: Format
) -> None:
    """Of two rows treated at the same moment, the one that hides more is loaded."""
    partly, hidden = {OF_ESTABLISHMENT: "P"}, {OF_ESTABLISHMENT: "N"}
    establishments = [
        establishment(siret(n), **more)
        for n, more in ((0, {}), (0, hidden), (1, {}), (2, {}), (3, partly), (3, hidden), (3, partly))
    ]
    units = [
        legal_unit(siren(n), **more)
        for n, more in ((0, {}), (1, {OF_UNIT: "P"}), (1, {}), (2, {}), (2, PERSON), (3, {}))
    ]
    await load(sirene_files(tmp_path, establishments[::order], units[::order], format_=format_))
    assert await names() == {siret(number): None for number in range(4)}
    assert [(await RegisterEntry.get(siret=siret(number))).city for number in (0, 3)] == [None, None]


LA_POSTE = OTHER_SIRET[:9]


def lopsided() -> tuple[list[Row], list[Row]]:
    """Return many establishments of La Poste, a few neighbours, and the lowest and highest numbers, in random order."""
    others = [siret(number, place) for number in range(0, 40_000, 1_000) for place in (1, 2)]
    sirets = [f"{LA_POSTE}{nic:05}" for nic in range(400)] + others + ["00000000100000", "99999999999999"]
    units = [legal_unit(number, **{DENOMINATION: f"UNIT {number}"}) for number in {full[:9] for full in sirets}]
    random.Random(7).shuffle(sirets)  # noqa: S311  # It needs no secrecy.
    return [establishment(full) for full in sirets], units


@each_format
@pytest.mark.parametrize(
    ("rows", "step"), [(1, 1), (7, 1), (100, 10_000), (400, 1_000), (10_000, 10_000)], ids=lambda value: f"{value:,}"
)
async def test_each_establishment_is_loaded_once_by_any_slices(
    tmp_path: Path, stored: None, monkeypatch: pytest.MonkeyPatch, *, rows: int, step: int, format_: Format
) -> None:
    """Each establishment is loaded once, with its own unit's name, for any size of slices."""
    monkeypatch.setattr(staging, "ROWS_OF_A_SLICE", rows)
    monkeypatch.setattr(staging, "SIRENS_OF_A_STEP", step)
    establishments, units = lopsided()
    summary = await load(sirene_files(tmp_path, establishments, units, format_=format_))
    assert await names() == {row["siret"]: f"UNIT {row['siren']}" for row in establishments}
    assert (summary.loaded, summary.repeated, summary.without_unit) == (len(establishments), 0, 0)


@each_format
async def test_establishment_without_its_unit_is_loaded_without_a_name(
    tmp_path: Path, portal: Portal, format_: Format
) -> None:
    """An establishment whose unit is missing is loaded without a name, and counted."""
    establishments = [establishment(), establishment(OTHER_SIRET, **ALL_SIGNS)]
    summary = await load(sirene_files(tmp_path, establishments, [legal_unit()], format_=format_))
    found = await portal.find_organisation(OTHER_SIRET)
    assert (found["name"], found["status"], found["city"]) == (None, "ACTIVE", "NANTES")
    assert (summary.loaded, summary.without_unit) == (2, 1)


@each_format
async def test_files_that_do_not_belong_together_are_refused(tmp_path: Path, stored: None, format_: Format) -> None:
    """If no establishment has its unit, the files are refused, and the register stays."""
    await load(sirene_files(tmp_path))
    before = await names()
    for units in ([], [legal_unit(siren(1))]):
        files = sirene_files(tmp_path, [establishment(), establishment(OTHER_SIRET)], units, format_=format_)
        with pytest.raises(ImportRefusedError, match=r"^No establishment has its legal unit"):
            await load(files, accept_shrinking=True)
    assert await names() == before


# --- The edition ---

FUTURE = f"{TODAY + timedelta(days=1)}T00:00:00"


@sqlite_only
@each_format
@pytest.mark.parametrize(
    ("treated", "named", "expected"),
    [
        (("2026-09-30T00:00:00", "2026-10-31T23:59:59"), None, "2026-10-31"),
        (("2026-10-31T23:59:59", "2026-09-30T00:00:00"), None, "2026-10-31"),
        (("2026-10-31T00:00:00", ""), None, "2026-10-31"),
        (("", "2026-10-31T00:00:00"), None, "2026-10-31"),
        ((f"{TODAY}T23:59:59", "2026-09-30T00:00:00"), None, str(TODAY)),
        ((FUTURE, "2026-09-30T00:00:00"), None, "2026-09-30"),
        (("2026-09-30T00:00:00", "2099-01-01T00:00:00"), None, "2026-09-30"),
        (("2026-10-31T00:00:00", "2026-10-31T00:00:00"), "2026-11-01", "2026-11-01"),
        (("2026-10-31T00:00:00", "2026-10-31T00:00:00"), "2020-02-29", "2020-02-29"),
        (("", ""), "2026-11-01", "2026-11-01"),
        ((FUTURE, FUTURE), str(TODAY), str(TODAY)),
    ],
)
async def test_edition_is_the_named_day_or_the_latest_treatment(
    tmp_path: Path, portal: Portal, *, treated: tuple[str, str], named: str | None, expected: str, format_: Format
) -> None:
    """`asOf` is the day named by the operator, else the latest treatment in both files that is not in the future."""
    rows = [establishment(**{TREATED: treated[0]})], [legal_unit(**{UNIT_TREATED: treated[1]})]
    edition = date.fromisoformat(named) if named else None
    summary = await load(sirene_files(tmp_path, *rows, format_=format_), edition=edition)
    assert summary.edition == date.fromisoformat(expected)
    assert (await portal.find_organisation(SIRET))["asOf"] == f"{expected}T00:00:00Z"


@sqlite_only
@each_format
@pytest.mark.parametrize("treated", ["", FUTURE])
async def test_files_without_a_day_need_a_named_edition(
    tmp_path: Path, stored: None, treated: str, format_: Format
) -> None:
    """If no row has a day of treatment, the operator must name the edition."""
    rows = [establishment(**{TREATED: treated})], [legal_unit(**{UNIT_TREATED: treated})]
    with pytest.raises(ImportRefusedError, match=r"name the edition with --edition$"):
        await load(sirene_files(tmp_path, *rows, format_=format_))
    assert await RegisterEdition.current() is None


# --- The replaced register ---


async def test_import_replaces_the_whole_register(tmp_path: Path, portal: Portal) -> None:
    """An import changes, adds and removes entries. Callers see it at once, with its day."""
    first = [establishment(), establishment(siret(0))], [legal_unit(), legal_unit(siren(0))]
    await load(sirene_files(tmp_path, *first), edition=date(2026, 10, 1))
    assert (await portal.find_organisation(siret(0)))["__typename"] == "Organisation"
    second = [establishment(), establishment(siret(1))], [legal_unit(**{DENOMINATION: "AUTRE"}), legal_unit(siren(1))]
    await load(sirene_files(tmp_path, *second), edition=date(2026, 11, 1))
    changed = await portal.find_organisation(SIRET)
    assert (changed["name"], changed["asOf"]) == ("AUTRE", "2026-11-01T00:00:00Z")
    assert (await portal.find_organisation(siret(0)))["__typename"] == "OrganisationNotFound"
    assert (await portal.find_organisation(siret(1)))["name"] == "EXEMPLE SA"
    edition = await RegisterEdition.get()
    assert (edition.entries, edition.closed, edition.imported_at) == (2, 0, NOW)


@pytest.mark.parametrize(
    ("before", "after", "accepted", "loaded"),
    [
        (10, 9, False, True),
        (10, 8, False, False),
        (10, 8, True, True),
        (30, 27, False, True),
        (30, 26, False, False),
        (1, 2, False, True),
        (100, 1, True, True),
    ],
)
@pytest.mark.parametrize("what", ["entries", "legal units"])
async def test_register_shrinks_by_more_than_a_tenth_only_if_accepted(
    tmp_path: Path, stored: None, *, what: str, before: int, after: int, accepted: bool, loaded: bool
) -> None:
    """An import that would remove more than a tenth is refused, unless the operator accepts it."""
    await load(sirene_files(tmp_path, *companies(before)))
    establishments, units = companies(max(before, after), first=50)
    rows = (establishments[:after] * 2, units) if what == "entries" else (establishments, units[:after])
    refusal = pytest.raises(ImportRefusedError, match=f"from {before} {what} to {after}: .* --accept-shrinking$")
    with nullcontext() if loaded else refusal:
        await load(sirene_files(tmp_path, *rows), accept_shrinking=accepted)
    expected = {row["siret"] for row in rows[0]} if loaded else {siret(number) for number in range(before)}
    assert set(await names()) == expected


@each_format
@pytest.mark.parametrize("state", [None, ""], ids=["no row", "no row with a state"])
async def test_empty_register_is_never_accepted(
    tmp_path: Path, stored: None, state: str | None, format_: Format
) -> None:
    """An import without establishments is refused, even if the operator accepts shrinking."""
    await load(sirene_files(tmp_path))
    rows = [] if state is None else [establishment(**{STATE: state})]
    with pytest.raises(ImportRefusedError, match=r"^There is no establishment to load$"):
        await load(sirene_files(tmp_path, rows, format_=format_), accept_shrinking=True)
    assert await names() == {SIRET: "EXEMPLE SA"}


# --- Sign-up ---


async def test_sign_up_uses_the_imported_register(tmp_path: Path, portal: Portal) -> None:
    """A closed establishment is refused. The register's name counts; where it has none, the declared one does."""
    establishments = [establishment(), establishment(OTHER_SIRET, **{STATE: "F"})]
    await load(sirene_files(tmp_path, establishments, [legal_unit(), legal_unit(LA_POSTE)]))
    refused = await portal.create_account(siret=OTHER_SIRET)
    assert [(field["path"], field["code"]) for field in refused["fields"]] == [
        (["organisation", "identifier", "value"], "ORGANISATION_CLOSED")
    ]
    for number, declared, expected in ((SIRET, "Mon exemple", "EXEMPLE SA"), (siret(7), "Toute neuve", "Toute neuve")):
        account = await portal.account(siret=number, name=declared, email=f"camille{number}@exemple.fr")
        (membership,) = account["memberships"]
        assert membership["organisation"]["name"] == expected


# --- The command line ---


@pytest.fixture
def guichet(tmp_path: Path, database_url: str) -> Guichet:
    """The program in its own folder, with a migrated database."""
    folder = tmp_path / "service"
    folder.mkdir()
    return Guichet(folder, DATABASE_URL=database_url)


def table(out: str) -> dict[str, str]:
    """Return the printed table of a command, by its first column."""
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in out.splitlines())


def varied() -> tuple[list[Row], list[Row]]:
    """Return rows of every kind that the summary distinguishes."""
    establishments, units = companies(8)
    establishments[1] = establishment(siret(1), **{STATE: "F"})
    establishments[2] = establishment(siret(2), **{OF_ESTABLISHMENT: "P"})
    establishments[3] = establishment(siret(3), **{STATE: ""})
    units[4], units[5] = legal_unit(siren(4), **{OF_UNIT: "P"}), legal_unit(siren(5), **PERSON)
    return [*establishments, establishment(siret(0)), establishment(siret(0))], units[:7]


@each_format
def test_import_prints_its_stages_and_a_summary(tmp_path: Path, guichet: Guichet, format_: Format) -> None:
    """The command prints each stage as it begins, and a summary of rows read, loaded and skipped."""
    done = guichet.run("import-sirene", *options(sirene_files(tmp_path, *varied(), format_=format_)))
    assert done.code == 0, done.err
    printed = table(done.out)
    assert re.fullmatch(r"\d+\.\d s", printed.pop("Duration"))
    assert printed == {
        "Edition": "2026-10-20",
        "Read": "10 establishments, 7 legal units",
        "Loaded": "7",
        "Skipped": "2 for a SIRET that has another row, 1 neither open nor closed",
        "Closed": "1",
        "Not publishable": "2, loaded without a name",
        "Without legal unit": "1, loaded without a name",
        "Replaced": "nothing: this is the first edition",
    }
    reading, loading = done.err.splitlines()[:2], done.err.splitlines()[2:]
    assert sorted(reading) == ["Reading StockEtablissement …", "Reading StockUniteLegale …"]
    assert loading == ["Loading …", "Indexing …", "Replacing the register …", "Removing the old one …"]


@sqlite_only
def test_import_names_the_edition_that_it_replaced(tmp_path: Path, guichet: Guichet) -> None:
    """The summary names the replaced edition, and asks about it if that was newer."""
    files = options(sirene_files(tmp_path, *varied()))
    for edition, replaced in (
        ("2026-09-30", "nothing: this is the first edition"),
        ("2026-10-31", "the edition of 2026-09-30"),
        ("2026-10-31", "the edition of 2026-10-31"),
        ("2026-09-30", "the edition of 2026-10-31, which was newer: is this the file that was meant?"),
    ):
        done = guichet.run("import-sirene", "--edition", edition, *files)
        assert done.code == 0, done.err
        assert table(done.out)["Replaced"] == replaced


def test_register_status_shows_the_edition_or_that_there_is_none(tmp_path: Path, guichet: Guichet) -> None:
    """`register status` shows day, age and counts of the edition, or that none was imported."""
    done = guichet.run("register", "status")
    assert (done.code, done.out) == (0, "No register has been imported: see guichet import-sirene --help\n")
    # Near midnight, the clock of the command may be a day ahead.
    day = datetime.now(UTC).date() - timedelta(days=40)
    imported = guichet.run("import-sirene", "--edition", str(day), *options(sirene_files(tmp_path, *varied())))
    assert imported.code == 0, imported.err
    printed = table(guichet.run("register", "status").out)
    assert printed.pop("Age") in {"40 days", "41 days"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", printed.pop("Imported"))
    assert printed == {"Edition": str(day), "Entries": "7", "ACTIVE": "6", "CLOSED": "1", "Not publishable": "2"}


@sqlite_only
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (["--edition", str(datetime.now(UTC).date() + timedelta(days=2))], "this day is still to come"),
        (["--edition", "2026-02-30"], "2026-02-30"),
        (["--edition", "31/10/2026"], "31/10/2026"),
        (["--edition", ""], "--edition"),
        (["--shrink"], "--shrink"),
        (None, "--legal-units"),
    ],
)
def test_wrong_options_of_the_import_are_exit_code_2(
    tmp_path: Path, guichet: Guichet, wrong: Sequence[str] | None, named: str
) -> None:
    """An impossible or future day, an unknown option or a missing one is refused before anything is read."""
    whole = options(sirene_files(tmp_path))
    done = guichet.run("import-sirene", *(whole[:2] if wrong is None else [*whole, *wrong]))
    assert (done.code, done.out) == (2, "")
    assert named in done.err
    assert "Reading" not in done.err
    assert "Traceback" not in done.err


@sqlite_only
def test_refused_shrinking_is_one_line_and_exit_code_1(tmp_path: Path, guichet: Guichet) -> None:
    """A register that would shrink too much is refused in one line. The option accepts it."""
    ten, five = companies(10), companies(5, first=20)
    refusal = "The register would shrink from 10 legal units to 5: if that is right, say --accept-shrinking"
    for rows, option, code in ((ten, [], 0), (five, [], 1), (five, ["--accept-shrinking"], 0)):
        done = guichet.run("import-sirene", *options(sirene_files(tmp_path, *rows)), *option)
        assert done.code == code, done.err
        assert (done.err.splitlines()[-1] == f"The register stays as it was. {refusal}") == bool(code)


# --- A large register ---

# The first eight digits are the number of the unit: see `LargeEdition`.
COUNTS_AND_ERRORS = """
SELECT count(*) AS entries, count(*) FILTER (WHERE status = 'CLOSED') AS closed, count(DISTINCT city) AS cities,
       count(*) FILTER (WHERE name IS DISTINCT FROM CASE WHEN unit % 8 < 5 THEN 'EXEMPLE ' || unit || ' SA' END
                              || CASE unit % 8 WHEN 1 THEN ' (EX)' ELSE '' END) AS wrong
FROM (SELECT *, substr(siret, 1, 8)::int - 10000000 AS unit FROM register_entry) AS entry
"""


@postgres_only
def test_a_million_rows_are_loaded_in_bounded_memory(tmp_path: Path, guichet: Guichet, database_url: str) -> None:
    """A million rows are loaded correctly in less than a gibibyte of memory."""
    edition = LargeEdition(MILLION)
    command = [sys.executable, "-m", "api", "import-sirene", *options(edition.write(tmp_path))]
    done = subprocess.run(  # noqa: S603  # Our own program.
        [sys.executable, "-m", "tests.support.programs.measured", *command],
        cwd=guichet.folder,
        env=guichet.environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stderr.split()[-1]) * 1024 < GIBIBYTE
    printed = table(done.stdout)
    assert printed["Read"] == f"{MILLION:,} establishments, {edition.legal_units:,} legal units"
    assert (printed["Loaded"], printed["Skipped"], printed["Closed"]) == (f"{MILLION:,}", "0", f"{edition.closed:,}")
    assert printed["Not publishable"] == f"{edition.withheld:,}, loaded without a name"
    assert printed["Without legal unit"] == "0, loaded without a name"
    (found,) = execute(database_url, COUNTS_AND_ERRORS)
    assert dict(found) == {"entries": MILLION, "closed": edition.closed, "cities": 4, "wrong": 0}
