"""Single calls to ingest: a deadline each, repeated within it while the service is away, errors as ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio

from lowtide.errors import InvalidInput, LowtideError, NotFound, TooLarge, Unavailable

if TYPE_CHECKING:
    from lowtide.runtime.clock import Clock

__all__ = ["Caller", "translated"]

_AWAY: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,  # how a cut of the connection by a proxy looks
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
    }
)

_MEANING: Final[dict[grpc.StatusCode, type[LowtideError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInput,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.OUT_OF_RANGE: TooLarge,
    grpc.StatusCode.RESOURCE_EXHAUSTED: TooLarge,
}

_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 1.0


class Caller:
    """Calls with ``deadline`` seconds in all; ``chance`` spreads the repetitions."""

    def __init__(self, clock: Clock, chance: Callable[[], float], deadline: float) -> None:
        self._clock = clock
        self._chance = chance
        self._deadline = deadline

    async def __call__(self, procedure: Callable[..., Any], request: Any) -> tuple[Any, float]:
        """The reply, and the monotonic time at which the call that was answered had been sent.

        Raises :class:`lowtide.errors.Unavailable` after the deadline, and what the service says otherwise.
        """
        ends = self._clock.monotonic() + self._deadline
        delay = _FIRST_DELAY
        while True:
            sent = self._clock.monotonic()
            try:
                return await procedure(request, timeout=max(ends - sent, 0.001), wait_for_ready=True), sent
            except grpc.aio.AioRpcError as error:
                pause = delay * (0.5 + self._chance())
                if error.code() not in _AWAY or self._clock.monotonic() + pause >= ends:
                    raise translated(error) from error
            await self._clock.sleep(pause)
            delay = min(delay * 2, _LONGEST_DELAY)


def translated(error: grpc.aio.AioRpcError) -> LowtideError:
    """Our error for a status that ingest or something on the way answered."""
    kind = _MEANING.get(error.code(), Unavailable)
    detail = error.details() or error.code().name
    return kind(detail if kind is not Unavailable else f"ingest could not be asked: {error.code().name}: {detail}")
