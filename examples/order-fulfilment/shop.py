"""The shop that the order workflow talks to: a small HTTP service with deterministic moods.

    POST /reservations  POST /pick-lists  POST /labels     answer at once
    POST /fraud-checks                                     503 for the first calls of every order, then an answer
    GET  /livez                                            how many calls are being answered: {"inFlight": 3}

Every body carries ``orderId``. A call that repeats an ``Idempotency-Key`` which was answered well is given the same
answer again. Every call is written to a log, one JSON object a line: ``{"at": milliseconds since 1970 when it arrived,
"path", "orderId", "key", "status"}``, so that one can check later who called when.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

from aiohttp import web

__all__ = ["Shop", "main"]

Answer = tuple[int, dict[str, Any]]


class Shop:
    """``failures``: how often each order's fraud check fails first; ``delay``: seconds that every call takes."""

    def __init__(self, log: Path, *, failures: int = 2, delay: float = 0.05) -> None:
        self._log = log.open("a", buffering=1, encoding="utf-8")
        self._failures = failures
        self._delay = delay
        self._fraud_checks: dict[str, int] = {}
        self._answers: dict[str, Answer] = {}
        self._in_flight = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_post("/{what}", self._call)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, _: web.Application) -> None:
        self._log.close()

    async def _livez(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "inFlight": self._in_flight})

    async def _call(self, request: web.Request) -> web.Response:
        arrived = time.time_ns() // 1_000_000
        key = request.headers.get("Idempotency-Key", "")
        order = str((await request.json())["orderId"])
        self._in_flight += 1
        try:
            await asyncio.sleep(self._delay)
        finally:
            self._in_flight -= 1
        status, body = self._answers.get(key) or self._answer(request.path, order)
        if key and status < 500:
            self._answers[key] = (status, body)
        call = {"at": arrived, "path": request.path, "orderId": order, "key": key, "status": status}
        self._log.write(json.dumps(call) + "\n")
        return web.json_response(body, status=status)

    def _answer(self, path: str, order: str) -> Answer:
        match path:
            case "/reservations":
                return 201, {"reservation": f"R-{order}"}
            case "/pick-lists":
                return 201, {"pickList": f"P-{order}"}
            case "/labels":
                return 201, {"label": order}
            case "/fraud-checks":
                return self._check_fraud(order)
            case _:
                return 404, {"title": f"the shop has no {path}"}

    def _check_fraud(self, order: str) -> Answer:
        asked = self._fraud_checks[order] = self._fraud_checks.get(order, 0) + 1
        if asked <= self._failures:
            return 503, {"title": "the fraud check is overloaded; try again"}
        return 200, {"risk": "low"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8090)
    options.add_argument("--log", type=Path, default=Path("shop.jsonl"))
    options.add_argument("--failures", type=int, default=2)
    options.add_argument("--delay", type=float, default=0.05)
    given = options.parse_args()
    shop = Shop(given.log, failures=given.failures, delay=given.delay)
    web.run_app(shop.app(), host=given.host, port=given.port, print=None)


if __name__ == "__main__":
    main()
