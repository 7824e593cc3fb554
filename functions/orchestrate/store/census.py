"""How much of everything there is, in one statement: for whoever watches the installation, never for a decision."""

from __future__ import annotations

from dataclasses import dataclass, field

from .database import Tx
from .rows import rows_of

__all__ = ["Census", "census"]

# Each part is answered by an index that holds little more than what is counted.
_CENSUS = """
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS now)
SELECT 'outbox', kind, count(*)::float8 FROM outbox GROUP BY kind
UNION ALL
SELECT 'overdue', kind, greatest(0, extract(epoch FROM (SELECT now FROM moment) - min(not_before)))::float8
  FROM outbox GROUP BY kind
UNION ALL
SELECT 'open', phase, count(*)::float8 FROM executions WHERE ended_at IS NULL GROUP BY phase
UNION ALL
SELECT 'inbox', '', count(*)::float8 FROM inbox
UNION ALL
SELECT 'timers', '', count(*)::float8 FROM timers
UNION ALL
SELECT 'late', '', count(*)::float8 FROM timers WHERE due < (SELECT now - interval '5 seconds' FROM moment)
UNION ALL
SELECT 'lateness', '', coalesce(greatest(0, extract(epoch FROM (SELECT now FROM moment) - min(due))), 0)::float8
  FROM timers
UNION ALL
SELECT 'outstanding', '', count(*)::float8 FROM dispatches WHERE sent_at IS NOT NULL
UNION ALL
SELECT 'queued', '', count(*)::float8 FROM dispatches WHERE queued_at IS NOT NULL
UNION ALL
SELECT 'unmatched', '', count(*)::float8 FROM kept_events WHERE matched_at IS NULL
UNION ALL
SELECT 'letters', '', count(*)::float8 FROM dead_letters WHERE settled_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Census:
    """``outbox`` rows and ``overdue`` (the seconds since the oldest could have been sent) by kind, ``open`` executions
    by phase; ``late``: timers due more than five seconds ago, ``lateness`` of the oldest in seconds; ``letters``: dead
    ones that nobody has settled."""

    outbox: dict[str, float] = field(default_factory=dict)
    overdue: dict[str, float] = field(default_factory=dict)
    open: dict[str, float] = field(default_factory=dict)
    inbox: float = 0
    timers: float = 0
    late: float = 0
    lateness: float = 0
    outstanding: float = 0
    queued: float = 0
    unmatched: float = 0
    letters: float = 0


async def census(tx: Tx) -> Census:
    by: dict[str, dict[str, float]] = {"outbox": {}, "overdue": {}, "open": {}}
    single: dict[str, float] = {}
    for what, which, number in await rows_of(tx, _CENSUS, {}):
        if which:
            by[what][which] = number
        else:
            single[what] = number
    return Census(
        by["outbox"],
        by["overdue"],
        by["open"],
        inbox=single["inbox"],
        timers=single["timers"],
        late=single["late"],
        lateness=single["lateness"],
        outstanding=single["outstanding"],
        queued=single["queued"],
        unmatched=single["unmatched"],
        letters=single["letters"],
    )
