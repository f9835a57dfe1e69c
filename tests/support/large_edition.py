"""An edition of the national register with very many rows, for tests and benchmarks of the import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from tests.support.sirene_files import (
    ESTABLISHMENTS,
    LEGAL_UNITS,
    PERSON,
    Format,
    SireneFiles,
    Stock,
    csv_text,
    establishment,
    legal_unit,
    records,
    siren,
    siret,
    write_file,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.support.sirene_files import Row

CITIES = (("01000", "BOURG-EN-BRESSE"), ("44000", "NANTES"), ("75008", "PARIS"), ("97400", "SAINT-DENIS"))
STREETS = ("DE L'EXEMPLE", "DES ÉCOLES, PROLONGÉE", 'DITE "LA NEUVE"', "DU PORT\nBATIMENT B")
# Eight legal units repeat. Those with even numbers have two establishments.
UNITS_OF_A_CYCLE: tuple[Row, ...] = (
    {},
    {"sigleUniteLegale": "EX"},
    {"categorieJuridiqueUniteLegale": "9220"},
    {"denominationUsuelle1UniteLegale": "L'EXEMPLE"},
    {"etatAdministratifUniteLegale": "C"},
    PERSON,
    PERSON,
    {"statutDiffusionUniteLegale": "P", "denominationUniteLegale": "[ND]"},
)
ESTABLISHMENTS_OF_A_CYCLE = 12
CLOSED_ALONE = 1  # The first unit's second establishment is closed, while the unit is open.
CLOSED = frozenset({CLOSED_ALONE, 6, 7})
WITHHELD = frozenset({11})
STREETS_OF_A_CYCLE = 7
LINES_OF_A_CYCLE = ESTABLISHMENTS_OF_A_CYCLE * STREETS_OF_A_CYCLE
NUMBERS = 3  # The first columns of an establishment: SIREN, NIC, SIRET.
NAME = "(name)"


@dataclass(frozen=True)
class LargeEdition:
    """An edition of *size* establishments and two thirds as many legal units, much like SIRENE, in INSEE's order.

    Of twelve establishments three are closed, three belong to natural persons, and one is partly published. The
    lines have the newer columns, are generated while they are written, and are the same each time.
    """

    size: int

    @property
    def legal_units(self) -> int:
        return self.size // 3 * 2 + min(self.size % 3, 1)

    @property
    def closed(self) -> int:
        return self._count_at(CLOSED)

    @property
    def withheld(self) -> int:
        return self._count_at(WITHHELD)

    def _count_at(self, places: frozenset[int]) -> int:
        cycles, rest = divmod(self.size, ESTABLISHMENTS_OF_A_CYCLE)
        return cycles * len(places) + len([place for place in places if place < rest])

    def write(self, folder: Path, format_: Format = Format.ZIP) -> SireneFiles:
        return SireneFiles(
            _write(folder, ESTABLISHMENTS, self._establishment_lines(), format_),
            _write(folder, LEGAL_UNITS, self._legal_unit_lines(), format_),
        )

    def _establishment_lines(self) -> Iterator[str]:
        """Generate the lines; each third one is the second establishment of its unit."""
        rests = [_rest_of_establishment(number) for number in range(LINES_OF_A_CYCLE)]
        for number in range(self.size):
            pair, place = divmod(number, 3)
            full = siret(2 * pair + place // 2, 1 + place % 2)
            yield f"{full[:9]},{full[9:]},{full},{rests[number % LINES_OF_A_CYCLE]}"

    def _legal_unit_lines(self) -> Iterator[str]:
        cycle = [_rest_of_legal_unit(changes) for changes in UNITS_OF_A_CYCLE]
        for number in range(self.legal_units):
            before, name, after = cycle[number % len(cycle)]
            yield f"{siren(number)},{before}{f'EXEMPLE {number} SA' if name else ''}{after}"


def _rest_of_establishment(number: int) -> str:
    """Return what follows the numbers in the line of an establishment. It repeats from `LINES_OF_A_CYCLE` on."""
    postal_code, city = CITIES[number % len(CITIES)]
    row = establishment(
        libelleVoieEtablissement=STREETS[number % STREETS_OF_A_CYCLE % len(STREETS)],
        codePostalEtablissement=postal_code,
        libelleCommuneEtablissement=city,
        etatAdministratifEtablissement="F" if number % ESTABLISHMENTS_OF_A_CYCLE == CLOSED_ALONE else "A",
    )
    (record,) = records(ESTABLISHMENTS.columns, [row])
    return csv_text(record[NUMBERS:], [])


def _rest_of_legal_unit(changes: Row) -> tuple[str, str, str]:
    """Return what follows the SIREN in the line of a legal unit: before a name, `NAME` if it has one, and after it."""
    row = legal_unit(**changes)
    if row["denominationUniteLegale"] == "EXEMPLE SA":
        row["denominationUniteLegale"] = NAME
    (record,) = records(LEGAL_UNITS.columns, [row])
    return csv_text(record[1:], []).partition(NAME)


def _write(folder: Path, stock: Stock, lines: Iterable[str], format_: Format) -> Path:
    def write(text: IO[str]) -> None:
        text.write(csv_text(stock.columns, []))
        text.writelines(lines)

    return write_file(folder, stock, stock.columns, write, format_)
