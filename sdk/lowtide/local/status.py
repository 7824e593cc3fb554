"""What ``/status`` says: which processes there are, how busy they are, since when there are none."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import ClientError, ClientSession, ClientTimeout

from lowtide.model.base import JSON, iso
from lowtide.wire import json

from .pool import Instance, Pool
from .resident import Resident

__all__ = ["of_broker", "of_pool"]

_TIMEOUT = ClientTimeout(total=2.0)


def of_pool(pool: Pool) -> dict[str, JSON]:
    """``crashes`` counts processes that ended unasked, ``coldStarts`` those that became ready."""
    return {
        "processes": [_of_instance(instance) for instance in pool.instances],
        "inFlight": pool.in_flight,
        "waiting": pool.waiting,
        "coldStarts": pool.cold_starts,
        "crashes": pool.crashes,
        "zeroSince": None if pool.zero_since is None else iso(pool.zero_since),
    }


def _of_instance(instance: Instance) -> dict[str, JSON]:
    return {
        "pid": instance.child.pid if instance.child is not None else None,
        "port": instance.port,
        "state": instance.state,
        "inFlight": instance.in_flight,
        "since": iso(instance.since),
    }


async def of_broker(resident: Resident, url: str, session: ClientSession) -> dict[str, JSON]:
    """The broker's own counters, as far as it answers."""
    counters: Mapping[str, JSON] = {}
    try:
        async with session.get(f"{url}/status", timeout=_TIMEOUT) as response:
            counters = json.decode(await response.read(), dict)
    except (ClientError, OSError, TimeoutError):
        pass  # it is being started again
    return {"pid": resident.pid, "restarts": resident.restarts, **counters}
