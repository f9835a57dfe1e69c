"""The progress of an import, as it is shown while it goes on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from rich.progress import Task


class Progress(Protocol):
    """A display of stages. Several may go on at once."""

    def stage(
        self, name: str, *, total: int | None = None, unit: str = "rows"
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Show a stage while the block lasts. Yield a function to be called with how much of *total* is done.

        Without a *total*, the stage is shown as going on.
        """


class Terminal:
    """Bars on standard error, with rate and time left; if that is no terminal, a line for each stage."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bars = Bars(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            TaskProgressColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    @contextmanager
    def showing(self) -> Iterator[Terminal]:
        """Show the bars while the block lasts."""
        with self._bars:
            yield self

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: str = "rows") -> Iterator[Callable[[int], None]]:
        if not self._console.is_terminal:
            self._console.print(f"{name} …")
        bar = self._bars.add_task(name, total=total, unit=unit)
        yield lambda done: self._bars.update(bar, completed=done)
        self._bars.update(bar, total=total or 1, completed=total or 1)


class _Rate(ProgressColumn):
    """A column with rows or bytes a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if speed is None or task.total is None:
            return Text("")
        unit = task.fields["unit"]
        return Text(f"{decimal(int(speed))}/s" if unit == "bytes" else f"{speed:,.0f} {unit}/s")
