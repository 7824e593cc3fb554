"""W3C Trace Context (w3.org/TR/trace-context, level 1): read, written, carried with executions and events.

An execution keeps its context as one text: the ``traceparent``, and after a space the ``tracestate`` where there is
one. In CloudEvents both are extension attributes (the extension "Distributed Tracing"), in gRPC metadata, in HTTP
headers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from lowtide.model.base import Value

__all__ = ["Trace", "carried", "derived", "read", "trace_of_execution", "written"]

_TRACEPARENT: Final = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$")
_LONGEST_STATE: Final = 512


class Trace(Value, frozen=True):
    """Where one is in a trace: its id (32 hex digits), the span's (16; empty where there is none yet), whether it is
    recorded, and what others said (``tracestate``)."""

    trace: str
    span: str
    sampled: bool = True
    state: str = ""

    @property
    def parent(self) -> str:
        """As a ``traceparent``."""
        return f"00-{self.trace}-{self.span}-{'01' if self.sampled else '00'}"

    @property
    def text(self) -> str:
        """As an execution carries it."""
        return f"{self.parent} {self.state}" if self.state else self.parent


def read(text: str | None) -> Trace | None:
    """The context in what is carried; ``None`` where there is none, or it is none that the standard knows."""
    parent, _, state = (text or "").partition(" ")
    found = _TRACEPARENT.match(parent)
    if found is None or parent.startswith("ff"):
        return None
    trace, span, flags = found.groups()
    if not trace.strip("0") or not span.strip("0"):
        return None
    return Trace(trace, span, bool(int(flags, 16) & 1), state)


def carried(attributes: Mapping[str, object]) -> str | None:
    """What the headers of a request, or the attributes of an event, say of a trace, as an execution carries it.

    A ``traceparent`` of whatever form is handed on as it came, if it can be one: it is the next one's to judge.
    """
    parent, state = attributes.get("traceparent"), attributes.get("tracestate")
    if not isinstance(parent, str) or not _is_text(parent, 100) or " " in parent or not parent:
        return None
    return f"{parent} {state}" if isinstance(state, str) and state and _is_text(state, _LONGEST_STATE) else parent


def written(text: str | None) -> dict[str, str]:
    """What is carried, as headers or attributes."""
    if not text:
        return {}
    parent, _, state = text.partition(" ")
    return {"traceparent": parent, "tracestate": state} if state else {"traceparent": parent}


def derived(*names: object) -> str:
    """A span id that follows from what the span is about, so that others can refer to it who were never told."""
    return blake2b("\n".join(map(str, names)).encode(), digest_size=8).hexdigest()


def trace_of_execution(execution: str, text: str | None) -> Trace:
    """The context of an execution; where nobody gave it one, its own id is the trace's."""
    return read(text) or Trace(execution.replace("-", ""), "")


def _is_text(value: str, longest: int) -> bool:
    return value.isascii() and value.isprintable() and len(value) <= longest
