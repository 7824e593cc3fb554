"""The worker's side: evaluates programs and checks schemas, one after the other, until its parent goes away. See
``worker``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import msgspec

from lowtide.engine.host import ExpressionFailed
from lowtide.expressions.program import Programs
from lowtide.expressions.worker import receive, send
from lowtide.model.base import JSON

__all__ = ["serve"]


def serve(first: Callable[[str, str], JSON], answer_bytes: int, seconds: float) -> None:
    """The worker's own loop; ends when its parent closes the pipe or dies.

    An evaluation that outlives ``seconds`` ends the process, by the signal's default action: libjq runs no Python.
    """
    output = sys.stdout.buffer
    send(output, msgspec.json.encode("ready"))
    while True:
        try:
            wrapped, given = receive(sys.stdin.buffer, None)
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, seconds)
        answer = _answer(first, wrapped, given)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if len(answer) > answer_bytes:
            answer = msgspec.json.encode(["failed", f"it gave {len(answer)} bytes of JSON, more than {answer_bytes}"])
        send(output, answer)


def _answer(first: Callable[[str, str], JSON], wrapped: str | None, given: JSON) -> bytes:
    try:
        return msgspec.json.encode(["ok", _violations(given) if wrapped is None else first(wrapped, given)])
    except ExpressionFailed as failure:
        return msgspec.json.encode(["syntax" if failure.syntax else "failed", str(failure)])
    except MemoryError:
        return msgspec.json.encode(["failed", "it needed too much memory"])
    except (RecursionError, ValueError) as error:
        return msgspec.json.encode(["failed", f"it gave what is not JSON: {error}"])


def _violations(checked: JSON) -> list[str]:
    from lowtide.expressions.schema import Validators

    match checked:
        case [schema, value]:
            return Validators().violations(schema, value)
        case _:
            return []  # asked for nothing but the import


def _limit_memory(count: int) -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (count, count))


if __name__ == "__main__":
    _limit_memory(int(sys.argv[1]))
    serve(Programs().first, int(sys.argv[2]), float(sys.argv[3]))
