"""The tables of alerts, in the analytics store. The analytics API alone writes and reads them, by hand-written SQL; the
migrations are tested against this."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Double, Identity, Index, Integer, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from lowtide.storage.analytics import metadata

__all__ = ["metadata"]


def _moment(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _json(name: str) -> Column[Any]:
    return Column(name, JSONB, nullable=False)


rules = Table(
    "alert_rules",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    # As it is shown; secrets of webhooks are apart, by their URLs, and never shown.
    _json("spec"),
    _json("secrets"),
    # How often it is looked at, in milliseconds.
    Column("every", BigInteger, nullable=False),
    _moment("created_at"),
    _moment("changed_at"),
    _moment("due_at"),
    _moment("looked_at", nullable=True),
    # Why the last look found nothing out.
    Column("problem", Text),
)
"""One row is locked while its rule is looked at: nobody else looks meanwhile."""
Index("alert_rules_by_due", rules.c.due_at)

states = Table(
    "alert_states",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    # The values of what the rule is grouped by, a JSON array.
    Column("members", Text, primary_key=True),
    # A Memory of alerts/core.py.
    _json("memory"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Uuid(as_uuid=True), primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("rule", Text, nullable=False),
    # What the rule is grouped by -> value.
    _json("members"),
    # pending, firing, resolved. One that was pending and never fired is deleted.
    Column("phase", Text, nullable=False),
    _moment("since"),
    _moment("fired_at", nullable=True),
    _moment("resolved_at", nullable=True),
    _moment("told_at", nullable=True),
    Column("value", Double),
    Column("why", Text, nullable=False),
    _moment("acknowledged_at", nullable=True),
    Column("acknowledged_by", Text),
    Column("note", Text),
)
Index("alerts_by_time", alerts.c.namespace, alerts.c.since.desc(), alerts.c.id.desc())
Index("alerts_open", alerts.c.namespace, alerts.c.rule, postgresql_where=alerts.c.resolved_at.is_(None))
Index("alerts_by_end", alerts.c.resolved_at, postgresql_where=alerts.c.resolved_at.is_not(None))

silences = Table(
    "alert_silences",
    metadata,
    Column("id", Uuid(as_uuid=True), primary_key=True),
    Column("namespace", Text, nullable=False),
    # Null: of all rules.
    Column("rule", Text),
    # Of groups with all of these.
    _json("members"),
    _moment("created_at"),
    _moment("until"),
    Column("reason", Text, nullable=False),
    Column("created_by", Text, nullable=False),
)
Index("alert_silences_by_time", silences.c.namespace, silences.c.until)

deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("alert", Uuid(as_uuid=True), nullable=False),
    # Empty: the Broker.
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    # A CloudEvent in JSON form; its id stays the same however often it is sent.
    _json("event"),
    # waiting, delivered, failed
    Column("state", Text, nullable=False, server_default=text("'waiting'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _moment("next_at"),
    _moment("give_up_at"),
    _moment("ended_at", nullable=True),
    Column("problem", Text),
)
"""Written in the transaction that decides it. A claim moves ``next_at`` on: no transaction is held while it is sent."""
Index("alert_deliveries_due", deliveries.c.next_at, postgresql_where=deliveries.c.state == "waiting")
Index("alert_deliveries_by_alert", deliveries.c.alert, deliveries.c.id)

watch = Table(
    "alert_watch",
    metadata,
    # There is one row.
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
    # In milliseconds; null where nothing has to be looked at.
    Column("every", BigInteger),
)
"""How often orchestrate was told to ask."""
