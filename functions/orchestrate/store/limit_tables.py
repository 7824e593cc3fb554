"""The tables of limits: what operators say of workflows, and how fast starts were admitted. As ``tables``."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Float, Index, LargeBinary, Table, Text

from .tables import metadata

__all__ = ["gates", "rates"]

gates = Table(
    "gates",
    metadata,
    Column("namespace", Text, primary_key=True),
    # Empty: the whole namespace.
    Column("workflow", Text, primary_key=True),
    # Since when starts wait, and why.
    Column("paused_at", DateTime(timezone=True)),
    Column("reason", Text),
    # How many starts per second are let through until none waits any more.
    Column("ramp", Float),
    # JSON of an operator's limits, which replace the document's.
    Column("limits", LargeBinary),
)
"""What operators say of a workflow or a namespace; no row: nothing."""

rates = Table(
    "rates",
    metadata,
    Column("bucket", Text, primary_key=True),
    # When the newest starts of the period were admitted, oldest first: JSON of microseconds since 1970.
    Column("moments", LargeBinary, nullable=False),
    # From when on none of them matters.
    Column("until", DateTime(timezone=True), nullable=False),
)
Index("rates_by_end", rates.c.until)
