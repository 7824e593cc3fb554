"""A deployable of a few lines, for tests of what runs deployables: raw ASGI under uvicorn.

``/pid`` ``/slow?S`` (answers after S seconds, and notes it) ``/die`` (ends without an answer) ``/echo`` ``/headers``
``/stream`` (three parts, half a second apart) ``/events`` and ``/dead-letters`` (note the event). What it notes goes to
the file NOTES.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import uvicorn

STARTED_BADLY = os.environ.get("FAKE_BREAKS")


def note(**what: Any) -> None:
    with open(os.environ["NOTES"], "a", encoding="utf-8") as file:  # noqa: PTH123
        file.write(json.dumps({"pid": os.getpid(), **what}) + "\n")


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    status, headers, parts = await answer(scope, body)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
        if len(parts) > 1:
            await asyncio.sleep(0.5)
    await send({"type": "http.response.body", "body": b""})


async def answer(scope: dict[str, Any], body: bytes) -> tuple[int, list[tuple[bytes, bytes]], list[bytes]]:
    plain = [(b"content-type", b"text/plain")]
    match scope["path"].removeprefix("/v1"):
        case "/readyz":
            return 200, plain, [b"ok"]
        case "/pid":
            return 200, plain, [str(os.getpid()).encode()]
        case "/slow":
            note(began="slow")
            await asyncio.sleep(float(scope["query_string"]))
            note(did="slow")
            return 200, plain, [str(os.getpid()).encode()]
        case "/die":
            os._exit(9)
        case "/echo":
            return 200, [*plain, (b"x-seen", str(len(body)).encode())], [body]
        case "/headers":
            pairs = [(name.decode(), value.decode()) for name, value in scope["headers"]]
            told = json.dumps([scope["raw_path"].decode(), scope["query_string"].decode(), pairs])
            cookies = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"connection", b"x-gone"), (b"x-gone", b"1")]
            return 200, cookies, [told.encode()]
        case "/stream":
            return 200, plain, [b"one", b"two", b"three"]
        case "/events" | "/dead-letters" | "/":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            note(path=scope["path"], type=headers.get("ce-type"), id=headers.get("ce-id"))
            return 202, [], [b""]
    return 404, plain, [b"no"]


def main() -> None:
    if STARTED_BADLY:
        print("line before the end", file=sys.stderr)
        print(f"it breaks because of {STARTED_BADLY}", file=sys.stderr)
        sys.exit(3)
    uvicorn.run(app, host=os.environ["LOWTIDE_HOST"], port=int(os.environ["PORT"]), log_level="warning", lifespan="off")


if __name__ == "__main__":
    main()
