"""Single calls to ingest: a deadline each, repeated within it while the service is away, in the trace of their caller,
errors as ours; and a breaker, which spares everybody the waiting where it has been away for long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

import grpc
import grpc.aio

from lowtide.errors import InvalidInput, LowtideError, NotFound, TooLarge, Unavailable

if TYPE_CHECKING:
    from lowtide.runtime.clock import Clock

__all__ = ["Breaker", "Caller", "translated"]

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


_FAILURES: Final = 3
_FIRST_REST: Final = 1.0
_LONGEST_REST: Final = 15.0


class Breaker:
    """Closed while all is well. After a few failures in a row it is open: nobody tries for a while, which grows with
    each further failure and is spread by ``chance``. Then it is half open: one tries, and its success closes it."""

    def __init__(self, monotonic: Callable[[], float], chance: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._chance = chance
        self._failures = 0
        self._until = 0.0
        self._trying = False

    @property
    def state(self) -> Literal["closed", "half open", "open"]:
        if self._failures < _FAILURES:
            return "closed"
        return "open" if self._monotonic() < self._until else "half open"

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Around an attempt. Raises :class:`lowtide.errors.Unavailable` where none is made now; an attempt that ends
        with it has failed, one that is cancelled has said nothing, and every other end is an answer."""
        state = self.state
        if state == "open" or (state == "half open" and self._trying):
            raise Unavailable("ingest has been away; it is tried again soon")
        self._trying = state == "half open"
        try:
            yield
        except Unavailable:
            self._failed()
            raise
        except LowtideError:
            self.answered()
            raise
        else:
            self.answered()
        finally:
            if state == "half open":
                self._trying = False

    def answered(self) -> None:
        """There was a sign of life."""
        self._failures = 0

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= _FAILURES:
            rest = min(_FIRST_REST * 2 ** min(self._failures - _FAILURES, 10), _LONGEST_REST)
            self._until = self._monotonic() + rest * (0.5 + self._chance() / 2)


class Caller:
    """Calls with ``deadline`` seconds in all; ``chance`` spreads the repetitions. ``trace``, where it is set, says in
    which trace a call is made."""

    def __init__(self, clock: Clock, chance: Callable[[], float], deadline: float) -> None:
        self._clock = clock
        self._chance = chance
        self._deadline = deadline
        self.trace: Callable[[], str | None] | None = None

    async def __call__(self, procedure: Callable[..., Any], request: Any) -> tuple[Any, float]:
        """The reply, and the monotonic time at which the call that was answered had been sent.

        Raises :class:`lowtide.errors.Unavailable` after the deadline, and what the service says otherwise.
        """
        ends = self._clock.monotonic() + self._deadline
        delay = _FIRST_DELAY
        told = self._told()
        while True:
            sent = self._clock.monotonic()
            try:
                return await procedure(request, timeout=max(ends - sent, 0.001), wait_for_ready=True, **told), sent
            except grpc.aio.AioRpcError as error:
                pause = delay * (0.5 + self._chance())
                if error.code() not in _AWAY or self._clock.monotonic() + pause >= ends:
                    raise translated(error) from error
            await self._clock.sleep(pause)
            delay = min(delay * 2, _LONGEST_DELAY)

    def _told(self) -> dict[str, Any]:
        if self.trace is None:
            return {}
        from lowtide.wire.traces import written  # here: what is watched by nobody starts without it

        return {"metadata": tuple(written(self.trace()).items())}


def translated(error: grpc.aio.AioRpcError) -> LowtideError:
    """Our error for a status that ingest or something on the way answered."""
    kind = _MEANING.get(error.code(), Unavailable)
    detail = error.details() or error.code().name
    return kind(detail if kind is not Unavailable else f"ingest could not be asked: {error.code().name}: {detail}")
