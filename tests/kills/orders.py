"""What is executed while processes are killed: every kind of step that could be lost or done twice."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from lowtide.clients.http import HttpClient
from lowtide.clients.orchestrate import Orchestrate

__all__ = ["NAMESPACE", "WORKFLOW", "Customers", "expected"]

NAMESPACE: Final = "default"
WORKFLOW: Final = """
document: {dsl: '1.0.3', namespace: default, name: order, version: '1.0.0'}
schedule: {on: {one: {with: {type: order.placed}}}}
input: {from: '${ if type == "array" then .[0] else . end }'}
do:
- reserve:
    call: http
    with: {method: post, endpoint: '%(shop)s/reserve', body: {number: '${ .number }'}}
- both:
    fork:
      branches:
      - charge:
          try:
          - ask:
              call: http
              with: {method: post, endpoint: '%(shop)s/charge', body: {number: '${ .number }'}}
          catch:
            errors: {with: {status: 503}}
            retry: {delay: {milliseconds: 200}, limit: {attempt: {count: 5}}}
      - pack:
          call: http
          with: {method: post, endpoint: '%(shop)s/pack', body: {number: '${ .number }'}}
- keep: {set: {number: '${ .[0].number }', wait: '${ .[0].number %% 3 == 0 }', pay: '${ .[0].number %% 4 == 0 }'}}
- rest: {if: '${ .wait }', wait: {seconds: 8}}
- paid:
    if: '${ .pay }'
    listen:
      to:
        one:
          with: {type: order.paid}
          correlate: {number: {from: '${ .data.number }', expect: '${ .number }'}}
    output: {as: '${ {number: .[0].number, pay: true} }'}
- ship:
    call: http
    with: {method: post, endpoint: '%(shop)s/ship', body: {number: '${ .number }'}}
    output: {as: '${ {shipped: .number} }'}
"""
_CLOUDEVENT: Final = {"content-type": "application/cloudevents+json"}


def expected(number: int) -> dict[str, int]:
    """The output of the order with this number."""
    return {"shipped": number}


class Customers:
    """A quarter of the orders come by CloudEvent. Sending again is harmless, so it is done until somebody answers.

    Those that are paid for come by HTTP: a payment from before its order exists is nobody's.
    """

    def __init__(self, orchestrate: Orchestrate, broker: HttpClient) -> None:
        self._orchestrate = orchestrate
        self._broker = broker

    async def order(self, number: int) -> None:
        if number % 4 == 1:
            await self._publish("order.placed", number)
        else:
            await self._orchestrate.start(NAMESPACE, "order", {"number": number}, key=f"order-{number}")
        if number % 4 == 0:
            await asyncio.sleep(number % 5)  # before the listener is there, or after
            await self._publish("order.paid", number)

    async def _publish(self, kind: str, number: int) -> None:
        event: dict[str, Any] = {"specversion": "1.0", "id": f"{kind}/{number}", "source": "/customers", "type": kind}
        event["data"] = {"number": number}
        await self._broker.request("POST", "", body=json.dumps(event).encode(), headers=_CLOUDEVENT)
