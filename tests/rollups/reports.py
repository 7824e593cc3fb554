"""Reports of everything that a few workflows would report, in the order of nobody."""

from __future__ import annotations

import random
from collections.abc import Iterator

from lowtide.model.base import ExecutionId, Millis
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.runtime.chance import new_execution_id

__all__ = ["NOON", "drawn"]

NOON = 1_795_000_000_000
_MINUTES = 90


def drawn(chance: random.Random, count: int) -> list[pb.Batch]:
    """Batches of everything that a few workflows would report, in the order of nobody."""
    batches = [_of_one(chance, new_execution_id(Millis(_moment(chance)))) for _ in range(count)]
    parts = [part for batch in batches for part in batch]
    chance.shuffle(parts)
    return parts


def _moment(chance: random.Random) -> int:
    return NOON + chance.randrange(_MINUTES * 60_000)


def _of_one(chance: random.Random, execution: ExecutionId) -> Iterator[pb.Batch]:
    whom = pb.Subject(
        namespace=chance.choice(["shop", "bank"]), workflow=chance.choice("abc"), version="1", execution=execution
    )
    created, at = _moment(chance), _moment(chance)
    end = created + chance.randrange(1, 10_000_000)
    phase = chance.choice(["completed", "completed", "faulted", "cancelled"])
    changes = [
        pb.ExecutionChange(subject=whom, version_number=1, phase="running", created_at=created, epoch=1),
        pb.ExecutionChange(subject=whom, version_number=2, phase=phase, created_at=created, ended_at=end, epoch=1),
    ]
    usages = [
        pb.InvocationUsage(
            subject=whom, epoch=epoch, at=at, active_ms=chance.lognormvariate(3, 2), cpu_ms=chance.random() * 9,
            memory_bytes=chance.randrange(2**30), cold_start=chance.random() < 0.2, cold_start_ms=250.5,
            queueing_ms=float(chance.randrange(50)), effects=2, bytes_in=10, bytes_out=20,
        )
        for epoch in range(1, chance.randrange(2, 5))
    ]  # fmt: skip
    facts = [
        pb.TaskFact(subject=whom, number=n, reference="/do/0/a", status=status, at=at, effect=effect, active_ms=1.5 * n)
        for n, status, effect in ((1, "running", ""), (2, "retried", "http"), (3, "completed", "http"))
    ]
    metrics = [
        pb.MetricSample(subject=whom, at=at, id=f"{execution}-{n}", name="temperature", value=chance.gauss(0, 30))
        for n in range(3)
    ]
    logs = [pb.LogLine(subject=whom, at=at, id=str(n), level="info", message="said") for n in range(2)]
    yield pb.Batch(facts=facts[:2], usages=usages[:1])
    yield pb.Batch(facts=facts[2:], usages=usages[1:], metrics=metrics, logs=logs)
    yield from (pb.Batch(changes=[change]) for change in changes)
