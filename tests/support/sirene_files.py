"""INSEE's files of the national register, for tests and benchmarks: StockEtablissement, StockUniteLegale."""

from __future__ import annotations

import atexit
import csv
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import IO, TypeAlias

import duckdb

from tests.support.client import SIRET

SIREN = SIRET[:9]
TREATED = "2026-10-20T08:15:30"
COMPRESSION_LEVEL = 1  # The fastest: each file is read once.

# In INSEE's order.
ESTABLISHMENT_HEADER = """
siren nic siret statutDiffusionEtablissement dateCreationEtablissement trancheEffectifsEtablissement
anneeEffectifsEtablissement activitePrincipaleRegistreMetiersEtablissement dateDernierTraitementEtablissement
etablissementSiege nombrePeriodesEtablissement complementAdresseEtablissement numeroVoieEtablissement
indiceRepetitionEtablissement dernierNumeroVoieEtablissement indiceRepetitionDernierNumeroVoieEtablissement
typeVoieEtablissement libelleVoieEtablissement codePostalEtablissement libelleCommuneEtablissement
libelleCommuneEtrangerEtablissement distributionSpecialeEtablissement codeCommuneEtablissement
codeCedexEtablissement libelleCedexEtablissement codePaysEtrangerEtablissement libellePaysEtrangerEtablissement
identifiantAdresseEtablissement coordonneeLambertAbscisseEtablissement coordonneeLambertOrdonneeEtablissement
complementAdresse2Etablissement numeroVoie2Etablissement indiceRepetition2Etablissement typeVoie2Etablissement
libelleVoie2Etablissement codePostal2Etablissement libelleCommune2Etablissement libelleCommuneEtranger2Etablissement
distributionSpeciale2Etablissement codeCommune2Etablissement codeCedex2Etablissement libelleCedex2Etablissement
codePaysEtranger2Etablissement libellePaysEtranger2Etablissement dateDebut etatAdministratifEtablissement
enseigne1Etablissement enseigne2Etablissement enseigne3Etablissement denominationUsuelleEtablissement
activitePrincipaleEtablissement nomenclatureActivitePrincipaleEtablissement caractereEmployeurEtablissement
activitePrincipaleNAF25Etablissement
"""
LEGAL_UNIT_HEADER = """
siren statutDiffusionUniteLegale unitePurgeeUniteLegale dateCreationUniteLegale sigleUniteLegale sexeUniteLegale
prenom1UniteLegale prenom2UniteLegale prenom3UniteLegale prenom4UniteLegale prenomUsuelUniteLegale
pseudonymeUniteLegale identifiantAssociationUniteLegale trancheEffectifsUniteLegale anneeEffectifsUniteLegale
dateDernierTraitementUniteLegale nombrePeriodesUniteLegale categorieEntreprise anneeCategorieEntreprise dateDebut
etatAdministratifUniteLegale nomUniteLegale nomUsageUniteLegale denominationUniteLegale
denominationUsuelle1UniteLegale denominationUsuelle2UniteLegale denominationUsuelle3UniteLegale
categorieJuridiqueUniteLegale activitePrincipaleUniteLegale nomenclatureActivitePrincipaleUniteLegale
nicSiegeUniteLegale economieSocialeSolidaireUniteLegale societeMissionUniteLegale caractereEmployeurUniteLegale
activitePrincipaleNAF25UniteLegale
"""

# A row as a test writes it, by column names. Columns that are not named are empty.
Row: TypeAlias = dict[str, str]


@dataclass(frozen=True, eq=False)
class Stock:
    """One of the two files: its name, its columns in INSEE's order, and those that INSEE added later."""

    name: str
    columns: tuple[str, ...]
    added: frozenset[str]
    # The column types in Parquet, as in the edition of June 2026. All other columns are texts.
    types: Mapping[str, str]

    @property
    def older_columns(self) -> tuple[str, ...]:
        """Return the columns of editions from before the additions."""
        return tuple(name for name in self.columns if name not in self.added)


