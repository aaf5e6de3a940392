"""What a person sees while a command works: bars on a terminal, a line per event where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from tb.flow.progress import Position

# Where there is no terminal to ask for its width (CI logs, pipes), tables are as wide as this.
PIPE_WIDTH = 120

console = Console(highlight=False, soft_wrap=True)
if not console.is_terminal:
    console.width = PIPE_WIDTH
error_console = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A line for the user, markup taken literally."""
    console.print(escape(text))


def complain(text: str) -> None:
    """A line on standard error."""
    error_console.print(escape(text))


class Display:
    """The live part of the screen: a line with a bar per thing under way, below lines that stay."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[what]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._progress.console.print(escape(text))

    @contextmanager
    def bar(self, title: str, total: int | None = None) -> Iterator[Bar]:
        """A line with a bar that goes away at the end; without a total it only shows that work goes on."""
        task = self._progress.add_task(escape(title), total=total, what="")
        try:
            yield Bar(self._progress, task)
        finally:
            self._progress.remove_task(task)


class Bar:
    """One line of the live part."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def show(self, position: Position) -> None:
        """Move to where a simulation says it is."""
        self._progress.update(
            self._task, completed=position.done, total=max(position.total, 1), what=escape(position.what)
        )

    def advance(self) -> None:
        """One more unit is done."""
        self._progress.advance(self._task)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table for people; columns of numbers are aligned to the right."""
    table = Table(title=escape(title) or None, title_justify="left", header_style="bold")
    for number, column in enumerate(columns):
        numeric = all(isinstance(row[number], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for row in rows:
        table.add_row(*(escape(shown(value)) for value in row))
    console.print(table)


def shown(value: object) -> str:
    """A value as people read it: thousands apart, three significant digits of a fraction."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
