"""Server-sent events (WHATWG HTML, 9.2.6): bytes in, the data of events out."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["EventStream"]

_LINE_END: Final = re.compile(rb"\r\n|\n|\r(?=.)", re.DOTALL)


class EventStream:
    """Fed with bytes as they come. Only events' data is kept: their names, ids and delays mean nothing here."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[str]:
        """The data of the events that ended in this chunk, in order."""
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        ended: list[str] = []
        for line in lines:
            if not line and self._data:
                ended.append("\n".join(self._data))
                self._data = []
            name, _, value = line.decode("utf-8", errors="replace").removeprefix("\ufeff").partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
        return ended
