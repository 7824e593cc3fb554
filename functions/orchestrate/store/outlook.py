"""What there is to do, asked for in one statement: a process that starts, and a tick, look before they do anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from .database import Tx
from .outbox import KINDS, Kind
from .rows import rows_of

__all__ = ["EVERYTHING", "Outlook", "outlook"]


@dataclass(frozen=True, slots=True)
class Outlook:
    """``outbox``: kinds of which there are rows, due or not. ``time``: timers or schedules are due within the horizon.
    ``lines``: dispatches wait to be admitted, or what was remembered for that is old. ``old``: executions were kept
    long enough. ``alerts``: it is time to ask for alert rules. The others: there are such."""

    outbox: frozenset[Kind]
    time: bool
    lines: bool
    containers: bool
    operations: bool
    lost: bool
    unmatched: bool
    behind: bool
    expired: bool
    forgotten: bool
    letters: bool
    removals: bool
    alerts: bool
    old: bool


EVERYTHING: Final = Outlook(frozenset(KINDS), *[True] * 13)
"""What a process assumes that cannot look."""

# Each answer needs no more than the first entry of an index; ``moment`` is asked for once, or none could be used.
_OUTLOOK = """
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS now)
SELECT ARRAY(SELECT kind FROM unnest(%(kinds)s::text[]) AS known (kind)
              WHERE EXISTS (SELECT FROM outbox WHERE outbox.kind = known.kind)),
       EXISTS (SELECT FROM timers WHERE claimed_until IS NULL
                  AND due <= (SELECT now + make_interval(secs => %(horizon)s) FROM moment))
    OR EXISTS (SELECT FROM timers WHERE claimed_until < (SELECT now FROM moment))
    OR EXISTS (SELECT FROM schedules WHERE due <= (SELECT now + make_interval(secs => %(horizon)s) FROM moment)),
       EXISTS (SELECT FROM dispatches WHERE queued_at IS NOT NULL)
    OR EXISTS (SELECT FROM rates WHERE until < (SELECT now FROM moment)),
       EXISTS (SELECT FROM containers),
       EXISTS (SELECT FROM operations WHERE ended_at IS NULL),
       EXISTS (SELECT FROM dispatches WHERE sent_at IS NOT NULL AND queued_at IS NULL),
       EXISTS (SELECT FROM kept_events WHERE matched_at IS NULL),
       EXISTS (SELECT FROM subscriptions WHERE NOT caught_up),
       EXISTS (SELECT FROM kept_events WHERE expires_at < (SELECT now FROM moment)),
       EXISTS (SELECT FROM workflow_versions AS version WHERE deleted_at IS NOT NULL
                  AND EXISTS (SELECT FROM interests WHERE interests.workflow_version = version.id)),
       EXISTS (SELECT FROM dead_letters WHERE settled_at < (SELECT now FROM moment)),
       EXISTS (SELECT FROM removals WHERE due <= (SELECT now FROM moment)),
       EXISTS (SELECT FROM alert_watch WHERE ask_at <= (SELECT now FROM moment)),
       EXISTS (SELECT FROM workflow_versions AS version WHERE EXISTS (
           SELECT FROM executions WHERE workflow_version = version.id
              AND ended_at < (SELECT now FROM moment) - coalesce(version.retain, %(retain)s::interval)))
"""


async def outlook(tx: Tx, horizon: float, retain: timedelta | None) -> Outlook:
    """``horizon``: seconds within which a timer is held until it is due; ``retain``: as in :func:`.removals.old`."""
    (row,) = await rows_of(tx, _OUTLOOK, {"horizon": horizon, "kinds": list(KINDS), "retain": retain})
    return Outlook(frozenset(row[0]), *row[1:])
