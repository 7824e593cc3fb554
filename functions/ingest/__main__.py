"""``python -m functions.ingest``: settings, logs, the server, and a quiet end on SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from lowtide.errors import LowtideError
from lowtide.runtime import loops
from lowtide.runtime.logs import log_as_json
from lowtide.settings import IngestSettings
from lowtide.telemetry.tracing import ids

from .server import serve

log = logging.getLogger("lowtide.ingest")


async def _run(settings: IngestSettings) -> None:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    async with serve(settings) as port:
        log.info("listening", extra={"port": port})
        await ending.wait()
        log.info("draining")
    log.info("ended")


def main() -> int:
    log_as_json(context=ids)
    try:
        loops.run(_run(IngestSettings.from_environment()))
    except LowtideError as error:
        log.critical("cannot start", extra={"reason": str(error)})
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
