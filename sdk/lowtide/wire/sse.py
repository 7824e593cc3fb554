"""Server-sent events (WHATWG HTML, 9.2.6): bytes in, the data of events out, and their ids where one asks."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["EventStream"]

_LINE_END: Final = re.compile(rb"\r\n|\n|\r(?=.)", re.DOTALL)


class EventStream:
    """Fed with bytes as they come. Events' names and delays mean nothing here.

    ``ids``: of the events that :meth:`feed` returned last, the id that was the newest when each ended.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._id = ""
        self.ids: list[str] = []

    def feed(self, chunk: bytes) -> list[str]:
        """The data of the events that ended in this chunk, in order."""
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        ended: list[str] = []
        self.ids = []
        for line in lines:
            if not line and self._data:
                ended.append("\n".join(self._data))
                self.ids.append(self._id)
                self._data = []
            name, _, value = line.decode("utf-8", errors="replace").removeprefix("\ufeff").partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
            elif name == "id" and "\0" not in value:
                self._id = value.removeprefix(" ")
        return ended
