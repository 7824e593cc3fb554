"""The workflows whose histories are recorded: together they leave a snapshot at every kind of place.

Each is played by answering the oldest command first; ``events`` go, one after the other, to a listener that is open.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

__all__ = ["STORIES", "Story"]


class Story(NamedTuple):
    """``failures``: how many of the first calls fail; ``expire``: the first deadline passes before anything else;
    ``batches``: the messages that a subscription is brought, batch by batch."""

    body: str
    events: tuple[tuple[int, dict[str, Any]], ...] = ()
    failures: int = 0
    expire: bool = False
    input: Any = None
    batches: tuple[tuple[Any, ...], ...] = ()


STORIES: Final[dict[str, Story]] = {
    "a-wait-of-thirty-days-between-calls": Story(
        """
do:
  - first: {call: http, with: {method: get, endpoint: "https://shop.example/{id}"}, export: {as: "{first: .}"}}
  - nap: {wait: {days: 30}}
  - second: {call: price, with: {item: "${ $context.first.endpoint }"}}
output: {as: "{second: ., at: (now | todate)}"}
""",
        input={"id": "A-1"},
    ),
    "retries-that-are-used-up-and-caught": Story(
        """
do:
  - pay:
      try:
        - charge: {call: http, with: {method: post, endpoint: https://bank.example/charges, body: {amount: 3}}}
      catch:
        errors: {with: {type: https://open-workflow-specification.org/spec/1.0.0/errors/communication}}
        as: problem
        retry:
          delay: {seconds: 2}
          backoff: {exponential: {}}
          jitter: {from: {seconds: 0}, to: {seconds: 1}}
          limit: {attempt: {count: 2, duration: PT10S}}
        do:
          - note: {set: {charged: false, why: "${ $problem.status }"}}
""",
        failures=3,
    ),
    "a-loop-that-waits-in-each-iteration": Story(
        """
do:
  - all:
      for: {each: order, in: .orders, at: place}
      while: $place < 3
      do:
        - rest: {wait: {minutes: 5}}
        - sum: {set: {total: "${ (.total // 0) + $order.price }"}}
""",
        input={"orders": [{"price": 1}, {"price": 2}, {"price": 3}, {"price": 4}]},
    ),
    "a-loop-over-data-that-many-frames-hold": Story(
        """
do:
  - keep: {set: {orders: "${ .orders }", n: 0}, export: {as: "{mine: .orders, of: .n}"}}
  - all:
      for: {each: order, in: .orders}
      while: $order.id < 2
      do:
        - rest: {wait: {minutes: 5}}
        - hand: {run: {workflow: {namespace: tests, name: other, version: "1.0.0", input: "${ $context.mine }"}}}
        - hear: {listen: {to: {one: {with: {type: seen, data: "${ .id == ($context.mine | length) }"}}}}}
        - both: {set: {orders: "${ $context.mine }", heard: "${ . }"}}
  - tell: {set: {orders: "${ .orders | length }", heard: "${ .heard }"}}
""",
        events=((0, {"type": "seen", "data": {"id": 4}}),) * 2,
        input={"orders": [{"id": number, "note": "two books and a pen, " * 12} for number in range(4)]},
    ),
    "a-fork-whose-branches-join": Story(
        """
do:
  - both:
      fork:
        branches:
          - slow: {do: [{nap: {wait: {hours: 1}}}, {after: {set: {slow: true}, export: {as: "{slow: true}"}}}]}
          - asks: {call: stock, with: {item: 7}, export: {as: "{asked: true}"}}
          - hears: {listen: {to: {one: {with: {type: paid}}}}}
  - tell: {set: {results: "${ . }", context: "${ $context }"}}
""",
        events=((0, {"type": "paid", "data": {"amount": 3}}),),
    ),
    "a-race-that-one-branch-wins": Story(
        """
do:
  - race:
      fork:
        compete: true
        branches:
          - tortoise: {wait: {days: 1}}
          - hare: {call: run, with: {}}
""",
    ),
    "a-listener-for-all-with-correlation": Story(
        """
do:
  - gather:
      listen:
        to:
          all:
            - with: {type: paid}
              correlate: {order: {from: .data.order}}
            - with: {type: shipped, source: "regex:/depot/.*"}
              correlate: {order: {from: .data.order}}
        read: envelope
  - tell: {set: {kinds: "${ map(.type) }"}}
""",
        events=(
            (1, {"type": "shipped", "source": "/depot/7", "data": {"order": "A"}}),
            (0, {"type": "paid", "data": {"order": "B"}}),
            (0, {"type": "paid", "data": {"order": "A"}}),
        ),
    ),
    "a-listener-until-a-condition-with-an-iteration-each": Story(
        """
do:
  - bids:
      listen: {to: {any: [{with: {type: bid}}], until: length >= 3}}
      foreach:
        item: bid
        do:
          - check: {call: check, with: {bid: "${ $bid }"}}
          - pause: {wait: {seconds: 30}}
""",
        events=tuple((0, {"type": "bid", "data": {"price": price}}) for price in (5, 7, 6)),
    ),
    "a-function-and-a-child-within-their-time": Story(
        """
use:
  functions:
    lookUp: {call: http, with: {method: get, endpoint: "https://shop.example/items/{item}"}}
do:
  - item: {call: lookUp, with: {item: 3}, timeout: {after: PT1M}}
  - ship: {run: {workflow: {namespace: tests, name: ship, version: 1.0.0, input: {id: 3}}}}
timeout: {after: P1D}
""",
    ),
    "a-task-whose-time-is-over": Story(
        """
do:
  - patient:
      try:
        - forever: {listen: {to: {one: {with: {type: never}}}}, timeout: {after: {hours: 2}}}
      catch: {errors: {with: {status: 408}}, do: [{late: {set: {late: true}}}]}
  - goodbye: {emit: {event: {with: {type: gone, source: /tests, data: "${ . }"}}}}
""",
        expire=True,
    ),
    "extensions-around-a-call-and-a-wait": Story(
        """
use:
  extensions:
    - log:
        extend: all
        when: $task.name != "quiet"
        before: [{begun: {call: log, with: {task: "${ $task.name }"}}}]
        after: [{done: {call: log, with: {output: "${ $task.output }"}}}]
do:
  - ask: {call: price, with: {item: 1}}
  - quiet: {wait: {hours: 1}}
  - nap: {wait: {hours: 2}}
""",
    ),
    "a-jump-back-until-it-is-enough": Story(
        """
do:
  - count: {set: {n: "${ (.n // 0) + 1 }"}}
  - ask: {call: enough, with: {n: "${ .n }"}, output: {as: "{n: .with.n}"}}
  - again: {switch: [{more: {when: .n < 3, then: count}}, {enough: {then: end}}]}
""",
    ),
    "a-raised-error-that-nobody-catches": Story(
        """
do:
  - nap: {wait: {seconds: 10}}
  - fail: {raise: {error: {type: https://shop.example/sold-out, status: 409, title: Sold out, detail: "${ .why }"}}}
""",
        input={"why": "none left"},
    ),
    "a-subscription-whose-messages-are-dealt-with-one-by-one": Story(
        """
do:
  - prices:
      call: asyncapi
      with:
        document: {endpoint: https://market.example/asyncapi.yaml}
        operation: prices
        subscription:
          filter: .payload.price > 1
          consume: {while: "${ .payload.price < 5 }"}
          foreach:
            item: message
            do:
              - check: {call: check, with: {price: "${ $message.payload.price }"}}
              - pause: {wait: {minutes: 1}}
""",
        batches=tuple(({"payload": {"price": price}, "headers": {}},) for price in (1, 3, 7)),
    ),
}
