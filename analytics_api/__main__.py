"""``python -m analytics_api`` serves on LOWTIDE_HOST:PORT; ``python -m analytics_api migrate`` migrates and exits.

Exit codes: 0 after SIGTERM, Ctrl-C or a migration, 1 where the store cannot be reached, 2 where a setting or an
argument is wrong.
"""

from __future__ import annotations

import signal
import sys

from lowtide.errors import LowtideError, Misconfigured


def main(arguments: list[str]) -> int:
    # Before anything heavy is imported: as process 1 of a container there is no default action to fall back on.
    # The server puts its own handlers in front while it drains, and hands the signal on when it is done.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        match arguments:
            case []:
                _serve()
            case ["migrate"]:
                _migrate()
            case _:
                raise Misconfigured(f"unknown arguments {' '.join(arguments)!r}; there is only `migrate`")
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return 2
    except LowtideError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _serve() -> None:
    import uvicorn

    from lowtide.settings import AnalyticsSettings

    from .app import create_app

    settings = AnalyticsSettings.from_environment()
    # No limit on draining: questions are bounded by the statement timeout, and a limit would cut them off.
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, access_log=False, server_header=False)


def _migrate() -> None:
    from lowtide.settings import MigrateSettings

    from .migrate import migrate

    url = MigrateSettings.from_environment().analytics_url
    if not url:
        raise Misconfigured("LOWTIDE_ANALYTICS_URL is not set")
    migrate(url)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
