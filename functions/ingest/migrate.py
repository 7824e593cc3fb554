"""Brings the journal store to the newest version: ``python -m functions.ingest.migrate``."""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, exc, make_url, text

from lowtide.errors import LowtideError, Misconfigured, Unavailable
from lowtide.settings import MigrateSettings

__all__ = ["upgrade"]

_LOCK = 0x10_71_DE_01  # any number, the same for all who migrate this store


def upgrade(url: str) -> None:
    """Apply what is missing to the database of ``url``; two at once wait for each other.

    Raises :class:`lowtide.errors.Unavailable` where the database cannot be reached.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except exc.OperationalError as error:
        raise Unavailable(f"the journal store cannot be migrated: {error.orig}") from error
    finally:
        engine.dispose()


def main() -> int:
    try:
        url = MigrateSettings.from_environment().journal_url
        if not url:
            raise Misconfigured("LOWTIDE_JOURNAL_URL is not set")
        upgrade(url)
    except LowtideError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
