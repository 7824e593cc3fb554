"""The port to whatever runs containers, and a container from its start to its end in this process.

Adapters: the machine's own runtime (``effects/container.py``) and Kubernetes (orchestrate); a fake for tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from lowtide.errors import LowtideError, TaskFailed, Unavailable
from lowtide.model.base import JSON
from lowtide.model.command import RunContainer
from lowtide.model.container import Order, Seen, order_of
from lowtide.model.error import standard_error
from lowtide.model.process import returned

__all__ = ["Containers", "conclude", "run_here"]

T = TypeVar("T")

_SHORTEST: Final = 0.05
_LONGEST: Final = 1.0
_PATIENCE: Final = 30.0
"""Seconds for which a runtime that does not answer is asked again."""


class Containers(Protocol):
    """Every verb may be repeated at any time: a container is found again by the id of its order.

    All raise :class:`lowtide.errors.Unavailable` where the runtime cannot be reached; trying again may help.
    """

    async def start(self, order: Order) -> None:
        """Begin, unless it began before. Raises ``TaskFailed`` where it can never begin."""
        ...

    async def look(self, container: str) -> Seen:
        """What became of it."""
        ...

    async def logs(self, container: str) -> tuple[str, str]:
        """What it wrote to stdout and stderr. Raises ``TaskFailed`` (``runtime``) where that is more than allowed."""
        ...

    async def end(self, container: str) -> None:
        """Stop it should it run, and remove what is left of it."""
        ...

    async def close(self) -> None: ...


async def conclude(containers: Containers, order: Order, seen: Seen) -> JSON:
    """The output of a container that is over, as its ``return`` asks for. Raises ``TaskFailed``, ``Unavailable``."""
    match seen.phase:
        case "ended":
            stdout, stderr = await containers.logs(order.id)
            what = f"the container ({seen.problem})" if seen.problem else "the container"
            return returned(order.wanted, seen.code, stdout, stderr, what)
        case "gone":
            why = seen.problem or "somebody removed it"
            raise TaskFailed(standard_error("runtime", f"nothing is left of the container: {why}"))
        case "starting":
            raise TaskFailed(standard_error("communication", f"the container could not be started: {seen.problem}"))
        case _:
            detail = f"the container did not end within {order.seconds:g} s"
            raise TaskFailed(standard_error("timeout", detail))


async def run_here(
    containers: Containers, command: RunContainer, execution: str, *, most: float, wanted: Callable[[], bool]
) -> JSON:
    """Run one to its end; what ``return`` asks for. ``most``: seconds unless the task has a timeout.

    ``wanted`` is asked again and again: once it is ``False`` the container is ended, and the answer is ``None``.
    Raises ``TaskFailed``.
    """
    order, loop = order_of(execution, command, most), asyncio.get_running_loop()
    concluded = False
    try:
        await _whole(_patiently(lambda: containers.start(order)))
        ends, pause = loop.time() + order.seconds, _SHORTEST
        while wanted():
            seen = await _patiently(lambda: containers.look(order.id))
            if seen.phase in ("starting", "running") and loop.time() >= ends:
                seen = Seen("late")
            if seen.phase not in ("starting", "running"):
                concluded = seen.phase != "late"
                return await _patiently(partial(conclude, containers, order, seen))
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST)
        return None
    finally:
        if not concluded or order.container.cleanup == "always":
            with suppress(LowtideError):  # the runtime that could not be reached has already been the task's error
                await containers.end(order.id)


async def _whole(starting: Coroutine[Any, Any, None]) -> None:
    """Not to be cancelled half way: a runtime may still make what it was asked for after it has been told to end it."""
    task = asyncio.ensure_future(starting)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=_PATIENCE)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Asked again for a while; then it is the task's error, for there is nobody else here who could wait."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + _PATIENCE
    while True:
        try:
            return await ask()
        except Unavailable as error:
            if loop.time() > ends:
                raise TaskFailed(standard_error("communication", str(error), status=503)) from error
        await asyncio.sleep(_LONGEST)
