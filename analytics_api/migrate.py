"""Brings the analytics store up to date: ``python -m analytics_api migrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from lowtide.errors import Unavailable

from .store import reason, url_of

__all__ = ["migrate"]

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
