"""Spans: what was done for whom, from when to when. Recorded by us, sent by OpenTelemetry (``otlp``).

A span is a few assignments; nothing of OpenTelemetry is needed to record one, so that the very first invocation of a
process from zero is in its trace, and pays nothing for it (``docs/decisions`` says why).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

from lowtide.wire.traces import Trace, read

__all__ = ["CURRENT", "Kind", "Span", "Tracer", "current", "handed_on", "ids", "spanning"]

Kind: TypeAlias = Literal["internal", "server", "client", "producer", "consumer"]

CURRENT: Final[ContextVar[Trace | None]] = ContextVar("trace", default=None)
"""In which span the work at hand is done."""


def current() -> str | None:
    """Of the work at hand, as an execution carries it."""
    found = CURRENT.get()
    return None if found is None else found.text


def ids() -> dict[str, str]:
    """Of the trace and span of the work at hand, by the names that logs have for them; empty where there is none."""
    found = CURRENT.get()
    return {} if found is None else {"trace_id": found.trace, "span_id": found.span}


class Span:
    """A context manager: current while it lasts, recorded when it ends; an exception that leaves it is its failure.

    Times are nanoseconds since the epoch.
    """

    __slots__ = (
        "_token",
        "_tracer",
        "attributes",
        "began",
        "ended",
        "failure",
        "kind",
        "links",
        "name",
        "parent",
        "trace",
    )

    def __init__(self, tracer: Tracer, name: str, trace: Trace, parent: str, kind: Kind, began: int) -> None:
        self.name = name
        self.trace = trace
        self.parent = parent
        self.kind = kind
        self.began = began
        self.ended = 0
        self.failure: str | None = None
        self.links: tuple[Trace, ...] = ()
        self.attributes: dict[str, str | int | float | bool] = {}
        self._tracer = tracer
        self._token: Token[Trace | None] | None = None

    def __enter__(self) -> Self:
        self._token = CURRENT.set(self.trace)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._token is not None:
            CURRENT.reset(self._token)
        if kind is not None and self.failure is None:
            self.failure = kind.__name__
        self.end()

    def note(self, **attributes: str | int | float | bool) -> Self:
        """Attributes of ours: ``lowtide.`` is put before their names."""
        for key, value in attributes.items():
            self.attributes[f"lowtide.{key}"] = value
        return self

    def end(self, at: int | None = None) -> None:
        """Now, or ``at`` this time. What is not sampled is recorded nowhere."""
        if not self.ended:
            self.ended = max(self.began, self._tracer.now() if at is None else at)
            if self.trace.sampled:
                self._tracer.keep(self)


class Tracer:
    """Begins spans. ``keep`` is given each that has ended, and never waits; ``now`` in nanoseconds; ``digits`` draws
    hex digits. ``share`` of the traces that begin here are recorded; of others it was decided where they began."""

    def __init__(
        self, keep: Callable[[Span], None], now: Callable[[], int], digits: Callable[[int], str], share: float = 1.0
    ) -> None:
        self.keep = keep
        self.now = now
        self._digits = digits
        self._least = int(share * (1 << 56))

    def span(
        self,
        name: str,
        parent: Trace | None = None,
        kind: Kind = "internal",
        *,
        span: str = "",
        began: int | None = None,
        **attributes: str | int | float | bool,
    ) -> Span:
        """Below ``parent``, else below the current one, else a trace of its own. ``span``: an id that is given."""
        above = parent or CURRENT.get() or self._new()
        trace = Trace(above.trace, span or self._digits(16), above.sampled, above.state)
        made = Span(self, name, trace, above.span, kind, self.now() if began is None else began)
        return made.note(**attributes)

    def _new(self) -> Trace:
        trace = self._digits(32)
        return Trace(trace, "", int(trace[-14:], 16) < self._least)


@contextmanager
def handed_on(text: str | None) -> Iterator[None]:
    """The work at hand is in this trace, though nothing of it is recorded here: calls to others say so."""
    token = CURRENT.set(read(text))
    try:
        yield
    finally:
        CURRENT.reset(token)


def spanning(
    tracer: Tracer | None,
    name: str,
    parent: Trace | None = None,
    kind: Kind = "internal",
    **attributes: str | int | float | bool,
) -> AbstractContextManager[Span | None]:
    """A span where there is a tracer, else nothing."""
    return nullcontext() if tracer is None else tracer.span(name, parent, kind).note(**attributes)
