"""What a rule looks at, from the rollups: one statement for each kind of condition.

A window begins with a whole minute, or a whole hour where it is longer than six hours, and ends now: so it is at most
a minute (an hour) longer than the rule says, and never shorter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.engine import RowMapping

from ..measures import MEASURES
from ..measuring import COLUMNS, quantiles
from ..store import Store
from .conditions import Burn, Pair, absent, burning, past
from .core import Verdict
from .rules import Absence, BurnRate, Rule, Threshold, milliseconds
from .states import Group

__all__ = ["MOST_GROUPS", "verdicts", "window_of"]

MOST_GROUPS: Final = 1000
_HOURLY: Final = timedelta(hours=6)

_VALUES: Final = """
SELECT {groups} AS groups, sum(count)::bigint AS count, sum(total) AS total,
       min(smallest) AS smallest, max(largest) AS largest,
       coalesce(sum(count) FILTER (WHERE measure LIKE '%.completed'), 0)::bigint AS completed, {sketches} AS sketches
  FROM {table}
 WHERE namespace = :namespace AND measure = ANY(:measures) AND at >= :first AND at < :last {chosen}
 GROUP BY 1 ORDER BY 1 LIMIT :limit
"""

_BURNS: Final = """
SELECT {groups} AS groups,
       coalesce(sum(count) FILTER (WHERE measure LIKE '%.completed'), 0)::bigint AS good,
       coalesce(sum(count) FILTER (WHERE measure LIKE '%.faulted'), 0)::bigint AS bad
  FROM {table}
 WHERE namespace = :namespace AND measure = ANY(:measures) AND at >= :first AND at < :last {chosen}
 GROUP BY 1 ORDER BY 1 LIMIT :limit
"""

_SKETCHES: Final = "array_agg(sketch::text) FILTER (WHERE sketch <> '{}')"


@dataclass(frozen=True, slots=True)
class Window:
    first: datetime
    last: datetime
    hourly: bool

    @property
    def seconds(self) -> float:
        return (self.last - self.first).total_seconds()


def window_of(length: int, until: datetime) -> Window:
    """The last ``length`` milliseconds before ``until``, and what belongs to the minute or hour in which they begin."""
    span = timedelta(milliseconds=length)
    first = (until - span).astimezone(UTC).replace(second=0, microsecond=0)
    hourly = span > _HOURLY
    return Window(first.replace(minute=0) if hourly else first, until, hourly)


async def verdicts(
    store: Store, namespace: str, rule: Rule, until: datetime, known: Sequence[Group]
) -> dict[Group, tuple[Verdict, bool]]:
    """Of every group that has data, and of those that are ``known``; whether a group has data is the second value.

    Raises :class:`lowtide.errors.Unavailable`.
    """
    if isinstance(rule.condition, BurnRate):
        found: Mapping[Group, Any] = await _burns(store, namespace, rule, rule.condition.pairs, until)
    else:
        found = await _values(store, namespace, rule, until)
    groups = dict.fromkeys([*found, *(() if rule.by else ((),)), *known])
    window = window_of(milliseconds(rule.window), until)
    return {
        group: (_judge(rule, found.get(group), window), group in found) for group in list(groups)[: 2 * MOST_GROUPS]
    }


def _judge(rule: Rule, found: Any, window: Window) -> Verdict:
    """``found``: a row of values, or a list of burns; ``None`` where a group has no data."""
    match rule.condition:
        case BurnRate(objective=objective, resolve=share, least=least) as of:
            none = [(pair, Burn(0, 0), Burn(0, 0)) for pair in of.pairs]
            return burning(found or none, objective, share=share, least=least)
        case Absence():
            return absent(found["count"] if found else 0, milliseconds(rule.window))
        case Threshold(above=above, below=below, resolve=resolve):
            return past(_value(rule, found, window), above, below, resolve)


def _value(rule: Rule, row: RowMapping | None, window: Window) -> float | None:
    counted = rule.value in ("count", "perSecond", "total", "concurrency")
    if row is None:
        return 0.0 if counted else None
    match rule.value:
        case "count" | "total" | "smallest" | "largest":
            value = row[rule.value]
        case "perSecond":
            value = row["count"] / window.seconds
        case "mean":
            value = row["total"] / row["count"] if row["count"] else None
        case "successRate":
            value = row["completed"] / row["count"] if row["count"] else None
        case "concurrency":
            value = row["total"] / 1000 / window.seconds
        case "p50" | "p95" | "p99":
            value = quantiles(row["sketches"])[rule.value]
    return None if value is None else float(value)


async def _values(store: Store, namespace: str, rule: Rule, until: datetime) -> dict[Group, RowMapping]:
    window = window_of(milliseconds(rule.window), until)
    sketches = _SKETCHES if rule.value in ("p50", "p95", "p99") else "NULL"
    return {tuple(row["groups"]): row for row in await _ask(store, _VALUES, namespace, rule, window, sketches=sketches)}


async def _burns(
    store: Store, namespace: str, rule: Rule, pairs: Sequence[Pair], until: datetime
) -> dict[Group, list[tuple[Pair, Burn, Burn]]]:
    lengths = {length for pair in pairs for length in (pair.long, pair.short)}
    burns: dict[int, dict[Group, Burn]] = {}
    for length in lengths:
        rows = await _ask(store, _BURNS, namespace, rule, window_of(length, until))
        burns[length] = {tuple(row["groups"]): Burn(row["good"], row["bad"]) for row in rows}
    none = Burn(0, 0)
    groups = {group for found in burns.values() for group in found}
    return {
        group: [(pair, burns[pair.long].get(group, none), burns[pair.short].get(group, none)) for pair in pairs]
        for group in groups
    }


async def _ask(
    store: Store, statement: str, namespace: str, rule: Rule, window: Window, **parts: str
) -> Sequence[RowMapping]:
    filters = {"workflow": rule.workflow, "version": rule.version, "task": rule.task}
    chosen = {name: value for name, value in filters.items() if value is not None}
    rollups = MEASURES[rule.measure].rollups
    made = statement.format(
        groups=f"ARRAY[{', '.join(COLUMNS[name] for name in rule.by)}]::text[]",
        table="rollups_hour" if window.hourly else "rollups_minute",
        chosen=" ".join(f"AND {name} = :{name}" for name in chosen),
        **parts,
    )
    wanted = [name for name in rollups if not rule.status or name.partition(".")[2] in rule.status]
    values = {"namespace": namespace, "measures": wanted, "first": window.first, "last": window.last}
    return await store.ask(text(made), {**values, **chosen, "limit": MOST_GROUPS})
