"""Documents with limits, and an execute whose invocations last until a test lets them go."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
from sqlalchemy import text

from lowtide.wire import json
from lowtide.wire.types import Dispatch, Ended, Parked
from tests.eventually import eventually
from tests.integration.orchestrate.world import FakeExecute, World, play

__all__ = ["Busy", "ask", "begin", "limited", "order", "rows", "state_of"]


def limited(
    limits: dict[str, Any], *, name: str = "sample", namespace: str = "tests", do: Any = None, **head: Any
) -> str:
    """A document with these limits; by default it does nothing."""
    meta = {"dsl": "1.0.3", "namespace": namespace, "name": name, "version": "1.0.0"}
    whole = {"document": {**meta, "metadata": {"lowtide": {"limits": limits}}}, **head}
    return json.encode({**whole, "do": do or [{"done": {"set": "${ . }"}}]}).decode()


class Busy:
    """``there.execute.answer = Busy()``. ``began``: the inputs, in order; ``most``: seen at once, by workflow."""

    def __init__(self) -> None:
        self.running: list[Dispatch] = []
        self.began: list[Any] = []
        self.most: Counter[str] = Counter()
        self._go: dict[str, asyncio.Event] = {}
        self.open = False

    async def __call__(self, execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
        self.running.append(dispatch)
        self.began.append(dispatch.seed.input if dispatch.seed else "resumed")
        at_once = sum(one.workflow == dispatch.workflow for one in self.running)
        self.most[dispatch.workflow] = max(self.most[dispatch.workflow], at_once)
        if not self.open:
            await self._go.setdefault(dispatch.execution, asyncio.Event()).wait()
            self._go.pop(dispatch.execution, None)
        self.running.remove(dispatch)
        return await play(execute, dispatch)

    def let_go(self, dispatch: Dispatch) -> None:
        self._go[dispatch.execution].set()

    def let_all_go(self) -> None:
        self.open = True
        for go in self._go.values():
            go.set()

    async def until(self, count: int) -> list[Dispatch]:
        """The invocations that run, once they are so many."""
        async for attempt in eventually():
            with attempt:
                assert len(self.running) == count, [one.execution for one in self.running]
        return list(self.running)


async def begin(there: World, count: int, given: Any = None, **options: Any) -> list[str]:
    return [(await there.start(given, **options))["id"] for _ in range(count)]


async def order(there: World, path: str, body: Any = None, method: str = "POST") -> httpx.Response:
    """What an operator tells a workflow of namespace ``tests`` (or, without a workflow, the namespace)."""
    answer = await there.api.request(method, f"/v1/namespaces/tests/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer


async def ask(there: World, given: Any = None, *, name: str = "sample", key: str | None = None) -> httpx.Response:
    """Ask for a start, which may be refused."""
    headers = {} if key is None else {"idempotency-key": key}
    return await there.api.post(f"/v1/namespaces/tests/workflows/{name}/executions", json=given, headers=headers)


async def rows(there: World, statement: str) -> list[tuple[Any, ...]]:
    async def look(tx: Any) -> list[tuple[Any, ...]]:
        found = await tx.execute(text(statement))
        return [tuple(row) for row in found] if found.returns_rows else []

    return await there.service.desk.database.run(look)


async def state_of(there: World) -> Counter[str]:
    """How many executions are in each phase."""
    return Counter(row[0] for row in await rows(there, "SELECT phase FROM executions"))
