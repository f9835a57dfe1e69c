"""The use case: INSEE's two files become the register."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from api.sirene.duckdb_reading import SireneFileError
from api.sirene.files import open_sirene_file
from api.sirene.scratch import ScratchSpaceError, scratch_folder
from api.sirene.staging import ESTABLISHMENT, LEGAL_UNIT, Staging
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
    from api.sirene.staging import Kind
    from models.sirene.replacement import Replacement

T = TypeVar("T")

LEAST_KEPT = 0.9  # Of what was there before.
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
"""What an import ends with that fails as can be foreseen: their messages are one line each."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import has read and loaded, and what it has left out.

    *repeated* and *stateless* were read and not loaded: other rows for a SIRET, and establishments that are neither
    open nor closed. *closed*, *withheld* (partly published: no name is given) and *without_unit* (their legal unit is
    in no file: no name is known) are among those *loaded*. *replaced* is the edition that was there before, None where
    there was none. Not *cleared*, the old copy waits for the next import.
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
    """Replace the register by what the two files say; until that is done, it stays as it was.

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
    files: dict[Kind, SireneFile],
    *,
    edition: date | None,
    before: RegisterEdition | None,
    progress: Progress,
    now: datetime,
) -> Summary:
    """Read the files into the new copy.

    :raises ImportRefusedError: it should not become the register, as far as that is known before it is loaded, or then.
    """
    with scratch_folder() as folder, Staging(folder) as staging:
        await _read(staging, files, progress)
        summary = await _in_thread(partial(_read_so_far, staging, edition, now))
        if before is not None:
            _check_size("legal units", summary.legal_units, before.legal_units)
            # As many at most: what is too small already need not be loaded.
            _check_size("entries", summary.establishments - summary.stateless, before.entries)
        summary = await _load(staging, new, summary, progress)
    if summary.without_unit == summary.loaded:
        raise ImportRefusedError("No establishment has its legal unit in the other file: are they of one edition?")
    if before is not None:
        _check_size("entries", summary.loaded, before.entries)
    return summary


async def _read(staging: Staging, files: dict[Kind, SireneFile], progress: Progress) -> None:
    """Read the files, beside each other; the first failure ends both."""
    tasks = [asyncio.create_task(_read_one(staging, kind, file, progress)) for kind, file in files.items()]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            if not task.cancelling():  # A second time, it would break off what the first has begun.
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read_one(staging: Staging, kind: Kind, file: SireneFile, progress: Progress) -> None:
    with progress.stage(f"Reading {kind.published_as}", total=file.total, unit=file.unit) as show:
        reader = staging.reader()
        reading = asyncio.create_task(asyncio.to_thread(staging.read, kind, file, reader))
        try:
            while not (await asyncio.wait([reading], timeout=PROGRESS_EVERY_SECONDS))[0]:
                show(file.done(reader))
        finally:
            while not reading.done():  # Broken off: a thread ends by itself only.
                reader.interrupt()
                await asyncio.wait([reading], timeout=PROGRESS_EVERY_SECONDS)
            await asyncio.gather(reading, return_exceptions=True)
        reading.result()


def _read_so_far(staging: Staging, edition: date | None, now: datetime) -> Summary:
    """What was read, and of which day.

    :raises ImportRefusedError: it has no day, or there is nothing.
    """
    units, establishments, stateless = staging.counts()
    if establishments == stateless:
        raise ImportRefusedError("There is no establishment to load")
    day = edition or staging.edition(today=now.date())
    if day is None:
        raise ImportRefusedError("No row has a date of treatment: name the edition with --edition")
    return Summary(day, units, establishments, stateless)


def _check_size(what: str, now: int, before: int) -> None:
    """:raises ImportRefusedError: there is much less than *before*."""
    if now < LEAST_KEPT * before:
        shrunk = f"The register would shrink from {before:,} {what} to {now:,}"
        raise ImportRefusedError(f"{shrunk}: if that is right, say --accept-shrinking")


async def _load(staging: Staging, new: Replacement, summary: Summary, progress: Progress) -> Summary:
    """Fill the new copy, slice by slice."""
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
    """Whether the old copy is removed. The register has been replaced: what happens now undoes nothing of that."""
    try:
        with progress.stage("Removing the old one"):
            await new.clear()
    except (asyncio.CancelledError, *DATABASE_FAILURES):
        if (this := asyncio.current_task()) is not None:
            this.uncancel()
        return False
    return True


async def _in_thread(work: Callable[[], T]) -> T:
    """What *work* comes to; a caller that is cancelled waits for its end, as what it works with can't go before."""
    working = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    finally:
        await asyncio.gather(working, return_exceptions=True)
