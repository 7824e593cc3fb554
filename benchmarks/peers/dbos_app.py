"""The same three steps as a DBOS application: one process, and the smallest HTTP server in front of it.

python dbos_app.py PORT DATABASE_URL        (with the interpreter that `make bench-peers` sets up)
"""

import json
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from dbos import DBOS


@DBOS.step()
async def moment() -> float:
    return time.perf_counter() * 1000


@DBOS.workflow()
async def three_steps(n: int) -> list[float]:
    return [await moment(), await moment(), await moment()]


Message = MutableMapping[str, Any]


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        return
    given = b""
    while True:
        message = await receive()
        given += message.get("body", b"")
        if not message.get("more_body", False):
            break
    body = json.dumps(await three_steps(json.loads(given)["n"])).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    port, url = int(sys.argv[1]), sys.argv[2]
    DBOS(config={"name": "durability", "system_database_url": url, "log_level": "WARNING"})
    DBOS.launch()
    uvicorn.run(application, host="127.0.0.1", port=port, log_level="warning", lifespan="off", access_log=False)


if __name__ == "__main__":
    main()
