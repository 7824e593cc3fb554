"""The peer of the cold start: what a bare uvicorn + starlette function needs to answer the same request."""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def answer(request: Request) -> Response:
    body = await request.body()
    return Response(body, media_type="application/json")


if __name__ == "__main__":
    app = Starlette(routes=[Route("/", answer, methods=["POST"])])
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False, lifespan="off", loop="asyncio"
    )
