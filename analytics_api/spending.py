"""What was spent, as the rollups have it: the columns that add it up, and by which prices.

What is added up knows nothing of instances that invocations shared: its price is the most that they can have cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy.engine import RowMapping

from lowtide.errors import InvalidInput
from lowtide.model.cost import PRESETS, Prices, Quantities

__all__ = ["SPENT_COLUMNS", "prices_of", "quantities"]

SPENT_COLUMNS: Final = """
       coalesce(sum(count) FILTER (WHERE measure = 'invocations.active_ms'), 0)::bigint AS invocations,
       coalesce(sum(count) FILTER (WHERE measure = 'invocations.cold_start_ms'), 0)::bigint AS cold_starts,
       coalesce(sum(total) FILTER (WHERE measure = 'invocations.active_ms'), 0) AS active_ms,
       coalesce(sum(total) FILTER (WHERE measure = 'invocations.cold_start_ms'), 0) AS cold_start_ms,
       coalesce(sum(total) FILTER (WHERE measure = 'invocations.cpu_ms'), 0) AS cpu_ms,
       coalesce(sum(total) FILTER (WHERE measure = 'invocations.gb_seconds'), 0) AS gb_seconds,
       coalesce(sum(total) FILTER (WHERE measure = 'invocations.input_tokens'), 0)::bigint AS input_tokens,
       coalesce(sum(total) FILTER (WHERE measure = 'invocations.output_tokens'), 0)::bigint AS output_tokens
"""
"""Of the measures ``lowtide.model.rollup.SPENT``."""


def quantities(row: RowMapping | Mapping[str, Any]) -> Quantities:
    return Quantities(
        invocations=row["invocations"],
        cold_starts=row["cold_starts"],
        active_ms=row["active_ms"],
        cold_start_ms=row["cold_start_ms"],
        cpu_ms=row["cpu_ms"],
        gb_seconds=row["gb_seconds"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
    )


def prices_of(name: str | None, usual: Prices) -> Prices:
    """Raises :class:`lowtide.errors.InvalidInput` where this server has no such price list."""
    if name is None or name == usual.name:
        return usual
    if name not in PRESETS:
        raise InvalidInput(f"there is no price list {name[:80]!r} here; there are {', '.join({usual.name, *PRESETS})}")
    return PRESETS[name]
