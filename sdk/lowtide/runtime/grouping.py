"""Group commit without a timer: what is asked for while one group commits is the next group."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from lowtide.errors import LowtideError

__all__ = ["Grouped"]

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Grouped(Generic[Asked, Answer]):
    """Answers questions in groups of at most ``most``, one group at a time.

    ``perform`` answers a whole group in its order, in one transaction; a :class:`LowtideError` among the answers is
    raised to its asker alone. What ``perform`` raises itself concerns all of them, unless one of them is to blame
    (the database refuses a value of its): then each is asked by itself.
    """

    def __init__(
        self, perform: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer | LowtideError]]], *, most: int = 100
    ) -> None:
        self._perform = perform
        self._most: Final = most
        self._waiting: list[tuple[Asked, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, asked: Asked) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="a group")
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._answer(group)
        finally:
            self._running = None

    async def _answer(self, group: Sequence[tuple[Asked, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._perform([asked for asked, _ in group])
        except LowtideError as error:
            answers = [error] * len(group)
        except Exception as error:  # of whatever kind: whoever asked must hear of it, and the next group must begin
            if len(group) > 1:
                for one in group:
                    await self._answer([one])
            elif not group[0][1].done():
                group[0][1].set_exception(error)
            return
        for (_, future), answer in zip(group, answers, strict=True):
            if future.done():  # whoever asked has gone
                continue
            if isinstance(answer, LowtideError):
                future.set_exception(answer)
            else:
                future.set_result(answer)
