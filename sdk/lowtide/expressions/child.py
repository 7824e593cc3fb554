"""The worker's side: evaluates one program after the other until its parent goes away. See ``worker``."""

from __future__ import annotations

import sys
from collections.abc import Callable

import msgspec

from lowtide.engine.host import ExpressionFailed
from lowtide.expressions.program import Programs
from lowtide.expressions.worker import receive, send
from lowtide.model.base import JSON

__all__ = ["serve"]


def serve(first: Callable[[str, str], JSON]) -> None:
    """The worker's own loop; ends when its parent closes the pipe or dies."""
    output = sys.stdout.buffer
    send(output, msgspec.json.encode("ready"))
    while True:
        try:
            wrapped, text = receive(sys.stdin.buffer, None)
        except EOFError:
            return
        try:
            answer: JSON = ["ok", first(wrapped, text)]
        except ExpressionFailed as failure:
            answer = ["syntax" if failure.syntax else "failed", str(failure)]
        except MemoryError:
            answer = ["failed", "it needed too much memory"]
        send(output, msgspec.json.encode(answer))


def _limit_memory(count: int) -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (count, count))


if __name__ == "__main__":
    _limit_memory(int(sys.argv[1]))
    serve(Programs().first)
