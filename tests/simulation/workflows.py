"""Random small workflows, made of what has to survive: effects, waits, listeners, emitted events, children, forks."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import msgspec

__all__ = ["CHILD", "FOLLOWER", "Document", "child", "drawn", "follower"]

CHILD, FOLLOWER = "child", "follower"

Task = dict[str, Any]

_ORDER = "${ $workflow.input.order }"


@dataclass
class Document:
    """``types``: event types that an execution of it needs, each once, with its own order in their data.

    ``trigger``: what stands in the documents of those that need this one. ``limit``: how many run at once.
    """

    name: str
    do: list[Task]
    types: list[str] = field(default_factory=list)
    head: Task = field(default_factory=dict)
    trigger: str = ""
    limit: int | None = None

    @property
    def source(self) -> str:
        meta: Task = {"dsl": "1.0.3", "namespace": "tests", "name": self.name, "version": "1.0.0"}
        if self.limit is not None:
            meta["metadata"] = {"lowtide": {"limits": {"concurrency": {"limit": self.limit}}}}
        return msgspec.json.encode({"document": meta, **self.head, "do": self.do}).decode()


def child() -> Document:
    do: list[Task] = [{"first": _effect(100)}, {"rest": {"wait": {"seconds": 8}}}]
    return Document(CHILD, do, trigger='"name":"child"')


def follower() -> Document:
    """Started by each event that somebody says."""
    on = {"on": {"one": {"with": {"type": "said"}}}}
    return Document(FOLLOWER, [{"only": _effect(200)}], head={"schedule": on}, trigger='"type":"said"')


def drawn(chance: random.Random, name: str) -> Document:
    document = Document(name, [])
    draft = _Draft(chance, document)
    document.do = [{"begin": draft.chain()}, *draft.tasks(chance.choice((1, 1, 1, 2)), depth=chance.choice((0, 0, 1)))]
    return document


def _effect(number: int) -> Task:
    # What came before goes into the request: a result that is forgotten and computed anew shows in what follows.
    body = {"number": number, "before": "${ . }"}
    return {"call": "http", "with": {"method": "post", "endpoint": "http://world/effects", "body": body}}


class _Draft:
    def __init__(self, chance: random.Random, document: Document) -> None:
        self._chance = chance
        self._document = document
        self._count = 0

    def chain(self) -> Task:
        """Effects of which each depends on the one before."""
        return {"do": [{f"e{index}": self._effect(0)} for index in range(2)]}

    def tasks(self, count: int, depth: int) -> list[Task]:
        return [{f"t{index}": self._task(depth)} for index in range(count)]

    def _task(self, depth: int) -> Task:
        kinds = ["effect"] * 4 + ["wait"] * 3 + ["listen"] * 2 + ["emit", "child"]
        if depth:
            kinds += ["fork", "retry", "for"]
        task: Task = getattr(self, f"_{self._chance.choice(kinds)}")(depth)
        return task

    def _effect(self, _: int) -> Task:
        self._count += 1
        return _effect(self._count)

    def _wait(self, _: int) -> Task:
        return {"wait": {"seconds": self._chance.choice((1, 3, 7, 7, 20, 45))}}

    def _emit(self, _: int) -> Task:
        return {"emit": {"event": {"with": {"source": "/simulated", "type": "said", "data": {"order": _ORDER}}}}}

    def _child(self, _: int) -> Task:
        return {"run": {"workflow": {"namespace": "tests", "name": CHILD, "version": "1.0.0"}}}

    def _listen(self, _: int) -> Task:
        need = self._chance.choice(("one", "one", "any", "all"))
        count = 1 if need == "one" else 2
        filters = []
        for _number in range(count):
            event_type = f"{self._document.name}.{len(self._document.types)}"
            self._document.types.append(event_type)
            correlate = {"order": {"from": ".data.order", "expect": _ORDER}}
            filters.append({"with": {"type": event_type}, "correlate": correlate})
        task: Task = {"listen": {"to": {need: filters[0] if need == "one" else filters}}}
        if self._chance.random() < 0.2:
            task["timeout"] = {"after": {"seconds": self._chance.choice((5, 40))}}
        return task

    def _fork(self, depth: int) -> Task:
        return {"fork": {"compete": self._chance.random() < 0.4, "branches": self.tasks(2, depth - 1)}}

    def _for(self, depth: int) -> Task:
        return {"for": {"each": "item", "in": "${ [1, 2] }"}, "do": self.tasks(1, depth - 1)}

    def _retry(self, depth: int) -> Task:
        retry = {"delay": {"seconds": self._chance.choice((1, 8))}, "limit": {"attempt": {"count": 3}}}
        return {"try": self.tasks(self._chance.choice((1, 2)), depth - 1), "catch": {"retry": retry}}
