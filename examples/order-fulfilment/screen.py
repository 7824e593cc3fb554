"""What one sees while the demo runs: lines that stay, and below them how many processes there are now.

On a terminal the last lines are redrawn in place; elsewhere a line is written whenever the numbers have changed.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

__all__ = ["Screen"]

_SERVICES: Final = ("execute", "ingest", "orchestrate", "analytics")
_BARS: Final = "▁▂▃▄▅▆▇█"
_STYLES: Final = {
    "waiting": "yellow",
    "running": "cyan",
    "completed": "green",
    "faulted": "red",
    "cancelled": "magenta",
}


class Screen:
    """A context; :meth:`note` writes a line that stays, :meth:`show` says how things are."""

    def __init__(self) -> None:
        self._console = Console(soft_wrap=True)
        self._live = Live(self, console=self._console, refresh_per_second=6, transient=True)
        self._began = time.monotonic()
        self._processes: dict[str, int] = {}
        self._phases: Counter[str] = Counter()
        self._changes: list[int] = []
        self._history: list[int] = []
        self._last = ""

    def __enter__(self) -> Self:
        if sys.stdout.isatty():
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live.is_started:
            self._live.stop()

    @property
    def elapsed(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._began

    @property
    def execute(self) -> list[int]:
        """How many execute processes there were, one after the other: ``[0, 2, 3, 0, 1, 0]``."""
        return self._changes

    def note(self, text: str) -> None:
        self._console.print(f"[bright_black]{self.elapsed:6.1f} s[/]  {text}", highlight=False)

    def line(self, text: str) -> None:
        """A line that stays, without the time."""
        self._console.print(text, highlight=False, markup=False)

    def show(self, processes: dict[str, int], phases: Counter[str] | None = None) -> None:
        """Take in how many processes each service has, and how many orders are in each phase."""
        self._processes = processes
        if phases is not None:
            self._phases = phases
        execute = processes.get("execute", 0)
        self._history = [*self._history, execute][-60:]
        if not self._changes or self._changes[-1] != execute:
            self._changes.append(execute)
        if not self._live.is_started and (line := self._line()) != self._last:
            self._last = line
            self.note(line)

    def _line(self) -> str:
        processes = "  ".join(f"{name} {self._processes.get(name, 0)}" for name in _SERVICES)
        phases = ", ".join(f"{count} {phase}" for phase, count in sorted(self._phases.items()))
        return f"processes: {processes}" + (f"  |  orders: {phases}" if phases else "")

    def __rich__(self) -> Group:
        orders = Text("orders     ")
        for phase, count in sorted(self._phases.items()):
            orders.append("●" * count, style=_STYLES.get(phase, "white")).append(f" {count} {phase}  ")
        bars = "".join(_BARS[min(count, 4) * 2 - 1] if count else "·" for count in self._history)
        processes = Text("processes  ")
        for name in _SERVICES:
            count = self._processes.get(name, 0)
            processes.append(f"{name} {count}  ", style="bold green" if count else "bright_black")
        return Group(Text(""), orders, processes, Text(f"execute    {bars}", style="cyan"))
