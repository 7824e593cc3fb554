"""The live timeline of ``lowtide run``: one line per task, redrawn while the workflow runs."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from lowtide.cli.shown import MARKS
from lowtide.model.fact import Fact, TaskStatus
from lowtide.model.timeline import TaskRow, fold

__all__ = ["LiveTimeline"]

_STYLES: Final[dict[TaskStatus, str]] = {
    "running": "cyan",
    "waiting": "yellow",
    "retried": "yellow",
    "skipped": "bright_black",
    "cancelled": "magenta",
    "faulted": "red",
    "completed": "green",
}
_ROOM: Final = 6
"""Lines of the terminal that are left to the prompt and the heading."""


class LiveTimeline:
    """A context in which :meth:`add` redraws the timeline on stderr; what is drawn last stays."""

    def __init__(self, heading: str) -> None:
        self._heading = heading
        self._console = Console(stderr=True)
        self._spinner: Spinner | None = Spinner("dots")
        self._facts: list[Fact] = []
        self._live = Live(self, console=self._console, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spinner = None
        self._live.stop()

    def add(self, facts: tuple[Fact, ...]) -> None:
        self._facts.extend(facts)

    def __rich__(self) -> Group:
        rows = fold(self._facts)
        room = max(self._console.height - _ROOM, 5)
        hidden = len(rows) - room
        heading = f"{self._heading} · {hidden} earlier tasks" if hidden > 0 else self._heading
        table = Table.grid(padding=(0, 2))
        for row in rows[-room:]:
            table.add_row(*_cells(row))
        if self._spinner is None:
            return Group(Text(heading), table)
        self._spinner.update(text=heading)
        return Group(self._spinner, table)


def _cells(row: TaskRow) -> tuple[Text, Text, Text, Text, Text]:
    mark, style = MARKS[row.status], _STYLES[row.status]
    depth = sum(1 for part in row.reference.split("/") if part.isdecimal()) - 1
    took = f"{(row.ended - row.started) / 1000:.3f} s" if row.ended is not None else ""
    attempt = f"attempt {row.attempt}" if row.attempt > 1 else ""
    why = row.error.detail or row.error.title or "" if row.error is not None else ""
    return (
        Text("  " * max(depth, 0) + f"{mark} {row.name}", style=style),
        Text(row.status, style=style),
        Text(took, style="bright_black", justify="right"),
        Text(attempt, style="yellow"),
        Text(why, style="red" if row.status == "faulted" else "bright_black", overflow="ellipsis", no_wrap=True),
    )
