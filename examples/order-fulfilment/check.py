"""The promise, checked: no call reaches the shop after the result of its command was journaled.

The shop's log says when which ``Idempotency-Key`` arrived; the journal says when the result of which command was
written. Joined, they show whether anything was done again without need. (What was in flight when a process died is done
again under the same key, *before* its result is journaled: that is no breach.)
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lowtide.model.event import EffectFailed, EffectSucceeded
from lowtide.wire import json as wire
from lowtide.wire.records import Entry

__all__ = ["Breach", "Call", "Result", "breaches", "read_journal", "read_log"]


@dataclass(frozen=True)
class Call:
    """One call that arrived at the shop at ``at`` (milliseconds since 1970)."""

    key: str
    at: int
    path: str
    order: str


@dataclass(frozen=True)
class Result:
    """The result of the command with this ``Idempotency-Key``, journaled at ``at``."""

    key: str
    at: int


@dataclass(frozen=True)
class Breach:
    call: Call
    journaled: int

    def __str__(self) -> str:
        late = self.call.at - self.journaled
        return f"order {self.call.order}: {self.call.path} was called {late} ms after its result was journaled"


def breaches(calls: Iterable[Call], results: Iterable[Result]) -> list[Breach]:
    """The calls that arrived after their result was journaled; there should be none."""
    journaled: dict[str, int] = {}
    for result in results:
        journaled[result.key] = min(result.at, journaled.get(result.key, result.at))
    return [
        Breach(call, journaled[call.key]) for call in calls if call.key in journaled and call.at > journaled[call.key]
    ]


def read_log(path: Path) -> list[Call]:
    """The shop's log."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Call(line["key"], line["at"], line["path"], line["orderId"]) for line in lines]


def read_journal(url: str) -> list[Result]:
    """Every effect's result in the journal store at this PostgreSQL URL."""
    import psycopg

    query = "SELECT execution::text, extract(epoch FROM at) * 1000, body FROM journal"
    results = []
    with psycopg.connect(url) as connection:
        for execution, at, body in connection.execute(query):
            event = wire.decode(bytes(body), Entry).event
            if isinstance(event, EffectSucceeded | EffectFailed):
                results.append(Result(f"{execution}/{event.command}", int(at)))
    return results
