"""Run orchestrate: ``python -m functions.orchestrate``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Iterator

import uvicorn

from lowtide.errors import LowtideError
from lowtide.runtime.logs import log_as_json
from lowtide.settings import OrchestrateSettings
from lowtide.telemetry.tracing import ids

from .app import create_app
from .service import Service

log = logging.getLogger("lowtide.orchestrate")

_LONGEST_REQUEST = 300
_KEEP_ALIVE = 75  # longer than the pools of those who call: a POST on a connection that closes just then is lost


class _Server(uvicorn.Server):
    """On SIGTERM requests are finished; those that only hold timers are told to let go."""

    service: Service | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but an end that was asked for is not an error: the exit code is 0."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, number)
        yield

    def _end(self, number: int) -> None:
        if self.service is not None:
            self.service.stop()
        self.handle_exit(number, None)


def main() -> int:
    log_as_json(context=ids)
    logging.getLogger("uvicorn.access").disabled = True

    def remember(service: Service) -> None:
        server.service = service

    try:
        settings = OrchestrateSettings.from_environment()
        app = create_app(settings, started=remember)
    except LowtideError as error:
        log.critical("cannot start", extra={"reason": str(error)})
        return 2
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        timeout_graceful_shutdown=_LONGEST_REQUEST,
        timeout_keep_alive=_KEEP_ALIVE,
        lifespan="on",
    )
    server = _Server(config)
    server.run()
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
