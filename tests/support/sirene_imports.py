"""Imports of the register in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

import pytest

from api.sirene.importing import Summary, import_sirene
from api.sirene.progress import Progress
from tests.support.doubles import Clock
from tests.support.sirene_files import (
    Format,
    SireneFiles,
)

each_format = pytest.mark.parametrize("format_", list(Format))
NOW = Clock().now


class NoProgress:
    """A progress report that nobody sees."""

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: str = "rows") -> Iterator[Callable[[int], None]]:
        yield lambda _: None


async def load(
    files: SireneFiles,
    *,
    edition: date | None = None,
    accept_shrinking: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Import *files* in this process."""
    return await import_sirene(
        files.establishments,
        files.legal_units,
        edition=edition,
        accept_shrinking=accept_shrinking,
        progress=progress or NoProgress(),
        now=NOW,
    )


def options(files: SireneFiles) -> list[str]:
    return ["--establishments", str(files.establishments), "--legal-units", str(files.legal_units)]
