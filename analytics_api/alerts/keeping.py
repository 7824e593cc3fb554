"""What is no longer of interest goes: alerts that are long over, with what was told of them, and silences."""

from __future__ import annotations

from typing import Final

from lowtide.storage.database import Connection

__all__ = ["forget_old"]

_DAYS: Final = 90
_PORTION: Final = 1000

_ALERTS: Final = """
WITH old AS (
  DELETE FROM alerts WHERE id IN (
    SELECT id FROM alerts WHERE resolved_at < clock_timestamp() - %(days)s * interval '1 day' LIMIT %(portion)s)
  RETURNING id)
DELETE FROM alert_deliveries WHERE alert IN (SELECT id FROM old) AND state <> 'waiting'
"""


async def forget_old(connection: Connection) -> None:
    """A portion at a time: the next tick goes on."""
    await connection.execute(_ALERTS, {"days": _DAYS, "portion": _PORTION})
    await connection.execute("DELETE FROM alert_silences WHERE until < clock_timestamp() - interval '7 days'")
