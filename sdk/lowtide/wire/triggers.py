"""Who gets which events: the one table from which the laptop's broker and Knative's Triggers are made.

Filters are in Knative's dialects (``exact``, ``prefix``, ``any``, ``all``, ``not``) on CloudEvent attributes.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from lowtide.wire.types import (
    ALERT_FIRED,
    ALERT_RESOLVED,
    ALERT_TICK,
    ALERT_WATCH,
    DISPATCH,
    LIFECYCLE,
    OUTCOMES,
    REGISTERED,
    SOURCES,
    TICK,
)

__all__ = ["ALERT_TICK_PATH", "DEAD_LETTER_PATH", "TICK_PATH", "TRIGGERS", "TriggerSpec"]

ALERT_TICK_PATH: Final = "/alerts/ticks"
"""Where the analytics API is asked to look at the alert rules that are due."""

DEAD_LETTER_PATH: Final = "/dead-letters"
"""Where orchestrate takes events that could not be delivered."""

TICK_PATH: Final = "/ticks"
"""Where orchestrate takes the minute's tick of a PingSource: its events have one fixed type, so no Trigger filter for
:data:`lowtide.wire.types.TICK` would see them, and the tick that mends what a broken Broker lost must not need it."""


class TriggerSpec(NamedTuple):
    """One subscription of a deployable to the Broker.

    ``filters`` must all match. ``retries`` follow the first attempt, with exponential back-off from ``backoff``
    seconds; then the event goes to orchestrate's :data:`DEAD_LETTER_PATH`.
    """

    name: str
    subscriber: Literal["execute", "orchestrate", "analytics"]
    path: str
    filters: tuple[dict[str, Any], ...]
    retries: int = 8
    backoff: float = 1.0


def _exact(event_type: str) -> dict[str, Any]:
    return {"exact": {"type": event_type}}


TRIGGERS: Final = (
    TriggerSpec("execute-dispatches", "execute", "/", (_exact(DISPATCH),)),
    TriggerSpec(
        "orchestrate-outcomes",
        "orchestrate",
        "/events",
        ({"any": [_exact(event_type) for event_type in (*OUTCOMES, REGISTERED)]},),
    ),
    TriggerSpec("orchestrate-ticks", "orchestrate", "/events", (_exact(TICK),), retries=1),
    # Not the tick itself: orchestrate, which is there at every tick, asks while there are rules, and seldom otherwise.
    TriggerSpec("analytics-alerts", "analytics", ALERT_TICK_PATH, (_exact(ALERT_TICK),), retries=1),
    TriggerSpec("orchestrate-alerts", "orchestrate", "/events", (_exact(ALERT_WATCH),)),
    TriggerSpec(
        "orchestrate-world",
        "orchestrate",
        "/events",
        (
            {
                "any": [
                    {"not": {"prefix": {"type": "dev.lowtide."}}},
                    _exact(ALERT_FIRED),
                    _exact(ALERT_RESOLVED),
                ]
            },
            # Orchestrate shows its own to those who listen before it publishes them: they need not wake it.
            {"not": {"all": [{"prefix": {"type": LIFECYCLE + "workflow."}}, {"prefix": {"source": SOURCES}}]}},
        ),
    ),
)
