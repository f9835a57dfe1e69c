"""The use case: replace the register by what INSEE's files say."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from api.sirene.duckdb_reading import SireneFileError
from api.sirene.files import open_sirene_file
from api.sirene.scratch import ScratchSpaceError, scratch_folder
from api.sirene.staging import Staging
from api.sirene.stocks import ESTABLISHMENT, LEGAL_UNIT
from models.database.connections import DATABASE_FAILURES
from models.organisation import OrganisationSource
from models.sirene.replacement import replacement
from models.sirene.rows import (
    PooledConnectionError,
    RegisterFixedError,
    RegisterInUseError,
    ReplacementUnderWayError,
)
from models.sirene.tables import RegisterEdition

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime
    from pathlib import Path

    from api.sirene.files import SireneFile
    from api.sirene.progress import Progress
    from api.sirene.stocks import Stock
    from models.sirene.replacement import Replacement

T = TypeVar("T")

MIN_SHARE_KEPT = 0.9  # Of what was there before.
PROGRESS_EVERY_SECONDS = 0.2


class ImportRefusedError(Exception):
    """The files can be read, but should not become the register; the message is one line."""


IMPORT_FAILURES = (
    SireneFileError,
    ImportRefusedError,
    ScratchSpaceError,
    PooledConnectionError,
    ReplacementUnderWayError,
    RegisterInUseError,
    RegisterFixedError,
)
"""The failures that can be foreseen. The message of each is one line."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of what an import has read, loaded and left out.

    *repeated* and *stateless* were read and not loaded: further rows for a SIRET, and establishments that are neither
    open nor closed. *closed*, *withheld* (partly published: without a name) and *without_unit* (their legal unit is in
    no file: without a name) are among those *loaded*. *replaced* is the edition that was there before, if there was
    one. If the old copy is not *cleared*, the next import removes it.
    """

    edition: date
    legal_units: int
    establishments: int
    stateless: int
    loaded: int = 0
    closed: int = 0
    withheld: int = 0
    without_unit: int = 0
    replaced: date | None = None
    cleared: bool = True
    seconds: float = 0.0

    @property
    def repeated(self) -> int:
        return self.establishments - self.stateless - self.loaded


async def import_sirene(
    establishments: Path,
    legal_units: Path,
    *,
    edition: date | None,
    accept_shrinking: bool,
    progress: Progress,
    now: datetime,
) -> Summary:
    """Replace the register by what the two files say. Until that is done, it stays as it was.

    :raises SireneFileError: a file can't be read, or is not the one that it should be.
    :raises ImportRefusedError: what would be loaded is empty or too small, has no date, or goes with another file.
    :raises ScratchSpaceError: there is no room to work.
    :raises ReplacementUnderWayError: another import is under way.
    :raises RegisterInUseError: readers kept the old one for too long.
    :raises RegisterFixedError: the database does not let the table be replaced.
    """
    started = time.monotonic()
    files = {LEGAL_UNIT: open_sirene_file(legal_units), ESTABLISHMENT: open_sirene_file(establishments)}
    register = await RegisterEdition.current()
    async with replacement() as new:
        before = None if accept_shrinking else register
        summary = await _fill(new, files, edition=edition, before=before, progress=progress, now=now)
        await _publish(new, summary, progress, now)
        cleared = await _clear(new, progress)
    replaced = None if register is None else register.edition
    return replace(summary, replaced=replaced, cleared=cleared, seconds=time.monotonic() - started)


async def _fill(
    new: Replacement,
    files: dict[Stock, SireneFile],
    *,
    edition: date | None,
    before: RegisterEdition | None,
    progress: Progress,
    now: datetime,
) -> Summary:
    """Read the files into the new copy.

    :raises ImportRefusedError: the copy should not become the register. This is checked before it is loaded, as far as
        it can be known then, and again afterwards.
    """
    with scratch_folder() as folder, Staging(folder) as staging:
        await _read(staging, files, progress)
        summary = await _in_thread(partial(_summarise_files, staging, edition, now))
        if before is not None:
            _check_size("legal units", summary.legal_units, before.legal_units)
            # No more than these can be loaded: too few already need not be.
            _check_size("entries", summary.establishments - summary.stateless, before.entries)
        summary = await _load(staging, new, summary, progress)
    if summary.without_unit == summary.loaded:
        raise ImportRefusedError("No establishment has its legal unit in the other file: are they of one edition?")
    if before is not None:
        _check_size("entries", summary.loaded, before.entries)
    return summary


async def _read(staging: Staging, files: dict[Stock, SireneFile], progress: Progress) -> None:
    """Read all files at once. The first failure ends the others."""
    tasks = [asyncio.create_task(_read_one(staging, stock, file, progress)) for stock, file in files.items()]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            if not task.cancelling():  # To cancel twice would break off the clean-up that the first has begun.
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read_one(staging: Staging, stock: Stock, file: SireneFile, progress: Progress) -> None:
    with progress.stage(f"Reading {stock.published_as}", total=file.total, unit=file.unit) as show:
        reader = staging.reader()
        reading = asyncio.create_task(asyncio.to_thread(staging.read, stock, file, reader))
        try:
            while not (await asyncio.wait([reading], timeout=PROGRESS_EVERY_SECONDS))[0]:
                show(file.done(reader))
        finally:
            while not reading.done():  # Cancelled: only an interruption of its query ends the thread.
                reader.interrupt()
                await asyncio.wait([reading], timeout=PROGRESS_EVERY_SECONDS)
            await asyncio.gather(reading, return_exceptions=True)
        reading.result()


def _summarise_files(staging: Staging, edition: date | None, now: datetime) -> Summary:
    """Return what was read, and its day.

    :raises ImportRefusedError: there is no establishment, or no day.
    """
    units, establishments, stateless = staging.counts()
    if establishments == stateless:
        raise ImportRefusedError("There is no establishment to load")
    day = edition or staging.edition(today=now.date())
    if day is None:
        raise ImportRefusedError("No row has a date of treatment: name the edition with --edition")
    return Summary(day, units, establishments, stateless)


def _check_size(what: str, now: int, before: int) -> None:
    """Refuse much less than there was *before*.

    :raises ImportRefusedError: so it is.
    """
    if now < MIN_SHARE_KEPT * before:
        shrunk = f"The register would shrink from {before:,} {what} to {now:,}"
        raise ImportRefusedError(f"{shrunk}: if that is right, say --accept-shrinking")


async def _load(staging: Staging, new: Replacement, summary: Summary, progress: Progress) -> Summary:
    """Fill the new copy slice by slice, and return the summary with its numbers."""
    with progress.stage("Loading", total=summary.establishments - summary.stateless) as show:
        for first, end in await _in_thread(staging.ranges):
            part = await _in_thread(partial(staging.slice, first, end))
            await new.add(part.rows)
            summary = replace(
                summary,
                loaded=summary.loaded + part.entries,
                closed=summary.closed + part.closed,
                withheld=summary.withheld + part.withheld,
                without_unit=summary.without_unit + part.without_unit,
            )
            show(summary.loaded)
    return summary


async def _publish(new: Replacement, summary: Summary, progress: Progress, now: datetime) -> None:
    edition = RegisterEdition(
        source=OrganisationSource.SIRENE,
        edition=summary.edition,
        imported_at=now,
        legal_units=summary.legal_units,
        entries=summary.loaded,
        closed=summary.closed,
        withheld=summary.withheld,
    )
    with progress.stage("Indexing"):
        await new.complete()
    with progress.stage("Replacing the register"):
        await new.publish(edition)


async def _clear(new: Replacement, progress: Progress) -> bool:
    """Remove the old copy, and return whether that was done. The register has been replaced in any case."""
    try:
        with progress.stage("Removing the old one"):
            await new.clear()
    except (asyncio.CancelledError, *DATABASE_FAILURES):
        if (this := asyncio.current_task()) is not None:
            this.uncancel()
        return False
    return True


async def _in_thread(work: Callable[[], T]) -> T:
    """Do *work* in a thread and return its result. If cancelled, wait for its end: it needs what the caller owns."""
    working = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    finally:
        await asyncio.gather(working, return_exceptions=True)
