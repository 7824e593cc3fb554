"""A load of reports on ingests that are killed: what they had not written is sent again, and so is much of the rest."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import grpc

from lowtide.rpc.v1 import ingest_pb2 as pb
from tests.ingests import IngestProcess
from tests.integration.ingest.protocol import Owner, talking_to

__all__ = ["load"]

_WINDOW = 25
"""Batches that are sent as one: it is answered once the changes in it are written, and so all of it."""


async def load(
    batches: list[pb.Batch], start: Callable[[int], IngestProcess], kills: int, chance: random.Random
) -> int:
    """Send all of them to one ingest at a time, killed and started again on its port; how often one died at work.

    What is broken off is sent again as a whole, whether it was written or not.
    """
    process, died = start(0), 0
    windows = [batches[first : first + _WINDOW] for first in range(0, len(batches), _WINDOW)]
    fatal = set(chance.sample(range(len(windows)), min(kills, len(windows))))
    for number, window in enumerate(windows):
        if number in fatal:
            killing = asyncio.create_task(_kill(process, chance.random() * 0.5))
            died += not await _sent(process, window)
            await killing
            process = start(process.port)
        while not await _sent(process, window):
            continue
    process.terminate()
    return died


async def _kill(process: IngestProcess, after: float) -> None:
    await asyncio.sleep(after)
    process.kill()


async def _sent(process: IngestProcess, window: list[pb.Batch]) -> bool:
    """Whether all was taken and its changes were stored."""
    try:
        async with talking_to(process.target) as stub:
            return not await Owner(stub).send(**_together(window))
    except (grpc.RpcError, AssertionError, asyncio.InvalidStateError, TimeoutError):
        return False


def _together(window: list[pb.Batch]) -> dict[str, Any]:
    batch = pb.Batch()
    for part in window:
        batch.MergeFrom(part)
    kinds = ("facts", "logs", "metrics", "usages", "changes")
    return {kind: getattr(batch, kind) for kind in kinds}