ESTABLISHMENTS = Stock(
    "StockEtablissement",
    tuple(ESTABLISHMENT_HEADER.split()),
    frozenset(
        {
            "dernierNumeroVoieEtablissement",
            "indiceRepetitionDernierNumeroVoieEtablissement",
            "identifiantAdresseEtablissement",
            "coordonneeLambertAbscisseEtablissement",
            "coordonneeLambertOrdonneeEtablissement",
            "activitePrincipaleNAF25Etablissement",
        }
    ),
    {
        "dateCreationEtablissement": "DATE",
        "anneeEffectifsEtablissement": "BIGINT",
        "dateDernierTraitementEtablissement": "TIMESTAMP",
        "etablissementSiege": "BOOLEAN",
        "nombrePeriodesEtablissement": "BIGINT",
        "dateDebut": "DATE",
    },
)
LEGAL_UNITS = Stock(
    "StockUniteLegale",
    tuple(LEGAL_UNIT_HEADER.split()),
    frozenset({"societeMissionUniteLegale", "activitePrincipaleNAF25UniteLegale"}),
    {
        "unitePurgeeUniteLegale": "BOOLEAN",
        "dateCreationUniteLegale": "DATE",
        "anneeEffectifsUniteLegale": "BIGINT",
        "dateDernierTraitementUniteLegale": "TIMESTAMP",
        "nombrePeriodesUniteLegale": "BIGINT",
        "anneeCategorieEntreprise": "BIGINT",
        "dateDebut": "DATE",
        "categorieJuridiqueUniteLegale": "BIGINT",
    },
)


class Format(StrEnum):
    """A format in which INSEE publishes a file."""

    ZIP = "zip"
    PARQUET = "parquet"


@dataclass(frozen=True)
class SireneFiles:
    """The two files of one edition."""

    establishments: Path
    legal_units: Path


# --- A few rows, by the names of their columns ---


def establishment(siret: str = SIRET, **changes: str) -> Row:
    """Return an open, published establishment in Nantes, with *changes*."""
    return {
        "siren": siret[:9],
        "nic": siret[9:],
        "siret": siret,
        "statutDiffusionEtablissement": "O",
        "dateCreationEtablissement": "1998-04-01",
        "trancheEffectifsEtablissement": "12",
        "anneeEffectifsEtablissement": "2023",
        "dateDernierTraitementEtablissement": TREATED,
        "etablissementSiege": "true",
        "nombrePeriodesEtablissement": "3",
        "numeroVoieEtablissement": "12",
        "typeVoieEtablissement": "RUE",
        "libelleVoieEtablissement": "DE L'EXEMPLE",
        "codePostalEtablissement": "44000",
        "libelleCommuneEtablissement": "NANTES",
        "codeCommuneEtablissement": "44109",
        "identifiantAdresseEtablissement": "441093325_B",
        "coordonneeLambertAbscisseEtablissement": "355577.8",
        "coordonneeLambertOrdonneeEtablissement": "6689843.2",
        "dateDebut": "2008-01-01",
        "etatAdministratifEtablissement": "A",
        "activitePrincipaleEtablissement": "62.01Z",
        "nomenclatureActivitePrincipaleEtablissement": "NAFRev2",
        "caractereEmployeurEtablissement": "O",
        "activitePrincipaleNAF25Etablissement": "62.10Y",
    } | changes


def legal_unit(siren: str = SIREN, **changes: str) -> Row:
    """Return EXEMPLE SA, active and published, with *changes*."""
    return {
        "siren": siren,
        "statutDiffusionUniteLegale": "O",
        "dateCreationUniteLegale": "1998-04-01",
        "trancheEffectifsUniteLegale": "12",
        "anneeEffectifsUniteLegale": "2023",
        "dateDernierTraitementUniteLegale": TREATED,
        "nombrePeriodesUniteLegale": "4",
        "categorieEntreprise": "PME",
        "anneeCategorieEntreprise": "2023",
        "dateDebut": "2008-01-01",
        "etatAdministratifUniteLegale": "A",
        "denominationUniteLegale": "EXEMPLE SA",
        "categorieJuridiqueUniteLegale": "5599",
        "activitePrincipaleUniteLegale": "62.01Z",
        "nomenclatureActivitePrincipaleUniteLegale": "NAFRev2",
        "nicSiegeUniteLegale": "00074",
        "economieSocialeSolidaireUniteLegale": "N",
        "societeMissionUniteLegale": "N",
        "caractereEmployeurUniteLegale": "O",
        "activitePrincipaleNAF25UniteLegale": "62.10Y",
    } | changes


PERSON = {
    "categorieJuridiqueUniteLegale": "1000",
    "denominationUniteLegale": "",
    "nomUniteLegale": "DURAND",
    "prenom1UniteLegale": "CAMILLE",
    "prenomUsuelUniteLegale": "CAMILLE",
    "sexeUniteLegale": "F",
}
"""The values that make a legal unit a natural person."""


def sirene_files(
    folder: Path,
    establishments: Iterable[Row] | None = None,
    legal_units: Iterable[Row] | None = None,
    *,
    older: bool = False,
    format_: Format = Format.ZIP,
) -> SireneFiles:
    """Write both files to *folder*, with one company in each if rows are not given."""
    rows = {
        ESTABLISHMENTS: [establishment()] if establishments is None else establishments,
        LEGAL_UNITS: [legal_unit()] if legal_units is None else legal_units,
    }
    paths = [write_stock(folder, stock, rows[stock], older=older, format_=format_) for stock in rows]
    return SireneFiles(*paths)


