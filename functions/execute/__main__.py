"""``python -m functions.execute``: settings, logs, uvicorn, and an orderly end on SIGTERM."""

# The collector sleeps while everything is imported: what a start allocates lives as long as the process.
# ruff: noqa: E402
from __future__ import annotations

import gc

gc.disable()

import asyncio
import logging
import socket
import sys
from types import FrameType

import uvicorn

from lowtide.errors import LowtideError
from lowtide.runtime.logs import log_as_json
from lowtide.settings import ExecuteSettings

from .app import Execute, create_app

log = logging.getLogger("lowtide.execute")


class _Server(uvicorn.Server):
    """SIGTERM first lets invocations yield; requests in flight are then answered before the process ends."""

    def __init__(self, config: uvicorn.Config, app: Execute) -> None:
        super().__init__(config)
        self._app = app

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not the base's: it would raise the signal again once the server has ended, and an orderly end is no failure.
        # A signal may interrupt the loop anywhere, inside a queue too; what it asks for is done between two steps.
        self._loop.call_soon_threadsafe(self._app.yield_all)
        self.should_exit = True


def main() -> int:
    log_as_json()
    try:
        settings = ExecuteSettings.from_environment()
    except LowtideError as error:
        log.critical("cannot start", extra={"reason": str(error)})
        return 2
    if settings.otlp_endpoint:
        from lowtide.telemetry.tracing import ids

        log_as_json(context=ids)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
    )
    gc.freeze()
    gc.enable()
    server = _Server(config, app)
    server.run()
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
