"""What this process did, counted as it was committed."""

from __future__ import annotations

from lowtide.telemetry.measures import Count
from lowtide.wire.types import Ended, Parked, Registered

from .work import Aftermath

__all__ = ["Tally"]


class Tally:
    """Counts what was committed; told after each commit."""

    def __init__(self) -> None:
        self.starts = Count("lowtide_starts_total", "Executions that began here")
        self.ends = Count("lowtide_executions_ended_total", "Executions that ended, by outcome", ("phase",))
        self.cold_starts = Count("lowtide_cold_starts_total", "Invocations for which a process of execute came up")
        self.ticks = Count("lowtide_ticks_total", "Ticks handled")

    def reported(self, report: Parked | Ended | Registered) -> None:
        """A report of execute's was applied."""
        if not isinstance(report, Registered) and report.usage.cold_start:
            self.cold_starts.add()

    def committed(self, after: Aftermath) -> None:
        if after.started:
            self.starts.add(by=after.started)
        for ended in after.ended:
            self.ends.add(ended.phase)
