"""What older formats of a snapshot become, format by format, until they are of the newest.

Upcasters work on JSON documents and know the formats by their words, not by the classes of today: what was written
never changes, while classes do. A new format adds its step here, and its histories to tests/histories.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from lowtide.errors import InvalidInput
from lowtide.model.base import JSON

__all__ = ["UPCASTERS", "upcast"]

Document: TypeAlias = dict[str, Any]


def upcast(document: JSON, newest: int) -> Document:
    """A state's document in format ``newest``. Raises :class:`lowtide.errors.InvalidInput` for what is no state."""
    try:
        while (found := document.get("format", 1)) != newest:
            document = UPCASTERS[found](document)
    except (AttributeError, KeyError, TypeError) as error:
        raise InvalidInput(f"this is not a state of any known format: {error!r}") from error
    made: Document = document
    return made


_VALUES: Final = frozenset({"input", "context", "raw", "data", "output", "authorization", "cursor"})
_LISTS: Final = frozenset({"items", "consumed", "messages", "outputs"})
_BELOW: Final = frozenset({"root", "child", "body", "extended", "seq", "frame"})


def one_to_two(state: Document) -> Document:
    """Every value of every frame moves into the table. What is equal becomes one when the state is written again."""
    values: list[JSON] = []

    def number(value: JSON) -> JSON:
        if value is None:
            return None
        values.append(value)
        return len(values) - 1

    def below(node: Document) -> Document:
        made: Document = {}
        for name, member in node.items():
            if name in _VALUES:
                made[name] = number(member)
            elif name in _LISTS:
                made[name] = [number(member)] if member else member
            elif name in _BELOW and member is not None:
                made[name] = below(member)
            elif name == "branches":
                made[name] = [below(branch) for branch in member]
            else:
                made[name] = member
        return made

    made = below(state)
    made["pending"] = {name: _command(command, number) for name, command in state.get("pending", {}).items()}
    made.pop("format", None)
    return {"format": 2, "state": made, "values": values}


def _command(command: Document, number: Callable[[JSON], JSON]) -> Document:
    match command["do"]:
        case "perform":
            return command | {"arguments": number(command["arguments"])}
        case "child":
            return command | {"input": number(command.get("input"))}
        case "await":
            heard = {"filters": [_filter(one, number) for one in command["filters"]]}
            return command | heard | _asked(command, number)
        case _:
            return command


def _asked(command: Document, number: Callable[[JSON], JSON]) -> Document:
    task = command.get("ask", {}).get("task")
    if task is None:
        return {}
    return {"ask": command["ask"] | {"task": task | {"data": number(task.get("data"))}}}


def _filter(one: Document, number: Callable[[JSON], JSON]) -> Document:
    return one | {"variables": {name: number(value) for name, value in one.get("variables", {}).items()}}


UPCASTERS: Final[dict[int, Callable[[Document], Document]]] = {1: one_to_two}
"""By the format that they take; each gives the next one."""