def write_stock(
    folder: Path, stock: Stock, rows: Iterable[Row], *, older: bool = False, format_: Format = Format.ZIP
) -> Path:
    """Write one file to *folder*, under the name that INSEE gives it."""
    columns = stock.older_columns if older else stock.columns
    return write_records(folder, stock, columns, records(columns, rows), format_)


def records(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[list[str]]:
    """Return *rows* as lists in the order of *columns*."""
    return ([row.get(name, "") for name in columns] for row in rows)


# --- Files ---


def write_records(
    folder: Path, stock: Stock, columns: Sequence[str], records: Iterable[Sequence[str]], format_: Format = Format.ZIP
) -> Path:
    """Write *records*, each in the order of *columns*, as `write_stock` does, keeping none in memory."""
    return write_file(folder, stock, columns, lambda text: _write_csv(text, columns, records), format_)


def write_file(
    folder: Path, stock: Stock, columns: Sequence[str], write: Callable[[IO[str]], None], format_: Format
) -> Path:
    """Create the file whose CSV *write* writes, with its *columns* as the first line."""
    if format_ is Format.ZIP:
        path = folder / f"{stock.name}_utf8.zip"
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as archive,
            archive.open(f"{stock.name}_utf8.csv", "w", force_zip64=True) as member,  # INSEE's larger files need it.
            io.TextIOWrapper(member, encoding="utf-8", newline="", write_through=False) as text,
        ):
            write(text)
        return path
    path = folder / f"{stock.name}_utf8.parquet"
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        source = Path(scratch) / "rows.csv"
        with source.open("w", encoding="utf-8", newline="") as text:
            write(text)
        _csv_to_parquet(source, path, stock, columns)
    return path


def csv_text(columns: Sequence[str], records: Iterable[Sequence[str]], *, line_end: str = "\n") -> str:
    """Return a whole CSV file as INSEE makes it, before encoding and zipping."""
    text = io.StringIO()
    _write_csv(text, columns, records, line_end=line_end)
    return text.getvalue()


def zipped(*contents: bytes, suffix: str = ".csv", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return an archive with a file for each of *contents*."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as members:
        for number, content in enumerate(contents):
            members.writestr(f"Stock{number}_utf8{suffix}", content)
    return archive.getvalue()


def _write_csv(text: IO[str], columns: Sequence[str], records: Iterable[Sequence[str]], line_end: str = "\n") -> None:
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerow(columns)
    writer.writerows(records)


def _csv_to_parquet(source: Path, target: Path, stock: Stock, columns: Sequence[str]) -> None:
    texts = ", ".join(f"'{name}': 'VARCHAR'" for name in columns)
    casts = ", ".join(f'CAST("{name}" AS {stock.types.get(name, "VARCHAR")}) AS "{name}"' for name in columns)
    table = f"read_csv({_quoted(source)}, columns = {{{texts}}}, auto_detect = false, header = true, quote = '\"')"
    with _converter().cursor() as converter:
        converter.execute(f"COPY (SELECT {casts} FROM {table}) TO {_quoted(target)} (FORMAT parquet)")  # noqa: S608


@cache
def _converter() -> duckdb.DuckDBPyConnection:
    """Return the database of all conversions: opening one takes as long as a small conversion."""
    atexit.register(_converter.cache_clear)  # DuckDB complains about a database that outlives Python's modules.
    return duckdb.connect(config={"memory_limit": "1GB"})


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


# --- Numbers ---

# Luhn sums of all groups of four digits: with the last digit doubled, and with it plain.
_DOUBLED, _PLAIN = (
    [
        sum(
            sum(divmod(int(digit) * (2 - (place + last) % 2), 10)) for place, digit in enumerate(reversed(f"{four:04}"))
        )
        for four in range(10_000)
    ]
    for last in (0, 1)
)


def siren(number: int) -> str:
    """Return our valid SIREN number *number*, from 0 on. They ascend, and there are ninety million."""
    digits = 10_000_000 + number
    return f"{digits}{-(_DOUBLED[digits % 10_000] + _DOUBLED[digits // 10_000]) % 10}"


def siret(number: int, place: int = 1) -> str:
    """Return the valid SIRET of the *place*-th establishment, up to 9999, of the *number*-th SIREN."""
    unit = siren(number)
    total = _DOUBLED[place] + _DOUBLED[int(unit[5:])] + _DOUBLED[int(unit[1:5])] + _DOUBLED[int(unit[0])]
    return f"{unit}{place:04}{-total % 10}"
