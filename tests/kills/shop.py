"""What the executions call: it remembers every call, refuses each tenth customer once, and takes its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

__all__ = ["Call", "Shop", "shop"]


@dataclass(frozen=True)
class Call:
    """One call that arrived at ``at`` (milliseconds since 1970) under this ``Idempotency-Key``."""

    key: str
    at: int


@dataclass
class Shop:
    """``url`` is where it answers."""

    delay: float
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)

    async def answer(self, request: web.Request) -> web.Response:
        key = request.headers.get("Idempotency-Key", "")
        self.calls.append(Call(key, time.time_ns() // 1_000_000))
        number = int((await request.json())["number"])
        await asyncio.sleep(self.delay)
        if request.path == "/charge" and number % 10 == 0 and number not in self.refused:
            self.refused.add(number)
            return web.json_response({"title": "try again"}, status=503)
        return web.json_response({"number": number})


@asynccontextmanager
async def shop(delay: float) -> AsyncIterator[Shop]:
    open_shop = Shop(delay)
    application = web.Application()
    application.router.add_post("/{what}", open_shop.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        open_shop.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield open_shop
    finally:
        await runner.cleanup()
