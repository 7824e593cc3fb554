"""When a world is over, and what it leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from lowtide.testing.simulate.history import History, digest
from lowtide.wire import json
from lowtide.wire.claims import referred
from lowtide.wire.records import Entry
from tests.simulation.installation import Installation

__all__ = ["Ending"]

_EVERY: Final = 5.0

_LEFT: Final = """
SELECT 'control', 'execution that has not ended', count(*) FROM control.executions WHERE ended_at IS NULL
UNION ALL SELECT 'control', 'outbox', count(*) FROM control.outbox
UNION ALL SELECT 'control', 'inbox', count(*) FROM control.inbox
UNION ALL SELECT 'control', 'timers', count(*) FROM control.timers
UNION ALL SELECT 'control', 'dispatches', count(*) FROM control.dispatches
UNION ALL SELECT 'control', 'listener', count(*) FROM control.subscriptions WHERE execution IS NOT NULL
UNION ALL SELECT 'control', 'unmatched event', count(*) FROM control.kept_events WHERE matched_at IS NULL
UNION ALL SELECT 'control', 'event kept for an execution', count(*) FROM control.kept_events WHERE execution IS NOT NULL
UNION ALL SELECT 'journal', 'open lease', count(*) FROM journal.leases WHERE closed_type IS NULL AND owner IS NOT NULL
"""

_EXECUTIONS: Final = """
SELECT id::text, workflow, phase, epoch, change, convert_from(seed, 'utf8'), convert_from(output, 'utf8'),
       convert_from(error, 'utf8'), reason, parent::text, parent_command, dedupe
FROM control.executions ORDER BY id
"""
_COLUMNS: Final = (
    *("execution", "workflow", "phase", "epoch", "change", "seed", "output", "error"),
    *("reason", "parent", "parent_command", "dedupe"),
)

_JOURNAL: Final = """
SELECT execution::text, number, epoch, convert_from(body, 'utf8') FROM journal.journal ORDER BY execution, number
"""


class Ending:
    def __init__(self, installation: Installation, history: History) -> None:
        self._installation = installation
        self._history = history
        self._ask = installation.ports.control.station.ask
        self._seen: set[str] = set()

    async def wait(self, users: Sequence[asyncio.Future[None]], longest: float) -> None:
        """Until nothing is left to do, at most ``longest`` seconds."""
        ends = asyncio.get_running_loop().time() + longest
        while asyncio.get_running_loop().time() < ends:
            self.look()
            if all(user.done() for user in users) and not self._installation.broker.busy and not self._left():
                break
            await asyncio.sleep(_EVERY)
        for user in users:
            if user.done():
                user.result()

    def look(self) -> None:
        """Note every outcome that control shows for the first time, or shows differently."""
        for row in self._rows():
            if row["phase"] in ("completed", "faulted", "cancelled"):
                outcome = digest([row["phase"], row["output"], row["error"]])
                if (mark := f"{row['execution']} {outcome}") not in self._seen:
                    self._seen.add(mark)
                    self._history.note("seen", execution=row["execution"], phase=row["phase"], outcome=outcome)

    def take_stock(self) -> None:
        """Everything that the stores know at the end."""
        self.look()
        ports = self._installation.ports
        for row in self._rows():
            payload = referred((row["output"] or "").encode())
            if payload is not None:
                row["output"] = ports.content(row["execution"], payload).decode()
            self._history.note("execution", **row)
        for execution, number, epoch, entry in self._ask(_JOURNAL):
            about = {"execution": execution, "number": number, "epoch": epoch}
            whole = json.encode(ports.whole(execution, json.decode(entry, Entry))).decode()
            self._history.note("journal", **about, digest=digest(entry.encode()), entry=whole)
        for store, what, count in self._left():
            self._history.note("leftover", store=store, what=what, count=count)

    def _rows(self) -> list[dict[str, Any]]:
        return [dict(zip(_COLUMNS, row, strict=True)) for row in self._ask(_EXECUTIONS)]

    def _left(self) -> list[tuple[Any, ...]]:
        return [row for row in self._ask(_LEFT) if row[2]]
