"""``python -m analytics_api`` serves on LOWTIDE_HOST:PORT; ``python -m analytics_api migrate`` migrates and exits.

Exit codes: 0 after SIGTERM, Ctrl-C or a migration, 1 where the store cannot be migrated, 2 where a setting or an
argument is wrong.
"""

from __future__ import annotations

import gc
import signal
import sys
from types import FrameType

from lowtide.errors import Misconfigured


def main(arguments: list[str]) -> int:
    # Before anything heavy is imported: as process 1 of a container there is no default action to fall back on.
    # The server puts its own handlers in front while it drains, and hands the signal on when it is done.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    match arguments:
        case []:
            return _serve()
        case ["migrate"]:
            from .migrate import main as migrate

            return migrate()
        case _:
            print(f"unknown arguments {' '.join(arguments)!r}; there is only `migrate`", file=sys.stderr)
            return 2


def _serve() -> int:
    import uvicorn

    from lowtide.runtime.logs import log_as_json
    from lowtide.settings import AnalyticsSettings
    from lowtide.telemetry.tracing import ids

    from .app import create_app

    log_as_json(context=ids)
    try:
        settings = AnalyticsSettings.from_environment()
        app = create_app(settings)
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return 2
    # No limit on draining: questions are bounded by the statement timeout, and a limit would cut them off.
    # Streams would never end by themselves while it drains: they are told to.
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, log_config=None, access_log=False, server_header=False
    )

    class _Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app.state.streams.end()
            super().handle_exit(sig, frame)

    # What the application is made of stays: to look through it for garbage takes longer than most answers.
    gc.collect()
    gc.freeze()
    _Server(config).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
