"""What is told of an alert, and to whom: the event and rows to be delivered, written with what decides it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

from psycopg.types.json import Jsonb

from lowtide.model.base import JSON
from lowtide.storage.database import Connection
from lowtide.wire.types import ALERT_FIRED, ALERT_RESOLVED, SOURCES, Extension

from ..answers import shown
from .rules import Rule

__all__ = ["BROKER", "Told", "What", "event_of", "tell"]

What: TypeAlias = Literal["fired", "resolved"]

BROKER: Final = ""
"""Stands where a webhook's URL would."""

_TELL: Final = """
INSERT INTO alert_deliveries (alert, url, secret, event, next_at, give_up_at)
VALUES (%(alert)s, %(url)s, %(secret)s, %(event)s, clock_timestamp(),
        clock_timestamp() + %(patience)s * interval '1 second')
"""


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as it was found at moment ``at``."""

    alert: str
    namespace: str
    rule: str
    group: dict[str, str]
    value: float | None
    why: str
    since: datetime
    at: datetime


def event_of(what: What, told: Told, rule: Rule) -> dict[str, JSON]:
    """The CloudEvent in JSON form. Its id follows from the alert and from what happened to it."""
    workflow = told.group.get("workflow", rule.workflow)
    data: dict[str, JSON] = {
        "alert": told.alert,
        "rule": told.rule,
        "description": rule.description,
        "namespace": told.namespace,
        "group": told.group,
        "state": "firing" if what == "fired" else "resolved",
        "measure": rule.measure,
        "valueOf": rule.value,
        "value": told.value,
        "why": told.why,
        "window": rule.window,
        "condition": rule.condition.model_dump(mode="json", by_alias=True, exclude_none=True),
        "since": shown(told.since),
    }
    return {
        "specversion": "1.0",
        "id": f"{told.alert}:{what}",
        "source": f"{SOURCES}{quote(told.namespace, safe='')}/alerts/{told.rule}",
        "type": ALERT_FIRED if what == "fired" else ALERT_RESOLVED,
        "time": shown(told.at),
        "subject": told.rule,
        "datacontenttype": "application/json",
        Extension.namespace: told.namespace,
        **({Extension.workflow: workflow} if workflow else {}),
        "data": data,
    }


async def tell(
    connection: Connection, what: What, told: Told, rule: Rule, secrets: dict[str, str], patience: float
) -> None:
    """To everybody whom the rule names; for ``patience`` seconds it is tried."""
    event = event_of(what, told, rule)
    for url in ([BROKER] if rule.event else []) + [one.url for one in rule.webhooks]:
        values: dict[str, Any] = {"alert": told.alert, "url": url, "secret": secrets.get(url, "")}
        await connection.execute(_TELL, {**values, "event": Jsonb(event), "patience": patience})
