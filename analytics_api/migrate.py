"""Brings the analytics store to the newest version: ``python -m analytics_api.migrate``.

Exit codes: 0 when it is, 1 where the database cannot be reached, 2 where a setting is wrong.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from lowtide.errors import LowtideError, Misconfigured, Unavailable
from lowtide.settings import MigrateSettings

from .store import reason, url_of

__all__ = ["main", "migrate"]

_LOCK: Final = 0x10_71_DE_02
"""Any number, the same for all who migrate this store."""


def migrate(url: str) -> None:
    """Apply what is missing to the database of ``url``, in one transaction; two at once wait for each other.

    Raises :class:`lowtide.errors.Unavailable` where the database cannot be reached.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    engine = create_engine(url_of(url), connect_args={"connect_timeout": 10})
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except OperationalError as error:
        raise Unavailable(f"the analytics store cannot be migrated: {reason(error)}") from error
    finally:
        engine.dispose()


def main() -> int:
    try:
        url = MigrateSettings.from_environment().analytics_url
        if not url:
            raise Misconfigured("LOWTIDE_ANALYTICS_URL is not set")
        migrate(url)
    except LowtideError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, Misconfigured) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
