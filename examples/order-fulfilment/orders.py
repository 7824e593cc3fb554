"""The customers: they place orders, by HTTP and by CloudEvent, and pay for them later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from lowtide.clients.http import HttpClient
from lowtide.clients.orchestrate import Orchestrate

__all__ = ["NAMESPACE", "Customers", "load"]

NAMESPACE: Final = "default"
_HERE: Final = Path(__file__).parent
_CLOUDEVENT: Final = {"content-type": "application/cloudevents+json"}

Order = dict[str, Any]


def load(shop: str) -> list[Order]:
    """The orders of ``orders.json``; each is told where the shop answers."""
    orders: list[Order] = json.loads((_HERE / "orders.json").read_text(encoding="utf-8"))
    return [{**order, "shop": shop} for order in orders]


class Customers:
    """They speak HTTP with orchestrate, and CloudEvents with the broker; both are asked again while they are down.

    Sending again is harmless: a start has its ``Idempotency-Key``, an event its source and id.
    """

    def __init__(self, orchestrate: Orchestrate, broker: HttpClient) -> None:
        self._orchestrate = orchestrate
        self._broker = broker

    async def order_by_http(self, order: Order) -> None:
        await self._orchestrate.start(NAMESPACE, "order", order, key=f"order-{order['id']}")

    async def order_by_event(self, order: Order) -> None:
        await self._publish("shop.order.placed", "/shop", order)

    async def pay(self, order: Order) -> None:
        await self._publish(
            "shop.payment.received", "/bank", {"orderId": order["id"], "reference": f"BANK-{order['id']}"}
        )

    async def _publish(self, event_type: str, source: str, data: dict[str, Any]) -> None:
        event = {
            "specversion": "1.0",
            "id": f"{event_type}/{data.get('orderId') or data['id']}",
            "source": source,
            "type": event_type,
            "datacontenttype": "application/json",
            "data": data,
        }
        await self._broker.request("POST", "", body=json.dumps(event).encode(), headers=_CLOUDEVENT)
