"""Reports for the operator: the summary of an import, and the state of the register."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from api.sirene.importing import Summary
    from models.sirene.tables import RegisterEdition

NO_REGISTER = "No register has been imported: see guichet import-sirene --help"


def report_import(summary: Summary) -> str:
    """Return a table of what was read, loaded and left out, and how long it took."""
    return _table(
        ("Edition", f"{summary.edition:%Y-%m-%d}"),
        ("Read", f"{summary.establishments:,} establishments, {summary.legal_units:,} legal units"),
        ("Loaded", f"{summary.loaded:,}"),
        ("Skipped", ", ".join(_skipped(summary)) or "0"),
        ("Closed", f"{summary.closed:,}"),
        ("Not publishable", f"{summary.withheld:,}, loaded without a name"),
        ("Without legal unit", f"{summary.without_unit:,}, loaded without a name"),
        ("Replaced", _replaced(summary)),
        ("Duration", _duration(summary.seconds)),
        *([] if summary.cleared else [("Left behind", "the old copy: the next import removes it")]),
    )


def report_register(register: RegisterEdition | None, *, now: datetime) -> str:
    """Return a table of the register's edition, its age, and the number of entries by status."""
    if register is None:
        return NO_REGISTER
    return _table(
        ("Edition", f"{register.edition:%Y-%m-%d}"),
        ("Age", f"{register.age(now=now).days} days"),
        ("Imported", f"{register.imported_at:%Y-%m-%d %H:%M} UTC"),
        ("Entries", f"{register.entries:,}"),
        ("ACTIVE", f"{register.entries - register.closed:,}"),
        ("CLOSED", f"{register.closed:,}"),
        ("Not publishable", f"{register.withheld:,}"),
    )


def _skipped(summary: Summary) -> Iterator[str]:
    if summary.repeated:
        yield f"{summary.repeated:,} for a SIRET that has another row"
    if summary.stateless:
        yield f"{summary.stateless:,} neither open nor closed"


def _replaced(summary: Summary) -> str:
    if summary.replaced is None:
        return "nothing: this is the first edition"
    newer = ", which was newer: is this the file that was meant?" if summary.replaced > summary.edition else ""
    return f"the edition of {summary.replaced:%Y-%m-%d}{newer}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{rest:.1f} s"


def _table(*rows: tuple[str, str]) -> str:
    return "\n".join(f"{name:<20}{value}" for name, value in rows)
