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
from lowtide.settings import OrchestrateSettings

from .app import create_app
from .service import Service

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
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn.access").disabled = True
    try:
        settings = OrchestrateSettings.from_environment()
    except LowtideError as error:
        print(error, file=sys.stderr)
        return 2

    def remember(service: Service) -> None:
        server.service = service

    app = create_app(settings, started=remember)
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
